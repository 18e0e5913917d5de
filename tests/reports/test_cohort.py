"""Cases as CSV and Parquet."""

from __future__ import annotations

import csv
from io import BytesIO, StringIO

from pyarrow import parquet

from fusion.diagnosis import DiagnosticReport
from reports.cohort import rows, table_file
from retrieval.document import Document, SearchHit


def hit(rank: int, text: str, **metadata: str) -> SearchHit:
    document = Document(
        doc_id=str(rank),
        kind="case",
        title="",
        text=text,
        source_curie=f"x:{rank}",
        concepts=("A:1", "A:2"),
        metadata=metadata,
    )
    return SearchHit(
        document=document, score=1 / rank, rank=rank, explanation={"bm25": 2.0} if rank == 1 else {"image": 0.1234567}
    )


HITS = (hit(1, 'cough,\n"fever"', age="61"), hit(2, "=HYPERLINK(1)", sex="F"))


def test_rows_have_the_same_keys() -> None:
    first, second = rows(HITS)
    assert list(first) == list(second)
    assert (first["score_bm25"], second["score_bm25"]) == (2.0, None)
    assert (first["meta_age"], second["meta_age"]) == ("61", None)
    assert second["score_image"] == 0.123457


def test_csv_round_trip() -> None:
    read = list(csv.DictReader(StringIO(table_file(HITS, "csv").decode("utf-8"), newline="")))
    assert [row["text"] for row in read] == ['cough,\n"fever"', "'=HYPERLINK(1)"]
    assert [row["concepts"] for row in read] == ["A:1;A:2"] * 2


def test_parquet_round_trip() -> None:
    table = parquet.read_table(BytesIO(table_file(HITS, "parquet")))
    assert table.to_pylist() == rows(HITS)
    assert str(table.schema.field("rank").type) == "int64"


def test_nothing_found_is_an_empty_table(report: DiagnosticReport) -> None:
    assert table_file((), "csv").decode() == "rank,score,id,title,text,concepts\r\n"
    assert parquet.read_table(BytesIO(table_file((), "parquet"))).num_rows == 0
    assert len(rows(report.cases)) == 1
