"""A report as Python users hold it: it prints itself, in a notebook too, and saves itself."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from reports.file import write_file
from reports.json import dumps, loads
from reports.table import percent, render
from reports.text import as_html, as_text


class Report(DiagnosticReport):
    """A ``DiagnosticReport`` that can show and save itself. ``repr`` is the differential, ``str`` the whole table.

    ``images`` and ``note`` are what it was made from, so that ``why``, ``why_not`` and ``what_if`` can score again
    with them. They can identify a patient: they are kept in memory only, and are in nothing that is shown or saved.
    """

    images: tuple[Path, ...] = ()
    note: str | None = None

    @classmethod
    def of(cls, report: DiagnosticReport, *, images: tuple[Path, ...] = (), note: str | None = None) -> Report:
        """``report`` with what it was made from, as far as that is known."""
        own = cls(**{field.name: getattr(report, field.name) for field in fields(report)})
        object.__setattr__(own, "images", images)
        object.__setattr__(own, "note", note)
        return own

    @classmethod
    def load(cls, path: Path) -> Report:
        """The report that ``save`` wrote, or ``whydx diagnose --format json``. Raises InputError when there is none."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read the report ({error.strerror})", value=path, expected="a report as JSON"
            ) from error
        return cls.of(loads(data))

    def to_json(self) -> str:
        """The report as JSON text; docs/report.schema.json describes it."""
        return dumps(self)

    def save(self, path: Path | str) -> None:
        """Write the report as JSON. Raises InputError when the name ends in something else than .json, or the file
        cannot be written; what was there before then stays."""
        path = Path(path)
        if path.suffix not in ("", ".json"):
            raise InputError("a report is saved as JSON", value=path, expected="a name that ends in .json")
        write_file([self.to_json().encode("utf-8")], path)

    def __str__(self) -> str:
        return as_text(self, render)

    def __repr__(self) -> str:
        lines = [f"<Report: {len(self.findings)} findings, {len(self.diagnoses)} diagnoses>"]
        if self.abstention:
            lines.append(f"No diagnosis is named: {self.abstention}")
        for d in self.diagnoses:
            kinds = "" if d.with_kinds is None else f", {percent(d.with_kinds)} with its kinds"
            lines.append(f"{d.rank:2}  {d.concept.name} ({percent(d.probability)}{kinds})")
        return "\n".join([*lines, f"    none of these ({percent(self.none_of_these)})"])

    def _repr_html_(self) -> str:
        return as_html(self, render)
