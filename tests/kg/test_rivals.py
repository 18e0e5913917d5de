"""The rivals of a disease on the small graph, worked out by hand."""

from __future__ import annotations

import math

import pytest

from kg.graph import KnowledgeGraph
from kg.rivals import rivals
from kg.weight_of_evidence import Settings, WeightOfEvidence

EVERY = ("OMIM:1", "OMIM:2", "OMIM:3")


@pytest.fixture
def evidence(small_graph: KnowledgeGraph) -> WeightOfEvidence:
    prior = {small_graph.node(curie): 0.0 for curie in EVERY}
    settings = Settings(noise=0.1, decay=1.0, gamma=0.0, rarest=1e-4)
    return WeightOfEvidence(small_graph, prior=prior, default_prior=-9.0, settings=settings)


def test_the_nearest_is_what_shares_most(evidence: WeightOfEvidence) -> None:
    found = rivals(evidence, "OMIM:1", EVERY)
    assert [r.concept.curie for r in found] == ["OMIM:3", "OMIM:2"], "both have an opacity; the heart has none"
    assert found[0].distance < found[1].distance


def test_a_distance_is_the_expected_weight(evidence: WeightOfEvidence) -> None:
    (nearest, _) = rivals(evidence, "OMIM:1", EVERY)
    graph = evidence.graph
    expected = 0.0
    for finding, frequency in (("HP:7", 0.8), ("HP:4", 0.2)):
        p = evidence.frequency(graph.node(finding))
        rows = {graph.curie(int(n)): i for i, n in enumerate(evidence.annotations.disease)}
        expected += frequency * math.log(p[rows["OMIM:1"]] / p[rows["OMIM:3"]])
    assert nearest.distance == pytest.approx(expected, rel=1e-5)


def test_what_tells_them_apart_is_named_both_ways(evidence: WeightOfEvidence) -> None:
    heart = next(r for r in rivals(evidence, "OMIM:1", EVERY) if r.concept.curie == "OMIM:2")
    assert [t.name for t in heart.for_it] == ["Consolidation"]
    assert [t.name for t in heart.for_rival] == ["Big heart", "Effusion"]
    assert heart.for_it[0].frequency == pytest.approx(0.8)
    assert heart.for_it[0].frequency_in_rival == 0.0
    assert all(t.weight > 0 for t in (*heart.for_it, *heart.for_rival))


def test_only_so_many_and_never_itself(evidence: WeightOfEvidence) -> None:
    assert len(rivals(evidence, "OMIM:1", EVERY, k=1)) == 1
    assert rivals(evidence, "OMIM:1", ("OMIM:1",)) == ()
