"""Measures against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.finding import BoundingBox
from vision.metrics import auroc, bootstrap, calibration_error, iou


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_the_share_of_ordered_pairs(pairs: list[tuple[int, bool]]) -> None:
    scores, y = np.array([s for s, _ in pairs]), np.array([p for _, p in pairs])
    wins = [(a > b) + 0.5 * (a == b) for a in scores[y] for b in scores[~y]]
    expected = np.mean(wins) if wins else float("nan")
    assert auroc(scores, y) == pytest.approx(expected, nan_ok=True)


def test_iou_by_hand() -> None:
    a = BoundingBox(x=0, y=0, width=2, height=2)
    assert iou(a, BoundingBox(x=1, y=1, width=2, height=2)) == pytest.approx(1 / 7)
    assert iou(a, a) == 1
    assert iou(a, BoundingBox(x=2, y=0, width=1, height=1)) == 0


def test_calibration_error_by_hand() -> None:
    assert calibration_error(np.array([0.15, 0.15, 0.95, 1.0]), np.array([0, 0, 1, 1])) == pytest.approx(
        (0.3 + 0.05) / 4
    )
    assert calibration_error(np.full(10, 0.5), np.arange(10) % 2) == 0


def test_bootstrap_resamples_whole_groups() -> None:
    values = np.array([0.0, 0, 0, 1, 1, 1])
    groups = np.array(["a", "a", "a", "b", "b", "b"])
    low, high = bootstrap(lambda rows: float(values[rows].mean()), groups, rounds=200)
    assert (low, high) == (0.0, 1.0)
