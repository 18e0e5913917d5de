"""How far the detector's probabilities can be believed: ``python -m benchmarks.reliability PICTURE.svg [--json]``.

From the readings that the training left in ``cases.*``, so it needs no images: each is of a member that was not fitted
on the patient, and here the probability also comes from a calibration that was fitted without the patient's fold. The
shipped calibration is fitted on all five folds, so that its own error on them would flatter it. Drawn for films of full
and of low resolution apart: the share of true findings against the probability, over the 14 findings and over "no
finding", in ten bins of equal width, and how many probabilities each bin holds.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from vision import training_cases
from vision.detector import sigmoid
from vision.finding import LABELS, NO_FINDING
from vision.folds import FOLDS
from vision.metrics import calibration_error
from vision.training.calibration import fit_by_resolution
from vision.training_cases import TrainingCases

BINS = 10
Curve = list[tuple[float, float, int]]  # mean probability, share of true, how many


def cross_calibrated(bank: TrainingCases) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(n, 15) probabilities of the 14 findings and "no finding", each by a calibration fitted on the other folds, and
    whether it is so.
    """
    y = np.array([[x in row.labels for x in LABELS] + [row.labels != (NO_FINDING,)] for row in bank.rows])
    folds = np.array([row.fold for row in bank.rows])
    low = np.array([row.low_resolution for row in bank.rows])
    p = np.zeros(y.shape)
    for fold in range(FOLDS):
        others = folds != fold
        fitted = fit_by_resolution(bank.logits[others], y[others], np.ones_like(y[others]), low[others])
        for name, is_low in (("standard", False), ("low_resolution", True)):
            rows = ~others & (low == is_low)
            slope, offset = np.array(fitted[name]["slope"]), np.array(fitted[name]["offset"])
            p[rows] = sigmoid(bank.logits[rows] * slope + offset)
    p[:, -1], y[:, -1] = 1 - p[:, -1], ~y[:, -1]
    return p, y


def curve(p: NDArray[np.float64], y: NDArray[np.bool_]) -> Curve:
    """One point for each bin that holds anything, in ascending order."""
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    held = [which == i for i in range(BINS)]
    return [(float(p[rows].mean()), float(y[rows].mean()), int(rows.sum())) for rows in held if rows.any()]


def draw(panels: Sequence[tuple[str, dict[str, Curve]]], path: Path) -> None:
    """The curves of each panel, as an SVG that is the same from run to run."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "whydx", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(9, 4.6), facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        for axes, (title, curves) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
            axes.plot((0, 1), (0, 1), color="0.7", linewidth=1, zorder=1)
            for (name, points), colour, marker in zip(curves.items(), ("#0b6e99", "#b3541e"), ("o", "s"), strict=True):
                x, y, n = zip(*points, strict=True)
                axes.plot(x, y, color=colour, linewidth=1, zorder=2)
                size = 12 + 8 * np.log(n)
                axes.scatter(x, y, s=size, color=colour, marker=marker, label=name, zorder=3)
                for px, py, count in points:
                    place = {"xytext": (5, -11), "textcoords": "offset points", "fontsize": 7, "color": colour}
                    axes.annotate(f"{count:,}", (px, py), **place)
            axes.set(title=title, xlabel="probability", xlim=(0, 1), ylim=(0, 1))
            axes.set_aspect("equal")
            axes.legend(loc="upper left", frameon=False)
        figure.axes[0].set_ylabel("share that has it")
        beside = path.with_name(f".{path.name}.new")
        figure.savefig(beside, format="svg", metadata={"Date": None})
    os.replace(beside, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bank = training_cases.read()
    p, y = cross_calibrated(bank)
    low = np.array([row.low_resolution for row in bank.rows])
    panels, errors = [], {}
    for title, rows in (("512 px films", ~low), ("64 px films", low)):
        parts = {"the 14 findings": np.s_[:-1], NO_FINDING: np.s_[-1:]}
        chosen = {name: (p[rows][:, part].ravel(), y[rows][:, part].ravel()) for name, part in parts.items()}
        panels.append((title, {name: curve(*pair) for name, pair in chosen.items()}))
        errors[title] = {name: round(calibration_error(*pair), 4) for name, pair in chosen.items()}
    draw(panels, options.picture)
    if options.json:
        print(json.dumps({"measured": stamp(), "ece": errors, "curves": dict(panels)}, indent=1))
        return
    print(f"expected calibration error; measured {stamp()}\n")
    for title, found in errors.items():
        print(f"{title}: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
