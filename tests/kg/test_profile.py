"""Profile features against their formulas, on the small graph."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from errors import InputError
from kg.graph import KnowledgeGraph
from kg.likelihood import LikelihoodModel, Observation
from kg.profile import FEATURES, REPORTING_FEATURES, ProfileComparer

NAMES = (*FEATURES, *REPORTING_FEATURES)
ABSENT = 0.0


@pytest.fixture(scope="module")
def model(small_graph: KnowledgeGraph) -> LikelihoodModel:
    return LikelihoodModel(small_graph)


@pytest.fixture(scope="module")
def profile(model: LikelihoodModel) -> ProfileComparer:
    return ProfileComparer(model)


def compare(profile: ProfileComparer, *observations: Observation, **who: object) -> dict[str, dict[str, float]]:
    """{disease: {feature: value}}"""
    annotations = profile.annotations
    rows = np.arange(len(annotations.disease))
    found = profile.features(observations, rows, **who)  # type: ignore[arg-type]
    return {
        profile.graph.curie(int(d)): dict(zip(NAMES, map(float, values), strict=True))
        for d, values in zip(annotations.disease, found, strict=True)
    }


def test_match_agrees_with_the_likelihoods(profile: ProfileComparer, model: LikelihoodModel) -> None:
    seen = (Observation(curie="HP:7"), Observation(curie="HP:4"))
    expected = model.features(seen)[:, :2]
    found = profile.features(seen, np.arange(len(expected)))[:, [NAMES.index("match"), NAMES.index("exact")]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_sharp_ratio_by_hand(profile: ProfileComparer, model: LikelihoodModel) -> None:
    graph = profile.graph
    own = graph.information_content("HP:7")
    background = float(model.annotations.background[graph.node("HP:7")])
    # what OMIM:2 shows: an effusion (through "lung") and a big heart (through "all"); the better of the two counts
    p = max(f * math.exp(-1.5 * (own - graph.information_content(a))) for f, a in ((0.5, "HP:2"), (0.9, "HP:1")))
    expected = math.log((0.99 * p + 0.01 * background) / background)
    found = compare(profile, Observation(curie="HP:7"))
    assert found["OMIM:2"]["lr_sharp"] == pytest.approx(expected, rel=1e-4)
    excluded = compare(profile, Observation(curie="HP:6"))["OMIM:3"]
    assert excluded["lr_sharp"] == pytest.approx(math.log(0.01), rel=1e-4)
    assert excluded["excluded"] == 1


def test_lin_and_explained_by_hand(profile: ProfileComparer) -> None:
    graph = profile.graph
    ic = graph.information_content
    # OMIM:3 is annotated with HP:5, above the finding HP:7
    row = compare(profile, Observation(curie="HP:7"))["OMIM:3"]
    shared = ic("HP:5")
    assert row["match"] == pytest.approx(shared, rel=1e-5)
    assert row["explained"] == pytest.approx(shared / ic("HP:7"), rel=1e-5)
    assert row["square"] == pytest.approx(shared**2 / ic("HP:7"), rel=1e-5)
    assert row["lin"] == pytest.approx(2 * shared / (ic("HP:7") + ic("HP:5")), rel=1e-5)
    assert row["findings"] == pytest.approx(math.log(2))


def test_order_and_repeats_change_nothing(profile: ProfileComparer) -> None:
    seen = [Observation(curie="HP:7"), Observation(curie="HP:4"), Observation(curie="HP:2", odds_ratio=ABSENT)]
    first = compare(profile, *seen)
    random.Random(1).shuffle(seen)
    assert compare(profile, *seen, seen[0]) == first


def test_a_row_does_not_depend_on_the_other_rows(profile: ProfileComparer) -> None:
    seen = (Observation(curie="HP:7"), Observation(curie="HP:4"))
    every = profile.features(seen, np.arange(len(profile.annotations.disease)))
    for row in range(len(every)):
        np.testing.assert_array_equal(profile.features(seen, np.array([row]))[0], every[row])
    assert profile.features(seen, np.array([], int)).shape == (0, len(NAMES))


def test_an_absent_finding_touches_only_the_features_of_reporting(profile: ProfileComparer) -> None:
    with_absent = compare(profile, Observation(curie="HP:7"), Observation(curie="HP:4", odds_ratio=ABSENT))
    without = compare(profile, Observation(curie="HP:7"))
    for disease, row in with_absent.items():
        changed = {name for name in NAMES if row[name] != without[disease][name]}
        assert changed <= {"reported absent", "absent"}
    assert with_absent["OMIM:2"]["reported absent"] > 0, "OMIM:2 shows what is absent here"
    assert with_absent["OMIM:2"]["absent"] < 0


def test_a_less_certain_finding_counts_less(profile: ProfileComparer) -> None:
    sure = compare(profile, Observation(curie="HP:7"))["OMIM:1"]
    half = compare(profile, Observation(curie="HP:7", odds_ratio=2.0))["OMIM:1"]
    for name in ("match", "exact", "lr_sharp", "lin", "strong"):
        assert half[name] == pytest.approx(sure[name] / 2, rel=1e-5)


def test_without_findings_nothing_is_compared(profile: ProfileComparer) -> None:
    for row in compare(profile).values():
        assert row["match"] == row["lr_sharp"] == row["coverage"] == row["simgic"] == row["findings"] == 0


def test_an_unknown_finding_is_an_error(profile: ProfileComparer) -> None:
    with pytest.raises(InputError):
        compare(profile, Observation(curie="HP:404"))


def test_the_newest_publication_is_the_highest_pmid(profile: ProfileComparer) -> None:
    assert profile.newest_publication == 1
