"""The outlines of lungs and heart, and what is measured: ``python -m benchmarks.anatomy [--data FOLDER] [--json]``.

On the outlined films each patient by the member that was not fitted on him: Dice with a 95 % interval over patients,
the error of the cardiothoracic ratio against the outlines' and its AUROC for a ratio above a half, by set. With
``--runs FOLDER`` also by networks fitted without one whole set (fitted there first: some minutes a set). On films of
other hospitals: how many are refused or not measured, and so for lateral films, CT and what is no chest. On
NIH films, where no member of the anatomy saw a patient and the detector's judge is the member
that did not see him: AUROC for Cardiomegaly of the detector, of the ratio, and of both by a logistic regression fitted
on the other folds.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from errors import InputError
from vision import training_cases
from vision.anatomy.measures import ratio
from vision.anatomy.organs import ORGANS
from vision.anatomy.outliner import Anatomy, dice, members_shares
from vision.datasets import outlines
from vision.datasets.folder import load_grey, read
from vision.datasets.outlines import Outlined
from vision.finding import LABELS
from vision.intensity import resize
from vision.metrics import auroc

if TYPE_CHECKING:
    from vision.anatomy.network import Outliner

SETS = ("jsrt", "wingspan")
NIH = ("nih_cxr", "nih_cxr_64px")
PARTS = ("outlines", "refusals", "cardiomegaly")
LARGE = 0.5
DRAWS = 1000
Number = NDArray[np.float64]


def interval(values: Number, seed: int = 0) -> list[float]:
    """[mean, low, high]: 95 % by 1,000 bootstrap samples of the films (one film a patient)."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (DRAWS, len(values)))].mean(1)
    return [round(float(v), 4) for v in (values.mean(), *np.percentile(means, (2.5, 97.5)))]


def auroc_interval(truth: NDArray[np.bool_], scores: Number, seed: int = 0) -> list[float] | None:
    """[AUROC, low, high] over bootstrap samples of the films; None without both kinds."""
    if truth.all() or not truth.any():
        return None
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(DRAWS):
        i = rng.integers(0, len(truth), len(truth))
        if 0 < truth[i].sum() < len(i):
            found.append(auroc(scores[i], truth[i]))
    return [round(float(v), 4) for v in (auroc(scores, truth), *np.percentile(found, (2.5, 97.5)))]


def compared(members: Sequence[Outliner], films: Sequence[Outlined]) -> Number:
    """(n, 6): Dice of right lung, left lung, heart and both lungs together, at the size of the outlines; the outlines'
    ratio and the measured one (NaN when there is none).
    """
    rows = []
    found = members_shares(members, [film.pixels() for film in films])
    for film, each in zip(films, found, strict=True):
        drawn, shares = film.organs(), each.mean(0)
        seen = np.stack([resize(share, drawn.shape[1]) >= 0.5 for share in shares])
        overlap = [dice(a, b) for a, b in zip(seen, drawn, strict=True)]
        both = dice(seen[0] | seen[1], drawn[0] | drawn[1])
        said = ratio(drawn.astype(np.float32)), ratio(shares)
        rows.append([*overlap, both, *(np.nan if v is None else v for v in said)])
    return np.array(rows, np.float64)


def figures(rows: Number) -> dict[str, Any]:
    """What ``compared`` gives, in sum."""
    names = (*ORGANS, "lungs")
    true, said = rows[:, 4], rows[:, 5]
    known = ~np.isnan(said)
    error = np.abs(said - true)
    return {
        "films": len(rows),
        "dice": {name: interval(rows[:, i]) for i, name in enumerate(names)},
        "not_measured": int((~known).sum()),
        "ratio_error": interval(error[known]),
        "ratio_bias": round(float((said - true)[known].mean()), 4),
        "ratio_auroc": auroc_interval(true > LARGE, np.where(known, said, LARGE)),
    }


