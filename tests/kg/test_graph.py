"""The graph on disk, against what was put in."""

from __future__ import annotations

import random
from pathlib import Path

import networkx
import numpy as np
import pytest

from errors import ArtifactError, InputError
from kg.graph import KnowledgeGraph
from kg.hierarchy import is_a_closure
from ontologies.concept import Term
from ontologies.merging.merge import merge
from ontologies.staging import Staging

from .conftest import IS_A, SHOWS, statements


def test_any_code_finds_the_concept(small_graph: KnowledgeGraph) -> None:
    assert small_graph.resolve("HP:4") == "UMLS:C0032227"
    concept = small_graph.concept("HP:4")
    assert concept.codes == {"HP": ("4",), "UMLS": ("C0032227",)}
    assert concept == small_graph.concept("UMLS:C0032227")
    assert small_graph.find("FLUID around the lung") == small_graph.find("HP:4") == "UMLS:C0032227"


def test_a_name_is_found_by_synonym_abbreviation_and_without_hyphens(tmp_path: Path) -> None:
    rows = statements()
    rows.append(Term(curie="OMIM:1", text="AD", kind="abbreviation"))
    rows.append(Term(curie="HP:7", text="alveolar filling pattern", kind="exact"))
    for curie in ("OMIM:1", "OMIM:2"):
        rows.append(Term(curie=curie, text="XY", kind="abbreviation"))
    rows.append(Term(curie="HP:1", text="Gamma disease", kind="exact"))
    graph = KnowledgeGraph.build(merge(Staging.of(rows)), tmp_path / "graph")
    assert graph.find("ad") == "OMIM:1"
    assert graph.find("Alveolar-filling pattern") == "HP:7"
    # whose own name it is comes before whose synonym it is
    assert graph.find("gamma disease") == "OMIM:3"
    with pytest.raises(InputError, match=r"ambiguous.*OMIM:1 \(Alpha disease\), OMIM:2 \(Beta disease\)"):
        graph.find("XY")


def test_unknown_concepts_say_what_is_near(small_graph: KnowledgeGraph) -> None:
    with pytest.raises(InputError, match=r"unknown CURIE.*OMIM:"):
        small_graph.node("OMIM:4")
    with pytest.raises(InputError, match="effusion"):
        small_graph.find("efusion")
    with pytest.raises(InputError, match="not a CURIE"):
        small_graph.node("pneumonia")


def test_every_edge_comes_back_in_both_directions(small_graph: KnowledgeGraph) -> None:
    for subject, obj, frequency in SHOWS:
        out = [t for t in small_graph.triples(subject, "has_phenotype") if t.object == small_graph.resolve(obj)]
        back = [t for t in small_graph.triples(obj, "has_phenotype", inverse=True) if t.subject == subject]
        assert out == back
        assert [t.frequency for t in out] == [frequency]
        assert out[0].reference == "PMID:1"
    assert small_graph.triples("HP:1") == ()


def test_ancestors_agree_with_networkx(small_graph: KnowledgeGraph) -> None:
    oracle = networkx.DiGraph(IS_A)
    for node in oracle:
        expected = {small_graph.resolve(a) for a in networkx.descendants(oracle, node) | {node}}
        assert small_graph.ancestors(node) == expected


def test_closure_of_random_hierarchies_agrees_with_networkx() -> None:
    random.seed(3)
    for _ in range(25):
        n = random.randint(1, 30)
        edges = sorted({(a, b) for a in range(n) for b in range(n) if a > b and random.random() < 0.2})
        child, parent = (np.array([e[i] for e in edges], np.int32) for i in (0, 1))
        indptr, closure = is_a_closure(n, child, parent)
        oracle = networkx.DiGraph(edges)
        oracle.add_nodes_from(range(n))
        for node in range(n):
            assert closure[indptr[node] : indptr[node + 1]].tolist() == sorted(
                networkx.descendants(oracle, node) | {node}
            )


def test_a_cycle_is_an_error() -> None:
    with pytest.raises(InputError, match="cycle"):
        is_a_closure(3, np.array([0, 1, 2], np.int32), np.array([1, 2, 0], np.int32))


def test_information_content_is_resniks(small_graph: KnowledgeGraph) -> None:
    # three diseases; effusion in two, consolidation in one, opacity (with consolidation below it) in two
    assert small_graph.information_content("HP:4") == pytest.approx(-np.log(3 / 4))
    assert small_graph.information_content("HP:7") == pytest.approx(-np.log(2 / 4))
    assert small_graph.information_content("HP:5") == pytest.approx(-np.log(3 / 4))
    assert small_graph.information_content("HP:1") == pytest.approx(0)


def test_codes_in_a_vocabulary(small_graph: KnowledgeGraph) -> None:
    assert small_graph.codes_in("OMIM") == {f"OMIM:{i}": f"OMIM:{i}" for i in (1, 2, 3)}
    assert small_graph.codes_in("UMLS") == {"UMLS:C0032227": "UMLS:C0032227"}
    assert small_graph.codes_in("NONE") == {}


def test_same_input_in_any_order_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = statements()
    first = KnowledgeGraph.build(merge(Staging.of(rows)), tmp_path / "a")
    random.Random(1).shuffle(rows)
    second = KnowledgeGraph.build(merge(Staging.of(rows)), tmp_path / "b")
    assert first.manifest.sha256 == second.manifest.sha256


def test_missing_and_damaged_graphs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="whydx index build"):
        KnowledgeGraph.open(tmp_path / "nowhere")
    graph = KnowledgeGraph.build(merge(Staging.of(statements())), tmp_path / "graph")
    damaged = graph.path / "out_object.npy"
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(ArtifactError, match=r"out_object\.npy"):
        KnowledgeGraph.open(graph.path)
