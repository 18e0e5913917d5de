"""Whether what comes in is still what came in before: a sequential test with a stated rate of false alarms.

Each measure is a stream of whole numbers. A value's rank among all that came before it, ties broken at random, is
uniform and independent of the others as long as nothing changes, whatever the measure's distribution (a conformal
p-value; Vovk, Gammerman and Shafer 2005). Its normal score z is bet against: exp(dz - d²/2) for a mean that moved by d,
exp(z² (1 - 1/s²) / 2) / s for a spread that grew to s. The bets are summed as Shiryaev and Roberts do,

    R ← (R + 1) × bet

and the mean of all R over streams and alternatives is the evidence. While nothing changes, the expected evidence after
n values is at most n, so that it reaches the limit c at the earliest after c values on average, and within the first n
with a probability of at most n / c (Fedorova et al. 2012; Shin, Ramdas and Rinaldo 2024): however many streams there
are, and however they hang together.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOVES = (-1.75, -1.0, -0.5, 0.5, 1.0, 1.75)
SPREADS = (1.6,)
LEAST_REFERENCE = 50
RECENT = 50
Row = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A stream: its evidence now, and at its highest; the reference's and the last ``RECENT`` values' median, in steps
    of the measure; the reference's 5th and 95th percentile; in how many reference spreads the median moved; and the
    number (from 1) of the first value since which its evidence rose, None where it did not."""

    name: str
    evidence: float
    highest: float
    reference: float
    low: float
    high: float
    recent: float
    moved: float
    since: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drift:
    """``alarm``: the number (from 1) of the value at which the evidence reached ``limit``, or None. ``evidence``
    (n,) float64 after each value; ``streams`` by falling highest evidence."""

    reference: int
    watched: int
    limit: float
    alarm: int | None
    evidence: NDArray[np.float64]
    streams: tuple[Moved, ...]


class _Stream:
    """The values so far, sorted, and ln R of each alternative."""

    def __init__(self, values: Sequence[int]) -> None:
        self.sorted = sorted(values)
        self.reference = np.array(values, float)
        self.recent: list[int] = []
        self.log = np.full(len(MOVES) + len(SPREADS), -np.inf)
        self.sums = np.zeros_like(self.log)
        self.since = np.zeros(len(self.log), int)
        self.highest = 0.0
        self.highest_since = 0

    def add(self, value: int, chance: float, number: int) -> None:
        from scipy.special import ndtri

        below, upto = bisect_left(self.sorted, value), bisect_right(self.sorted, value)
        p = (below + chance * (upto - below + 1)) / (len(self.sorted) + 1)
        z = float(ndtri(min(max(p, 1e-12), 1 - 1e-12)))
        moves, spreads = np.array(MOVES), np.array(SPREADS)
        bets = np.concatenate([moves * z - moves**2 / 2, z * z * (1 - spreads**-2) / 2 - np.log(spreads)])
        self.log = np.logaddexp(self.log, 0.0) + bets
        fresh = self.sums <= 0
        self.since[fresh] = number
        self.sums = np.maximum(0.0, self.sums + bets)
        insort(self.sorted, value)
        self.recent.append(value)
        if (now := self.evidence) > self.highest:
            self.highest, self.highest_since = now, int(self.since[int(self.log.argmax())])

    @property
    def evidence(self) -> float:
        return float(np.exp(np.minimum(self.log, 500.0)).mean())


def watch(reference: Sequence[Row], rows: Sequence[Row], *, limit: float, seed: int = 0) -> Drift:
    """Watch ``rows`` in their order against ``reference`` (each a measure → whole number; a measure may be missing from
    a row, which then says nothing of it). Measures of which the reference has fewer than ``LEAST_REFERENCE`` values
    are left out. The same rows give the same answer."""
    names = sorted({name for row in reference for name in row})
    values = {name: [row[name] for row in reference if name in row] for name in names}
    streams = {name: _Stream(own) for name, own in values.items() if len(own) >= LEAST_REFERENCE}
    rng = np.random.default_rng(seed)
    chances = rng.random((len(rows), max(len(names), 1)))
    evidence, alarm = np.zeros(len(rows)), None
    for i, row in enumerate(rows):
        for name, stream in streams.items():
            if name in row:
                stream.add(row[name], float(chances[i, names.index(name)]), i + 1)
        evidence[i] = float(np.mean([s.evidence for s in streams.values()])) if streams else 0.0
        if alarm is None and evidence[i] >= limit:
            alarm = i + 1
    moved = [_moved(name, stream) for name, stream in streams.items()]
    return Drift(
        reference=len(reference),
        watched=len(rows),
        limit=limit,
        alarm=alarm,
        evidence=evidence,
        streams=tuple(sorted(moved, key=lambda m: (-m.highest, m.name))),
    )


def _moved(name: str, stream: _Stream) -> Moved:
    low, middle, high = np.percentile(stream.reference, (5, 50, 95))
    recent = stream.recent[-RECENT:]
    now = float(np.median(recent)) if recent else float(middle)
    spread = float(stream.reference.std()) or 1.0
    mean = float(np.mean(recent)) if recent else float(stream.reference.mean())
    return Moved(
        name=name,
        evidence=stream.evidence,
        highest=stream.highest,
        reference=float(middle),
        low=float(low),
        high=float(high),
        recent=now,
        moved=(mean - float(stream.reference.mean())) / spread,
        since=stream.highest_since or None,
    )
