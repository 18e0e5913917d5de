"""Films from elsewhere: ``python -m benchmarks.imaging.elsewhere [--data FOLDER] [--cache FILE] [--write]``.

Fits what the detector does with a film that looks unlike NIH's (`vision.anatomy.elsewhere`), and judges it with whole
hospitals left out. A ridge logistic regression tells films with a finding from films without one by the outlines of
lungs and heart; films of a set and a label weigh alike, each set has an offset of its own. What ships is fitted on NIH,
JSRT and the children of Guangzhou; the COVID-19 collections are judged only. How familiar a film looks is a logistic
regression on the embedding: NIH's training films of 200 pixels and more against those of JSRT, Wingspan, Guangzhou and
tuberculosis (no label is used), moved so that a tenth of the films of NIH's patients whom neither it nor the first
member saw count as unfamiliar. ``--write`` puts both into ``vision/weights/elsewhere.*``; ``--cache FILE`` keeps the
readings, which take most of the time. ``_EVERY`` says which films of the larger sets are read.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.imaging.assessed import nih_films
from benchmarks.machine import shared_data, stamp
from vision import training_cases
from vision.anatomy.elsewhere import FORMAT, NAME, Elsewhere, features
from vision.anatomy.outliner import Anatomy
from vision.detector import Detector
from vision.finding import LABELS, NO_FINDING
from vision.image import load_image
from vision.metrics import auroc, bootstrap
from vision.weights_pair import WEIGHTS, write_pair

NIH, LOW = "nih_cxr", "nih_cxr_64px"
JSRT, CHILDREN = "jsrt", "kermany_children"
FITTED = (NIH, LOW, CHILDREN, JSRT)
JUDGED = ("cohen_more", "covid_cxnet")
_LOOKED_AT = ("wingspan", "tb_nlm_belarus")
_HOSPITALS = ((NIH, LOW), (CHILDREN,), (JSRT,))
# set: every how many films with, and without a finding are read; every how many of those by the networks
_EVERY = {CHILDREN: (2, 1, 3), "covid_cxnet": (1, 1, 1), "tb_nlm_belarus": (4, 1, 1)}
RIDGE = 800.0
_PLACE_RIDGE = 1.0
_SOFT = 0.5
_UNFAMILIAR = 0.10
_ALARMS = {"outlines": 0.15, "both": 0.14}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Film:
    """One film: ``diseased`` as its set says; ``outlines`` its features; the networks' ``logit`` of any finding, out of
    fold on NIH's films, and ``embedding``, both None where they were not asked. ``fold`` is −1 outside of NIH."""

    set: str
    image: str
    patient: str
    diseased: bool
    fold: int
    outlines: list[float]
    logit: float | None = None
    embedding: list[float] | None = None


