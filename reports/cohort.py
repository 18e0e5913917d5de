"""Cases as a table file for an analyst: CSV or Parquet, one row a case."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO
from typing import Literal

from reports.json import plain
from retrieval.document import CaseHit, SearchHit

_COLUMNS = ("rank", "score", "id", "title", "text", "concepts")


def rows(hits: Sequence[SearchHit]) -> list[dict[str, str | int | float | None]]:
    """A dict a hit, all with the same keys: rank, score, id, title, text, concepts (joined by ";"), then the parts of
    the score as ``score_…``, what it ``shares`` and ``lacks`` of what was asked for, and the metadata as ``meta_…``;
    None where a case lacks one."""
    parts = sorted({name for hit in hits for name in hit.explanation})
    known = sorted({name for hit in hits for name in hit.document.metadata})
    table: list[dict[str, str | int | float | None]] = []
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
        row: dict[str, str | int | float | None] = dict(zip(_COLUMNS, values, strict=True))
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
        text = StringIO(newline="")
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in row.items()} for row in table)
        return text.getvalue().encode("utf-8")
    import pyarrow as pa
    from pyarrow import parquet

    numbers = {name: pa.float64() for name in names if name.startswith("score")} | {"rank": pa.int64()}
    schema = pa.schema([(name, numbers.get(name, pa.string())) for name in names])
    data = BytesIO()
    parquet.write_table(pa.Table.from_pylist(table, schema=schema), data)
    return data.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
