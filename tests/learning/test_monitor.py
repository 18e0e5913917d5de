"""The home is watched through its audit trail and its feedback; the exit status tells a cron job."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records import audit, chain
from records.feedback import Feedback, Named, keep

Whydx = Callable[..., Any]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence is broken across lines."""
    monkeypatch.setenv("COLUMNS", "200")


def diagnoses(home: Path, count: int, seed: int, *, unread: int = 0, brightness: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for i in range(count):
        watched = {
            "unread": round(rng.normal(-4, 1)) + unread,
            "first": round(rng.normal(0, 2)),
            "brightness": round(rng.normal(25, 3)) + brightness,
        }
        chain.add(
            home / audit.NAME, {"time": f"2026-11-{1 + i % 28:02d}T08:00:00Z", "event": "diagnose", "watched": watched}
        )


def verdicts(home: Path, count: int, accepted: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = Named(curie="HP:1", name="one")
    entries = [
        Feedback(
            day="2026-11-01",
            report=f"{seed}-{i}",
            verdict="accepted" if rng.random() < accepted else "corrected",
            first=first,
            probability=0.5,
            correct=replace(first, curie="HP:2"),
        ).identified()
        for i in range(count)
    ]
    keep(home, entries)


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    """A home of 140 diagnoses of one kind."""
    tmp_path.joinpath("home").mkdir()
    diagnoses(tmp_path / "home", 140, 0)
    return tmp_path / "home"


def test_no_drift_is_0_and_drift_is_3_and_a_rebase_ends_it(whydx: Whydx, calm: Path, tmp_path: Path) -> None:
    arguments = ("monitor", "--baseline", "80", "--home", calm)
    ran = whydx(*arguments)
    assert (ran.status, ran.err) == (0, "")
    assert "no drift" in ran.out
    diagnoses(calm, 40, 1, unread=3)
    plot = tmp_path / "drift.svg"
    ran = whydx(*arguments, "--plot", plot)
    assert ran.status == 3
    assert "mostly share of words that were not read" in ran.out
    assert plot.read_text(encoding="utf-8").count("<svg") == 1
    ran = whydx(*arguments, "--format", "json")
    (row,) = json.loads(ran.out)
    assert ran.status == 3
    assert 60 < row["alarm"] <= 100
    assert row["streams"][0]["name"] == "unread"
    assert "record 181" in whydx("monitor", "--rebase", "--home", calm).err
    diagnoses(calm, 100, 2, unread=3)  # the new usual
    assert whydx(*arguments).status == 0


def test_agreement_with_feedback_is_watched(whydx: Whydx, calm: Path) -> None:
    verdicts(calm, 80, 0.9, 0)
    assert whydx("monitor", "--baseline", "80", "--home", calm).status == 0
    verdicts(calm, 60, 0.2, 1)
    ran = whydx("monitor", "--baseline", "80", "--home", calm)
    assert ran.status == 3
    assert "first diagnosis accepted" in ran.out


def test_what_cannot_be_told_is_1(whydx: Whydx, tmp_path: Path, calm: Path) -> None:
    for arguments, said in (
        (("--home", tmp_path / "empty"), "too few diagnoses"),
        (("--home", calm), "more than 300"),
        (("--home", calm, "--baseline", "80", "--plot", "x.pdf"), ".png or .svg"),
        (("--home", tmp_path / "empty", "--rebase"), "no audit trail"),
    ):
        ran = whydx("monitor", *arguments)
        assert (ran.status, ran.out) == (1, "")
        assert said in ran.err
        assert len(ran.err.splitlines()) == 1


def test_the_trail_of_before_this_was_watched_is_left_out(whydx: Whydx, tmp_path: Path) -> None:
    for _ in range(5):
        chain.add(tmp_path / audit.NAME, {"time": "2026-11-01T08:00:00Z", "event": "diagnose"})
    diagnoses(tmp_path, 90, 3)
    (row,) = json.loads(whydx("monitor", "--baseline", "80", "--format", "json", "--home", tmp_path).out)
    assert (row["watched"], row["left_out"]) == (10, 5)
