"""How likely a heart is to be called enlarged, by the cardiothoracic ratio alone.

The ratio tells Cardiomegaly better than the network does, and adding the network makes it worse
(docs/model-card-anatomy.md). So it is a logistic curve of the ratio less what is usual for the view, fitted on films
with readers' labels that the outlining network never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LABEL = "Cardiomegaly"
_FALSE_ALARMS = 0.05  # of the films without the label, at the cut
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeHeart:
    """``usual`` {view: median ratio}, with "" for any other view; p = 1 / (1 + e^-(slope × excess + offset)), the
    excess in hundredths; ``cut`` is the probability from which the heart counts as large."""

    usual: Mapping[str, float]
    slope: float
    offset: float
    cut: float

    def probability(self, ratio: float, view: str) -> float:
        """In [0, 1], of a cardiothoracic ratio and a view position ("PA", "AP", …)."""
        excess = 100 * (ratio - self.usual.get(view.upper(), self.usual[""]))
        return float(1 / (1 + np.exp(-np.clip(self.slope * excess + self.offset, -60, 60))))


def fit(ratio: NDArray[np.float64], label: NDArray[np.bool_], views: Sequence[str]) -> dict[str, Any]:
    """The fields of `LargeHeart` for films with these ratios (n,), readers' labels and views, rounded, by maximum
    likelihood; NaN ratios are left out. Needs films with and without the label."""
    from scipy.optimize import minimize

    known = ~np.isnan(ratio)
    ratio, label, view = ratio[known], label[known], np.array(views)[known]
    usual = {v: round(float(np.median(ratio[view == v])), 4) for v in sorted({*view} - {""})}
    usual[""] = round(float(np.median(ratio)), 4)
    excess = 100 * (ratio - np.array([usual[v] for v in view]))

    def loss(x: NDArray[np.float64]) -> float:
        z = x[0] * excess + x[1]
        return float((np.logaddexp(0, z) - label * z).mean() + _RIDGE * x[0] ** 2)

    slope, offset = (round(float(v), 4) for v in minimize(loss, np.array([0.1, -3.0]), method="BFGS").x)
    fitted = LargeHeart(usual=usual, slope=slope, offset=offset, cut=0.5)
    without = [fitted.probability(r, v) for r, v, there in zip(ratio, view, label, strict=True) if not there]
    cut = round(float(np.quantile(without, 1 - _FALSE_ALARMS)), 4)
    return {"usual": usual, "slope": slope, "offset": offset, "cut": cut, "films": len(ratio)}
