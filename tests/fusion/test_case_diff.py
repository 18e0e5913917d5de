"""Diagnoses that move between two graphs, and the edge that moved them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fusion.diff import moved
from kg.graph import KnowledgeGraph
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement
from ontologies.merging.merge import merge
from ontologies.staging import Staging

FREQUENCY = {("OMIM:1", "HP:1"): 0.9, ("OMIM:1", "HP:2"): 0.5, ("OMIM:2", "HP:1"): 0.6, ("OMIM:2", "HP:3"): 0.4}


def built(folder: Path, frequency: dict[tuple[str, str], float], is_a: list[tuple[str, str]]) -> KnowledgeGraph:
    names = {c: f"{c} name" for c in ("HP:0", "HP:1", "HP:2", "HP:3", *(f"OMIM:{i}" for i in range(1, 6)))}
    rows: list[Statement] = []
    for curie, name in names.items():
        system, code = curie.split(":")
        kind = DISEASE if system == "OMIM" else FINDING
        rows.append(Concept(curie=curie, name=name, semantic_types=(kind,), codes={system: (code,)}))
    edge = Relation(subject="", predicate="has_phenotype", object="", source="test", reference="PMID:1")
    rows += [replace(edge, subject=s, object=o, frequency=f) for (s, o), f in frequency.items()]
    rows += [replace(edge, subject=f"OMIM:{i}", object="HP:3", frequency=0.5) for i in (3, 4, 5)]
    rows += [replace(edge, subject=s, predicate="is_a", object=o) for s, o in is_a]
    return KnowledgeGraph.build(merge(Staging.of(rows)), folder)


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    rows = [
        {"id": "a", "observed": ["HP:1"], "excluded": [], "sex": None, "age": None, "disease_id": "OMIM:1", "pmid": ""},
        {"id": "b", "observed": ["HP:3"], "excluded": [], "sex": None, "age": None, "disease_id": "OMIM:2", "pmid": ""},
    ]
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


IS_A = [("HP:1", "HP:0"), ("HP:2", "HP:0"), ("HP:3", "HP:0")]


def test_the_annotation_that_moved_a_diagnosis_is_named(tmp_path: Path, cases: Path) -> None:
    old = built(tmp_path / "old", {k: f for k, f in FREQUENCY.items() if k != ("OMIM:2", "HP:1")}, IS_A)
    new = built(tmp_path / "new", FREQUENCY | {("OMIM:2", "HP:3"): 0.45}, IS_A)
    told = moved(old.path, new.path, cases, 50, vocab="OMIM")
    assert told["cases"] == 2
    move = next(m for m in told["moves"] if (m["case"], m["disease"]) == ("a", "OMIM:2"))
    assert (move["old_rank"], move["new_rank"]) == (5, 1)
    assert move["score_change"] > 0
    edge = move["edge"]
    assert (edge["change"], edge["subject"], edge["object"], edge["frequency"]) == ("added", "OMIM:2", "HP:1", 0.6)
    # put back, the edge takes back what it did; what is left is the other edge's, and less
    assert edge["share"] == pytest.approx(1, abs=0.2)


def test_a_hierarchy_edge_that_moved_a_diagnosis_is_named(tmp_path: Path, cases: Path) -> None:
    old = built(tmp_path / "old", FREQUENCY, IS_A)
    new = built(tmp_path / "new", FREQUENCY, [*IS_A, ("HP:2", "HP:3")])
    told = moved(old.path, new.path, cases, 50, vocab="OMIM")
    move = next(m for m in told["moves"] if (m["case"], m["disease"]) == ("b", "OMIM:1"))
    # what shows HP:2 now shows HP:3
    assert move["new_rank"] < move["old_rank"]
    assert (move["edge"]["change"], move["edge"]["subject"], move["edge"]["object"]) == ("added", "HP:2", "HP:3")
    assert move["edge"]["share"] == pytest.approx(1)


def test_nothing_moves_between_equal_graphs(tmp_path: Path, cases: Path) -> None:
    graph = built(tmp_path / "graph", FREQUENCY, IS_A)
    assert moved(graph.path, graph.path, cases, 50, vocab="OMIM") == {"cases": 2, "moved_cases": 0, "moves": []}
