"""Reports as JSON: exact bytes, a round trip, and the schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from reports.json import dump_lines, dumps, loads, plain, schema, schema_text

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
VALIDATOR = jsonschema.Draft202012Validator


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.123456789, 0.123457),
        (1234567.8, 1234570.0),
        (-1e-30, -1e-30),
        (-0.0, 0.0),
        (float("nan"), None),
        (float("-inf"), None),
        (True, True),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.array([[1, 2]]), [[1, 2]]),
        (Path("a") / "b", "a/b"),
        ((1, "x", None), [1, "x", None]),
        ({"b": 1, "a": (2,)}, {"a": [2], "b": 1}),
        (frozenset({"b", "a"}), ["a", "b"]),
    ],
)
def test_plain(value: object, expected: object) -> None:
    got = plain(value)
    assert got == expected
    assert type(got) is type(expected)


def test_plain_refuses_what_json_cannot_say() -> None:
    with pytest.raises(TypeError, match="bytes"):
        plain({"a": b"x"})


def test_rounding_twice_changes_nothing() -> None:
    values = [x / 7.3 for x in range(1, 2000)]
    assert plain(plain(values)) == plain(values)


def test_round_trip(report: DiagnosticReport) -> None:
    text = dumps(report)
    assert dumps(loads(text)) == text
    assert loads(text) == replace(report, findings=loads(text).findings)  # only one probability needed rounding
    assert loads(text).findings[0].probability == 0.812346


def test_same_report_same_bytes(report: DiagnosticReport) -> None:
    turned = replace(report, provenance=dict(reversed(report.provenance.items())))
    assert dumps(turned) == dumps(report)
    assert dumps(report).endswith("}\n")
    assert "←" in dumps(report)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"findings": 3}', "null"])
def test_what_is_not_a_report(text: str) -> None:
    with pytest.raises(InputError, match="not a whydx report"):
        loads(text)


def test_dump_lines() -> None:
    assert dump_lines([{"b": 1.00000001, "a": "é"}, {}]) == '{"a": "é", "b": 1.0}\n{}\n'
    assert dump_lines([]) == ""


def test_committed_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run: make schema"


def test_schema_is_draft_2020_12() -> None:
    VALIDATOR.check_schema(schema())
    assert schema()["$schema"] == VALIDATOR.META_SCHEMA["$id"]


def test_report_validates(report: DiagnosticReport) -> None:
    VALIDATOR(schema()).validate(json.loads(dumps(report)))
    VALIDATOR(schema()).validate(json.loads(dumps(DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0))))


def _without(document: Any, *path: Any) -> Any:
    place = document
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return document


@pytest.mark.parametrize(
    "path",
    [("none_of_these",), ("diagnoses", 0, "evidence", 0, "weight"), ("findings", 0, "concept", "codes"), ("warnings",)],
)
def test_schema_wants_every_field(report: DiagnosticReport, path: tuple[Any, ...]) -> None:
    document = _without(json.loads(dumps(report)), *path)
    assert not VALIDATOR(schema()).is_valid(document)


def test_schema_is_closed(report: DiagnosticReport) -> None:
    document = json.loads(dumps(report))
    document["diagnoses"][0]["evidence"][0]["attention"] = 0.3
    assert not VALIDATOR(schema()).is_valid(document)
