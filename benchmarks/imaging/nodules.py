"""The nodule network on patches of CT, and the whole way on computed scans.

``python -m benchmarks.imaging.nodules [--data FOLDER] [--scans N] [--json]``

AUROC and sensitivity at 95 % specificity with 95 % intervals over blocks of scans: on ``NAME.npy`` (``--name``, default
"val") of scans that chose nothing, by all members; on ``train.npy`` by the member that was not fitted on the scan. And
at the shipped cut-off. ``--scans``: of so many computed chests with three to five nodules each, how many are seen, how
far off in place and size, and how many false marks there are. These are no patients: they measure the programme,
not medicine.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from vision.ct.candidates import find_candidates
from vision.ct.lungs import Lungs, find_lungs
from vision.ct.patches import Nodules, logits
from vision.ct.reading import PRESENT, RATE, SHOWN, read_nodules
from vision.datasets.luna_patches import Patches, read
from vision.metrics import auroc, bootstrap
from vision.phantom.scan import Ball, scan

SPECIFICITY = 0.95


def sensitivity(p: NDArray[np.float64], nodule: NDArray[np.bool_]) -> float:
    """The share of nodules above the cut that 95 % of the others do not pass; NaN without both."""
    if nodule.all() or not nodule.any():
        return float("nan")
    return float((p[nodule] > np.quantile(p[~nodule], SPECIFICITY)).mean())


def figures(patches: Patches, p: NDArray[np.float64], cut: float) -> dict[str, Any]:
    """AUROC and sensitivity, each [value, low, high]; and [sensitivity, specificity] at the cut-off."""
    y = patches.nodule
    out: dict[str, Any] = {"patches": len(y), "nodules": int(y.sum()), "blocks": len(np.unique(patches.block))}
    for name, measure in (("auroc", auroc), ("sensitivity", sensitivity)):
        low, high = bootstrap(lambda rows, m=measure: m(p[rows], y[rows]), patches.block)  # type: ignore[misc]
        out[name] = [round(v, 4) for v in (measure(p, y), low, high)]
    above = p > cut
    return out | {"at_the_cut": [round(float(above[y].mean()), 4), round(float((~above[~y]).mean()), 4)]}


def out_of_fold(model: Nodules, patches: Patches) -> NDArray[np.float64]:
    """(n,) calibrated probabilities, each by the member that was not fitted on the patch's scan."""
    z, fold = np.zeros(len(patches.fold)), patches.fold
    for k, member in enumerate(model.members):
        z[fold == k] = logits([member], patches.pixels[fold == k])
    return np.asarray(1 / (1 + np.exp(-(model.manifest["slope"] * z + model.manifest["offset"]))))


def drawn(rng: np.random.Generator) -> list[Ball]:
    """Three to five nodules of 5 to 16 mm, solid or ground glass, in either lung."""
    found = []
    for _ in range(int(rng.integers(3, 6))):
        side = rng.choice([-1.0, 1.0])
        at = rng.normal(0, 1, 3)
        at *= rng.uniform(0.2, 0.75) / np.linalg.norm(at)
        x, y, z = (float(v) for v in (side * 78 + 50 * at[0], 5 + 75 * at[1], 115 + 90 * at[2]))
        size = float(rng.uniform(5, 16))
        found.append(Ball(centre_mm=(x, y, z), diameter_mm=size, hounsfield=float(rng.choice([30.0, 30.0, -350.0]))))
    return found


def computed(model: Nodules, count: int) -> dict[str, Any]:
    """On ``count`` computed chests."""
    seen, proposed, placed, sized, false, total, judged = 0, 0, [], [], 0, 0, 0
    for seed in range(count):
        balls = drawn(np.random.default_rng(1000 + seed))
        volume = scan(balls, seed)
        found = read_nodules(volume, model)
        lungs = find_lungs(volume)
        places = find_candidates(volume, lungs) if isinstance(lungs, Lungs) else ()
        judged += found.candidates
        total += len(balls)
        free = list(found.nodules)
        for ball in balls:
            reach = max(ball.diameter_mm / 2, 3.0)
            proposed += any(math.dist(c.centre_mm, ball.centre_mm) <= reach for c in places)
            near = [n for n in free if math.dist(n.centre_mm, ball.centre_mm) <= reach]
            if near:
                seen += 1
                placed.append(math.dist(near[0].centre_mm, ball.centre_mm))
                sized.append(near[0].diameter_mm - ball.diameter_mm)
                free.remove(near[0])
        false += len(free)
    return {
        "scans": count,
        "nodules": total,
        "among the candidates": round(proposed / total, 3),
        "seen": round(seen / total, 3),
        "false marks a scan": round(false / count, 2),
        "candidates a scan": round(judged / count, 1),
        "off by, mm": round(float(np.mean(placed)), 2) if placed else None,
        "size off by, mm": round(float(np.mean(np.abs(sized))), 2) if sized else None,
    }


def shown_at(model: Nodules, patches: Patches, p: NDArray[np.float64]) -> dict[str, list[float]]:
    """{probability shown on a scan: [sensitivity, specificity on the patches]} at what counts as present and shown."""
    own = float(model.manifest["rate"])
    shift = math.log(RATE / (1 - RATE)) - math.log(own / (1 - own))
    odds = np.log(p / (1 - p)) + shift
    found = {}
    for shown in (PRESENT, SHOWN):
        above = odds >= math.log(shown / (1 - shown))
        y = patches.nodule
        found[str(shown)] = [round(float(above[y].mean()), 4), round(float((~above[~y]).mean()), 4)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/luna16_patches"))
    parser.add_argument("--name", default="val", help="the patches of scans that chose nothing")
    parser.add_argument("--weights", type=Path, help="folder of nodules.safetensors (default: the shipped one)")
    parser.add_argument("--scans", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model, unseen = Nodules.open(options.weights), read(options.data, options.name)
    cut = float(model.manifest["cut"])
    p = model.probabilities(unseen.pixels)
    out: dict[str, Any] = {"measured": stamp()}
    out["unseen scans"] = figures(unseen, p, cut) | {"on a scan": shown_at(model, unseen, p)}
    if (options.data / "train.npy").is_file():
        train = read(options.data, "train")
        p = out_of_fold(model, train)
        out["out of fold"] = figures(train, p, cut) | {"on a scan": shown_at(model, train, p)}
    if options.scans:
        out["computed scans"] = computed(model, options.scans)
    print(json.dumps(out, indent=1) if options.json else "\n".join(f"{k}: {v}" for k, v in out.items()))


if __name__ == "__main__":
    main()
