"""Explanatory paths, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from kg.graph import KnowledgeGraph
from kg.paths import PathFinder, explain
from kg.triple import KGPath
from ontologies.concept import DISEASE, Concept, Relation
from ontologies.merging.merge import merge
from ontologies.staging import Staging

from .conftest import statements


@pytest.fixture(scope="module")
def graph(home: Path) -> KnowledgeGraph:
    return KnowledgeGraph.open(home / "graph")


def walk(graph: KnowledgeGraph, start: str, path: KGPath) -> list[str]:
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
    monkeypatch.setattr("kg.paths._LEAST_SHARED_SHARE", 0.0)
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


def test_what_the_disease_itself_is_annotated_with_comes_before_what_is_cheaper(tmp_path: Path) -> None:
    rows = statements()
    rows.append(Concept(curie="OMIM:4", name="Severe beta", semantic_types=(DISEASE,), codes={"OMIM": ("4",)}))
    rows.append(Relation(subject="OMIM:4", predicate="is_a", object="OMIM:1", source="test"))
    rows.append(Relation(subject="OMIM:4", predicate="has_phenotype", object="HP:4", source="test", frequency=1.0))
    graph = KnowledgeGraph.build(merge(Staging.of(rows)), tmp_path / "graph")
    first = explain(graph, "HP:4", "OMIM:1")[0]
    assert [t.subject for t in first.triples] == ["OMIM:1"]


def test_between_any_two_concepts(small_graph: KnowledgeGraph) -> None:
    finder = PathFinder(small_graph)
    there, back = finder.find("HP:7", "OMIM:1")[0], finder.find("OMIM:1", "HP:7")[0]
    assert back.triples == there.triples[::-1]
    assert back.text == "Alpha disease very often shows Consolidation"
    two = finder.find("OMIM:1", "OMIM:2")[0]
    assert walk(small_graph, "OMIM:1", two) == ["OMIM:1", "UMLS:C0032227", "OMIM:2"]
    assert two.text == "Alpha disease sometimes shows Effusion, which is often seen in Beta disease"
    assert finder.find("HP:7", "OMIM:2", max_hops=1) == ()
    assert finder.find("HP:7", "HP:7") == ()
    with pytest.raises(InputError, match="at least 1"):
        finder.find("HP:7", "OMIM:1", k=0)


# What a thoracic radiologist expects to read first, and what may not be in the way: (finding, disease, how often at
# least, a concept that one of the paths passes).
PAIRS = [
    ("ground glass opacity", "COVID-19", 0.3, "Bilateral peripheral ground-glass opacities"),
    ("pleural effusion", "heart failure", 0.3, "Bilateral pleural effusions"),
    ("Kerley B lines", "CHF", 0.3, "Interlobular septal thickening"),
    ("cavitation", "TB", 0.3, ""),
    ("tree-in-bud", "pulmonary TB", 0.3, ""),
    ("hilar lymphadenopathy", "sarcoidosis", 0.8, "Bilateral hilar lymphadenopathy"),
    ("honeycombing", "IPF", 0.3, ""),
    ("hyperinflation", "COPD", 0.8, "Flattened diaphragm"),
    ("deep sulcus sign", "pneumothorax", 0.05, ""),
    ("Hampton hump", "PE", 0.05, "Peripheral lung opacity"),
    ("bilateral opacities", "ARDS", 0.99, "Lung opacity"),
    ("crazy paving", "pulmonary alveolar proteinosis", 0.8, ""),
]


@pytest.mark.parametrize(("finding", "disease", "least", "passes"), PAIRS)
def test_a_radiologist_reads_the_direct_edge_first_and_no_hub(
    graph: KnowledgeGraph, finding: str, disease: str, least: float, passes: str
) -> None:
    start, goal = graph.find(finding), graph.find(disease)
    paths = PathFinder(graph).find(start, goal)
    assert [(t.predicate, t.subject, t.object) for t in paths[0].triples] == [("has_phenotype", goal, start)]
    assert (paths[0].triples[0].frequency or 0) >= least
    names = [{t.subject_name for t in path.triples} | {t.object_name for t in path.triples} for path in paths]
    assert not passes or any(passes in seen for seen in names)
    for path in paths:
        walk(graph, start, path)
        assert len(path.triples) <= 4
        assert all(t.source for t in path.triples)
        # nothing so general that one disease in twenty shows something below it, but for the two ends
        between = {c for t in path.triples for c in (t.subject, t.object)} - {start, goal}
        assert all(graph.information_content(c) > 3 for c in between), path.text


@pytest.mark.parametrize("name", ["COVID-19", "heart failure", "TB", "COPD", "PE", "ARDS", "SARS", "ILD", "PJP"])
def test_what_clinicians_call_it_is_found(graph: KnowledgeGraph, name: str) -> None:
    concept = graph.concept(graph.find(name))
    assert "CHEST" in concept.codes


CHEST_FINDINGS = [
    ("pleural effusion", ("UMLS", "SNOMEDCT", "HP")),
    ("pneumothorax", ("UMLS", "SNOMEDCT", "HP")),
    ("cardiomegaly", ("UMLS", "SNOMEDCT", "HP")),
    ("atelectasis", ("UMLS", "SNOMEDCT", "HP")),
    ("emphysema", ("UMLS", "SNOMEDCT", "HP")),
    ("pulmonary edema", ("UMLS", "SNOMEDCT", "HP")),
    ("pneumonia", ("UMLS", "SNOMEDCT", "HP")),
    ("pulmonary fibrosis", ("UMLS", "SNOMEDCT", "HP")),
    ("bronchiectasis", ("UMLS", "SNOMEDCT", "HP")),
    ("hiatal hernia", ("UMLS", "SNOMEDCT", "HP")),
]


@pytest.mark.parametrize(("name", "systems"), CHEST_FINDINGS)
def test_a_chest_finding_has_its_codes(graph: KnowledgeGraph, name: str, systems: tuple[str, ...]) -> None:
    assert {s for s in systems if not graph.concept(graph.find(name)).codes.get(s)} == set()
