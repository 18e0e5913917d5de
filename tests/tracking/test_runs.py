"""A run leaves one card, whether it ends well, badly or not at all; runs are listed and compared."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from tracking import runs
from tracking.runs import Card

Whydx = Callable[..., Any]


def leave(folder: Path, rate: float, loss: float) -> str:
    with Card(folder, "train detector", command="whydx train detector", config={"rate": rate, "seed": 0}) as card:
        card.metrics["loss"] = loss
        card.data["films"] = "ab" * 32
    return runs.read([folder])[0][1].id


def test_a_card_says_what_came_of_a_run(tmp_path: Path) -> None:
    leave(tmp_path / "one", 0.1, 0.5)
    with pytest.raises(InputError), Card(tmp_path / "two", "adapt"):
        raise InputError("too few films", value=3)
    with Card(tmp_path / "three", "adapt"):
        (_, at_work) = runs.read([tmp_path / "three"])[0]
    found = {folder.name: run for folder, run in runs.read([tmp_path])}
    assert {name: run.state for name, run in found.items()} == {
        "one": "finished",
        "two": "failed",
        "three": "finished",
    }
    assert at_work.state == "running"
    assert found["two"].note == "too few films: '3'"
    assert found["one"].versions["python"]
    assert str(tmp_path) not in (tmp_path / "one" / runs.CARD).read_text(encoding="utf-8")


def test_a_run_that_goes_on_keeps_its_card(tmp_path: Path) -> None:
    assert leave(tmp_path, 0.1, 0.5) == leave(tmp_path, 0.1, 0.4)
    assert runs.read([tmp_path])[0][1].metrics == {"loss": 0.4}


def test_a_killed_run_does_not_look_like_one_that_runs(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from tracking.runs import Card\n"
    script += "with Card(Path(sys.argv[1]), 'train'): print('at work', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as at_work:
        assert at_work.stdout is not None
        assert at_work.stdout.readline() == "at work\n"
        assert runs.read([tmp_path])[0][1].state == "running"
        at_work.kill()
    assert runs.read([tmp_path])[0][1].state == "killed"
    leave(tmp_path, 0.1, 0.5)  # and it can be taken up again
    assert runs.read([tmp_path])[0][1].state == "finished"


def test_two_runs_cannot_write_one_card(tmp_path: Path) -> None:
    with (
        Card(tmp_path, "adapt"),
        pytest.raises(InputError, match="at work in this folder"),
        Card(tmp_path, "adapt"),
    ):
        pass
    assert runs.read([tmp_path])[0][1].state == "finished"


def test_list_show_and_compare(whydx: Whydx, tmp_path: Path) -> None:
    one, two = leave(tmp_path / "a", 0.1, 0.5), leave(tmp_path / "b", 0.2, 0.4)
    ran = whydx("runs", "list", "--in", tmp_path, "--format", "json")
    assert ran.status == 0, ran.err
    assert [row["id"] for row in json.loads(ran.out)] == [one, two]
    ran = whydx("runs", "compare", one, two, "--in", tmp_path, "--format", "json")
    differing = json.loads(ran.out)["differing"]
    assert differing["config.rate"] == [0.1, 0.2]
    assert differing["metrics.loss"] == [0.5, 0.4]
    assert "config.seed" not in differing
    assert "0.2" in whydx("runs", "compare", "a", "b", "--in", tmp_path).out
    assert "train detector: finished" in whydx("runs", "show", one, "--in", tmp_path).out
    assert "train detector" in whydx("runs", "list", "--in", tmp_path).out


def test_what_is_not_there_is_said(whydx: Whydx, tmp_path: Path) -> None:
    ran = whydx("runs", "list", "--home", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert "no runs there" in ran.err
    one = leave(tmp_path / "a", 0.1, 0.5)
    ran = whydx("runs", "show", "nothing", "--in", tmp_path)
    assert ran.status == 1
    assert one in ran.err
    (tmp_path / "a" / runs.CARD).write_text("{}", encoding="utf-8")
    ran = whydx("runs", "list", "--in", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert "damaged" in ran.err
