"""The operating point and the calibration, on made-up probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from vision.detector import sigmoid
from vision.finding import LABELS
from vision.training.calibration import FALSE_ALARMS, MISNAMED, fit_by_resolution, fit_calibration, operating_point


@pytest.fixture(scope="module")
def judged() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (400, 15), labels (400, 15) and set names: Effusion can be told, Nodule cannot."""
    rng = np.random.default_rng(0)
    y = np.zeros((400, 15), bool)
    y[:200, LABELS.index("Effusion")] = rng.random(200) < 0.7
    y[:200, LABELS.index("Nodule")] = rng.random(200) < 0.3
    y[:, -1] = y[:, :-1].any(1)
    logits = rng.normal(-3, 1, (400, 15))
    logits[y[:, LABELS.index("Effusion")], LABELS.index("Effusion")] += 4
    return logits.astype(np.float32), y, np.array(["a", "b"])[np.arange(400) % 2]


def test_normal_images_of_every_set_stay_quiet_and_disease_is_found(
    judged: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    logits, y, sets = judged
    p = sigmoid(logits)
    p[:, -1] = p[:, LABELS.index("Effusion")]
    point = operating_point(p, y, np.ones_like(y), sets)
    assert tuple(point["labels"]) == LABELS
    abnormal = p[:, -1] >= point["any_finding"]
    for name in ("a", "b"):
        normal = (sets == name) & ~y[:, -1]
        assert 0 < abnormal[normal].mean() <= FALSE_ALARMS
    effusion = LABELS.index("Effusion")
    present = abnormal[:, None] & (p[:, :14] >= np.array([point["labels"][x] for x in LABELS]))
    assert present[y[:, effusion], effusion].mean() > 0.9
    assert present[abnormal & ~y[:, effusion], effusion].mean() < 0.5


def test_few_abnormal_images_get_a_finding_they_do_not_have(judged: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, y, sets = judged
    p = sigmoid(logits)
    point = operating_point(p, y, np.ones_like(y), sets)
    abnormal = p[:, -1] >= point["any_finding"]
    for i, label in enumerate(LABELS):
        without = p[abnormal & ~y[:, i], i]
        allowed = MISNAMED if y[abnormal, i].sum() >= 5 else 0
        assert (without >= point["labels"][label]).mean() <= allowed
        if allowed:  # and not fewer than need be
            assert (without >= point["labels"][label] - 2e-4).mean() > allowed - 2 / len(without)


def test_calibrated_probabilities_have_the_observed_mean(judged: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, y, _ = judged
    fitted = fit_calibration(logits, y)
    p = sigmoid(logits * np.array(fitted["slope"]) + np.array(fitted["offset"]))
    effusion = LABELS.index("Effusion")
    assert p[:, effusion].mean() == pytest.approx(y[:, effusion].mean(), abs=0.02)


def test_any_finding_is_calibrated_for_each_resolution_and_the_labels_for_both(
    judged: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    logits, y, _ = judged
    low = np.arange(len(y)) % 3 == 0
    logits[:, -1] = np.where(y[:, -1], 1.5, -1.5) * np.where(low, 0.1, 1)  # small films say the same, more quietly
    logits[~y[:, -1] & (np.arange(len(y)) % 5 == 0), -1] *= -1
    fitted = fit_by_resolution(logits, y, np.ones_like(y), low)
    assert fitted["standard"]["slope"][:-1] == fitted["low_resolution"]["slope"][:-1]
    for name, rows in (("standard", ~low), ("low_resolution", low)):
        p = sigmoid(logits[rows, -1] * fitted[name]["slope"][-1] + fitted[name]["offset"][-1])
        assert p.mean() == pytest.approx(y[rows, -1].mean(), abs=0.02)
    assert fitted["low_resolution"]["slope"][-1] > 3 * fitted["standard"]["slope"][-1]
    only_normal = fit_by_resolution(logits, y, np.ones_like(y), low & ~y[:, -1])
    assert only_normal["low_resolution"] == fit_calibration(logits, y)


def test_unknown_labels_move_neither_calibration_nor_thresholds(
    judged: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    logits, y, sets = judged
    rng = np.random.default_rng(3)
    known = rng.random(y.shape) < 0.8
    flipped = np.where(known, y, False)
    assert fit_calibration(logits, y & known, known) == fit_calibration(np.where(known, logits, 9.0), flipped, known)
    loud = np.where(known, sigmoid(logits), 0.99)
    assert operating_point(loud, flipped, known, sets) == operating_point(loud, y, known, sets)
