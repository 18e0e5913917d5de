"""Tables for an analyst: cases as CSV or Parquet, a row a case; a report as CSV, a row a finding or diagnosis."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO
from typing import Literal

from fusion.diagnosis import DiagnosticReport
from ontologies.concept import Concept
from reports.cleaning import without_controls
from reports.json import plain
from retrieval.document import CaseHit, SearchHit

Cell = str | int | float | None
_COLUMNS = ("rank", "score", "id", "title", "text", "concepts")
_SYSTEMS = ("SNOMEDCT", "ICD10CM", "UMLS", "HP")
_REPORT_COLUMNS = (
    *("row", "rank", "name", "curie", *(system.lower() for system in _SYSTEMS), "presence", "side", "origin"),
    *("probability", "cut_off", "with_kinds", "cannot_be_ruled_out"),
)
# What a spreadsheet takes for the beginning of a formula, the wide forms too (OWASP, "CSV injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class CsvReporter:
    """Findings in the report's order, then diagnoses by rank, then "none of these"; the same columns in all reports."""

    def render(self, report: DiagnosticReport) -> str:
        """The table as CSV text (RFC 4180, a header, CRLF); cells that a spreadsheet would run as a formula get a
        leading apostrophe."""
        return _csv(_REPORT_COLUMNS, _rows(without_controls(report)))


def rows(hits: Sequence[SearchHit]) -> list[dict[str, Cell]]:
    """A dict a hit, all with the same keys: rank, score, id, title, text, concepts (joined by ";"), then the parts of
    the score as ``score_…``, what it ``shares`` and ``lacks`` of what was asked for, and the metadata as ``meta_…``;
    None where a case lacks one."""
    parts = sorted({name for hit in hits for name in hit.explanation})
    known = sorted({name for hit in hits for name in hit.document.metadata})
    table: list[dict[str, Cell]] = []
    for hit in hits:
        document = hit.document
        values = (
            hit.rank,
            plain(hit.score),
            document.source_curie,
            document.title,
            document.text,
            ";".join(document.concepts),
        )
        row: dict[str, Cell] = dict(zip(_COLUMNS, values, strict=True))
        row |= {f"score_{name}": plain(hit.explanation.get(name)) for name in parts}
        if isinstance(hit, CaseHit):
            row |= {"shares": "; ".join(hit.shares), "lacks": "; ".join(hit.lacks)}
        row |= {f"meta_{name}": document.metadata.get(name) for name in known}
        table.append(row)
    return table


def table_file(hits: Sequence[SearchHit], kind: Literal["csv", "parquet"]) -> bytes:
    """``rows(hits)`` as the bytes of a CSV file (UTF-8, RFC 4180, a header; cells that a spreadsheet would run as a
    formula get a leading apostrophe) or of a Parquet file (``rank`` int64, scores float64, the rest strings)."""
    table = rows(hits)
    names = list(table[0]) if table else list(_COLUMNS)
    if kind == "csv":
        return _csv(names, table).encode("utf-8")
    import pyarrow as pa
    from pyarrow import parquet

    numbers = {name: pa.float64() for name in names if name.startswith("score")} | {"rank": pa.int64()}
    schema = pa.schema([(name, numbers.get(name, pa.string())) for name in names])
    data = BytesIO()
    parquet.write_table(pa.Table.from_pylist(table, schema=schema), data)
    return data.getvalue()


def _rows(report: DiagnosticReport) -> Iterator[Mapping[str, Cell]]:
    for finding in report.findings:
        yield {
            "row": "finding",
            "name": finding.label,
            **_codes(finding.concept),
            "presence": finding.presence,
            "side": finding.laterality,
            "origin": finding.origin,
            "probability": plain(finding.probability),
            "cut_off": plain(finding.threshold),
        }
    for diagnosis in report.diagnoses:
        yield {
            "row": "diagnosis",
            "rank": diagnosis.rank,
            "name": diagnosis.concept.name,
            **_codes(diagnosis.concept),
            "probability": plain(diagnosis.probability),
            "with_kinds": plain(diagnosis.with_kinds),
            "cannot_be_ruled_out": "yes" if diagnosis.conformal_member else "no",
        }
    yield {"row": "none of these", "probability": plain(report.none_of_these)}


def _codes(concept: Concept | None) -> dict[str, Cell]:
    if concept is None:
        return {}
    return {"curie": concept.curie, **{system.lower(): concept.code(system) for system in _SYSTEMS}}


def _csv(names: Sequence[str], table: Sequence[Mapping[str, Cell]] | Iterator[Mapping[str, Cell]]) -> str:
    text = StringIO(newline="")
    writer = csv.DictWriter(text, names)
    writer.writerow({name: _harmless(name) for name in names})
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in table)
    return text.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA) else value
