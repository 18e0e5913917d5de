"""Fitting the detector to a place: a local head, judged on films that took no part and on a guard set, kept as a
version of the home when it is better, refused when it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from learning import cases, kept
from learning.head_fit import (
    LEAST_OF_EACH,
    MOST_LOST,
    Films,
    Shipped,
    adaptable,
    change,
    films_of,
    fit,
    log_odds,
    shipped,
)
from vision.local_head import NAME, OUTPUTS, LocalHead
from vision.metrics import auroc, calibration_error

if TYPE_CHECKING:
    from vision.films.looks import Looks

LOCAL = "local"
LEAST_FILMS = 20
_LONGEST_LOSS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One output on ``n`` local films of which ``positive`` have it: area under the ROC curve, mean negative log
    likelihood and expected calibration error before (as shipped) and after, and how much the guard set's area
    changed."""

    output: str
    n: int
    positive: int
    auroc: tuple[float, float]
    loss: tuple[float, float]
    calibration: tuple[float, float]
    guard: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adapted:
    """A head, and how it is judged on films that took no part in it: ``held_out`` says which. ``refusals`` say why it
    is worse; () when it may be used."""

    head: LocalHead
    judged: tuple[Judged, ...]
    held_out: str
    films: int
    refused: int
    refusals: tuple[str, ...]


def adapt(
    films: Films,
    detector: str,
    *,
    test: Films | None = None,
    only: Sequence[str] = (),
    refused: int = 0,
    in_use: LocalHead | None = None,
) -> Adapted:
    """Fit a head on films, and judge it on ``test``, or without that on the films themselves, each by a head that was
    fitted without its patient. On ``test`` it must also be no worse than the head ``in_use``. Raises InputError when
    there are too few films, or no output has enough of both kinds."""
    if unknown := set(only) - set(OUTPUTS):
        raise InputError("not an output of the detector", value=min(unknown), expected=", ".join(OUTPUTS))
    if len(films) < LEAST_FILMS:
        raise InputError("too few labelled films", value=len(films), expected=f"{LEAST_FILMS} or more, not refused")
    if not (outputs := adaptable(films, only)):
        raise InputError(
            "nothing to adapt",
            value=", ".join(only) or "all findings",
            expected=f"{LEAST_OF_EACH} films or more with a finding and as many without it",
        )
    base = shipped()
    head, left_out = fit(films, detector, outputs, base)
    guard = change(head, base.guard, base)
    judged = tuple(
        _judged(name, test or films, log_odds(head, name, test, base) if test else left_out[name], guard[name], base)
        for name in outputs
        if test is None or _both(test, name)
    )
    if not judged:
        raise InputError("the test films cannot judge it", value=", ".join(outputs), expected="films with and without")
    return Adapted(
        head=head,
        judged=judged,
        held_out=f"{len(test)} films of --test" if test else "each film by a head that was fitted without its patient",
        films=len(films),
        refused=refused,
        refusals=(*_refusals(judged), *_worse_than(in_use, head, outputs, test, base)),
    )


def _both(films: Films, name: str) -> bool:
    at = OUTPUTS.index(name)
    return len(np.unique(films.y[films.known[:, at], at])) == 2


def _judged(name: str, films: Films, after: NDArray[np.float64], guard: float, base: Shipped) -> Judged:
    at = OUTPUTS.index(name)
    rows = films.known[:, at]
    y = films.y[rows, at]
    odds = base.log_odds(films)[rows, at], after[rows]
    figures = [(auroc(z, y), mean_loss(z, y), calibration_error(1 / (1 + np.exp(-z)), y)) for z in odds]
    areas, losses, errors = ((round(a, 4), round(b, 4)) for a, b in zip(*figures, strict=True))
    return Judged(
        output=name,
        n=int(rows.sum()),
        positive=int(y.sum()),
        auroc=areas,
        loss=losses,
        calibration=errors,
        guard=round(guard, 4),
    )


def mean_loss(odds: NDArray[np.float64], y: NDArray[np.bool_]) -> float:
    """Mean negative log likelihood of labels (n,) under log odds (n,)."""
    z = np.clip(odds, -_LONGEST_LOSS, _LONGEST_LOSS)
    return float(np.mean(np.logaddexp(0, z) - z * y))


def _worse_than(
    in_use: LocalHead | None, head: LocalHead, outputs: Sequence[str], test: Films | None, base: Shipped
) -> list[str]:
    """The outputs that the head in use reads better on films that neither need have seen."""
    said: list[str] = []
    if in_use is None or test is None:
        return said
    for name in (name for name in outputs if name in in_use.readings):
        rows = test.known[:, OUTPUTS.index(name)]
        y = test.y[rows, OUTPUTS.index(name)]
        old, new = (mean_loss(log_odds(h, name, test, base)[rows], y) for h in (in_use, head))
        if len(y) and new > old:
            said.append(f"{name}: the version in use is better on the test films ({old:.3f}, the new one {new:.3f})")
    return said


def _refusals(judged: Sequence[Judged]) -> list[str]:
    said = []
    for one in judged:
        if one.loss[1] >= one.loss[0]:
            said.append(f"{one.output}: likelihood no better on held-out films ({one.loss[0]:.3f} → {one.loss[1]:.3f})")
        if one.auroc[1] < one.auroc[0] - MOST_LOST:
            said.append(f"{one.output}: area {one.auroc[0]:.3f} → {one.auroc[1]:.3f} on held-out films")
        if one.guard < -MOST_LOST:
            said.append(f"{one.output}: area {one.guard:+.3f} on the guard set")
    return said


def adapt_folder(
    home: Path,
    looks: Looks,
    folder: Path,
    *,
    labels: Path | None = None,
    test: Path | None = None,
    only: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Adapted:
    """``adapt`` on a folder of labelled films (`cases.read`); the looks are kept in the home, so that a run that was
    stopped goes on where it was. Nothing is written yet; ``keep`` does."""
    films, refused = _films(looks, folder, labels, progress)
    tested = None if test is None else _films(looks, test, None, progress)[0]
    in_use = LocalHead.open(home / LOCAL, looks.detector)
    return adapt(films, looks.detector, test=tested, only=only, refused=refused, in_use=in_use)


def _films(
    looks: Looks, folder: Path, labels: Path | None, progress: Callable[[str, int, int], None] | None
) -> tuple[Films, int]:
    records = cases.read(folder, labels)
    if not records:
        raise InputError("no labelled films", value=folder, expected="films with labels")
    return films_of(list(looks.at(cases.paths(records), progress=progress)), records)


def keep(home: Path, adapted: Adapted, *, said: dict[str, Any] | None = None) -> int:
    """Write the head as a new version of the home, and use it; returns its number. Raises ArtifactError when it is
    worse than what is shipped."""
    return kept.keep(
        home / LOCAL,
        {NAME: adapted.head.text()},
        card(adapted) | (said or {}),
        what="the adapted model",
        refusals=adapted.refusals,
        expected="better on held-out films, and no loss on the guard set",
    )


def card(adapted: Adapted) -> dict[str, Any]:
    """What a reader of a version needs: when, of how many films, figures before and after."""
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "what": "detector head",
        "films": adapted.films,
        "refused_films": adapted.refused,
        "held_out": adapted.held_out,
        "judged": [
            {
                "output": j.output,
                "n": j.n,
                "positive": j.positive,
                "auroc": list(j.auroc),
                "loss": list(j.loss),
                "calibration_error": list(j.calibration),
                "guard_auroc_change": j.guard,
            }
            for j in adapted.judged
        ],
    }