def by_fold(anatomy: Anatomy, films: Sequence[Outlined]) -> dict[str, Any]:
    """Each film by the member without its fold; every set and both together."""
    rows = np.zeros((len(films), 6))
    for fold, member in enumerate(anatomy.members):
        chosen = [i for i, film in enumerate(films) if film.fold == fold]
        rows[chosen] = compared([member], [films[i] for i in chosen])
    sets = np.array([film.source for film in films])
    return {"all": figures(rows)} | {name: figures(rows[sets == name]) for name in sorted(set(sets))}


def without_a_set(films: Sequence[Outlined], runs: Path) -> dict[str, Any]:
    """For each set a network fitted on the others, with the release's settings, judged on it."""
    import torch

    from vision.anatomy.network import Outliner
    from vision.training.outlining_fit import Settings, fit

    torch.set_num_threads(1)
    found = {}
    for name in sorted({film.source for film in films}):
        average = fit([f for f in films if f.source != name], runs / f"without_{name}", Settings(), name=name)
        member = Outliner()
        member.load_state_dict(average)
        found[name] = figures(compared([member.eval()], [f for f in films if f.source == name]))
    return found


def refusals(anatomy: Anatomy, data: Path) -> dict[str, dict[str, Any]]:
    """By group: how many, and the shares refused for their outlines and not measured."""
    other = data / "cxr_other"
    groups = {
        "nih_cxr, validation patients": [r.path for r in read(data / "nih_cxr", split="val")],
        "nih_cxr_64px, validation patients": [r.path for r in read(data / "nih_cxr_64px", split="val")],
        "children of Guangzhou": _images(other / "kermany_children", 4),
        "tuberculosis, three hospitals": _images(other / "tb_nlm_belarus", 2),
        "COVID-19 and others, frontal (cohen_more)": _images(other / "cohen_more", 1),
        "COVID-19 (covid_cxnet)": _images(other / "covid_cxnet", 2),
        "not the chest, 64 px": _images(other / "not_chest_64px", 1),
        "CT slices": _images(other / "ct_covid", 2),
        "lateral films (covid_cxr)": _laterals(data / "covid_cxr"),
    }
    limit = float(anatomy.manifest["refused_beyond"])
    found = {}
    for name, paths in groups.items():
        pictures = [load_grey(path).astype(np.float32) / 255 for path in paths]
        distance = np.array([o.distance for o in anatomy.outline(pictures)])
        found[name] = {
            "n": len(paths),
            "refused": round(float((distance > limit).mean()), 4),
            "not_measured": round(float((distance > 1).mean()), 4),
        }
    return found


