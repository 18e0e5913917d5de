"""Probabilities and conformal sets, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from errors import ArtifactError
from fusion.calibration import (
    Calibration,
    Known,
    ListCalibration,
    Remainder,
    conformal_threshold,
    expected_calibration_error,
    fit_gate,
    fit_lists,
    fit_temperature,
    patient_groups,
    publication_seniority,
    softmax,
)


def test_softmax_by_hand() -> None:
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625])
    np.testing.assert_allclose(softmax(np.array([1e4, 0.0])), [1, 0])


def test_gate_and_temperature_recover_those_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    base = [rng.normal(size=6) * 4 for _ in range(2000)]
    correction = [rng.normal(size=6) * 4 for _ in base]
    made = [b + 0.5 * c for b, c in zip(base, correction, strict=True)]
    truth = [int(rng.choice(6, p=softmax(s, 2.5))) for s in made]
    assert fit_gate(base, correction, truth) == pytest.approx(0.5, abs=0.08)
    assert fit_temperature(made, truth) == pytest.approx(2.5, rel=0.1)
    assert fit_gate(base, [rng.normal(size=6) for _ in base], truth) < 0.3, (
        "a correction that knows nothing is shut out"
    )


def test_conformal_sets_cover_what_they_promise() -> None:
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(200):
        p = rng.beta(2, 1, size=201)
        covered.append(p[-1] >= conformal_threshold(p[:-1], 0.9))
    assert 0.86 <= np.mean(covered) <= 0.95


def test_conformal_threshold_by_hand() -> None:
    # n = 19: floor(20 × 0.1) = 2, the second smallest
    assert conformal_threshold(np.arange(1, 20) / 20, 0.9) == pytest.approx(2 / 20)
    assert conformal_threshold(np.array([0.5, 0.6])) == 0.0, "two cases rule nothing out"


def test_weighted_conformal_threshold_by_hand() -> None:
    p = np.arange(1, 20) / 20
    assert conformal_threshold(p, 0.9, np.full(19, 7.0)) == conformal_threshold(p, 0.9)
    # the smallest counts as much as the next two would: they are 1.5 + 0.5 of 19, and 2 of 20 may be missed
    weight = np.array([1.5, 0.5, *[1.0] * 17])
    assert conformal_threshold(p, 0.9, weight) == pytest.approx(2 / 20)
    assert conformal_threshold(p, 0.9, np.array([2.5, 0.5, *[1.0] * 16, 0.0])) == 0.0, "the worst alone is too much"


def test_calibration_error_by_hand() -> None:
    # one bin of two at .8 confidence and .5 accuracy, one of two at .3 and 0
    assert expected_calibration_error(np.array([0.8, 0.8, 0.3, 0.3]), np.array([1, 0, 0, 0])) == pytest.approx(0.3)


def test_seniority_counts_back_from_the_newest_publication() -> None:
    assert publication_seniority("PMID:39000000", 39_000_000) == 0
    assert publication_seniority("PMID:41000000", 39_000_000) == 0, "newer than all that is cited"
    assert publication_seniority("PMID:29000000", 39_000_000) == pytest.approx(np.log(11))
    assert publication_seniority("", 39_000_000) is None
    assert publication_seniority("DOI:10.1/2", 39_000_000) is None


def calibration() -> ListCalibration:
    return ListCalibration(
        temperature=2.0,
        dated=Remainder(weights=(1.0, -0.5, 0.25, -1.0), threshold=0.1),
        undated=Remainder(weights=(0.0, 0.0, 0.0), threshold=0.2),
    )


def test_probabilities_by_hand() -> None:
    scores = np.array([2.0, 6.0, -np.inf])
    p, threshold = calibration().probabilities(scores, 3.0)
    none = 1 / (1 + np.exp(-(1 - 0.5 * 6 + 0.25 * 4 - 3)))
    first = 1 / (1 + np.exp(-2)) * (1 - none)
    np.testing.assert_allclose(p, [1 - none - first, first, 0, none])
    assert threshold == 0.1
    p, threshold = calibration().probabilities(scores[1:2], None)
    np.testing.assert_allclose(p, [0.5, 0.5])
    assert threshold == 0.2


def test_calibration_returns_from_its_card() -> None:
    assert ListCalibration.of({"calibration": calibration().card()}) == calibration()
    with pytest.raises(ArtifactError, match="no calibration"):
        ListCalibration.of({"features": []})


def test_fit_recovers_what_made_the_lists_and_covers() -> None:
    rng = np.random.default_rng(2)
    count, size = 6000, 12
    scores = rng.normal(size=(count, size)) * 3
    seniority = rng.uniform(0, 3, count)
    made = ListCalibration(
        temperature=1.5,
        dated=Remainder(weights=(1.0, -0.2, -0.5, -1.0), threshold=0.0),
        undated=Remainder(weights=(0.0, 0.0, 0.0), threshold=0.0),
    )
    truth = np.array(
        [rng.choice(size + 1, p=made.probabilities(s, a)[0]) for s, a in zip(scores, seniority, strict=True)]
    )
    half = count // 2
    dated = np.where(np.arange(half) % 10 == 0, np.nan, seniority[:half])
    found = fit_lists(scores[:half], truth[:half], np.ones(half), dated)
    assert found.temperature == pytest.approx(1.5, rel=0.05)
    np.testing.assert_allclose(found.dated.weights, made.dated.weights, atol=0.35)
    judged = [found.probabilities(s, a) for s, a in zip(scores[half:], seniority[half:], strict=True)]
    covered = [p[t] >= tau for (p, tau), t in zip(judged, truth[half:], strict=True)]
    assert 0.88 <= np.mean(covered) <= 0.92
    top = np.array([p[:-1].max() for p, _ in judged])
    right = np.array([np.argmax(p[:-1]) == t for (p, _), t in zip(judged, truth[half:], strict=True)])
    assert expected_calibration_error(top, right) < 0.03


def test_groups_by_age_and_sex() -> None:
    assert patient_groups(None, None) == ("sex unknown", "age unknown")
    assert patient_groups(39.9, "F") == ("women", "under 40")
    assert patient_groups(40, "M") == ("men", "40 to 64")
    assert patient_groups(65, "M")[1] == "65 and over"


def test_the_scores_of_a_longer_note_count_for_less() -> None:
    told = Calibration(temperature=1.5, length=30, none=(0.0, -1.0, 0.0, 0.0, 0.0))
    scores = np.array([9.0, 6.0, 0.0])
    long = told.probabilities(scores, Known(words=60))  # everything is said three times
    np.testing.assert_allclose(long, told.probabilities(scores / 3))
    assert told.probabilities(scores).max() > long.max()


def test_none_of_these_has_a_probability_of_its_own() -> None:
    told = Calibration(temperature=2.0, none=(0.5, -2.0, -1.5, 1.0, -1.0))
    scores = np.array([8.0, 2.0, 123.0])  # the last is not looked at
    p = told.probabilities(scores, Known(present=4, elsewhere=6.0))
    none = 1 / (1 + np.exp(-(0.5 - 2.0 * 0.8 - 1.5 * 0.3 + 1.0 * 0.6 - 1.0 * 0.4)))
    np.testing.assert_allclose(p, [*(softmax(scores[:2], 2.0) * (1 - none)), none])
    assert p.sum() == pytest.approx(1)
    more = told.probabilities(scores, Known(present=9, elsewhere=6.0))
    assert more[-1] < p[-1], "the more is known, the less is it none"
    assert told.probabilities(scores, Known(present=4, elsewhere=9.0))[-1] > p[-1]
    np.testing.assert_allclose(Calibration(temperature=2.0).probabilities(scores), softmax(scores, 2.0))


def test_weights_of_another_version_are_refused() -> None:
    with pytest.raises(ArtifactError, match="whydx train reasoner"):
        Calibration(none=(1.0, 2.0))


@pytest.mark.parametrize("none", [(), (-20.0, 0.0, 0.0, 0.0, 0.0)])
def test_the_rest_takes_its_share_and_the_candidates_keep_their_odds(none: tuple[float, ...]) -> None:
    calibration = Calibration(temperature=2.0, none=none)
    scores, rest = np.array([3.0, 1.0, -2.0]), np.array([0.5, -4.0])
    alone, known = calibration.probabilities(scores), Known(rest=rest)
    beside = calibration.probabilities(scores, known)
    every = calibration.with_rest(scores, known)
    assert every.sum() == pytest.approx(1)
    np.testing.assert_allclose(beside, every[[0, 1, -1]])
    assert beside[0] / beside[1] == pytest.approx(alone[0] / alone[1])
    assert every[2] / beside[1] == pytest.approx(np.exp((0.5 - 1.0) / 2.0))
    assert beside.sum() < 1
