"""Fitting a local head on the looks at labelled films, without the films of before being forgotten.

For each output the log odds are bias + slope × logit + w · φ, φ the embedding on the training films' principal axes,
each divided by its spread there. The penalised likelihood of the local films pulls bias and slope towards the shipped
calibration and w towards nothing; how hard (``ridge``) is chosen by cross-validation over local patients. A second
penalty, the mean square of what the head changes on the shipped training films beyond a constant, is raised until their
areas under the ROC curve stay; so a few local films cannot buy themselves what other hospitals need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision import training_cases
from vision.datasets.folder import truth
from vision.detector import WEIGHTS
from vision.finding import LABELS
from vision.local_head import OUTPUTS, LocalHead, Reading
from vision.manifest import read_manifest
from vision.metrics import auroc
from vision.training.calibration import FALSE_ALARMS, MISNAMED

AXES = 24
RIDGES = (3.0, 10.0, 30.0, 100.0, 1e6)
ANCHORS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e4)
REHEARSED = 0.005
MOST_LOST = 0.01
LEAST_OF_EACH = 8
FOLDS = 5
_LEAST_NEGATIVES = 20
# As strong as the evidence of so many films that the shipped slope, and its bias, are right.
_SLOPE, _BIAS = 4.0, 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Films:
    """Looks at labelled films: ``logits`` (n, 15), ``embedding`` (n, D), ``y`` and ``known`` (n, 15) bool,
    ``patients`` (n,)."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    y: NDArray[np.bool_]
    known: NDArray[np.bool_]
    patients: NDArray[np.str_]

    def some(self, rows: NDArray) -> Films:
        """The films of these rows (places, or a mask)."""
        return Films(
            logits=self.logits[rows],
            embedding=self.embedding[rows],
            y=self.y[rows],
            known=self.known[rows],
            patients=self.patients[rows],
        )

    def __len__(self) -> int:
        return len(self.logits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shipped:
    """What is shipped with the detector: its training films as ``rehearsal`` (patients that other members held out) and
    ``guard`` (those of fold 0, which the first member, whose the embeddings are, never saw); ``axes`` (D, AXES) and
    ``mean`` (D,) make φ; slope and offset (15,) calibrate."""

    rehearsal: Films
    guard: Films
    axes: NDArray[np.float64]
    mean: NDArray[np.float64]
    slope: NDArray[np.float64]
    offset: NDArray[np.float64]

    def phi(self, embedding: NDArray) -> NDArray[np.float64]:
        """(n, AXES) of embeddings (n, D)."""
        return (np.asarray(embedding, np.float64) - self.mean) @ self.axes

    def log_odds(self, films: Films) -> NDArray[np.float64]:
        """The shipped calibrated log odds (n, 15)."""
        return films.logits * self.slope + self.offset


@cache
def shipped() -> Shipped:
    """Read once. Raises ArtifactError when the shipped files are missing or damaged."""
    cases, manifest = training_cases.read(), read_manifest(WEIGHTS)[0]
    labels = np.array([[x in row.labels for x in LABELS] for row in cases.rows])
    y = np.concatenate([labels, labels.any(1, keepdims=True)], 1)
    films = Films(
        logits=cases.logits,
        embedding=cases.embedding,
        y=y,
        known=np.ones(y.shape, bool),
        patients=np.array([row.case_id for row in cases.rows]),
    )
    held_out = np.array([row.held_out for row in cases.rows])
    mean = cases.embedding.mean(0, dtype=np.float64)
    _, spread, axes = np.linalg.svd(cases.embedding - mean, full_matrices=False)
    fitted = manifest["calibration"]["standard"]
    return Shipped(
        rehearsal=films.some(~held_out),
        guard=films.some(held_out),
        axes=axes[:AXES].T / (spread[:AXES] / np.sqrt(len(y))),
        mean=mean,
        slope=np.array(fitted["slope"]),
        offset=np.array(fitted["offset"]),
    )


def adaptable(films: Films, only: Sequence[str] = ()) -> list[str]:
    """The outputs of which the films have LEAST_OF_EACH with and without, in order, of those named by ``only`` (() for
    all). A large heart is measured, not read by the networks, so it is none of them."""
    names = []
    for at, name in enumerate(OUTPUTS):
        known = films.known[:, at]
        having = int(films.y[known, at].sum())
        enough = min(having, int(known.sum()) - having) >= LEAST_OF_EACH
        if enough and name != "Cardiomegaly" and (not only or name in only):
            names.append(name)
    return names


def fit(films: Films, detector: str, outputs: Sequence[str], base: Shipped | None = None) -> tuple[LocalHead, Any]:
    """The head for these outputs, with thresholds from predictions of films that took no part; and those predictions,
    {output: log odds (n,), NaN where the film is not labelled}."""
    base = base or shipped()
    readings, held_out = {}, {}
    for name in outputs:
        at = OUTPUTS.index(name)
        rows = np.flatnonzero(films.known[:, at])
        mine = films.some(rows)
        ridge, left_out = _chosen(mine, at, base)
        weights = _anchored(mine, at, ridge, base)
        odds = np.full(len(films), np.nan)
        odds[rows] = left_out
        held_out[name] = odds
        readings[name] = _reading(weights, at, mine, left_out, base)
    return LocalHead(detector=detector, readings=readings), held_out


def change(head: LocalHead, films: Films, base: Shipped | None = None) -> dict[str, float]:
    """Output → how much the head changes its area under the ROC curve on films, those of it that are adapted."""
    base = base or shipped()
    found = {}
    for name, reading in head.readings.items():
        at = OUTPUTS.index(name)
        rows = films.known[:, at]
        y, logits = films.y[rows, at], films.logits[rows, at]
        found[name] = auroc(reading.log_odds(logits, films.embedding[rows]), y) - auroc(logits, y)
    return found


def _chosen(films: Films, at: int, base: Shipped) -> tuple[float, NDArray[np.float64]]:
    """The ridge of the best likelihood on left-out patients, and the log odds there under it."""
    y = films.y[:, at].astype(float)
    folds = _folds(films.patients)
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for ridge in RIDGES:
        odds = np.zeros(len(films))
        for fold in range(FOLDS):
            fitted, left = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            if len(left):
                odds[left] = _odds(_solve(films.some(fitted), at, ridge, 0.0, base), films.some(left), at, base)
        loss = float(np.mean(np.logaddexp(0, odds) - odds * y))
        if best is None or loss < best[0]:
            best = loss, ridge, odds
    assert best is not None
    return best[1], best[2]


def _anchored(films: Films, at: int, ridge: float, base: Shipped) -> NDArray[np.float64]:
    """The weights under the least anchoring that keeps the rehearsal's area under the ROC curve."""
    old = base.rehearsal
    before = auroc(old.logits[:, at], old.y[:, at])
    weights = np.zeros(0)
    for anchor in ANCHORS:
        weights = _solve(films, at, ridge, anchor, base)
        if auroc(_odds(weights, old, at, base), old.y[:, at]) >= before - REHEARSED:
            break
    return weights


def _solve(films: Films, at: int, ridge: float, anchor: float, base: Shipped) -> NDArray[np.float64]:
    """(2 + AXES,): bias, slope relative to the shipped one, and w."""
    from scipy.optimize import minimize

    z = films.logits[:, at] * base.slope[at]
    x = np.column_stack([np.ones(len(films)), z, base.phi(films.embedding)])
    y = films.y[:, at].astype(float)
    start = np.zeros(x.shape[1])
    start[:2] = base.offset[at], 1.0
    penalty = np.full(x.shape[1], ridge)
    penalty[:2] = _BIAS, _SLOPE
    old = base.rehearsal
    moved = np.column_stack([old.logits[:, at] * base.slope[at], base.phi(old.embedding)])
    moved = moved - moved.mean(0)
    gram = anchor * moved.T @ moved / len(moved)

    def cost(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds, away = x @ w, w - start
        pull = gram @ away[1:]
        value = (np.logaddexp(0, odds) - odds * y).sum() + (penalty * away**2).sum() / 2 + away[1:] @ pull / 2
        gradient = x.T @ (1 / (1 + np.exp(-odds)) - y) + penalty * away
        gradient[1:] += pull
        return float(value), gradient

    return np.asarray(minimize(cost, start, jac=True, method="L-BFGS-B").x)


def _odds(weights: NDArray[np.float64], films: Films, at: int, base: Shipped) -> NDArray[np.float64]:
    z = films.logits[:, at] * base.slope[at]
    return np.asarray(weights[0] + weights[1] * z + base.phi(films.embedding) @ weights[2:])


def _reading(
    weights: NDArray[np.float64], at: int, films: Films, left_out: NDArray[np.float64], base: Shipped
) -> Reading:
    own = base.axes @ weights[2:]
    return Reading(
        bias=float(weights[0] - base.mean @ own),
        slope=float(weights[1] * base.slope[at]),
        weight=tuple(float(f"{v:.6g}") for v in own),
        threshold=_threshold(1 / (1 + np.exp(-left_out)), films.y[:, at], at),
        rate=float((films.y[:, at].sum() + 0.5) / (len(films) + 1)),
    )


def _threshold(p: NDArray[np.float64], y: NDArray[np.bool_], at: int) -> float | None:
    """The probability that at most as many of the films without it reach as for the shipped thresholds; None with too
    few of them to tell."""
    share = FALSE_ALARMS if at == len(LABELS) else MISNAMED
    negatives = np.sort(p[~y])[::-1]
    if len(negatives) < _LEAST_NEGATIVES:
        return None
    return float(min(np.floor(negatives[int(share * len(negatives))] * 1e4 + 1) / 1e4, 0.9999))


def _folds(patients: NDArray[np.str_]) -> NDArray[np.int64]:
    """The fold of each film, by patient, as even as may be; the same patients give the same folds."""
    names = np.unique(patients)
    order = np.random.default_rng(0).permutation(len(names))
    fold = dict(zip(names[order].tolist(), (np.arange(len(names)) % FOLDS).tolist(), strict=True))
    return np.array([fold[name] for name in patients.tolist()])


def films_of(looks: Sequence[Any], records: Sequence[Any]) -> tuple[Films, int]:
    """The films that were not refused, with their labels; and how many were."""
    from vision.datasets.folder import assessed

    kept = [(look, record) for look, record in zip(looks, records, strict=True) if look.refused is None]
    return (
        Films(
            logits=np.stack([look.logits for look, _ in kept]) if kept else np.zeros((0, len(OUTPUTS)), np.float32),
            embedding=np.stack([look.embedding for look, _ in kept]) if kept else np.zeros((0, 1), np.float32),
            y=truth([record for _, record in kept]),
            known=assessed([record for _, record in kept]),
            patients=np.array([record.patient_id for _, record in kept]),
        ),
        len(looks) - len(kept),
    )
