"""What clinicians said of reports, kept in the home: a line of JSON a report, without what identifies a patient.

An entry holds the SHA-256 of the report, not the report: its first diagnosis and probability, what was right instead
and where the report had it, findings that were confirmed or corrected, the versions, and the day. Text is kept only
where the user gives it for that. ``id`` is the SHA-256 of the rest, so that the same feedback given or imported twice
is one entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from ontologies.concept import Concept, Presence
from records.lines import append, canonical, locked

NAME = "feedback.jsonl"
Verdict = Literal["accepted", "corrected", "none"]
_VERSIONS = ("graph", "reasoner", "detector")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A concept as an entry names it."""

    curie: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A finding as the report had it ("not assessed": not at all) and as the clinician says it is."""

    finding: Named
    said: Presence
    correct: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One entry. ``verdict`` on the ``first`` diagnosis: "accepted", "corrected" (to ``correct``, which stood at
    ``correct_rank`` with ``correct_probability`` among those shown, or None), or "none" where only findings were
    looked at. ``related``: whether one of first and correct is a kind of the other. ``abstained``: the report named no
    diagnosis, and ``first`` is only the likeliest candidate."""

    day: str
    report: str
    verdict: Verdict
    first: Named | None = None
    probability: float | None = None
    abstained: bool = False
    correct: Named | None = None
    correct_rank: int | None = None
    correct_probability: float | None = None
    related: bool = False
    findings: tuple[Checked, ...] = ()
    note: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    id: str = ""

    def row(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        return _plain(self)

    def identified(self) -> Feedback:
        """The entry with the id that its content has."""
        content = {k: v for k, v in self.row().items() if k != "id"}
        return replace(self, id=hashlib.sha256(canonical(content).encode("utf-8")).hexdigest()[:32])


def of(
    report: DiagnosticReport,
    report_json: str,
    *,
    accept: bool = False,
    correct: Concept | None = None,
    findings: Sequence[tuple[Concept, Presence]] = (),
    note: str | None = None,
    related: bool = False,
) -> Feedback:
    """The entry that says this of a report. Raises InputError when it says nothing, or two things at once."""
    if accept and correct is not None:
        raise InputError("a diagnosis cannot be accepted and corrected", expected="--accept or --correct")
    if not (accept or correct is not None or findings or note):
        raise InputError("nothing is said of the report", expected="--accept, --correct or --finding")
    first = report.diagnoses[0] if report.diagnoses else None
    if accept and first is None:
        raise InputError("the report names no diagnosis to accept", expected="--correct")
    if correct is not None and first is not None and correct == first.concept:
        raise InputError("this is the first diagnosis already", value=correct.name, expected="--accept")
    shown = next((d for d in report.diagnoses if d.concept == correct), None)
    said = {f.concept.curie: f.presence for f in report.findings if f.concept}
    checked = tuple(
        Checked(finding=_named(c), said=said.get(c.curie, "not assessed"), correct=presence)
        for c, presence in sorted(findings, key=lambda f: f[0].curie)
    )
    return Feedback(
        day=datetime.now(UTC).strftime("%Y-%m-%d"),
        report=hashlib.sha256(report_json.encode("utf-8")).hexdigest(),
        verdict="accepted" if accept else "corrected" if correct is not None else "none",
        first=None if first is None else _named(first.concept),
        probability=None if first is None else float(f"{first.probability:.6g}"),
        abstained=report.abstention is not None,
        correct=None if correct is None else _named(correct),
        correct_rank=None if shown is None else shown.rank,
        correct_probability=None if shown is None else float(f"{shown.probability:.6g}"),
        related=related,
        findings=checked,
        note=note,
        versions={n: report.provenance[n] for n in _VERSIONS if n in report.provenance},
    ).identified()


def keep(home: Path, entries: Iterable[Feedback]) -> int:
    """Append the entries that the home does not have yet; returns how many those were. Raises OSError when the home
    cannot be written to, InputError when what it has is damaged."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / NAME
    with locked(path):
        known = {e.id for e in kept(home)}
        new = {e.id: e for e in entries if e.id not in known}
        if new:
            append(path, "".join(canonical(e.row()) + "\n" for e in new.values()))
    return len(new)


def kept(home: Path) -> tuple[Feedback, ...]:
    """The entries of a home, in their order, each once; () without any. Raises InputError for a damaged line."""
    path = home / NAME
    return tuple(read(path)) if path.exists() else ()


def read(path: Path) -> Iterator[Feedback]:
    """The entries of a file, each id once. Raises InputError, with file and line, for what is no entry, or was changed
    since it was written (its id does not fit)."""
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(Feedback)
    seen: set[str] = set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the feedback", value=path.name, expected="JSON lines in UTF-8") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = adapter.validate_json(line)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"])) or "the line"
            raise InputError(f"{path.name}, line {number}: no feedback", value=f"{where}: {problem['msg']}") from error
        if entry.id != entry.identified().id:
            raise InputError(f"{path.name}, line {number}: changed since it was written", value=entry.id)
        if entry.id not in seen:
            seen.add(entry.id)
            yield entry


def export(entries: Iterable[Feedback]) -> str:
    """The entries as JSON lines, by day and id, so that two homes with the same entries write the same file."""
    return "".join(canonical(e.row()) + "\n" for e in sorted(entries, key=lambda e: (e.day, e.id)))


def _named(concept: Concept) -> Named:
    return Named(curie=concept.curie, name=concept.name)


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple) else json.loads(json.dumps(value))