def read(detector: Detector, anatomy: Anatomy, data: Path, cache: Path | None) -> list[Film]:
    """The films of all sets, in order; those of ``cache`` are not read again."""
    known: dict[tuple[str, str], Film] = {}
    if cache is not None and cache.is_file():
        for line in cache.read_text(encoding="utf-8").splitlines():
            film = Film(**json.loads(line))
            known[film.set, film.image] = film
    found: list[Film] = []
    bank = training_cases.read()
    for record, case, logits in nih_films(data):
        key = (record.source, record.path.name)
        found.append(
            known.get(key) or _film(anatomy, key, record.path, record.patient_id, record.labels != (NO_FINDING,))
        )
        unseen = case.fold == 0 and not case.low_resolution  # by the first member, whose embeddings these are
        embedding = bank.embedding[len(found) - 1].astype(float).tolist() if unseen else None
        found[-1] = _with(found[-1], fold=case.fold, logit=float(logits[-1]), embedding=embedding)
    for name in (JSRT, CHILDREN, *JUDGED, *_LOOKED_AT):
        folder = data / "cxr_other" / name
        rows = [json.loads(line) for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
        every = _EVERY.get(name, (1, 1, 1))
        ill = [r for r in rows if NO_FINDING not in r["labels"]][:: every[0]]
        for kind in (ill, [r for r in rows if NO_FINDING in r["labels"]][:: every[1]]):
            for i, row in enumerate(kind):
                path = folder / row["image"]
                film = known.get((name, path.name)) or _film(
                    anatomy, (name, path.name), path, str(row["patient_id"]), NO_FINDING not in row["labels"]
                )
                if i % every[2]:
                    film = _with(film, logit=None, embedding=None)
                elif film.embedding is None:
                    (raw,) = detector.raw(detector.prepare(load_image(path))[None])
                    film = _with(film, logit=float(raw.logits[-1]), embedding=raw.embedding.astype(float).tolist())
                found.append(film)
        if cache is not None:
            known |= {(film.set, film.image): film for film in found}
            beside = cache.with_suffix(".new")
            beside.write_text("".join(json.dumps(asdict(film)) + "\n" for film in known.values()), encoding="utf-8")
            os.replace(beside, cache)
    return found


def _film(anatomy: Anatomy, key: tuple[str, str], path: Path, patient: str, diseased: bool) -> Film:
    picture = load_image(path).upright
    (seen,) = anatomy.outline([picture])
    own = features(seen.traits, seen.shares, picture).tolist()
    return Film(set=key[0], image=key[1], patient=patient, diseased=diseased, fold=-1, outlines=own)


def _with(film: Film, **changed: Any) -> Film:
    return Film(**{**asdict(film), **changed})


Array = NDArray[np.float64]


def regress(
    x: Array, y: NDArray[np.bool_], weight: Array, group: NDArray[np.int64], ridge: float
) -> tuple[Array, Array]:
    """A weighted ridge logistic regression with an offset for each group → weights (d,) and offsets (groups,)."""
    from scipy.optimize import minimize

    d, groups = x.shape[1], int(group.max()) + 1
    design = np.hstack([x, np.eye(groups)[group]])
    penalty = np.concatenate([np.full(d, ridge), np.full(groups, 1e-4)])
    counted = weight / weight.mean()

    def cost(w: Array) -> tuple[float, Array]:
        z = design @ w
        error = counted * (1 / (1 + np.exp(-np.clip(z, -50, 50))) - y)
        value = float((counted * (np.logaddexp(0, z) - y * z)).sum() + (penalty * w * w).sum() / 2)
        return value, design.T @ error + penalty * w

    w = minimize(cost, np.zeros(d + groups), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return w[:d], w[d:]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """What tells diseased from normal by the outlines: see `Elsewhere.score`."""

    arrays: dict[str, Array]

    def score(self, films: Sequence[Film]) -> Array:
        return Elsewhere(self.arrays, {}).score(np.array([f.outlines for f in films], float))


def fit_outlines(films: Sequence[Film], ridge: float = RIDGE) -> Fit:
    """On films of two labels in each of a few sets."""
    x = np.array([f.outlines for f in films], float)
    usual = np.nanmedian(x, 0)
    low, high = np.nanpercentile(x, [0.2, 99.8], 0)
    x = np.clip(np.where(np.isnan(x), usual, x), low, high)
    sets = list(dict.fromkeys(f.set for f in films))
    group = np.array([sets.index(f.set) for f in films])
    sick = np.array([f.diseased for f in films])
    weight = np.zeros(len(films))
    for g in range(len(sets)):
        parts = [(group == g) & (sick == kind) for kind in (True, False)]
        fewer = min(int(part.sum()) for part in parts)
        for part in parts:
            weight[part] = np.sqrt(fewer) / part.sum()
    mean = np.average(x, axis=0, weights=weight)
    scale = (np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight)) + 1e-6) * np.sqrt(x.shape[1]) / 10
    w, _ = regress((x - mean) / scale, sick, weight, group, ridge)
    w = w / scale
    return Fit(arrays={"usual": usual, "low": low, "high": high, "weight": np.concatenate([[-float(mean @ w)], w])})


def fit_place(films: Sequence[Film], own: NDArray, unseen: NDArray) -> Array:
    """(1 + D,): the log odds that an embedding looks like ``own`` (n, D), NIH's, rather than those of ``films``, each
    set weighing alike; moved so that the tenth of ``unseen`` (m, D), which it was not fitted on, is below zero."""
    sets = list(dict.fromkeys(f.set for f in films))
    other = np.array([f.embedding for f in films])
    count = {s: sum(f.set == s for f in films) for s in sets}
    x = np.vstack([own, other])
    y = np.arange(len(x)) < len(own)
    weight = np.concatenate([np.full(len(own), 0.5 / len(own)), [0.5 / len(sets) / count[f.set] for f in films]])
    mean = x.mean(0)
    w, _ = regress((x - mean) * 10, y, weight, np.zeros(len(x), int), _PLACE_RIDGE)
    odds = (unseen - mean) @ w * 10
    shift = float(np.quantile(odds, _UNFAMILIAR))
    return np.concatenate([[-float(mean @ w) * 10 - shift], w * 10]) * _SOFT