def _images(folder: Path, every: int) -> list[Path]:
    rows = (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()
    return [folder / json.loads(row)["image"] for row in rows][::every]


def _laterals(folder: Path) -> list[Path]:
    with (folder / "metadata.csv").open(encoding="utf-8") as stream:
        return [folder / row["image"] for row in csv.DictReader(stream) if row["view"] == "L"]


def cardiomegaly(anatomy: Anatomy, data: Path) -> dict[str, Any]:
    """By set: AUROC of the detector, of the ratio less what is usual for its view, and of both. The detector's logits
    are those that its training left in ``cases.*``, whose rows are in the order of the images' hashes.
    """
    films = sorted((r for n in NIH for r in read(data / n)), key=lambda r: hashlib.sha256(r.image.encode()).hexdigest())
    bank = training_cases.read()
    if [(r.labels, r.fold) for r in films] != [(row.labels, row.fold) for row in bank.rows]:
        raise InputError("these are not the films of the shipped cases", value=data, expected=", ".join(NIH))
    logit = bank.logits[:, LABELS.index("Cardiomegaly")].astype(np.float64)
    truth = np.array(["Cardiomegaly" in r.labels for r in films])
    folds, views = np.array([r.fold for r in films]), np.array([r.view or "" for r in films])
    sets = np.array([r.source for r in films])
    measured = np.full(len(films), np.nan)
    for i, film in enumerate(films):
        outlined = anatomy.outline([load_grey(film.path).astype(np.float32) / 255])[0]
        value = ratio(outlined.shares) if outlined.trusted else None
        measured[i] = np.nan if value is None else value
    usual = {view: float(np.nanmedian(measured[views == view])) for view in set(views)}
    known = ~np.isnan(measured)
    large = np.where(known, measured - [usual[v] for v in views], 0)  # not measured: as is usual for its view
    found: dict[str, Any] = {}
    for name in NIH:
        mine = sets == name
        both = np.zeros(len(films))
        for fold in sorted(set(folds)):
            fitted, asked = mine & (folds != fold), mine & (folds == fold)
            x = np.stack((logit, large), 1)
            both[asked] = _regressed(x[fitted], truth[fitted], x[asked])
        found[name] = {"films": int(mine.sum()), "positive": int(truth[mine].sum())}
        found[name]["not_measured"] = int((~known & mine).sum())
        for group, chosen in (("all", mine), *((v, mine & (views == v)) for v in ("PA", "AP"))):
            scores = {"network": logit, "ratio": large, "both": both}
            found[name][group] = {k: auroc_interval(truth[chosen], v[chosen]) for k, v in scores.items()}
    return found


def _regressed(x: Number, y: NDArray[np.bool_], asked: Number) -> Number:
    """Logistic regression with a small ridge by Newton's method; the scores of ``asked``."""
    mean, scale = x.mean(0), x.std(0) + 1e-9
    z = np.concatenate(((x - mean) / scale, np.ones((len(x), 1))), 1)
    w = np.zeros(z.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(z @ w, -30, 30)))
        hessian = (z * (p * (1 - p))[:, None]).T @ z + 0.1 * np.eye(len(w))
        w -= np.linalg.solve(hessian, z.T @ (p - y) + 0.1 * w)
    return np.concatenate(((asked - mean) / scale, np.ones((len(asked), 1))), 1) @ w


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, help="fit without each set here, and judge on it")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this; may be repeated")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parts = options.part or PARTS
    anatomy = Anatomy.open()
    out: dict[str, Any] = {"measured": stamp()}
    if "outlines" in parts:
        films = [film for name in SETS for film in outlines.read(options.data / "cxr_other" / name)]
        out["out_of_fold"] = by_fold(anatomy, films)
        if options.runs is not None:
            out["without_the_set"] = without_a_set(films, options.runs)
    if "refusals" in parts:
        out["refusals"] = refusals(anatomy, options.data)
    if "cardiomegaly" in parts:
        out["cardiomegaly"] = cardiomegaly(anatomy, options.data)
    if options.json:
        print(json.dumps(out, indent=1))
        return
    for part in ("out_of_fold", "without_the_set"):
        for name, row in out.get(part, {}).items():
            print(f"{part}, {name} ({row['films']} films)")
            for organ, (mean, low, high) in row["dice"].items():
                print(f"  Dice of {organ:12} {mean:.3f} ({low:.3f} to {high:.3f})")
            error, scores = row["ratio_error"], row["ratio_auroc"]
            print(
                f"  ratio: mean error {error[0]:.4f} ({error[1]:.4f} to {error[2]:.4f}), bias {row['ratio_bias']:+.4f}"
            )
            print(f"  ratio above {LARGE}: AUROC {scores[0]:.3f} ({scores[1]:.3f} to {scores[2]:.3f})")
    for name, row in out.get("refusals", {}).items():
        print(f"{name:44} {row['n']:5} refused {row['refused']:6.1%}, not measured {row['not_measured']:6.1%}")
    for name, row in out.get("cardiomegaly", {}).items():
        print(f"Cardiomegaly, {name}: {json.dumps(row)}")
    print(f"measured {out['measured']}")


if __name__ == "__main__":
    main()
