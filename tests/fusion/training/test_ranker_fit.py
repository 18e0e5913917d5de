"""Fitting the ranker finds what tells right from wrong, the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from errors import InputError
from fusion.patients import PublishedCase
from fusion.training import ranker_fit
from fusion.training.ranker_fit import Lists, calibrate, fit, fold, lists
from kg.likelihood import LikelihoodModel
from kg.ranker import POPULATION_FEATURES


def case(disease: str, *observed: str) -> PublishedCase:
    return PublishedCase(case_id="x", disease=disease, observed=observed, excluded=(), age=None, sex=None, pmid="")


def test_the_right_disease_comes_first_in_a_list(likelihood: LikelihoodModel) -> None:
    within = np.ones(len(likelihood.annotations.disease), bool)
    made = lists(likelihood, [case("OMIM:2", "HP:2", "HP:4"), case("OMIM:404", "HP:1")], within)
    assert made.features.shape[0] == 1, "an unknown disease teaches nothing"
    assert made.listed[0].sum() == within.sum()
    exact = made.features[0, :, POPULATION_FEATURES["patient"].index("exact")]
    assert exact[0] == 2
    assert exact[1 : within.sum()].max() <= 1
    with pytest.raises(InputError, match="no patients"):
        lists(likelihood, [case("OMIM:404", "HP:1")], within)


def test_fit_learns_the_telling_feature_and_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranker_fit, "MEMBERS", 2)
    monkeypatch.setattr(ranker_fit, "EPOCHS", 12)
    rng = np.random.default_rng(0)
    count = len(POPULATION_FEATURES["patient"])
    features = rng.normal(size=(96, 6, count)).astype(np.float32)
    features[:, 0, 3] += 2.0
    listed = np.ones((96, 6), bool)
    listed[:48, 4:] = False
    examples = Lists(features, listed, np.ones(96, np.float32), np.array(["OMIM:2"] * 96))
    weights = fit(examples, "patient")
    right = np.mean([np.argmax(weights.scores(x[ok])) == 0 for x, ok in zip(features, listed, strict=True)])
    assert right > 0.7
    again = fit(examples, "patient")
    np.testing.assert_array_equal(again.outer, weights.outer)


def test_calibration_judges_no_patient_by_a_ranker_that_knows_the_disease(
    likelihood: LikelihoodModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = np.ones(len(likelihood.annotations.disease), bool)
    cases = [case("OMIM:1", "HP:1", "HP:3"), case("OMIM:2", "HP:4"), case("OMIM:3", "HP:2"), case("OMIM:404", "HP:5")]
    examples = lists(likelihood, cases, within)
    learned: dict[int, set[str]] = {}
    scored: list[tuple[int, np.ndarray]] = []

    class Recorded:
        def __init__(self, number: int) -> None:
            self.number = number

        def scores(self, features: np.ndarray) -> np.ndarray:
            scored.append((self.number, features))
            return features.sum(1).astype(np.float64)

    def record(chosen: Lists, population: str) -> Recorded:
        learned[len(learned)] = set(chosen.disease.tolist())
        return Recorded(len(learned) - 1)

    monkeypatch.setattr(ranker_fit, "fit", record)
    found = calibrate(likelihood, cases, examples, within)
    assert set(found) == {"patient", "published"}
    judged = [disease for c in cases for disease in [c.disease] * 2]  # by two populations
    assert len(scored) == len(judged)
    for disease, (number, features) in zip(judged, scored, strict=True):
        assert disease not in learned[number]
        assert len(features) == within.sum()
    assert all(0 <= fold(d) < ranker_fit.FOLDS for d in judged)
