"""Refusal of films of a hospital that chose nothing: ``python -m benchmarks.imaging.left_out [--data FOLDER]``.

The refusal is fitted anew without one of its data sets (the two NIH extracts together), as ``whydx train refusal`` fits
it but on 120 films of each set, and with the shipped limit. Then it is asked of that set's frontal films, as
they are and altered, and of the same films inverted, turned and cropped. "in" says what the fit with all sets refuses
of the set's calibration patients.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import shared_data, stamp
from vision.anatomy.outliner import Anatomy
from vision.frontal import CLASSES, POOLED, Frontal, features, imagenet
from vision.training import frontal_fit as fit

SETS = ("nih_cxr", "nih_cxr_64px", "cxr_other/jsrt", "cxr_other/wingspan", "cxr_other/kermany_children")
OTHERS = ("cxr_other/not_chest_64px",)


class Measured:
    """Features, outlines and labels of all pictures; ``held`` marks the calibration patients' plain films."""

    def __init__(self, data: Path, most: int, cache: Path | None) -> None:
        pictures, labels, sets, held = fit.pictures_of(
            [data / name for name in SETS], [data / name for name in OTHERS], np.random.default_rng(0), 40, 0, most=most
        )
        rng = np.random.default_rng(1)
        films = [p for some in held.values() for film in some for p in (film, fit.altered(film, rng))]
        self.y = np.concatenate((labels, np.zeros(len(films), int)))
        self.sets = np.array([*sets, *np.repeat(list(held), [2 * len(some) for some in held.values()])])
        self.sets[np.char.startswith(self.sets, "nih")] = "nih"
        self.plain = np.zeros(len(self.y), bool)
        self.plain[np.flatnonzero(self.y == 0)[::2]] = True  # each is followed by the same film, altered
        self.held = np.arange(len(self.y)) >= len(labels)
        everything = pictures + films
        if cache is not None and cache.is_file():
            kept = np.load(cache)
            self.x, self.away = kept["x"], kept["away"]
            return
        stem, anatomy = imagenet(), Anatomy.open()
        rows, away = [], []
        for start in range(0, len(everything), 64):
            rows.append(features(stem, everything[start : start + 64]))
            away += [o.distance for o in anatomy.outline(everything[start : start + 64])]
        self.x, self.away = np.concatenate(rows), np.array(away)
        if cache is not None:
            np.savez(cache, x=self.x, away=self.away)

    def fitted(self, chosen: NDArray[np.bool_]) -> Frontal:
        """The refusal of these pictures, with the shipped limit."""
        mine = chosen & ~self.held
        arrays = fit.regression(self.x[mine], self.y[mine], self.sets[mine])
        frontal = self.x[mine & (self.y == 0)]
        arrays |= fit.axes_of(np.clip((frontal - arrays["mean"]) / arrays["scale"], -8, 8)[:, :POOLED])
        model = Frontal(imagenet(), arrays, {"outlines_weight": fit.OUTLINES_WEIGHT})
        limit = Frontal.open().manifest["least_margin"]
        return Frontal(imagenet(), arrays, {**model.manifest, "least_margin": limit})

    def refused(self, model: Frontal, some: NDArray[np.bool_]) -> dict[str, str]:
        """{kind: "refused of all"} of these pictures."""
        refused = model.margins(model.judge(self.x)[0], self.away) < model.manifest["least_margin"]
        kinds = {"plain": self.plain, "altered": (self.y == 0) & ~self.plain}
        kinds |= {name: self.y == i for i, name in enumerate(CLASSES) if i}
        return {
            name: f"{int(refused[some & mine].sum())} of {int((some & mine).sum())}"
            for name, mine in kinds.items()
            if (some & mine).any()
        }


def measure(data: Path, most: int, cache: Path | None) -> dict[str, Any]:
    measured = Measured(data, most, cache)
    names = sorted(set(measured.sets[measured.held]))
    whole = measured.fitted(np.ones(len(measured.y), bool))
    out: dict[str, Any] = {}
    for name in names:
        mine = measured.sets == name
        model = measured.fitted(~mine)
        out[name] = {
            "left out": measured.refused(model, mine),
            "in": measured.refused(whole, mine & measured.held),
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data())
    parser.add_argument("--most", type=int, default=120, help="films of each set")
    parser.add_argument("--cache", type=Path, help="keep the features here, which take most of the time")
    options = parser.parse_args()
    found = {"measured": stamp()} | measure(options.data, options.most, options.cache)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
