"""Which films without labels would help most if somebody labelled them, and why.

A film is worth as much as its answer is open (the entropy of the output asked about) and as it is unlike what is
labelled already: films are taken one by one, each the one with the largest product of a film's openness and its
distance to the nearest labelled or taken film in the space of φ (`head_fit.Shipped.phi`) and log odds. This is the
greedy k-centre rule (Sener and Savarese 2018) weighed by uncertainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from learning.head_fit import Films, Shipped, log_odds, shipped
from vision.local_head import OUTPUTS, LocalHead

_SURE = 0.05  # what a film is worth at least, though its answer seems plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A film: its place among those given, its file, the output asked about and its probability, how open that is (0 to
    1), how unlike the nearest labelled film (1: as unlike as the median film is from the nearest other)."""

    place: int
    image: str
    output: str
    probability: float
    openness: float
    novelty: float

    @property
    def why(self) -> str:
        """In words."""
        open_ = "the answer is open" if self.openness > 0.8 else "leaning" if self.openness > 0.4 else "seems plain"
        new = "like none that is labelled" if self.novelty > 1.5 else "unlike most" if self.novelty > 1 else "familiar"
        return f"{open_} ({self.openness:.2f}), {new} ({self.novelty:.1f} × usual distance)"


def wanted(
    films: Films,
    names: Sequence[str],
    *,
    count: int,
    output: str = OUTPUTS[-1],
    head: LocalHead | None = None,
    labelled: Films | None = None,
    base: Shipped | None = None,
) -> tuple[Wanted, ...]:
    """The ``count`` films to label first, best first; all of them when there are no more. ``names`` are the films';
    ``labelled`` those that have labels. Raises InputError for an output that there is not."""
    if output not in OUTPUTS:
        raise InputError("not an output of the detector", value=output, expected=", ".join(OUTPUTS))
    if not len(films):
        return ()
    base = base or shipped()
    p = _probability(films, output, head, base)
    openness = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    space, usual = _space(films, output, base), 1.0
    distance = _from(space, _space(labelled, output, base)) if labelled is not None and len(labelled) else None
    if distance is None:
        middle = space.mean(0, keepdims=True)
        distance = 1 / (1e-3 + np.linalg.norm(space - middle, axis=1))  # the most typical film first
        distance *= np.median(_nearest(space)) / max(float(np.median(distance)), 1e-9)
    usual = max(float(np.median(_nearest(space))), 1e-9)
    taken: list[Wanted] = []
    left = np.ones(len(films), bool)
    for _ in range(min(count, len(films))):
        worth = np.where(left, (openness + _SURE) * distance, -1.0)
        i = int(worth.argmax())
        left[i] = False
        taken.append(
            Wanted(
                place=i,
                image=names[i],
                output=output,
                probability=float(p[i]),
                openness=float(openness[i]),
                novelty=float(distance[i] / usual),
            )
        )
        away = np.linalg.norm(space - space[i], axis=1)
        distance = away if len(taken) == 1 and labelled is None else np.minimum(distance, away)
    return tuple(taken)


def _probability(films: Films, output: str, head: LocalHead | None, base: Shipped) -> NDArray[np.float64]:
    odds = log_odds(head, output, films, base) if head is not None else base.log_odds(films)[:, OUTPUTS.index(output)]
    return np.clip(1 / (1 + np.exp(-np.clip(odds, -30, 30))), 1e-6, 1 - 1e-6)


def _space(films: Films, output: str, base: Shipped) -> NDArray[np.float64]:
    at = OUTPUTS.index(output)
    return np.column_stack([base.phi(films.embedding), base.log_odds(films)[:, at]])


def _from(space: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(known).query(space)[0])


def _nearest(space: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(space).query(space, k=min(2, len(space)))[0][:, -1]) if len(space) > 1 else np.ones(1)
