"""A cohort at a glance."""

from __future__ import annotations

from typing import Any

import pytest

from errors import InputError
from reports.json import plain
from reports.summary import draw, plot, summarise
from reports.text import as_text
from retrieval.document import Document


def case(number: int, **known: str) -> Document:
    name = f"c{number}"
    return Document(doc_id=name, kind="case", title="", text="", source_curie=name, metadata=known)


CASES = [
    case(1, age="61", sex="F", findings="Effusion; Fever", date="2024-01-05", patient="a", site="A"),
    case(2, age="69", sex="F", findings="Effusion", date="2024-03-05", patient="a", site="B"),
    case(3, age="45", sex="M", date="2025-03-05", patient="b", site="A"),
    case(4, age="old"),
]


def test_counts() -> None:
    found = summarise(CASES)
    assert (found.cases, found.patients, found.median_age) == (4, 2, 61)
    assert found.ages == {"40-49": 1, "50-59": 0, "60-69": 2}
    assert found.sexes == {"F": 2, "M": 1, "not stated": 1}
    assert found.findings == {"Effusion": 2, "Fever": 1}
    months = [f"2024-{n:02d}" for n in range(1, 13)] + [f"2025-{n:02d}" for n in range(1, 4)]
    assert found.dates == dict.fromkeys(months, 0) | {"2024-01": 1, "2024-03": 1, "2025-03": 1}
    assert list(found.dates) == months, "a month without a case is a gap to see"
    years = summarise([*CASES, case(5, date="2019-01-01")]).dates
    assert years == {"2019": 1, "2020": 0, "2021": 0, "2022": 0, "2023": 0, "2024": 2, "2025": 1}
    assert summarise([*CASES, case(5, date="1066-01-01")]).dates == {"1066": 1, "2024": 2, "2025": 1}


def test_groups() -> None:
    found = summarise(CASES, ["finding", "sex"])
    assert [tuple(row.values()) for row in found.groups] == [
        ("Effusion", "F", 2, 0.5),
        ("Fever", "F", 1, 0.25),
        ("none", "M", 1, 0.25),
        ("none", "not stated", 1, 0.25),
    ]
    assert [row["age"] for row in summarise(CASES, ["age"]).groups] == ["60-69", "40-49", "not stated"]
    assert {row["site"]: row["cases"] for row in summarise(CASES, ["site"]).groups} == {
        "A": 2,
        "B": 1,
        "not stated": 1,
    }


def test_an_unknown_column() -> None:
    with pytest.raises(InputError, match="no column to group by: 'centre'; expected age, date, finding"):
        summarise(CASES, ["centre"])


def test_nobody() -> None:
    found = summarise([], ["sex"])
    assert (found.cases, found.patients, found.median_age, found.groups) == (0, None, None, [])
    assert "0 cases" in as_text(found, draw)
    assert plot(found, "svg").startswith(b"<?xml")


def test_as_a_table_and_as_json() -> None:
    text = as_text(summarise(CASES, ["site"]), draw)
    assert "4 cases of 2 patients, median age 61" in text
    for line in ("Effusion", "50 %", "By site", "2024-03"):
        assert line in text
    value: Any = plain(summarise(CASES, ["site"]))
    assert value["groups"][0] == {"site": "A", "cases": 2, "share": 0.5}


@pytest.mark.parametrize(("layout", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture(layout: Any, begin: bytes) -> None:
    first = plot(summarise(CASES), layout)
    assert first.startswith(begin)
    assert plot(summarise(CASES), layout) == first
