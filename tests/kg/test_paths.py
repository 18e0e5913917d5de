"""Explanatory paths, worked out by hand."""

from __future__ import annotations

import pytest

from errors import InputError
from kg.graph import KnowledgeGraph
from kg.paths import explain


def walk(graph: KnowledgeGraph, start: str, path) -> list[str]:
    """The concepts a path visits, checked edge by edge."""
    here, visited = graph.resolve(start), [graph.resolve(start)]
    for triple, inverted in zip(path.triples, path.inverted, strict=True):
        assert here == (triple.object if inverted else triple.subject)
        here = triple.subject if inverted else triple.object
        visited.append(here)
    return visited


def test_a_direct_annotation_is_the_first_path(small_graph: KnowledgeGraph) -> None:
    first = explain(small_graph, "HP:7", "OMIM:1")[0]
    assert walk(small_graph, "HP:7", first) == ["HP:7", "OMIM:1"]
    assert first.text == "Consolidation is very often seen in Alpha disease"


def test_a_finding_climbs_to_what_the_disease_shows(
    small_graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kg.paths._LEAST_SHARED_INFORMATION", 0.1)
    first = explain(small_graph, "HP:7", "OMIM:3")[0]
    assert walk(small_graph, "HP:7", first) == ["HP:7", "HP:5", "OMIM:3"]
    assert first.text == "Consolidation is a kind of Opacity, which is seen in Gamma disease"


def test_paths_are_ordered_and_each_crosses_another_annotation(
    small_graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kg.paths._LEAST_SHARED_INFORMATION", -1.0)
    paths = explain(small_graph, "HP:7", "OMIM:1", k=5)
    assert [p.score for p in paths] == sorted((p.score for p in paths), reverse=True)
    assert len({p.triples[-1].object for p in paths}) == len(paths) == 2
    for path in paths:
        assert walk(small_graph, "HP:7", path)[-1] == "OMIM:1"


def test_nothing_in_common_is_no_path(small_graph: KnowledgeGraph) -> None:
    assert explain(small_graph, "HP:6", "OMIM:1") == ()


def test_unknown_ends_are_errors(small_graph: KnowledgeGraph) -> None:
    with pytest.raises(InputError, match="unknown CURIE"):
        explain(small_graph, "HP:404", "OMIM:1")


def test_a_path_does_not_climb_to_come_back(small_graph: KnowledgeGraph) -> None:
    # nothing but the big heart is below the heart, so both are equally informative
    assert small_graph.information_content("HP:3") == small_graph.information_content("HP:6")
    first = explain(small_graph, "HP:6", "OMIM:2")[0]
    assert walk(small_graph, "HP:6", first) == ["HP:6", "OMIM:2"]
