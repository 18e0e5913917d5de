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


def test_what_is_unknown_does_not_count() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, (200, 3)), rng.random((200, 1)) < 0.5
    known = rng.random((200, 1)) < 0.7
    weight, offset = regress(x, y, known, ridge=5.0)
    again, shift = regress(x, y & known, known, ridge=5.0)
    assert np.array_equal(weight, again)
    assert np.array_equal(offset, shift)
    everything, _ = regress(x, y, ridge=5.0)
    assert not np.allclose(weight, everything, atol=1e-3)


def test_a_probe_reads_the_same_after_a_round_trip() -> None:
    rng = np.random.default_rng(1)
    weight = rng.normal(0, 0.01, (2, FEATURES, 15)).astype(np.float32)
    probe = Probe(imagenet_stem(), weight, np.zeros((2, 15), np.float32))
    again = Probe.of(probe.tensors(), 2, 15)
    x = torch.rand(2, 1, 64, 64)
    with torch.inference_mode():
        assert pooled(probe.stem(x)).shape == (2, FEATURES)
    # the stem is kept in float16
    assert again.logits(x, (0, 1)) == pytest.approx(probe.logits(x, (0, 1)), abs=0.05)
    one, two, both = (probe.logits(x, judges) for judges in ((0,), (1,), (0, 1)))
    assert both == pytest.approx((one + two) / 2, abs=1e-4)
    for members, labels in ((2, 14), (3, 15)):
        with pytest.raises(ValueError, match="shape"):
            Probe.of(probe.tensors(), members, labels)
    with pytest.raises(KeyError):
        Probe.of({k: v for k, v in probe.tensors().items() if "stem/_bn0" not in k}, 2, 15)
