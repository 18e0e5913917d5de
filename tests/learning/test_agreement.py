"""A fall of what clinicians accept is told soon, a rise is not, and the rate of false alarms is the stated one."""

from __future__ import annotations

import numpy as np
import pytest

from learning.agreement import watch

LIMIT = 10_000.0


def answers(seed: int, *parts: tuple[int, float]) -> list[bool]:
    rng = np.random.default_rng(seed)
    return [bool(yes) for count, share in parts for yes in rng.random(count) < share]


def test_a_fall_is_told_soon_after_it_and_not_before() -> None:
    delays = []
    for seed in range(30):
        given = answers(seed, (200, 0.85), (60, 0.5))
        drift = watch(given[:50], given[50:], limit=LIMIT)
        assert drift.alarm is None or drift.alarm > 150
        delays.append(61 if drift.alarm is None else drift.alarm - 150)
    assert np.median(delays) <= 30
    assert np.mean(np.array(delays) <= 50) >= 0.85
    assert drift.streams[0].reference == pytest.approx(np.mean(given[:50]))
    assert drift.streams[0].recent == pytest.approx(np.mean(given[-50:]))
    assert drift.streams[0].low < drift.streams[0].reference < drift.streams[0].high
    assert drift.streams[0].since is not None
    assert abs(drift.streams[0].since - 150) <= 30


def test_a_rise_is_no_alarm() -> None:
    given = answers(1, (200, 0.5), (300, 0.95))
    assert watch(given[:50], given[50:], limit=LIMIT).alarm is None


@pytest.mark.parametrize("share", [0.6, 0.95])
def test_the_rate_of_false_alarms_is_kept(share: float) -> None:
    series = [answers(seed, (450, share)) for seed in range(60)]
    alarms = sum(watch(one[:50], one[50:], limit=2000.0, seed=i).alarm is not None for i, one in enumerate(series))
    assert alarms / 60 <= 400 / 2000 + 0.1  # the bound, and what chance adds to 60 tries


def test_too_few_to_compare_with_tell_nothing_and_the_same_tell_the_same() -> None:
    given = answers(2, (40, 0.9), (60, 0.1))
    few = watch(given[:40], given[40:], limit=LIMIT)
    assert (few.alarm, few.streams) == (None, ())
    given = answers(2, (60, 0.9), (60, 0.1))
    one, other = (watch(given[:60], given[60:], limit=LIMIT) for _ in range(2))
    assert (one.evidence == other.evidence).all()
    assert one.alarm == other.alarm
    assert watch(given[:60], [], limit=LIMIT).alarm is None
