"""A graph small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg.graph import KnowledgeGraph
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Term
from ontologies.merging.merge import merge
from ontologies.staging import Staging

#            HP:1 all
#           /        \
#     HP:2 lung      HP:3 heart
#      /     \            \
#  HP:4 effusion HP:5 opacity   HP:6 big heart
#                   \
#                   HP:7 consolidation
IS_A = [("HP:2", "HP:1"), ("HP:3", "HP:1"), ("HP:4", "HP:2"), ("HP:5", "HP:2"), ("HP:6", "HP:3"), ("HP:7", "HP:5")]
SHOWS = [
    ("OMIM:1", "HP:7", 0.8),  # pneumonia-like
    ("OMIM:1", "HP:4", 0.2),
    ("OMIM:2", "HP:6", 0.9),  # heart-failure-like
    ("OMIM:2", "HP:4", 0.5),
    ("OMIM:3", "HP:5", None),  # frequency not stated
]
NAMES = {
    "HP:1": "All",
    "HP:2": "Lung",
    "HP:3": "Heart",
    "HP:4": "Effusion",
    "HP:5": "Opacity",
    "HP:6": "Big heart",
    "HP:7": "Consolidation",
    "OMIM:1": "Alpha disease",
    "OMIM:2": "Beta disease",
    "OMIM:3": "Gamma disease",
}


def statements() -> list[Concept | Term | Relation]:
    rows: list[Concept | Term | Relation] = []
    for curie, name in NAMES.items():
        system, code = curie.split(":")
        kind = DISEASE if system == "OMIM" else FINDING
        rows.append(Concept(curie=curie, name=name, semantic_types=(kind,), codes={system: (code,)}))
        rows.append(Term(curie=curie, text=name, kind="preferred"))
    rows.append(Term(curie="HP:4", text="fluid around the lung", kind="exact"))
    rows.append(Relation(subject="HP:4", predicate="xref", object="UMLS:C0032227", source="test"))
    rows += [Relation(subject=s, predicate="is_a", object=o, source="test") for s, o in IS_A]
    rows += [
        Relation(subject=s, predicate="has_phenotype", object=o, source="test", frequency=f, reference="PMID:1")
        for s, o, f in SHOWS
    ]
    rows.append(Relation(subject="OMIM:3", predicate="excludes_phenotype", object="HP:6", source="test"))
    return rows


@pytest.fixture(scope="session")
def small_graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    path: Path = tmp_path_factory.mktemp("kg") / "graph"
    return KnowledgeGraph.build(merge(Staging.of(statements())), path)
