"""A change is told soon, nothing is told while nothing changes, and the rate of false alarms is the stated one."""

from __future__ import annotations

import numpy as np
import pytest

from learning.drift import Row, watch

REFERENCE, BEFORE, AFTER = 200, 150, 50


def rows(count: int, rng: np.random.Generator, *, shift: float = 0.0, spread: float = 1.0) -> list[Row]:
    """Rows of four measures, of which the change concerns one."""
    own = rng.normal(0, 4, (count, 3)).round().astype(int)
    moved = (4 * (shift + spread * rng.normal(size=count))).round().astype(int)
    return [{"a": int(x), "b": int(y), "c": int(z), "noise": int(m)} for (x, y, z), m in zip(own, moved, strict=True)]


@pytest.mark.parametrize(("shift", "spread"), [(1.5, 1.0), (-1.5, 1.0), (0.0, 3.0)], ids=["up", "down", "wider"])
def test_a_change_is_told_within_fifty_and_not_before(shift: float, spread: float) -> None:
    rng = np.random.default_rng(3)
    before = rows(REFERENCE + BEFORE, rng)
    after = rows(AFTER, rng, shift=shift, spread=spread)
    drift = watch(before[:REFERENCE], [*before[REFERENCE:], *after], limit=1e5)
    assert drift.alarm is not None
    assert BEFORE < drift.alarm <= BEFORE + AFTER
    assert drift.streams[0].name == "noise"
    assert drift.streams[0].since is not None
    assert abs(drift.streams[0].since - BEFORE) <= 15
    assert np.argmax(drift.evidence >= 1e5) + 1 == drift.alarm


def test_the_rate_of_false_alarms_is_kept() -> None:
    rng, limit, count = np.random.default_rng(0), 300.0, 60
    alarms = sum(watch(rows(60, rng), rows(count, rng), limit=limit, seed=i).alarm is not None for i in range(40))
    assert alarms / 40 <= count / limit + 0.1  # the bound, and what chance adds to 40 tries


def test_ranks_are_fair_when_a_measure_has_few_values() -> None:
    """A measure of zeros and ones: ties are broken at random, or the test would see a change in them."""
    rng = np.random.default_rng(1)
    flips = [{"x": int(v)} for v in rng.random(600) < 0.2]
    assert watch(flips[:100], flips[100:], limit=1e4).alarm is None


def test_what_is_missing_says_nothing() -> None:
    rng = np.random.default_rng(2)
    known = rows(100, rng)
    sparse = [{**row, "rare": 1} if i < 3 else row for i, row in enumerate(known)]
    drift = watch(sparse, [{"rare": 99, "a": 0}] * 40, limit=1e5)
    assert {m.name for m in drift.streams} == {"a", "b", "c", "noise"}
    assert drift.streams[-1].highest == 0  # those that are not in the rows
    assert watch([], [{"a": 1}], limit=10).alarm is None


def test_the_same_rows_give_the_same_answer() -> None:
    rng = np.random.default_rng(4)
    known, new = rows(80, rng), rows(30, rng)
    assert (watch(known, new, limit=1e5).evidence == watch(known, new, limit=1e5).evidence).all()
