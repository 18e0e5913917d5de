"""whydx ontology and whydx paths, as a knowledge engineer runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kg.export import views

Whydx = Callable[..., Any]


def test_paths_go_out_in_every_form(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    asked = ("paths", "ground glass opacity", "COVID-19", "--home", home)
    ran = whydx(*asked)
    assert (ran.status, ran.err) == (0, "")
    assert "Ground-glass opacity is often seen in COVID-19" in ran.out
    rows = json.loads(whydx(*asked, "--format", "json", "--max-hops", "1").out)
    assert [len(row["triples"]) for row in rows] == [1]
    assert rows[0]["triples"][0]["frequency"] == 0.545
    turtle = whydx(*asked, "--format", "turtle").out
    graphml = whydx(*asked, "--format", "graphml").out
    view = views.from_turtle(turtle.encode())
    assert views.from_graphml(graphml.encode()) == view
    assert {"HP:0025179", "UMLS:C5203670"} <= {c.curie for c in view.concepts}
    for suffix, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        target = tmp_path / f"paths.{suffix}"
        assert whydx(*asked, "-o", target).status == 0
        assert target.read_bytes().startswith(start)


def test_an_ambiguous_name_is_said_to_be(whydx: Whydx, home: Path) -> None:
    ran = whydx("paths", "cough", "no such disease", "--home", home)
    assert ran.status == 1
    assert ran.err.startswith("error: unknown concept: 'no such disease'")
    assert ran.err.count("\n") == 1


def test_ontologies_come_and_go(whydx: Whydx, tmp_path: Path) -> None:
    mine = tmp_path / "mine.obo"
    mine.write_text("format-version: 1.4\n\n[Term]\nid: MY:1\nname: crescent sign of the demo\nxref: HP:0002202\n")
    home = tmp_path / "home"
    ran = whydx("ontology", "add", mine, "--home", home)
    assert (ran.status, ran.err) == (0, "added mine (obo); run: whydx index build\n")
    rows = json.loads(whydx("ontology", "list", "--format", "json", "--home", home).out)
    assert [row["name"] for row in rows] == ["mine"]
    assert whydx("ontology", "remove", "mine", "--home", home).status == 0
    assert json.loads(whydx("ontology", "list", "--format", "json", "--home", home).out) == []
    ran = whydx("ontology", "remove", "mine", "--home", home)
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    mine.write_text("format-version: 1.4\n\n[Term]\nid: MY:1\nname: one\nis_a MY:2\n")
    assert whydx("ontology", "add", mine, "--home", home).status == 1
    ran = whydx("ontology", "add", mine, "--on-error", "skip", "--home", home)
    assert ran.status == 0
    assert "left out: " in ran.err
    assert "mine.obo, line 6" in ran.err


def test_conflicts_are_listed(whydx: Whydx, home: Path) -> None:
    value = json.loads(whydx("ontology", "conflicts", "-k", "2", "--format", "json", "--home", home).out)
    assert value["counts"]["shared code"] > 100
    assert len(value["conflicts"]) <= 2 * len(value["counts"])
    ran = whydx("ontology", "conflicts", "--kind", "nonsense", "--home", home)
    assert ran.status == 1
    assert "shared code" in ran.err


def test_export_and_query_agree(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "near.ttl"
    assert whydx("ontology", "export", "GGO", "--hops", "1", "-o", target, "--home", home).status == 0
    view = views.from_turtle(target.read_bytes())
    value = json.loads(whydx("ontology", "export", "GGO", "--format", "json", "--home", home).out)
    assert [c["curie"] for c in value["concepts"]] == [c.curie for c in view.concepts]
    count = "SELECT (count(?c) AS ?n) WHERE { ?c a owl:Class }"
    ran = whydx("ontology", "query", count, "--around", "GGO", "--hops", "1", "--format", "json", "--home", home)
    assert json.loads(ran.out) == {"rows": [{"n": len(view.concepts)}]}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("export", "--format", "graphml"), 2),
        (("export",), 2),
        (("query", "SELECT", "--around", "GGO"), 1),
        (("query", "SELECT * { SERVICE <http://x/> { ?a ?b ?c } }", "--around", "GGO"), 1),
    ],
)
def test_what_cannot_be_done_is_said(whydx: Whydx, home: Path, arguments: tuple[str, ...], status: int) -> None:
    ran = whydx("ontology", *arguments, "--home", home)
    assert (ran.status, ran.out) == (status, "")


def test_a_home_does_not_differ_from_itself(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    value = json.loads(whydx("ontology", "diff", home, home / "graph", "--format", "json").out)
    assert set(value["counts"].values()) == {0}
    ran = whydx("ontology", "diff", home, tmp_path)
    assert (ran.status, ran.err.count("\n")) == (1, 1)
    assert "whydx index build" in ran.err
