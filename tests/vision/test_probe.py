"""The probe: the regression against scikit-learn's, and a round trip through its tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vision.probe import FEATURES, Probe, imagenet_stem, pooled, regress


def test_the_regression_is_the_ridge_logistic_regression_of_another_library() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(2, (1, 3, 10, 0.1), (300, 4))
    lean = x @ [1, -0.5, 0.1, 3] + rng.normal(0, 2, 300)
    y = (lean > np.median(lean))[:, None]
    weight, offset = regress(x, y, ridge=5.0)
    scaled = (x - x.mean(0)) / x.std(0) / np.sqrt(4) * 10
    theirs = LogisticRegression(C=1 / 5, tol=1e-8).fit(scaled, y[:, 0])
    assert (x @ weight + offset)[:, 0] == pytest.approx(theirs.decision_function(scaled), abs=0.02)


def test_a_probe_reads_the_same_after_a_round_trip() -> None:
    rng = np.random.default_rng(1)
    probe = Probe(imagenet_stem(), rng.normal(0, 0.01, (FEATURES, 15)).astype(np.float32), np.zeros(15, np.float32))
    again = Probe.of(probe.tensors(), 15)
    x = torch.rand(2, 1, 64, 64)
    assert pooled(probe.stem, x).shape == (2, FEATURES)
    assert again.logits(x) == pytest.approx(probe.logits(x), abs=0.05)  # the stem is kept in float16
    with pytest.raises(ValueError, match="shape"):
        Probe.of(probe.tensors(), 14)
    with pytest.raises(KeyError):
        Probe.of({k: v for k, v in probe.tensors().items() if "stem/_bn0" not in k}, 15)
