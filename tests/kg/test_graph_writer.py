"""What is written is what was merged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from errors import ArtifactError
from kg import hierarchy
from kg.graph import KnowledgeGraph
from kg.string_table import StringTable, StringTableWriter
from ontologies.concept import Concept, Relation, Term
from ontologies.merging.knowledge import PREDICATES, Saved
from ontologies.merging.merge import merge
from ontologies.staging import Staging

from .conftest import statements

FURTHER = [
    Concept(curie="HP:8", name="Maßliebchen", codes={"HP": ("8",)}),
    Concept(curie="HP:9", name="", codes={"HP": ("9",)}),
    Term(curie="HP:8", text="ÉPANCHEMENT", kind="exact", source="S"),
    Relation(subject="HP:8", predicate="finding_site_of", object="OMIM:1", source="S"),
    Relation(subject="HP:8", predicate="associated_with", object="OMIM:1", source="S"),
    Relation(subject="HP:8", predicate="is_a", object="HP:1", source="S"),
]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    path = tmp_path_factory.mktemp("written") / "graph"
    with Staging.of([*statements(), *FURTHER]) as staging:
        return KnowledgeGraph.build(merge(staging), path)


def test_the_tables_say_what_was_merged(graph: KnowledgeGraph) -> None:
    saved = Saved(graph.path)
    with Staging.of([*statements(), *FURTHER]) as staging:
        merged = merge(staging)
        assert [(c.curie, c.name, c.codes) for c in saved.concepts()] == [
            (c.curie, c.name, c.codes) for c in merged.concepts()
        ]
        assert list(saved.terms()) == list(merged.terms())
        assert list(saved.relations()) == list(merged.relations())
        assert list(saved.conflicts()) == list(merged.conflicts())
    assert len(list(saved.concepts())) == len(graph)
    with pytest.raises(ArtifactError, match=r"terms\.parquet"):
        list(Saved(graph.path / "nowhere").terms())


def test_predicates_are_an_open_set(graph: KnowledgeGraph) -> None:
    assert graph.predicates == (*PREDICATES, "associated_with", "finding_site_of")
    assert [(t.predicate, t.object) for t in graph.triples("HP:8")] == [
        ("is_a", "HP:1"),
        ("associated_with", "OMIM:1"),
        ("finding_site_of", "OMIM:1"),
    ]
    assert [t.subject for t in graph.triples("OMIM:1", "finding_site_of", inverse=True)] == ["HP:8"]
    assert graph.triples("HP:8", "never_heard_of") == ()


def test_names_are_folded_as_python_folds_them(graph: KnowledgeGraph) -> None:
    for text in ("MASSLIEBCHEN", "maßliebchen", "épanchement"):
        assert graph.find(text) == "HP:8"


def test_every_edge_is_listed_under_its_object(graph: KnowledgeGraph) -> None:
    for node in range(len(graph)):
        for predicate in graph.predicates:
            edges = graph.edges(node, predicate, inverse=True)
            assert (graph.object_of(edges) == node).all()
            assert (np.diff(edges) > 0).all()
    listed = sum(len(graph.edges(n, p, inverse=True)) for n in range(len(graph)) for p in graph.predicates)
    assert listed == len(list(Saved(graph.path).relations()))


def test_strings_of_any_length_and_alphabet(tmp_path: Path) -> None:
    strings = ["", "a", "ü", "胸部", "x" * 1000, ""]
    with StringTableWriter(tmp_path / "t") as table:
        table.extend(pa.array(strings).slice(0, 2))
        table.extend(pa.array([], pa.string()))
        table.extend(pa.array(strings).slice(2))
    assert list(StringTable.open(tmp_path / "t")) == strings
    StringTable.write(tmp_path / "none", [])
    assert list(StringTable.open(tmp_path / "none")) == []


def test_the_parts_of_a_closure_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    child = rng.integers(1, 60, 150).astype(np.int32)
    parent = (child * rng.random(150)).astype(np.int32)
    subject, obj = rng.integers(0, 60, 80), rng.integers(0, 60, 80)
    indptr, ancestors = hierarchy.is_a_closure(60, child, parent)
    information = hierarchy.information_content(60, subject, obj, indptr, ancestors)
    monkeypatch.setattr(hierarchy, "_PART", 7)
    small = hierarchy.is_a_closure(60, child, parent)
    assert (small[0] == indptr).all()
    assert (small[1] == ancestors).all()
    assert (hierarchy.information_content(60, subject, obj, indptr, ancestors) == information).all()
