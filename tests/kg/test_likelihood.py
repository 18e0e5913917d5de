"""The likelihood against its formula and common sense."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from errors import InputError
from kg.annotations import SELF_FREQUENCY, UNSTATED_FREQUENCY, AnnotationMatrix
from kg.graph import KnowledgeGraph
from kg.likelihood import FEATURES, LikelihoodModel, LikelihoodSettings, Observation

PRESENT, ABSENT = float("inf"), 0.0


def feature(model: LikelihoodModel, name: str, disease: str, *observations: Observation) -> float:
    row = int(np.flatnonzero(model.annotations.disease == model.graph.node(disease))[0])
    return float(model.features(observations)[row, FEATURES.index(name)])


@pytest.fixture
def model(small_graph: KnowledgeGraph) -> LikelihoodModel:
    return LikelihoodModel(small_graph, settings=LikelihoodSettings(noise=0.01, decay=1.5))


def test_annotations_follow_the_true_path_rule(small_graph: KnowledgeGraph) -> None:
    matrix = AnnotationMatrix.open(small_graph.path)
    shows = {
        (small_graph.curie(int(matrix.disease[r])), name): float(f)
        for name in ("HP:5", "HP:2", "HP:7")
        for r, f in zip(*matrix.column(small_graph.node(name)), strict=True)
    }
    assert shows == {
        ("OMIM:1", "HP:5"): pytest.approx(0.8),  # from consolidation below it
        ("OMIM:3", "HP:5"): pytest.approx(UNSTATED_FREQUENCY),
        ("OMIM:1", "HP:2"): pytest.approx(0.8),  # the most frequent one below
        ("OMIM:2", "HP:2"): pytest.approx(0.5),
        ("OMIM:3", "HP:2"): pytest.approx(UNSTATED_FREQUENCY),
        ("OMIM:1", "HP:7"): pytest.approx(0.8),
    }
    assert SELF_FREQUENCY > UNSTATED_FREQUENCY


def test_present_finding_gives_the_formulas_ratio(model: LikelihoodModel) -> None:
    background = (0.2 + 0.5) / 3
    p = 0.99 * 0.5 + 0.01 * background
    assert feature(model, "present", "OMIM:2", Observation(curie="HP:4")) == pytest.approx(
        math.log(p / background), rel=1e-5
    )


def test_less_specific_annotation_decays_with_lost_information(model: LikelihoodModel) -> None:
    background, lost = 0.8 / 3, model.graph.information_content("HP:7") - model.graph.information_content("HP:5")
    p = 0.99 * UNSTATED_FREQUENCY * math.exp(-1.5 * lost) + 0.01 * background
    assert feature(model, "present", "OMIM:3", Observation(curie="HP:7")) == pytest.approx(
        math.log(p / background), rel=1e-5
    )


def test_an_unrelated_finding_costs_at_most_the_noise(model: LikelihoodModel) -> None:
    assert feature(model, "present", "OMIM:2", Observation(curie="HP:7")) >= math.log(0.01)


def test_absent_finding_counts_against_diseases_that_show_it(model: LikelihoodModel) -> None:
    ratio = feature(model, "absent", "OMIM:2", Observation(curie="HP:6", odds_ratio=ABSENT))
    assert ratio == pytest.approx(math.log((1 - 0.9) / (1 - 0.3)), rel=1e-5)
    assert feature(model, "absent", "OMIM:1", Observation(curie="HP:6", odds_ratio=ABSENT)) > 0


def test_a_detectors_odds_lie_between_absent_and_present(model: LikelihoodModel) -> None:
    values = []
    for odds in (0.0, 0.2, 0.5, 1.0, 3.0, 30.0, PRESENT):
        o = Observation(curie="HP:6", odds_ratio=odds)
        values.append(feature(model, "present", "OMIM:2", o) + feature(model, "absent", "OMIM:2", o))
    assert values == sorted(values)
    assert values[3] == 0


def test_what_a_detector_suspects_speaks_mildly_against_a_disease_that_excludes_it(model: LikelihoodModel) -> None:
    background = 0.9 / 3
    never = 0.01 * background
    seen = Observation(curie="HP:6", odds_ratio=3.0)
    expected = math.log((3 * never + 1 - never) / (3 * background + 1 - background))
    assert feature(model, "present", "OMIM:3", seen) == pytest.approx(expected, rel=1e-5)


def test_excluded_findings_cost_what_noise_costs(model: LikelihoodModel) -> None:
    assert feature(model, "present", "OMIM:3", Observation(curie="HP:6")) == pytest.approx(math.log(0.01))


def test_order_and_repetition_change_nothing(model: LikelihoodModel) -> None:
    observations = [
        Observation(curie=c, odds_ratio=o)
        for c, o in (("HP:4", PRESENT), ("HP:6", ABSENT), ("HP:7", 4.0), ("HP:5", PRESENT))
    ]
    expected = model.features(observations)
    for seed in range(5):
        shuffled = observations + observations[:2]
        random.Random(seed).shuffle(shuffled)
        np.testing.assert_array_equal(model.features(shuffled), expected)


def test_what_a_finding_implies_adds_nothing(model: LikelihoodModel) -> None:
    one = model.features([Observation(curie="HP:7")])
    np.testing.assert_array_equal(model.features([Observation(curie="HP:7"), Observation(curie="HP:2")]), one)


def test_candidates_are_ranked_with_ties_by_curie(model: LikelihoodModel) -> None:
    found = model.candidates([Observation(curie="HP:6"), Observation(curie="HP:4")])
    assert model.graph.curie(int(found.nodes[0])) == "OMIM:2"
    assert list(found.scores) == sorted(found.scores, reverse=True)
    nothing = model.candidates([], within=np.array([True, False, True]), k=5)
    assert [model.graph.curie(int(n)) for n in nothing.nodes] == ["OMIM:1", "OMIM:3"]


def test_unknown_curie_is_an_error(model: LikelihoodModel) -> None:
    with pytest.raises(InputError, match="unknown CURIE"):
        model.features([Observation(curie="HP:404")])


def test_features_of_some_diseases_are_those_of_all(model: LikelihoodModel) -> None:
    terms = [model.graph.curie(int(n)) for n in model.annotations.direct_term]
    rng = np.random.default_rng(0)
    for _ in range(50):
        odds = rng.choice([PRESENT, ABSENT, 0.2, 7.0], len(terms))
        seen = [
            Observation(curie=c, odds_ratio=float(o)) for c, o in zip(terms, odds, strict=True) if rng.random() < 0.4
        ]
        everything = model.features(seen)
        some = rng.permutation(len(everything))[: int(rng.integers(0, len(everything) + 1))]
        np.testing.assert_array_equal(model.features(seen, some), everything[some])
