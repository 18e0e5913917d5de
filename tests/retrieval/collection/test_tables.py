"""An analyst's table: which columns mean what, and that nobody can be told from what is kept."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from retrieval.collection import catalogue, tables
from retrieval.collection.identity import column_name, hashed, is_naming, without

Add = Callable[..., Any]
CSV = """Study ID,PatientID,Patient Name,BirthDate,MRN,Age,Gender,StudyDate,Befund,Site,Dose
S1,P4711,"Miller^Anna",1960-01-02,99887,061Y,female,20240105,"Ms Miller, born 02.01.1960: small effusion.",A,0.12
S2,P4711,"Miller^Anna",1960-01-02,99887,62,F,2024-03-09,"Cardiomegaly; P4711.",A,-1.5
S3,P0815,"Jones^Bob",1990-05-05,55443,34,M,03/04/2024,No effusion.,B,
"""


def cases(home: Path, counted: Any) -> list[Any]:
    found = catalogue.cases(home, "ours", encoder=counted.encoder()).matching()
    return sorted(found, key=lambda case: case.metadata.get("age", ""))


def test_a_table(tmp_path: Path, add: Add, counted: Any) -> None:
    (tmp_path / "cases.csv").write_text("\ufeff" + CSV, encoding="utf-8")
    built = add("ours", tmp_path / "cases.csv", columns={"report": "Befund"}, drop=["site"])
    assert built.notes.left_out == {"Patient Name", "BirthDate", "MRN", "Site"}
    third, first, second = cases(tmp_path / "home", counted)
    assert first.text == "Ms [removed], born [removed]: small effusion."
    assert second.text == "Cardiomegaly; [removed]."
    assert first.metadata["patient"] == second.metadata["patient"] != third.metadata["patient"]
    assert {name: first.metadata[name] for name in ("age", "sex", "date", "dose")} == {
        "age": "61",
        "sex": "F",
        "date": "2024-01-05",
        "dose": "0.12",
    }
    assert "date" not in third.metadata  # 3 April or 4 March
    assert third.concepts == ()
    index = catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder())
    assert [c.metadata["age"] for c in index.matching("dose<0")] == ["62"]
    assert [c.metadata["age"] for c in index.matching("date>2024-01 or date:2025")] == ["62"]
    with pytest.raises(InputError, match=r"expected a field \(age, sex, view, finding, date, dose, patient\)"):
        list(index.matching("site:A"))


def test_no_byte_of_a_collection_says_who_somebody_is(tmp_path: Path, add: Add) -> None:
    (tmp_path / "cases.csv").write_text(CSV, encoding="utf-8")
    add("ours", tmp_path / "cases.csv", columns={"report": "Befund"})
    held = b"".join(p.read_bytes() for p in (tmp_path / "home").rglob("*") if p.is_file()).lower()
    held = re.sub(rb"[0-9a-f]{16,}", b"", held)  # hashes of a salt that is drawn anew hold any four digits now and then
    for word in (b"miller", b"anna", b"jones", b"4711", b"0815", b"99887", b"1960", b's1"'):
        assert word not in held


def test_ids_are_the_collections_own(tmp_path: Path, add: Add, counted: Any) -> None:
    (tmp_path / "cases.csv").write_text(CSV, encoding="utf-8")
    for name in ("ours", "yours"):
        add(name, tmp_path / "cases.csv", columns={"report": "Befund"})
    ids = [
        {case.doc_id.partition(":")[2] for case in catalogue.cases(tmp_path / "home", name).matching()}
        for name in ("ours", "yours")
    ]
    assert ids[0].isdisjoint(ids[1])


def test_parquet_and_json_lines_are_the_same_cases(tmp_path: Path, add: Add, counted: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    row = {"id": "1", "findings": "Effusion.", "indication": "Fever?", "age": 61.0, "labels": ["a", "b"], "n": None}
    parquet.write_table(pa.Table.from_pylist([row | {"date": datetime.date(2024, 1, 5)}]), tmp_path / "cases.parquet")
    (tmp_path / "cases.jsonl").write_text(json.dumps(row | {"date": "2024-01-05T10:00:00"}) + "\n")
    found = []
    for name in ("cases.parquet", "cases.jsonl"):
        add("ours", tmp_path / name)
        found.append(cases(tmp_path / "home", counted))
        catalogue.remove(tmp_path / "home", "ours")
    assert [case.metadata for case in found[0]] == [case.metadata for case in found[1]]
    (case,) = found[0]
    assert case.text == "Indication: Fever? Findings: Effusion."
    assert case.concepts == ("T:effusion",)  # what is asked about is not found
    assert (case.metadata["labels"], case.metadata["date"]) == ("a; b", "2024-01-05")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,report,image\n1,x,gone.png\n", "cases.csv, line 2: no such image: 'gone.png'"),
        (b"id,report\n1,x\n1,y\n", "two cases have one id: 'cases.csv, line 2 and cases.csv, line 3'"),
        ("id,report\n1,ä\n".encode() + "2,ö\n".encode("latin-1"), "line 3 is not UTF-8 text"),
        (b"id,report\n1,x,y\n", "line 2: 3 cells, not 2"),
        (b'id,report\n1,"x\n', "line 2 is not CSV"),
        (b"id,age\n1,2\n", "no column holds a report or an image: 'id, age'"),
        (b"id,Report,report\n1,2,3\n", "two columns have one name"),
        (b"", "the table is empty"),
        (b"id,report\n", "no cases"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, add: Add, content: bytes, said: str) -> None:
    (tmp_path / "cases.csv").write_bytes(content)
    with pytest.raises(InputError) as error:
        add("ours", tmp_path / "cases.csv")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert catalogue.names(tmp_path / "home") == ()


def test_an_unknown_part(tmp_path: Path, add: Add) -> None:
    (tmp_path / "cases.csv").write_text("id,report\n1,x\n")
    with pytest.raises(InputError, match="no part of a case: 'befund'"):
        add("ours", tmp_path / "cases.csv", columns={"befund": "report"})


@pytest.mark.parametrize(
    "header",
    ["Patient Name", "PatientID", "name", "Date of birth", "DOB", "e-mail", "MRN", "Referring physician", "Last name",
     "StudyInstanceUID", "Accession Number", "phone_home"],
)  # fmt: skip
def test_columns_that_name_somebody(header: str) -> None:
    assert is_naming(column_name(header))


@pytest.mark.parametrize("header", ["age", "Scanner", "patient_weight", "site", "report", "kVp", "Date"])
def test_columns_that_do_not(header: str) -> None:
    assert not is_naming(column_name(header))


def test_names_in_a_text() -> None:
    text = "MILLER, Anna (b. 2/1/1960). Millers are bakers; Annapurna."
    expected = "[removed], [removed] (b. [removed]). Millers are bakers; Annapurna."
    assert without(text, ["Miller^Anna", "19600102"]) == expected
    assert without("Li-Fraumeni", ["Li^"]) == "Li-Fraumeni"
    assert hashed("P1", b"a") == hashed(" P1 ", b"a") != hashed("P1", b"b")


@pytest.mark.parametrize(
    ("text", "years"),
    [("061Y", "61"), ("61.9", "61"), ("018M", "1.5"), ("3", "3"), ("010D", "0"), ("old", ""), ("131", ""), ("", "")],
)
def test_age(text: str, years: str) -> None:
    assert tables.age_years(text) == years
