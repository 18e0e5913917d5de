"""The other verbs on a built home, each once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Whydx = Callable[..., Any]  # see tests/conftest.py: a run has status, out and err


def test_paths(whydx: Whydx, home: Path) -> None:
    ran = whydx("paths", "HP:0002202", "ICD10CM:I50.9", "-k", "2", "--format", "json", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    walks = json.loads(ran.out)
    assert 1 <= len(walks) <= 2
    assert all(triple["source"] for walk in walks for triple in walk["triples"])


def test_search(whydx: Whydx, home: Path) -> None:
    ran = whydx("search", "pleural effusion in heart failure", "-k", "3", "--format", "json", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    hits = json.loads(ran.out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert all(hit["document"]["source_curie"].startswith("PMID:") for hit in hits)


def test_cases_by_image_text_and_export(whydx: Whydx, home: Path, phantom: Path, tmp_path: Path) -> None:
    ran = whydx("cases", phantom, "-k", "3", "--format", "json", "--home", home)
    assert (ran.status, len(json.loads(ran.out))) == (0, 3)
    target = tmp_path / "cases.csv"
    ran = whydx("cases", "--text", "pleural effusion", "-k", "4", "--export", "csv", "-o", target, "--home", home)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert target.read_text(encoding="utf-8").startswith("rank,score,id")


def test_detect_and_overlay(whydx: Whydx, home: Path, phantom: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.png"
    ran = whydx("detect", phantom, "--format", "json", "--overlay", overlay, "--home", home)
    assert ran.status == 0, ran.err
    (row,) = json.loads(ran.out)
    assert len(row["findings"]) == 14
    assert all(finding["concept"]["codes"] for finding in row["findings"])
    assert overlay.read_bytes().startswith(b"\x89PNG")


def test_data_list(whydx: Whydx, home: Path) -> None:
    rows = json.loads(whydx("data", "list", "--format", "json", "--home", home).out)
    assert {row["state"] for row in rows} == {"ready"}
    assert all(row["licence"] and row["citation"] and row["sha256"] for row in rows)


def test_ontology_show(whydx: Whydx, home: Path) -> None:
    value = json.loads(whydx("ontology", "show", "HP:0002202", "--format", "json", "--home", home).out)
    assert value["concept"]["name"] == "Pleural effusion"
    assert value["triples"]


def test_index_show_and_verify(whydx: Whydx, home: Path) -> None:
    for verb in ("show", "verify"):
        rows = json.loads(whydx("index", verb, "--format", "json", "--home", home).out)
        assert [row["part"] for row in rows] == ["graph", "linker", "literature", "cases", "images"]


def test_diagnose_by_text_alone(whydx: Whydx, home: Path) -> None:
    ran = whydx("diagnose", "--note", "fever and productive cough", "--age", "61", "--sex", "f", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    assert "Differential" in ran.out
    assert "not a medical device" in ran.out


def test_diagnose_twice_gives_the_same_bytes_that_validate(
    whydx: Whydx, home: Path, phantom: Path, tmp_path: Path
) -> None:
    import jsonschema

    from reports.json import dumps, loads, schema

    arguments = ("diagnose", phantom, "--note", "fever and productive cough", "--format", "json", "--home", home)
    first = whydx(*arguments)
    assert first.status == 0, first.err
    assert whydx(*arguments, "-o", tmp_path / "report.json").out == ""
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == first.out
    jsonschema.Draft202012Validator(schema()).validate(json.loads(first.out))
    assert dumps(loads(first.out)) == first.out
    assert any("PHANTOM" in line for line in loads(first.out).warnings)