def curve(score: Array, sick: NDArray[np.bool_], weight: Array, group: NDArray[np.int64]) -> tuple[float, float]:
    """Slope of the log odds within each group, and the mean of the groups' offsets."""
    w, offsets = regress(score[:, None], sick, weight, group, 1e-6)
    return float(w[0]), float(offsets.mean())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Of some films, in order: by the outlines of a fit that saw none of their hospital (``left_out``), and of NIH's
    also by one that saw no film of the patient's fold (``unseen``, NaN elsewhere); ``familiar`` by a place that was
    fitted without their set, NaN without an embedding."""

    left_out: Array
    unseen: Array
    familiar: Array


def judge(films: Sequence[Film], own: NDArray, folds: NDArray[np.int64]) -> Judged:
    """``own`` (n, D) are the embeddings of NIH's films of 200 pixels and more, ``folds`` (n,) their patients'."""
    left_out, unseen, familiar = (np.full(len(films), np.nan) for _ in range(3))
    fitted = [f for f in films if f.set in FITTED]
    for hospital in (*_HOSPITALS, JUDGED):
        at = [i for i, f in enumerate(films) if f.set in hospital]
        fit = fit_outlines([f for f in fitted if f.set not in hospital])
        left_out[at] = fit.score([films[i] for i in at])
    for fold in range(5):
        at = [i for i, f in enumerate(films) if f.fold == fold]
        unseen[at] = fit_outlines([f for f in fitted if f.fold != fold]).score([films[i] for i in at])
    placed = [f for f in films if f.set in (JSRT, CHILDREN, *_LOOKED_AT) and f.embedding is not None]
    for name in dict.fromkeys(f.set for f in films):
        at = [i for i, f in enumerate(films) if f.set == name and f.embedding is not None]
        if at:
            place = fit_place([f for f in placed if f.set != name], own[folds != 0], own[folds == 0])
            familiar[at] = Elsewhere({"place": place}, {}).familiar(np.array([films[i].embedding for i in at]))
    return Judged(left_out=left_out, unseen=unseen, familiar=familiar)


def release(films: Sequence[Film], judged: Judged, detector: Detector) -> tuple[dict[str, Array], dict[str, Any]]:
    """(arrays, manifest) of `Elsewhere`. The outlines' log odds and cut are fitted on the left-out scores of the
    hospitals other than NIH, films of a set and a label weighing alike and each set with an offset of its own, whose
    mean counts; those of networks and outlines together on NIH's unseen scores at 64 px."""
    sick = np.array([f.diseased for f in films])
    sets = np.array([f.set for f in films])
    others = (CHILDREN, JSRT)
    at = np.isin(sets, others)
    weight = np.array([1 / np.sum((sets == s) & (sick == y)) for s, y in zip(sets[at], sick[at], strict=True)])
    slope, offset = curve(judged.left_out[at], sick[at], weight, np.array([others.index(s) for s in sets[at]]))
    normal = [slope * judged.left_out[(sets == s) & ~sick] + offset for s in others]
    cut = float(np.mean([np.quantile(odds, 1 - _ALARMS["outlines"]) for odds in normal]))
    low = sets == LOW
    nets = log_odds(detector, [f for f in films if f.set == LOW], low_resolution=True)
    x = np.column_stack([nets, judged.unseen[low]])
    w, b = regress(x, sick[low], np.ones(len(x)), np.zeros(len(x), int), 1e-6)
    both = x @ w + b[0]
    point = float(np.quantile(both[~sick[low]], 1 - _ALARMS["both"]))
    manifest = {
        "format": FORMAT,
        "detector": detector.manifest["sha256"],
        "fitted_on": {name: int(np.sum(sets == name)) for name in FITTED},
        "outlines": {"slope": round(slope, 4), "offset": round(offset, 4), "cut": round(_share(cut), 4)},
        "both": {
            "networks": round(float(w[0]), 4),
            "outlines": round(float(w[1]), 4),
            "offset": round(float(b[0]), 4),
            "cut": round(_share(point), 4),
        },
        "measured": stamp(),
    }
    own, folds = _own()
    placed = [f for f in films if f.set in (JSRT, CHILDREN, *_LOOKED_AT) and f.embedding is not None]
    place = fit_place(placed, own[folds != 0], own[folds == 0])
    return fit_outlines([f for f in films if f.set in FITTED]).arrays | {"place": place}, manifest


