"""The weight of evidence against its formula, worked out by hand on the small graph, and against common sense."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest

from errors import InputError
from kg.graph import KnowledgeGraph
from kg.likelihood import Observation
from kg.weight_of_evidence import FEATURES, Settings, WeightOfEvidence
from ontologies.concept import Relation
from ontologies.merging.merge import merge
from ontologies.staging import Staging

from .conftest import statements

PRESENT, ABSENT = float("inf"), 0.0
NOISE, DECAY = 0.1, 1.2
PRIOR = {"OMIM:1": math.log(0.2), "OMIM:2": math.log(0.1), "OMIM:3": math.log(0.1)}


def evidence(graph: KnowledgeGraph, gamma: float = 1.0, shared: float = 1.0) -> WeightOfEvidence:
    return WeightOfEvidence(
        graph,
        prior={graph.node(curie): value for curie, value in PRIOR.items()},
        default_prior=-9.0,
        settings=Settings(
            noise=NOISE, decay=DECAY, gamma=gamma, rarest=1e-4, shared=shared, weights=(1.0, 0.5, 0.2, 1.0, 1.0)
        ),
    )


@pytest.fixture
def model(small_graph: KnowledgeGraph) -> WeightOfEvidence:
    return evidence(small_graph)


def weight(model: WeightOfEvidence, disease: str, *seen: Observation, name: str = "present") -> float:
    row = int(np.flatnonzero(model.annotations.disease == model.graph.node(disease))[0])
    return float(model.features(seen)[row, FEATURES.index(name)])


def test_the_background_is_the_mean_frequency_of_what_is_common(model: WeightOfEvidence) -> None:
    assert model.background(model.graph.node("HP:4")) == pytest.approx((0.2 * 0.2 + 0.1 * 0.5) / 0.4)
    alike = evidence(model.graph, gamma=0.0)
    assert alike.background(model.graph.node("HP:4")) == pytest.approx((0.2 + 0.5) / 3)


def test_a_single_finding_counts_in_full(model: WeightOfEvidence) -> None:
    background = (0.2 * 0.2 + 0.1 * 0.5) / 0.4
    p = (1 - NOISE) * 0.5 + NOISE * background
    assert weight(model, "OMIM:2", Observation(curie="HP:4")) == pytest.approx(math.log(p / background))


def test_a_wider_annotation_says_as_much_as_the_finding_is_part_of_it(model: WeightOfEvidence) -> None:
    own, wider = 0.2 * 0.8 / 0.4, (0.2 * 0.8 + 0.1 * 0.6) / 0.4
    p = (1 - NOISE) * 0.6 * (own / wider) ** DECAY + NOISE * own
    assert weight(model, "OMIM:3", Observation(curie="HP:7")) == pytest.approx(math.log(p / own), rel=1e-5)


def test_what_nobody_annotated_costs_the_noise_and_no_more(model: WeightOfEvidence) -> None:
    assert weight(model, "OMIM:2", Observation(curie="HP:7")) >= math.log(NOISE)
    assert weight(model, "OMIM:3", Observation(curie="HP:6")) == pytest.approx(math.log(NOISE))  # excluded


def test_what_two_findings_share_is_said_once(model: WeightOfEvidence) -> None:
    opacity, effusion = Observation(curie="HP:7"), Observation(curie="HP:4")
    both = weight(model, "OMIM:1", opacity, effusion)
    apart = weight(model, "OMIM:1", opacity) + weight(model, "OMIM:1", effusion)
    shared = weight(model, "OMIM:1", Observation(curie="HP:2"))  # "lung", above both
    assert shared > 0
    assert both == pytest.approx(apart - shared)
    assert weight(evidence(model.graph, shared=0.5), "OMIM:1", opacity, effusion) == pytest.approx(apart - shared / 2)
    assert weight(evidence(model.graph, shared=0.0), "OMIM:1", opacity, effusion) == pytest.approx(apart)


def test_a_finding_with_two_parents_says_nothing_twice(tmp_path: Path) -> None:
    both = [*statements(), Relation(subject="HP:7", predicate="is_a", object="HP:3", source="test")]
    model = evidence(KnowledgeGraph.build(merge(Staging.of(both)), tmp_path / "graph"))
    alone = evidence(model.graph, shared=0.0)  # takes nothing back
    seen = Observation(curie="HP:7")
    for disease in ("OMIM:1", "OMIM:2", "OMIM:3"):
        assert weight(model, disease, seen) == weight(alone, disease, seen)


def test_a_wider_finding_beside_a_narrower_one_adds_nothing(model: WeightOfEvidence) -> None:
    alone = model.features([Observation(curie="HP:7")])
    np.testing.assert_allclose(model.features([Observation(curie="HP:7"), Observation(curie="HP:2")]), alone)
    denied = model.features([Observation(curie="HP:5", odds_ratio=ABSENT)])
    both = [Observation(curie="HP:5", odds_ratio=ABSENT), Observation(curie="HP:7", odds_ratio=ABSENT)]
    np.testing.assert_allclose(model.features(both), denied)


def test_an_absent_finding_speaks_against_who_shows_it(model: WeightOfEvidence) -> None:
    gone = Observation(curie="HP:6", odds_ratio=ABSENT)
    background = 0.1 * 0.9 / 0.4
    p = (1 - NOISE) * 0.9 + NOISE * background
    expected = math.log((1 - p) / (1 - background))
    assert weight(model, "OMIM:2", gone, name="absent") == pytest.approx(expected, rel=1e-5)
    assert weight(model, "OMIM:1", gone, name="absent") > 0


def test_odds_lie_between_absent_and_present(model: WeightOfEvidence) -> None:
    values = []
    for odds in (0.0, 0.2, 0.5, 1.0, 3.0, 30.0, PRESENT):
        seen = Observation(curie="HP:6", odds_ratio=odds)
        values.append(weight(model, "OMIM:2", seen) + weight(model, "OMIM:2", seen, name="absent"))
    assert values == sorted(values)
    assert values[3] == 0


def test_prior_and_person_are_features_of_their_own(model: WeightOfEvidence) -> None:
    person = np.array([0.5, -0.5, 0.0])
    found = model.features([Observation(curie="HP:4")], person=person)
    np.testing.assert_allclose(found[:, 3], person)
    np.testing.assert_allclose(found[:, 2], [PRIOR["OMIM:1"], PRIOR["OMIM:2"], PRIOR["OMIM:3"]])
    np.testing.assert_allclose(model.scores(found), found @ [1.0, 0.5, 0.2, 1.0, 1.0])


def test_order_repetition_and_a_choice_of_rows_change_nothing(model: WeightOfEvidence) -> None:
    seen = [
        Observation(curie=c, odds_ratio=o)
        for c, o in (("HP:4", PRESENT), ("HP:6", ABSENT), ("HP:7", 4.0), ("HP:5", PRESENT))
    ]
    expected = model.features(seen)
    for seed in range(5):
        shuffled = seen + seen[:2]
        random.Random(seed).shuffle(shuffled)
        np.testing.assert_array_equal(model.features(shuffled), expected)
    np.testing.assert_array_equal(model.features(seen, np.array([2, 0])), expected[[2, 0]])
    assert model.features([], np.array([1]))[0, :2].tolist() == [0.0, 0.0]


def test_an_unknown_curie_is_an_error(model: WeightOfEvidence) -> None:
    with pytest.raises(InputError, match="unknown CURIE"):
        model.features([Observation(curie="HP:404")])
