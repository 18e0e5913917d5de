"""Figures of a card, on judged cases made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fusion.calibration import fit_temperature
from fusion.scorer import Parts
from fusion.training.validation import (
    CONDITIONS,
    REPORTS,
    Judged,
    calibrate,
    crossed,
    metric_values,
    paired_difference,
    scores,
)


def judged(n: int, help_: float, seed: int = 0, worded: bool = True) -> list[Judged]:
    """Shortlists of five and "none of these", where the correction of the evidence helps and the others are noise;
    every second case under every condition."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        truth = int(rng.integers(6))
        right = np.arange(6) == truth
        base = rng.normal(size=6) + right
        out.append(
            Judged(
                parts={
                    how: Parts(base, rng.normal(size=6) + (help_ * right if how == "on" else 0.0))
                    for how in (CONDITIONS if i % 4 < 2 else ("on",))
                },
                truth=truth,
                age=float(i % 90),
                sex="FM"[i % 2],
                worded=worded,
            )
        )
    return out


def test_metrics_by_hand() -> None:
    found = metric_values([1, 2, 4])
    assert found["top1"].tolist() == [1, 0, 0]
    assert found["top3"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(found["mrr"], [1, 0.5, 0.25])


def test_the_interval_is_about_pairs() -> None:
    one = np.random.default_rng(0).normal(size=400)
    mean, low, high = paired_difference(one + 0.1, one)
    assert mean == low == high == pytest.approx(0.1), "a difference that never varies is certain"
    mean, low, high = paired_difference(np.repeat([1.0, 0.0], 200), np.repeat([0.0, 1.0], 200))
    assert low < mean == 0 < high
    assert high == pytest.approx(1.96 / np.sqrt(400), rel=0.15)


def test_knowledge_that_helps_is_seen_and_kept_to_what_it_is_worth() -> None:
    cases = judged(600, help_=2.0)
    figures = crossed(cases)["judged"]
    assert figures["differences"]["on - off"]["top1"][1] > 0
    assert figures["differences"]["on - shuffled"]["mrr"][1] > 0
    assert (figures["n"], figures["compared"]["n"]) == (600, 300)
    sure = figures["believed"]["words"]
    assert sure["ece"] < 0.08
    assert 0.86 < sure["coverage"] < 0.94
    assert sum(n for name, (_, n) in sure["coverage_by_group"].items() if name in ("men", "women")) == 600
    gate = calibrate(cases, "test").words.gate
    assert gate == pytest.approx(2.0, abs=0.4), "correction / noise² = 2, base / noise² = 1"


def test_knowledge_that_does_not_help_is_shut_out() -> None:
    assert calibrate(judged(600, help_=0.0), "test").words.gate < 0.2


def test_images_set_the_temperature_but_not_how_far_the_network_is_trusted() -> None:
    simulated, images = judged(300, help_=0.0), judged(300, help_=2.0, seed=1, worded=False)
    alone, both = calibrate(simulated, "test"), calibrate([*simulated, *images], "test")
    assert both.words.gate == both.images.gate == alone.words.gate < 0.2
    assert both.images.temperature != alone.images.temperature
    assert calibrate(images, "test").words.gate > 1, "with nothing but images there is nothing else to go by"


def test_with_words_reports_decide_how_sure_to_be() -> None:
    """Simulated patients are easier: what is right for them would promise too much of a real one."""
    simulated, reports = judged(400, help_=2.0), judged(400, help_=0.0, seed=1)
    alone, both = calibrate(simulated, "test"), calibrate(simulated, "test", reports)
    assert 0.1 < both.words.gate < alone.words.gate - 0.2
    assert both.images.gate == alone.images.gate == alone.words.gate
    assert alone.words == alone.images, "without reports there is one calibration"
    truth = [j.truth for j in reports]
    assert both.words.temperature == pytest.approx(fit_temperature([scores(j, "on", both) for j in reports], truth))
    truth = [j.truth for j in simulated]
    assert both.images.temperature == pytest.approx(fit_temperature([scores(j, "on", both) for j in simulated], truth))
    assert (both.words.n, both.words.on, both.images.on) == (400, REPORTS, "test")
    figures = crossed(simulated, reports)
    assert figures["judged"]["n"] == figures["reports"]["n"] == 400
    assert figures["judged"]["on"]["top1"] > figures["reports"]["on"]["top1"]
    real, easy = figures["reports"]["believed"]["words"], figures["judged"]["believed"]["words"]
    assert 0.85 < real["coverage"] < 0.95 < easy["coverage"]
    assert real["ece"] < 0.1
    assert easy["said"] < easy["right"] - 0.1
    only_on = [replace(j, parts={"on": j.parts["on"]}) for j in reports]
    assert "compared" not in crossed(simulated, only_on)["reports"]


def test_images_and_words_are_believed_apart() -> None:
    found = crossed([*judged(200, help_=2.0), *judged(200, help_=0.0, seed=1, worded=False)])["judged"]["believed"]
    assert (found["words"]["n"], found["images"]["n"]) == (200, 200)
    assert found["words"]["right"] > found["images"]["right"]
