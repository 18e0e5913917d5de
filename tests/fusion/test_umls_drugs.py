"""Drugs that the user's UMLS says may treat a disease are fitted to the patient like the layer's steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion.diagnosis import Diagnosis
from fusion.next_steps import contraindicated_by, fitted, may_treat
from kg.graph import KnowledgeGraph
from ontologies.concept import DISEASE, Concept, Relation, Statement, Term
from ontologies.merging.merge import merge
from ontologies.staging import Staging
from vision.finding import Finding

NAMES = {
    "UMLS:C0000001": "Made-up fever",
    "UMLS:C0000002": "Amoxicillin",
    "UMLS:C0000003": "Zebrafloxacin",
    "UMLS:C0000004": "Levofloxacin class",
    "UMLS:C0000005": "Aberinol",
    "UMLS:C0000006": "Gout of the wing",
    "CHEST:penicillin-allergy": "Penicillin allergy",
}
MADE = "umls 2026AA"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    """Three drugs, in both directions: one of a class, one that is contraindicated by a fact."""
    rows: list[Statement] = []
    for curie, name in NAMES.items():
        system, code = curie.split(":")
        rows.append(Concept(curie=curie, name=name, semantic_types=(DISEASE,), codes={system: (code,)}))
        rows.append(Term(curie=curie, text=name, kind="preferred"))
    edges = [
        ("UMLS:C0000001", "may_be_treated_by", "UMLS:C0000002"),
        ("UMLS:C0000003", "may_treat", "UMLS:C0000001"),
        ("UMLS:C0000001", "may_be_treated_by", "UMLS:C0000005"),
        ("UMLS:C0000003", "is_a", "UMLS:C0000004"),
        ("UMLS:C0000005", "contraindicated_with_disease", "UMLS:C0000006"),
    ]
    rows += [Relation(subject=s, predicate=p, object=o, source=MADE) for s, p, o in edges]
    folder: Path = tmp_path_factory.mktemp("umls")
    return KnowledgeGraph.build(merge(Staging.of(rows)), folder / "graph")


def told(graph: KnowledgeGraph, *present: str, age: float = 50.0) -> tuple[list[str], dict[str, str]]:
    """The steps' texts, and what is left out with why."""
    disease = Diagnosis(
        concept=graph.concept("UMLS:C0000001"), probability=0.9, rank=1, score=1.0, conformal_member=True
    )
    findings = [
        Finding(label=c, presence="present", origin="note", concept=graph.concept(c)) for c in present
    ]  # fmt: skip
    steps, out = fitted([disease], findings, (), age, graph)
    assert all(step.reference == MADE for step in steps)
    return [step.text for step in steps], {left.text: left.because for left in out}


def test_drugs_stand_after_the_steps_by_name(graph: KnowledgeGraph) -> None:
    assert [d.name for d in may_treat(graph, "UMLS:C0000001")] == ["Aberinol", "Amoxicillin", "Zebrafloxacin"]
    assert told(graph) == (["Drugs that may treat it: Aberinol, Amoxicillin, Zebrafloxacin"], {})
    assert may_treat(graph, "UMLS:C0000002") == ()


def test_what_something_speaks_against_is_left_out(graph: KnowledgeGraph) -> None:
    steps, out = told(graph, "CHEST:penicillin-allergy")
    assert steps == ["Drugs that may treat it: Aberinol, Zebrafloxacin"]
    assert out == {"Amoxicillin": "Penicillin allergy: known allergy to the class"}


def test_a_class_speaks_for_its_drugs(graph: KnowledgeGraph) -> None:
    steps, out = told(graph, age=9.0)
    assert steps == ["Drugs that may treat it: Aberinol, Amoxicillin"]
    assert out["Zebrafloxacin"].startswith("younger than 18 years")


def test_umls_says_whom_a_drug_is_not_for(graph: KnowledgeGraph) -> None:
    steps, out = told(graph, "UMLS:C0000006")
    assert steps == ["Drugs that may treat it: Amoxicillin, Zebrafloxacin"]
    assert out == {"Aberinol": "Gout of the wing: contraindicated"}
    assert contraindicated_by(graph, "UMLS:C0000005", ()) is None
