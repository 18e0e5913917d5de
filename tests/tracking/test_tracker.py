"""Scalars go to TensorBoard, to Weights & Biases or to MLflow, all of them without a network."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from errors import DependencyError
from tracking.tracker import Track, open_tracker


def log(track: Track, folder: Path, first: int = 0) -> None:
    tracker = open_tracker(track, folder, first, {"rate": 0.1, "note": None})
    for step in range(first, first + 3):
        tracker.scalar("loss/all", 1 / (step + 1), step)
    tracker.flush()
    tracker.close()


def test_tensorboard_holds_the_numbers_and_purges_what_is_done_again(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log("tensorboard", tmp_path)
    time.sleep(1.1)  # event files are read in the order of their names, which begin with the second
    log("tensorboard", tmp_path, first=2)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {e.step: round(e.value, 3) for e in events.Scalars("loss/all")} == {
        0: 1.0,
        1: 0.5,
        2: 0.333,
        3: 0.25,
        4: 0.2,
    }


def test_mlflow_offline_goes_on_with_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="pip install 'whydx[mlflow]'")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    log("mlflow", tmp_path)
    log("mlflow", tmp_path, first=3)
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow' / 'runs.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("whydx").experiment_id])
    assert run.data.params == {"rate": "0.1", "note": "None"}
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss/all")] == [0, 1, 2, 3, 4, 5]


def test_wandb_offline_leaves_its_run_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="pip install 'whydx[wandb]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    log("wandb", tmp_path)
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    assert kept.stat().st_size > 0


@pytest.mark.parametrize(("track", "package"), [("wandb", "wandb"), ("mlflow", "mlflow")])
def test_a_missing_extra_names_itself(
    track: Track, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(DependencyError, match=rf"whydx\[{track}\]"):
        open_tracker(track, tmp_path / "run", 0, {})
    assert not (tmp_path / "run").exists()


def test_none_leaves_nothing(tmp_path: Path) -> None:
    log("none", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
