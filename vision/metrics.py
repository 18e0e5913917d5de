"""Measures of detection: area under the ROC curve, intersection over union, expected calibration error, bootstrap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vision.finding import BoundingBox


def auroc(scores: NDArray, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve = P(positive > negative) + P(tie)/2 (Mann–Whitney); NaN without both classes."""
    from scipy.stats import rankdata

    positive = np.asarray(positive, dtype=bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * m))


def iou(a: BoundingBox, b: BoundingBox) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a.width * a.height + b.width * b.height - width * height)


def calibration_error(probabilities: NDArray, positive: NDArray, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins: Σ |Σp − Σy| / n. NaN without predictions."""
    p, y = np.asarray(probabilities, dtype=float).ravel(), np.asarray(positive, dtype=float).ravel()
    if not len(p):
        return float("nan")
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = np.bincount(which, p, bins) - np.bincount(which, y, bins)
    return float(np.abs(gaps).sum() / len(p))


def bootstrap(
    measure: Callable[[NDArray[np.int64]], float], groups: NDArray, *, rounds: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of ``measure(rows)`` under resampling of whole groups (patients); rounds that give NaN are left
    out.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    members = {name: np.flatnonzero(groups == name) for name in names}
    values = []
    for _ in range(rounds):
        rows = np.concatenate([members[name] for name in rng.choice(names, len(names))])
        values.append(measure(rows))
    kept = np.array([v for v in values if not np.isnan(v)])
    return (float(np.percentile(kept, 2.5)), float(np.percentile(kept, 97.5))) if len(kept) else (float("nan"),) * 2
