"""From logits on images that the judging member was not fitted on to probabilities, thresholds and the cut of boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.datasets.folder import box_labels, load_grey
from vision.datasets.record import Record
from vision.detector import Raw, sigmoid
from vision.finding import LABELS
from vision.localisation import boxes
from vision.metrics import iou

FALSE_ALARMS = 0.14
MISNAMED = 0.15
LEAST_THRESHOLD = 0.05
_LEAST_POSITIVES = 5


def fit_calibration(
    logits: NDArray[np.float32], y: NDArray[np.bool_], known: NDArray[np.bool_] | None = None
) -> dict[str, Any]:
    """Platt scaling p = σ(slope z + offset) per label, by penalised maximum likelihood, on ``logits`` (n, 15) and ``y``
    (n, 15) where ``known`` (all without it).

    Slopes share a common value from which a label departs only as far as its data pay for it (Gaussian penalty on the
    log ratio): rare labels have a handful of positives.
    """
    from scipy.optimize import minimize

    n = logits.shape[1]
    counted = np.ones(y.shape) if known is None else known.astype(float)

    def cost(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        common, ratio, offset = x[0], x[1 : n + 1], x[n + 1 :]
        slope = np.exp(common + ratio)
        z = logits * slope + offset
        error: NDArray[np.float64] = counted * (sigmoid(z) - y)
        value = (counted * (np.logaddexp(0, z) - z * y)).sum() + 8 * (ratio**2).sum() + 0.02 * (offset**2).sum()
        by_slope = (error * logits).sum(0) * slope
        gradient = np.concatenate(([by_slope.sum()], by_slope + 16 * ratio, error.sum(0) + 0.04 * offset))
        return float(value), gradient

    x = minimize(cost, np.zeros(2 * n + 1), jac=True, method="L-BFGS-B").x
    slope, offset = np.exp(x[0] + x[1 : n + 1]), x[n + 1 :]
    return {
        "method": "Platt scaling per label with a shared prior slope",
        "fitted_on": f"{len(logits)} images, each read by the member that was not fitted on its patient",
        "slope": [round(float(v), 5) for v in slope],
        "offset": [round(float(v), 5) for v in offset],
    }


def fit_by_resolution(
    logits: NDArray[np.float32], y: NDArray[np.bool_], known: NDArray[np.bool_], low: NDArray[np.bool_]
) -> dict[str, dict[str, Any]]:
    """{"standard": …, "low_resolution": …}, each as ``fit_calibration`` gives it. The labels are calibrated on all
    images together, "any finding" on those of one resolution (``low``, (n,)): on films of 64 px the same logit says
    less. A resolution without both normal and abnormal images keeps the common one.
    """
    fitted = fit_calibration(logits, y, known)
    found = {}
    for name, rows in (("standard", ~low), ("low_resolution", low)):
        found[name] = fitted | {"slope": list(fitted["slope"]), "offset": list(fitted["offset"])}
        rows = rows & known[:, -1]
        if len(np.unique(y[rows, -1])) == 2:
            own = fit_calibration(logits[rows, -1:], y[rows, -1:])
            found[name]["slope"][-1], found[name]["offset"][-1] = own["slope"][0], own["offset"][0]
    return found


def operating_point(
    p: NDArray[np.float64], y: NDArray[np.bool_], known: NDArray[np.bool_], sets: NDArray[np.str_]
) -> dict[str, Any]:
    """{"any_finding": the probability from which an image counts as abnormal, "labels": {label: the probability from
    which the finding is present on such an image}}, from ``p``, ``y``, ``known`` (n, 15) and ``sets`` (n,) names.

    One figure, which a reader can picture, decides the first: how often a normal film raises anything at all, at most
    FALSE_ALARMS in each set apart. One threshold keeps its rate on new patients; fourteen that are lowered together
    until they reach a rate do not (set for 13 % on four folds of nih_cxr, they gave 17 % on the fifth; the one, 14 %).
    A label's threshold is passed by at most MISNAMED of the images that count as abnormal and do not have it; by none
    of them when fewer than five have it.
    """
    normal = known[:, -1] & ~y[:, -1]
    any_finding = max(_passed_by(FALSE_ALARMS, p[normal & (sets == name), -1]) for name in np.unique(sets))
    labels = {}
    for i, label in enumerate(LABELS):
        mine = known[:, i] & (p[:, -1] >= any_finding)
        share = MISNAMED if y[mine, i].sum() >= _LEAST_POSITIVES else 0.0
        labels[label] = max(_passed_by(share, p[mine & ~y[:, i], i]), LEAST_THRESHOLD)
    return {"any_finding": any_finding, "labels": labels}


def _passed_by(share: float, p: NDArray[np.float64]) -> float:
    """The least threshold of four digits, at most 0.9999, that at most this share of ``p`` reaches; 0 for none."""
    if not len(p):
        return 0.0
    highest = np.sort(p)[::-1][int(share * len(p))]
    return float(min((np.floor(highest * 1e4) + 1) / 1e4, 0.9999))


def fit_box_cut(calibration: Mapping[str, Any], records: Sequence[Record], raws: Sequence[Raw]) -> float:
    """The share of a map's maximum that bounds its boxes, by mean best IoU on the boxed images; 0.5 without any.
    ``calibration`` is as ``fit_by_resolution`` gives it; the labels' part is the same for both.
    """
    boxed = [(r, raw) for r, raw in zip(records, raws, strict=True) if r.boxes]
    best, cut = -1.0, 0.5
    slope, offset = calibration["standard"]["slope"], calibration["standard"]["offset"]
    for candidate in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        values = []
        for record, raw in boxed:
            height, width = load_grey(record.path).shape
            for label in sorted({x for name, _ in record.boxes for x in box_labels(name, record.labels)}):
                i = LABELS.index(label)
                heatmap = sigmoid(raw.maps[i] * slope[i] + offset[i]).astype(np.float32)
                found = boxes(heatmap, candidate, width, height)
                marked = [b for n, b in record.boxes if label in box_labels(n, record.labels)]
                values.append(max((iou(b, t) for b, _ in found for t in marked), default=0.0))
        if values and float(np.mean(values)) > best:
            best, cut = float(np.mean(values)), candidate
    return cut
