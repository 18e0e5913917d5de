"""Probabilities and conformal sets, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from fusion.calibration import conformal_threshold, expected_calibration_error, fit_gate, softmax


def test_softmax_by_hand() -> None:
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 5.0])), [0.125, 0.25, 0.625])
    np.testing.assert_allclose(softmax(np.array([1e4, 0.0])), [1, 0])


def test_gate_and_temperature_recover_those_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    base = [rng.normal(size=6) * 4 for _ in range(2000)]
    correction = [rng.normal(size=6) * 4 for _ in base]
    made = [b + 0.5 * c for b, c in zip(base, correction, strict=True)]
    truth = [int(rng.choice(6, p=softmax(s, 2.5))) for s in made]
    gate, temperature = fit_gate(base, correction, truth)
    assert gate == pytest.approx(0.5, abs=0.08)
    assert temperature == pytest.approx(2.5, rel=0.1)
    noise, _ = fit_gate(base, [rng.normal(size=6) for _ in base], truth)
    assert noise < 0.3, "a correction that knows nothing is shut out"


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


def test_calibration_error_by_hand() -> None:
    # one bin of two at .8 confidence and .5 accuracy, one of two at .3 and 0
    assert expected_calibration_error(np.array([0.8, 0.8, 0.3, 0.3]), np.array([1, 0, 0, 0])) == pytest.approx(0.3)
