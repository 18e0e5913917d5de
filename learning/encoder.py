"""Fitting the sentence encoder to a place's own reports: a matrix over its vectors, taught to bring together the two
sides of one report and to keep apart those of others, judged on reports that took no part and on a guard set.

The loss is the cross-entropy of each side naming the other among the batch (InfoNCE; van den Oord et al. 2018), both
ways, and a pull towards leaving vectors as they are. How far the matrix is then followed is the largest share of the
way that the guard set bears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError
from indexes.lexical_index import LexicalIndex
from learning import kept, report_pairs
from learning.encoder_guard import Guard, guards
from learning.report_pairs import Pair
from retrieval import adapted
from retrieval.adapted import Move
from retrieval.encoder import Encoder
from retrieval.evaluation.evaluate import encoded
from retrieval.hybrid import WEIGHTS
from retrieval.rank_fusion import convex

LEAST_PAIRS = 50
MOST_PAIRS = 5000
MOST_LOST = 0.01
WAYS = (1.0, 0.75, 0.5, 0.35, 0.25)
_FOLDS, _RESAMPLES = 5, 2000
_TEMPERATURE, _PULL, _RATE, _STEPS, _BATCH = 0.05, 0.03, 0.003, 120, 512
_EXPECTED = f"{LEAST_PAIRS} reports or more with an impression, or of four sentences, that say different things"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sides:
    """The two sides of n reports: their vectors as shipped, float32 (n, d) each, whose they are (n,), and the words of
    either."""

    seen: np.ndarray
    made: np.ndarray
    patients: np.ndarray
    words: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.seen)

    def at(self, rows: np.ndarray) -> Sides:
        chosen = rows.tolist()
        return Sides(
            seen=self.seen[rows],
            made=self.made[rows],
            patients=self.patients[rows],
            words=tuple(self.words[row] for row in chosen),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranks:
    """1 / rank of a report when its second side asks all the first sides, float64 (n,): by vectors, and by vectors and
    words as a search of cases fuses them. Equals count as before it."""

    vectors: np.ndarray
    fused: np.ndarray

    @classmethod
    def of(cls, sides: Sides, *moves: Move | None) -> list[Ranks]:
        """Those of each move (None: as shipped)."""
        names = [f"{row:06d}" for row in range(len(sides))]
        lexical = LexicalIndex.of([seen for seen, _ in sides.words], names)
        words = [lexical.scores(made) for _, made in sides.words]
        found = []
        for move in moves:
            seen, made = (side if move is None else move.of(side) for side in (sides.seen, sides.made))
            dense = made @ seen.T
            fused = [convex({"bm25": words[row], "dense": own}, WEIGHTS) for row, own in enumerate(dense)]
            found.append(cls(vectors=_reciprocal(dense), fused=_reciprocal(np.array(fused))))
        return found


def _reciprocal(scores: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (scores >= np.diag(scores)[:, None]).sum(axis=1), np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adapted:
    """A ``move``, fitted on ``reports`` and followed a share ``way`` of the way, and how it does on ``judged`` reports,
    ``held_out``: mean reciprocal rank before and after by vectors (``vectors``) and as a search fuses them (``fused``),
    the share found ``first``, and the ``gain`` of ``fused`` with its 95 % interval (paired bootstrap, 2,000 resamples);
    ``guard`` set → nDCG@10 before and after. ``refusals`` say why it is not to be used; () when it may be."""

    move: Move
    reports: int
    way: float
    held_out: str
    judged: int
    vectors: tuple[float, float]
    fused: tuple[float, float]
    first: tuple[float, float]
    gain: tuple[float, float, float]
    guard: dict[str, tuple[float, float]]
    refusals: tuple[str, ...] = ()


def fit(sides: Sides) -> np.ndarray:
    """The matrix, float32 (d, d). The same vectors in the same order give the same."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    generator = torch.Generator().manual_seed(0)
    seen, made = (torch.from_numpy(np.ascontiguousarray(side, np.float32)) for side in (sides.seen, sides.made))
    size = min(len(sides), _BATCH)
    moved = torch.zeros(seen.shape[1], seen.shape[1], requires_grad=True)
    still = torch.eye(seen.shape[1])
    optimiser = torch.optim.Adam([moved], lr=_RATE)
    own = torch.arange(size)
    for _ in range(_STEPS):
        rows = torch.randperm(len(sides), generator=generator)[:size]
        one, other = (normalize(side[rows] @ (still + moved)) for side in (seen, made))
        scores = one @ other.T / _TEMPERATURE
        loss = (cross_entropy(scores, own) + cross_entropy(scores.T, own)) / 2 + _PULL * moved.pow(2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return np.asarray((still + moved).detach().numpy(), np.float32)


def part_way(matrix: np.ndarray, way: float) -> np.ndarray:
    """The matrix that goes a share of the way from leaving vectors as they are, float32 (d, d)."""
    still = np.eye(len(matrix), dtype=np.float32)
    return np.asarray(still + np.float32(way) * (matrix - still), np.float32)


def moved(whole: np.ndarray, sides: Sides, way: float) -> Move:
    """The move that goes a share of the way of a matrix, and keeps how alike different reports of ``sides`` are on
    average."""
    matrix = part_way(whole, way)
    before = _unlike(sides.seen, sides.made)
    after = _unlike(*(Move(matrix=matrix).of(side) for side in (sides.seen, sides.made)))
    return Move(matrix=matrix, lift=round(float(np.clip((before - after) / (1 - after), 0.0, 0.9)), 4))


def _unlike(seen: np.ndarray, made: np.ndarray) -> float:
    """The mean cosine of the sides of different reports."""
    n = len(seen)
    whole = float(seen.sum(axis=0, dtype=np.float64) @ made.sum(axis=0, dtype=np.float64))
    return (whole - float((seen * made).sum())) / (n * (n - 1))


def followed(whole: np.ndarray, sides: Sides, guard: Sequence[Guard]) -> tuple[Move, float]:
    """The move along a matrix as far as the guard set bears it, or else the least of WAYS; and how far that is."""
    before = [float(one.ndcg().mean()) for one in guard]
    for way in WAYS:
        move = moved(whole, sides, way)
        if all(float(one.ndcg(move).mean()) >= old - MOST_LOST for one, old in zip(guard, before, strict=True)):
            break
    return move, way


def adapt(sides: Sides, guard: Sequence[Guard], *, test: Sides | None = None, in_use: Move | None = None) -> Adapted:
    """Fit, and judge on ``test``, or without that on the reports themselves, each by what was fitted without it and its
    patient, among a fifth of them. On ``test`` it must also be no worse than the move ``in_use``. Raises InputError for
    fewer than LEAST_PAIRS reports, or fewer than two of ``test``."""
    if len(sides) < LEAST_PAIRS:
        raise InputError("too few reports", value=len(sides), expected=_EXPECTED)
    if test is not None and len(test) < 2:
        raise InputError("the test reports cannot judge it", value=len(test), expected="two or more that differ")
    move, way = followed(fit(sides), sides, guard)
    if test is not None:
        pairs = [Ranks.of(test, None, move)]
    else:
        folds, pairs = _folds(sides.patients), []
        for fold in range(_FOLDS):
            own, rest = (sides.at(np.flatnonzero(rows)) for rows in (folds == fold, folds != fold))
            pairs.append(Ranks.of(own, None, moved(fit(rest), rest, way)))
    old, new = (np.concatenate([one.fused for one in side]) for side in zip(*pairs, strict=True))
    by_vectors = [np.concatenate([one.vectors for one in side]) for side in zip(*pairs, strict=True)]
    found = Adapted(
        move=move,
        reports=len(sides),
        way=way,
        held_out=f"{len(old)} reports of --test" if test is not None else "each report by what was fitted without it",
        judged=len(old),
        vectors=_means(*by_vectors),
        fused=_means(old, new),
        first=_means(old == 1, new == 1),
        gain=gain(new - old),
        guard={one.name: _means(one.ndcg(), one.ndcg(move)) for one in guard},
    )
    worse = [] if test is None or in_use is None else _worse(test, in_use, new)
    return replace(found, refusals=(*_refusals(found), *worse))


def _means(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    return round(float(before.mean()), 4), round(float(after.mean()), 4)


def gain(difference: np.ndarray) -> tuple[float, float, float]:
    """The mean of differences (n,), and the ends of its 95 % interval by a bootstrap."""
    rng = np.random.default_rng(20261128)
    means = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return round(float(difference.mean()), 4), round(float(low), 4), round(float(high), 4)


def _folds(patients: np.ndarray) -> np.ndarray:
    """The fold of each report, int (n,); all of a patient are in one."""
    names, number = np.unique(patients, return_inverse=True)
    return np.asarray((np.random.default_rng(0).permutation(len(names)) % _FOLDS)[number])


def _refusals(found: Adapted) -> list[str]:
    said = []
    if found.gain[1] <= 0:
        mean, low, high = found.gain
        said.append(
            f"own impressions are not found better on held-out reports ({mean:+.3f}, {low:+.3f} to {high:+.3f})"
        )
    for name, (before, after) in found.guard.items():
        if after < before - MOST_LOST:
            said.append(f"nDCG {after - before:+.3f} on the guard set, {name}")
    return said


def _worse(test: Sides, in_use: Move, new: np.ndarray) -> list[str]:
    old, now = float(Ranks.of(test, in_use)[0].fused.mean()), float(new.mean())
    return [f"the version in use is better on the test reports ({old:.3f}, the new one {now:.3f})"] if old > now else []


def sides_of(pairs: Sequence[Pair], encoder: Encoder, home: Path | None, progress: Progress | None = None) -> Sides:
    """The vectors of pairs, kept in the home as they come, so that a run that was stopped goes on (None: not kept)."""
    place = None if home is None else home / adapted.LOCAL
    seen = encoded([pair.seen for pair in pairs], encoder, place, "encode reports", progress)
    made = encoded([pair.made for pair in pairs], encoder, place, "encode impressions", progress)
    names = [pair.patient or f"report {row}" for row, pair in enumerate(pairs)]
    words = tuple((pair.seen, pair.made) for pair in pairs)
    return Sides(seen=seen, made=made, patients=np.array(names), words=words)


def adapt_reports(
    home: Path, given: Sequence[str], *, test: Path | None = None, progress: Progress | None = None
) -> Adapted:
    """``adapt`` on the reports in files, folders or collections (`report_pairs.read`), of more than MOST_PAIRS
    the first. Nothing is written yet but vectors; ``keep`` does. Raises as `report_pairs.read` and
    `encoder_guard.guards` do."""
    pairs = report_pairs.read(home, given)[:MOST_PAIRS]
    if len(pairs) < LEAST_PAIRS:
        raise InputError("too few reports", value=len(pairs), expected=_EXPECTED)
    encoder, tested, in_use = Encoder.load(), None, None
    if test is not None:
        known = {side for pair in pairs for side in (pair.seen, pair.made)}
        fresh = [pair for pair in report_pairs.read(home, [str(test)]) if not {pair.seen, pair.made} & known]
        tested = sides_of(fresh, encoder, home, progress) if len(fresh) > 1 else None
        if tested is None:
            raise InputError("the test reports cannot judge it", value=len(fresh), expected="two or more others")
        now = adapted.in_use(home, encoder)
        in_use = now.move if isinstance(now, adapted.AdaptedEncoder) else None
    return adapt(sides_of(pairs, encoder, home, progress), guards(home, encoder, progress), test=tested, in_use=in_use)


def card(found: Adapted) -> dict[str, Any]:
    """What a reader of a version needs: when, of how many reports, figures before and after."""
    mean, low, high = found.gain
    lines = [
        f"{found.reports} reports, each unlike the others; the matrix is followed {found.way:.0%} of the way",
        f"an impression finds its own report, mean reciprocal rank: {found.fused[0]:.3f} → {found.fused[1]:.3f} "
        f"({mean:+.3f}, 95 % {low:+.3f} to {high:+.3f}; {found.judged} reports); by vectors alone "
        f"{found.vectors[0]:.3f} → {found.vectors[1]:.3f}",
        f"it is found first: {found.first[0]:.3f} → {found.first[1]:.3f}",
        *(f"guard, {name}, nDCG@10: {old:.3f} → {new:.3f}" for name, (old, new) in found.guard.items()),
    ]
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"made": made, "what": "sentence encoder", "held_out": found.held_out, "lines": lines}


def keep(home: Path, found: Adapted, *, said: dict[str, Any] | None = None) -> int:
    """Write the matrix as a new version of the home, and use it; returns its number. Raises ArtifactError when it is
    worse than what is shipped."""
    return kept.keep(
        home / adapted.LOCAL,
        {adapted.NAME: found.move.text()},
        card(found) | (said or {}),
        what="the adapted encoder",
        refusals=found.refusals,
        expected="own reports found better beyond chance, and no loss on the guard set",
    )
