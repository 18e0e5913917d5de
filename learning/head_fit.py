"""Fitting a local head on the looks at labelled films, without the films of before being forgotten.

For each output the shipped log odds gain g × (bias + slope × logit + w · φ), φ the embedding on the training films'
principal axes, each divided by its spread there. g is how far a film looks like those of the place: a logistic
regression on φ of local films against the shipped training films. The penalised likelihood of the local films pulls all
of it towards nothing, w as hard (``ridge``) as cross-validation over local patients finds best. A second penalty, the
mean square of what the head changes on the shipped training films beyond a constant, is raised until their areas under
the ROC curve stay; so a few local films cannot buy themselves what other hospitals need.
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
ANCHORS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
REHEARSED = 0.005
MOST_LOST = 0.01
LEAST_OF_EACH = 8
FOLDS = 5
_LEAST_NEGATIVES = 20
_SLOPE, _BIAS, _PLACE = 4.0, 0.05, 1.0  # penalties


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
    place = _place(films, base)
    readings, held_out = {}, {}
    for name in outputs:
        at = OUTPUTS.index(name)
        rows = np.flatnonzero(films.known[:, at])
        mine = films.some(rows)
        ridge, left_out = _chosen(mine, at, base)
        weights = _anchored(mine, at, ridge, place, base)
        odds = np.full(len(films), np.nan)
        odds[rows] = left_out
        held_out[name] = odds
        readings[name] = _reading(weights, at, mine, left_out, base)
    own = base.axes @ place[1:]
    gate = (float(place[0] - base.mean @ own), *(float(f"{v:.6g}") for v in own))
    return LocalHead(detector=detector, readings=readings, place=gate), held_out


def change(head: LocalHead, films: Films, base: Shipped | None = None) -> dict[str, float]:
    """Output → how much the head changes its area under the ROC curve on films, those of it that are adapted."""
    base = base or shipped()
    found = {}
    for name in head.readings:
        at = OUTPUTS.index(name)
        rows = films.known[:, at]
        y = films.y[rows, at]
        found[name] = auroc(log_odds(head, name, films, base)[rows], y) - auroc(films.logits[rows, at], y)
    return found


def log_odds(head: LocalHead, output: str, films: Films, base: Shipped | None = None) -> NDArray[np.float64]:
    """The log odds (n,) of an output as the head has them, the shipped ones where it does not adapt it."""
    at = OUTPUTS.index(output)
    before = (base or shipped()).log_odds(films)[:, at]
    if output not in head.readings:
        return before
    return head.log_odds(output, before, films.logits[:, at], films.embedding)


def _chosen(films: Films, at: int, base: Shipped) -> tuple[float, NDArray[np.float64]]:
    """The ridge of the best likelihood on left-out patients, and the log odds there under it."""
    y = films.y[:, at].astype(float)
    folds = _folds(films.patients)
    places = [_place(films.some(np.flatnonzero(folds != fold)), base) for fold in range(FOLDS)]
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for ridge in RIDGES:
        odds = np.zeros(len(films))
        for fold in range(FOLDS):
            fitted, left = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            if len(left):
                place = places[fold]
                weights = _solve(films.some(fitted), at, ridge, 0.0, place, base)
                odds[left] = _odds(weights, films.some(left), at, place, base)
        loss = float(np.mean(np.logaddexp(0, odds) - odds * y))
        if best is None or loss < best[0]:
            best = loss, ridge, odds
    assert best is not None
    return best[1], best[2]


def _anchored(films: Films, at: int, ridge: float, place: NDArray[np.float64], base: Shipped) -> NDArray[np.float64]:
    """The weights under the least anchoring that keeps the rehearsal's area under the ROC curve."""
    old = base.rehearsal
    before = auroc(old.logits[:, at], old.y[:, at])
    weights = np.zeros(0)
    for anchor in ANCHORS:
        weights = _solve(films, at, ridge, anchor, place, base)
        if auroc(_odds(weights, old, at, place, base), old.y[:, at]) >= before - REHEARSED:
            break
    return weights


def _place(films: Films, base: Shipped) -> NDArray[np.float64]:
    """(1 + AXES,): bias and weights on φ of the log odds that a film is one of these and none of the rehearsal's, both
    thought as common."""
    from scipy.optimize import minimize

    phi = np.vstack([base.phi(films.embedding), base.phi(base.rehearsal.embedding)])
    x = np.column_stack([np.ones(len(phi)), phi])
    y = np.arange(len(phi)) < len(films)
    share = np.where(y, len(y) / (2 * len(films)), len(y) / (2 * len(base.rehearsal)))
    penalty = np.full(x.shape[1], _PLACE)
    penalty[0] = 1e-3

    def cost(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = x @ w
        value = (share * (np.logaddexp(0, z) - z * y)).sum() + (penalty * w * w).sum() / 2
        return float(value), x.T @ (share * (1 / (1 + np.exp(-z)) - y)) + penalty * w

    return np.asarray(minimize(cost, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def _inputs(films: Films, at: int, place: NDArray[np.float64], base: Shipped) -> NDArray[np.float64]:
    """(n, 2 + AXES): g × (1, shipped slope × logit, φ)."""
    phi = base.phi(films.embedding)
    g = 1 / (1 + np.exp(-(place[0] + phi @ place[1:])))
    return g[:, None] * np.column_stack([np.ones(len(films)), films.logits[:, at] * base.slope[at], phi])


def _solve(
    films: Films, at: int, ridge: float, anchor: float, place: NDArray[np.float64], base: Shipped
) -> NDArray[np.float64]:
    """(2 + AXES,): bias, slope in units of the shipped one, and w."""
    from scipy.optimize import minimize

    x, before = _inputs(films, at, place, base), base.log_odds(films)[:, at]
    y = films.y[:, at].astype(float)
    penalty = np.full(x.shape[1], ridge)
    penalty[:2] = _BIAS, _SLOPE
    moved = _inputs(base.rehearsal, at, place, base)
    moved = moved - moved.mean(0)
    gram = anchor * moved.T @ moved

    def cost(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = before + x @ w
        pull = gram @ w
        value = (np.logaddexp(0, odds) - odds * y).sum() + (penalty * w**2).sum() / 2 + w @ pull / 2
        gradient = x.T @ (1 / (1 + np.exp(-odds)) - y) + penalty * w + pull
        return float(value), gradient

    return np.asarray(minimize(cost, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def _odds(
    weights: NDArray[np.float64], films: Films, at: int, place: NDArray[np.float64], base: Shipped
) -> NDArray[np.float64]:
    return np.asarray(base.log_odds(films)[:, at] + _inputs(films, at, place, base) @ weights)


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
