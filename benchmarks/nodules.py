"""Nodule patches of scans that took no part: ``python -m benchmarks.nodules --data FOLDER [--folds] [--json]``.

The shipped network on ``val``, whose scans it never saw: AUROC and sensitivity at 95 % specificity with 95 % intervals
over blocks of scans, and at the shipped cut-off. ``--folds`` fits anew without each fifth of the blocks of ``train``
(minutes) and judges every patch out of fold.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from vision.datasets.luna_patches import Patches, read
from vision.metrics import auroc, bootstrap
from vision.nodule.patches import Nodules
from vision.training.nodule_fit import Settings, out_of_fold

SPECIFICITY = 0.95


def sensitivity(p: NDArray[np.float64], nodule: NDArray[np.bool_]) -> float:
    """The share of nodules above the cut that 95 % of the others do not pass; NaN without both."""
    if nodule.all() or not nodule.any():
        return float("nan")
    return float((p[nodule] > np.quantile(p[~nodule], SPECIFICITY)).mean())


def figures(patches: Patches, p: NDArray[np.float64], cut: float | None = None) -> dict[str, Any]:
    """AUROC and sensitivity, each [value, low, high]; and what the cut-off does."""
    y = patches.nodule
    out: dict[str, Any] = {"patches": len(y), "nodules": int(y.sum()), "blocks": len(np.unique(patches.block))}
    for name, measure in (("auroc", auroc), ("sensitivity", sensitivity)):
        low, high = bootstrap(lambda rows, m=measure: m(p[rows], y[rows]), patches.block)  # type: ignore[misc]
        out[name] = [round(v, 4) for v in (measure(p, y), low, high)]
    if cut is not None:
        above = p > cut
        out["at_the_cut"] = [round(float(above[y].mean()), 4), round(float((~above[~y]).mean()), 4)]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/luna16_patches"))
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model, unseen = Nodules.open(), read(options.data, "val")
    out: dict[str, Any] = {"measured": stamp()}
    out["unseen scans"] = figures(unseen, model.probabilities(unseen.pixels), float(model.manifest["cut"]))
    if options.folds:
        train = read(options.data, "train")
        out["out of fold"] = figures(train, out_of_fold(train, Settings(**model.manifest["settings"])))
    print(json.dumps(out, indent=1) if options.json else "\n".join(f"{k}: {v}" for k, v in out.items()))


if __name__ == "__main__":
    main()
