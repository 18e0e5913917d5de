"""The operating point and the calibration, on made-up probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from vision.detector import sigmoid
from vision.finding import LABELS
from vision.release import FALSE_ALARMS, fit_calibration, operating_point


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
    cuts = operating_point(p, y, sets)
    assert tuple(cuts) == LABELS
    present = p[:, :14] >= np.array([cuts[x] for x in LABELS])
    for name in ("a", "b"):
        normal = (sets == name) & ~y[:, -1]
        assert present[normal].any(1).mean() <= FALSE_ALARMS
    effusion = LABELS.index("Effusion")
    assert present[y[:, effusion], effusion].mean() > 0.9
    # the label that tells nothing must not spend the false alarms
    nodule = LABELS.index("Nodule")
    assert present[~y[:, -1], nodule].mean() <= present[~y[:, -1], effusion].mean() + 0.02


def test_calibrated_probabilities_have_the_observed_mean(judged: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, y, _ = judged
    fitted = fit_calibration(logits, y)
    p = sigmoid(logits * np.array(fitted["slope"]) + np.array(fitted["offset"]))
    effusion = LABELS.index("Effusion")
    assert p[:, effusion].mean() == pytest.approx(y[:, effusion].mean(), abs=0.02)
