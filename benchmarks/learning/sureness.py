"""How sure to be at a new place, learnt from a few of its patients: ``python -m benchmarks.learning.sureness PATH…
--home HOME``.

PATH is a source of patients in words whose diagnosis is known (`fusion.training.text_cases`). Each source in turn is
the place, and what is "shipped" is fitted on the others alone (``--outside PATH…`` besides: patients ill elsewhere than
in the chest, of whom a tenth goes to each place). Then 30, 50 and 100 of the place's patients are drawn at random,
`learning.sureness` fits to them, and the rest judges before and after; means over the repeats with the middle 95 %.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from fusion.calibration import COVERAGE, Calibration
from fusion.pipeline import Pipeline
from fusion.training import words_fit
from fusion.training.text_cases import text_cases
from fusion.training.words_fit import Listed
from learning.sureness import fitted, judged

SIZES, REPEATS = (30, 50, 100), 10


def read(home: Path, paths: Sequence[Path]) -> dict[str, list[Listed]]:
    """File → its patients of whom something right can be said."""
    pipeline = Pipeline.open(home)
    found: dict[str, list[Listed]] = {}
    for path in paths:
        cases = text_cases([path], pipeline.intake, pipeline.graph, pipeline.room.disease)
        own = words_fit.listed(cases, pipeline.room)
        found[path.stem] = [c for c in own if c.outside or c.right.any()]
    return found


def figures(cases: Sequence[Listed], calibration: Calibration) -> tuple[float, float, float]:
    """Mean -ln p of what is right; the share of patients whose diagnosis is not ruled out; how many are not."""
    rows = [judged(case, calibration) for case in cases]
    inside = [not case.outside for case in cases]
    covered = [row[3] for row, own in zip(rows, inside, strict=True) if own]
    return -float(np.mean([r[0] for r in rows])), float(np.mean(covered)), float(np.mean([r[4] for r in rows]))


def curve(place: Sequence[Listed], shipped: Calibration) -> dict[str, dict[str, str]]:
    """Size → how the rest of the place fares, before and with what was learnt from so many."""
    out = {}
    for size in SIZES:
        if size > len(place) - 30:
            continue
        rows = []
        for repeat in range(REPEATS):
            order = np.random.default_rng(repeat).permutation(len(place))
            some, rest = ([place[i] for i in part] for part in (order[:size], order[size:]))
            rows.append((*figures(rest, shipped), *figures(rest, fitted(some, shipped))))
        table = np.array(rows)
        changes = table[:, 3:] - table[:, :3]
        low, high = np.percentile(changes, (2.5, 97.5), axis=0)
        out[str(size)] = {
            name: f"{table[:, i].mean():.3f} {changes[:, i].mean():+.3f} ({low[i]:+.3f} to {high[i]:+.3f})"
            for i, name in enumerate(("mean -ln p", f"covered (wanted {COVERAGE})", "not ruled out"))
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--outside", type=Path, nargs="*", default=[])
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    found = read(arguments.home, [*arguments.paths, *arguments.outside])
    names = [path.stem for path in arguments.paths]
    elsewhere = [case for path in arguments.outside for case in found[path.stem]]
    drawn = np.random.default_rng(0).permutation(len(elsewhere)) % max(10, len(names))
    result: dict[str, Any] = {}
    for place, name in enumerate(names):
        own = found[name] + [c for c, part in zip(elsewhere, drawn, strict=True) if part == place]
        others = [c for other in names if other != name for c in found[other]]
        others += [c for c, part in zip(elsewhere, drawn, strict=True) if part != place]
        shipped = words_fit.fit_calibration(others, "the other sources")
        result[name] = {"patients": len(own), "ill elsewhere": sum(c.outside for c in own)} | curve(own, shipped)
        print(json.dumps({name: result[name]}, indent=1), flush=True)
    print(stamp())


if __name__ == "__main__":
    main()
