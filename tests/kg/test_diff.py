"""Two small graphs, and every difference between them by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError
from kg.diff import changed_edges, compare, conflicts
from kg.graph import KnowledgeGraph
from kg.variant import without_change
from ontologies.concept import FINDING, Concept, Relation
from ontologies.merging.merge import merge
from ontologies.staging import Staging

from .conftest import statements


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[KnowledgeGraph, KnowledgeGraph]:
    """OLD is the small graph. NEW: HP:6 is gone, HP:8 is new and shown by OMIM:2, OMIM:1 shows HP:4 in 60 % (before
    20 %), HP:5 is no longer a kind of HP:2 but of HP:1, HP:3 and a new code are one, and every source has another
    version."""
    folder = tmp_path_factory.mktemp("diff")
    old = KnowledgeGraph.build(merge(Staging.of(statements())), folder / "old")
    rows = []
    for row in statements():
        if isinstance(row, Relation):
            row = replace(row, source="test 2")
            if row.subject == "OMIM:1" and row.object == "HP:4":
                row = replace(row, frequency=0.6)
            if (row.subject, row.object) == ("HP:5", "HP:2"):
                row = replace(row, object="HP:1")
        if "HP:6" not in (getattr(row, x, "") for x in ("curie", "subject", "object")):
            rows.append(row)
    rows.append(Concept(curie="HP:8", name="Pulse", semantic_types=(FINDING,), codes={"HP": ("8",)}))
    rows.append(Relation(subject="HP:8", predicate="is_a", object="HP:3", source="test 2"))
    rows.append(Relation(subject="OMIM:2", predicate="has_phenotype", object="HP:8", source="test 2", frequency=0.3))
    rows.append(Relation(subject="OMIM:1", predicate="has_phenotype", object="HP:3", source="test 2", frequency=0.1))
    rows.append(Relation(subject="HP:3", predicate="xref", object="UMLS:C0018787", source="test 2"))
    return old, KnowledgeGraph.build(merge(Staging.of(rows)), folder / "new")


def test_what_became_of_the_concepts(graphs: tuple[KnowledgeGraph, KnowledgeGraph]) -> None:
    found = compare(graphs[0].path, graphs[1].path, 10)
    assert found["concepts_added"] == [{"curie": "HP:8", "name": "Pulse"}]
    assert found["concepts_removed"] == [{"curie": "HP:6", "name": "Big heart"}]
    assert found["concepts_merged"] == found["concepts_split"] == []
    assert found["counts"] == {name: len(rows) for name, rows in found.items() if name != "counts"}


def test_what_became_of_the_edges(graphs: tuple[KnowledgeGraph, KnowledgeGraph]) -> None:
    edges = {
        (e["change"], e["subject"], e["predicate"], e["object"]): e for e in changed_edges(*(g.path for g in graphs))
    }
    # a new version of a source is no change; the edges of HP:6 and HP:8 came and went with them
    assert set(edges) == {
        ("added", "HP:5", "is_a", "HP:1"),
        ("removed", "HP:5", "is_a", "HP:2"),
        ("added", "OMIM:1", "has_phenotype", "UMLS:C0018787"),
        ("changed", "OMIM:1", "has_phenotype", "UMLS:C0032227"),
    }
    changed = edges["changed", "OMIM:1", "has_phenotype", "UMLS:C0032227"]
    assert (changed["old_frequency"], changed["frequency"]) == (0.2, 0.6)


def test_a_merge_and_a_split(tmp_path: Path) -> None:
    apart = statements()
    apart.append(Concept(curie="MONDO:1", name="Alpha", semantic_types=(), codes={"MONDO": ("1",)}))
    together = [*apart, Relation(subject="MONDO:1", predicate="xref", object="OMIM:1", source="test")]
    old = KnowledgeGraph.build(merge(Staging.of(apart)), tmp_path / "old")
    new = KnowledgeGraph.build(merge(Staging.of(together)), tmp_path / "new")
    one = new.resolve("OMIM:1")
    merged = compare(old.path, new.path, 5)
    assert [(m["curie"], m["parts"]) for m in merged["concepts_merged"]] == [(one, ["MONDO:1", "OMIM:1"])]
    split = compare(new.path, old.path, 5)
    assert [(m["curie"], m["parts"]) for m in split["concepts_split"]] == [(one, ["MONDO:1", "OMIM:1"])]
    assert sum(merged["counts"].values()) == 1


def test_a_graph_does_not_differ_from_itself(graphs: tuple[KnowledgeGraph, KnowledgeGraph]) -> None:
    assert set(compare(graphs[0].path, graphs[0].path, 5)["counts"].values()) == {0}
    with pytest.raises(ArtifactError, match="cannot compare"):
        compare(graphs[0].path, graphs[0].path / "nowhere", 5)


def test_with_all_changes_put_back_the_new_graph_reasons_as_the_old(
    graphs: tuple[KnowledgeGraph, KnowledgeGraph], tmp_path: Path
) -> None:
    old, graph = graphs
    before = {p.name: p.read_bytes() for p in graph.path.glob("*.npy")}
    for number, edge in enumerate(changed_edges(old.path, graph.path)):
        graph = without_change(graph, edge, tmp_path / str(number))
    assert changed_edges(old.path, old.path) == []
    for curie in ("HP:5", "HP:7", "HP:4"):
        assert graph.ancestors(curie) == {graph.resolve(c) for c in old.ancestors(curie)}
    shown = [(t.object, t.frequency) for t in graph.triples("OMIM:1", "has_phenotype")]
    assert sorted(shown) == sorted((t.object, t.frequency) for t in old.triples("OMIM:1", "has_phenotype"))
    # what was linked is as it was
    assert {p.name: p.read_bytes() for p in graphs[1].path.glob("*.npy")} == before
    assert np.isfinite(graph.information).all()


def test_conflicts_are_counted_and_listed(tmp_path: Path) -> None:
    rows = statements()
    rows += [Relation(subject=f"HP:{i}", predicate="xref", object="UMLS:C0000001", source="test") for i in (5, 6)]
    rows.append(Relation(subject="OMIM:1", predicate="excludes_phenotype", object="HP:7", source="test"))
    graph = KnowledgeGraph.build(merge(Staging.of(rows)), tmp_path / "graph")
    found = conflicts(graph.path, None, 5)
    assert found["counts"] == {"contradiction": 1, "shared code": 1}
    assert [c["kind"] for c in found["conflicts"]] == ["contradiction", "shared code"]
    assert [c["kind"] for c in conflicts(graph.path, "shared code", 5)["conflicts"]] == ["shared code"]
    with pytest.raises(InputError, match="contradiction, shared code"):
        conflicts(graph.path, "nonsense", 5)
    with pytest.raises(ArtifactError, match="whydx index build"):
        conflicts(tmp_path, None, 5)