def _share(odds: float) -> float:
    return float(1 / (1 + np.exp(-odds)))


def _own() -> tuple[NDArray, NDArray[np.int64]]:
    """The first member's embeddings of NIH's films of 200 pixels and more, and their folds."""
    bank = training_cases.read()
    high = np.array([not row.low_resolution for row in bank.rows])
    return bank.embedding[high], np.array([row.fold for row in bank.rows])[high]


def log_odds(detector: Detector, films: Sequence[Film], *, low_resolution: bool) -> Array:
    """(n,) of any finding, by the networks alone."""
    logits = np.zeros((len(films), len(LABELS) + 1), np.float32)
    logits[:, -1] = [f.logit for f in films]
    p = np.clip(detector.probabilities(logits, low_resolution)[:, -1], 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def table(films: Sequence[Film], judged: Judged, manifest: dict[str, Any], detector: Detector) -> str:
    """The markdown table: AUROC within each set of the networks, the outlines and what the detector makes of them, with
    the share of the diseased and of the normal that reach the cut before and now."""
    head = (
        "set",
        "diseased / normal",
        "networks",
        "outlines, left out",
        "the detector now",
        "familiar",
        "raised",
        "false alarms",
    )
    lines = [f"Measured {manifest['measured']}.", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    point = detector.manifest["operating_points"]
    for name in (NIH, LOW, CHILDREN, JSRT, *JUDGED):
        at = np.array([i for i, f in enumerate(films) if f.set == name and f.logit is not None])
        some = [films[i] for i in at]
        low = name == LOW
        nets = log_odds(detector, some, low_resolution=low)
        cut = _odds(point["low_resolution" if low else "standard"]["any_finding"])
        familiar = judged.familiar[at]
        if low:
            both = manifest["both"]
            now = both["networks"] * nets + both["outlines"] * judged.unseen[at] + both["offset"]
            cuts = np.full(len(at), _odds(both["cut"]))
        else:
            said = manifest["outlines"]
            alone = judged.unseen[at] if name == NIH else judged.left_out[at]
            now = familiar * nets + (1 - familiar) * (said["slope"] * alone + said["offset"])
            cuts = familiar * cut + (1 - familiar) * _odds(said["cut"])
        ready = ~np.isnan(now)
        sick, patients = np.array([f.diseased for f in some]), np.array([f.patient for f in some])
        cells = [name, f"{int(sick.sum())} / {int((~sick).sum())}"]
        for score, on in ((nets, np.ones(len(at), bool)), (judged.left_out[at], np.ones(len(at), bool)), (now, ready)):
            cells.append(_area(score[on], sick[on], patients[on]))
        if name == NIH:
            cells[-1] += f" ({int(ready.sum())} films)"
        cells.append("" if low else f"{np.mean(familiar[ready] >= 0.5):.0%}")
        for kind in (sick, ~sick):
            before, after = np.mean(nets[kind & ready] >= cut), np.mean((now >= cuts)[kind & ready])
            cells.append(f"{before:.0%} → {after:.0%}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _odds(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _area(score: Array, sick: NDArray[np.bool_], patients: NDArray) -> str:
    low, high = bootstrap(lambda some: auroc(score[some], sick[some]), patients, rounds=200)
    return f"{auroc(score, sick):.2f} ({low:.2f}–{high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data())
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    detector = Detector.open()
    films = read(detector, Anatomy.open(), options.data, options.cache)
    own, folds = _own()
    judged = judge(films, own, folds)
    arrays, manifest = release(films, judged, detector)
    print(table(films, judged, manifest, detector))
    if options.write:
        from safetensors.numpy import save

        write_pair(WEIGHTS, NAME, save({k: v.astype(np.float32) for k, v in sorted(arrays.items())}), manifest)


if __name__ == "__main__":
    main()
