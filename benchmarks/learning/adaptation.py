"""What a few labelled films of elsewhere are worth: ``python -m benchmarks.learning.adaptation FOLDER --looks FILE``.

The films are split by patient, again and again: some to learn from, the others to judge by. The detector as shipped;
its probabilities calibrated anew (bias and slope alone); and with the local head of `whydx adapt`: area under the ROC
curve, mean negative log likelihood and expected calibration error on the films to judge by, with the middle 95 % over
the repeats, and how the guard set's area changed at worst. Then the same number of films chosen by `whydx worklist`,
25 at a time from 25 at random, against all at random. Looks are kept in FILE, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from learning import head_fit, worklist
from learning.adapt import mean_loss
from learning.cases import paths, read
from learning.head_fit import Films, films_of, shipped
from vision.detector import Detector
from vision.films.looks import Looks
from vision.local_head import OUTPUTS
from vision.metrics import auroc, calibration_error

SIZES, REPEATS, JUDGED_BY, FIRST, BATCH = (50, 100, 200), 20, 0.4, 25, 25


def split(films: Films, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(to learn from, to judge by): places in random order, no patient in both."""
    names = rng.permutation(np.unique(films.patients))
    judged = np.isin(films.patients, names[: int(JUDGED_BY * len(names))])
    return rng.permutation(np.flatnonzero(~judged)), np.flatnonzero(judged)


def figures(odds: NDArray[np.float64], y: NDArray[np.bool_]) -> tuple[float, float, float]:
    return auroc(odds, y), mean_loss(odds, y), calibration_error(1 / (1 + np.exp(-odds)), y)


def recalibrated(learnt: Films, judged: Films, at: int) -> NDArray[np.float64]:
    """Log odds of a Platt scaling of the shipped logits."""
    from vision.training.calibration import fit_calibration

    fitted = fit_calibration(learnt.logits[:, [at]], learnt.y[:, [at]])
    return np.asarray(judged.logits[:, at] * fitted["slope"][0] + fitted["offset"][0], np.float64)


def learning_curve(films: Films, output: str, sizes: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """A row for each number of films: n, and of each way the figures' mean, and 2.5th and 97.5th percentile over
    the repeats."""
    at, base, rows = OUTPUTS.index(output), shipped(), []
    films = films.some(films.known[:, at])
    for size in sizes:
        found: dict[str, list[tuple[float, float, float]]] = {"shipped": [], "recalibrated": [], "local head": []}
        guard = []
        for repeat in range(repeats):
            learn, judge = split(films, np.random.default_rng([repeat, 1]))
            if len(learn) < size:
                break
            learnt, judged = films.some(learn[:size]), films.some(judge)
            y = judged.y[:, at]
            if not (8 <= learnt.y[:, at].sum() <= size - 8):
                continue
            head, _ = head_fit.fit(learnt, "", [output], base)
            found["shipped"].append(figures(base.log_odds(judged)[:, at], y))
            found["recalibrated"].append(figures(recalibrated(learnt, judged, at), y))
            found["local head"].append(figures(head_fit.log_odds(head, output, judged, base), y))
            guard.append(head_fit.change(head, base.guard, base)[output])
        if guard:
            row: dict[str, Any] = {"output": output, "films": size, "repeats": len(guard)}
            for way, figures_ in found.items():
                for name, values in zip(("auroc", "loss", "calibration"), np.array(figures_).T, strict=True):
                    low, high = np.percentile(values, (2.5, 97.5))
                    row[f"{way} {name}"] = f"{values.mean():.3f} ({low:.3f} to {high:.3f})"
            row["guard auroc, mean change"] = round(float(np.mean(guard)), 4)
            row["guard auroc, worst change"] = round(min(guard), 4)
            rows.append(row)
            print(json.dumps(row, indent=1), flush=True)
    return rows


def chosen(films: Films, pool: NDArray[np.int64], output: str, size: int) -> list[list[int]]:
    """What is labelled, as it grows from FIRST of the pool to ``size``, BATCH at a time by the work list."""
    at, taken = OUTPUTS.index(output), pool[:FIRST].tolist()
    steps = [list(taken)]
    while len(taken) < size:
        mine = films.some(np.array(taken))
        enough = 8 <= mine.y[:, at].sum() <= len(taken) - 8
        head = head_fit.fit(mine, "", [output])[0] if enough else None
        left = np.setdiff1d(pool, taken)
        names = [str(i) for i in left]
        wanted = worklist.wanted(films.some(left), names, count=BATCH, output=output, head=head, labelled=mine)
        taken += [int(w.image) for w in wanted]
        steps.append(list(taken))
    return steps


def against_random(films: Films, output: str, sizes: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """A row for each number of films: the local head's figures with films of the work list, less those with as many at
    random, over the repeats; and in how many of them the work list is better."""
    at, base = OUTPUTS.index(output), shipped()
    films = films.some(films.known[:, at])
    differences: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
    for repeat in range(repeats):
        learn, judge = split(films, np.random.default_rng([repeat, 1]))
        judged = films.some(judge)
        if len(learn) < max(sizes):
            break
        steps = {len(step): step for step in chosen(films, learn, output, max(sizes))}
        for size in sizes:
            both = []
            for places in (steps[size], learn[:size].tolist()):
                mine = films.some(np.array(places))
                if 8 <= mine.y[:, at].sum() <= size - 8:
                    head = head_fit.fit(mine, "", [output])[0]
                    both.append(figures(head_fit.log_odds(head, output, judged, base), judged.y[:, at]))
            if len(both) == 2:
                differences[size].append((both[0][0] - both[1][0], both[0][1] - both[1][1]))
    rows = []
    for size, pairs in differences.items():
        if pairs:
            area, loss = np.array(pairs).T
            row = {"output": output, "films": size, "repeats": len(pairs)}
            for name, own in (("auroc", area), ("loss", loss)):
                low, high = np.percentile(own, (2.5, 97.5))
                row[f"work list less random, {name}"] = f"{own.mean():+.4f} ({low:+.3f} to {high:+.3f})"
            row["better auroc in"] = int((area > 0).sum())
            row["lower loss in"] = int((loss < 0).sum())
            rows.append(row)
            print(json.dumps(row, indent=1), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=Path, help="as for whydx adapt; default: the folder's own tables")
    parser.add_argument("--looks", type=Path, required=True)
    parser.add_argument("--output", action="append", help="default: all that can be adapted")
    parser.add_argument("--most", type=int, help="only so many films, at random")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--no-worklist", action="store_true")
    args = parser.parse_args()
    records = sorted(read(args.folder, args.labels), key=lambda r: r.image)
    order = np.random.default_rng(2).permutation(len(records))[: args.most]
    records = [records[i] for i in order]
    films, refused = films_of(list(Looks(Detector.open(), args.looks).at(paths(records))), records)
    print(f"{args.folder.name}: {len(films)} films of {len(np.unique(films.patients))} patients, {refused} refused")
    for output in args.output or head_fit.adaptable(films):
        learning_curve(films, output, args.sizes, args.repeats)
        if not args.no_worklist:
            against_random(films, output, args.sizes, args.repeats)
    print(stamp())


if __name__ == "__main__":
    main()
