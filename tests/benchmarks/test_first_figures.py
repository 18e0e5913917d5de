"""The results table compares with the independent scorers, and notices when they differ."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.first_figures import TASKS, Task, disagreements, look_up, score
from benchmarks.machine import stamp

TASK = Task(
    name="t",
    shows="",
    arguments=(),
    figures=(("F1", "document.f1"), ("nDCG", "ndcg@10")),
    scorer="s.py",
    gold="g.jsonl",
    key="id",
)


def test_look_up() -> None:
    metrics = {"a": {"b.c": 1.0, "d": 2.0}, "ndcg@10": 3.0}
    assert look_up(metrics, "a.d") == 2.0
    assert look_up(metrics, "a.b.c") == 1.0
    assert look_up(metrics, "ndcg@10") == 3.0
    assert look_up(metrics, "a.x") is None
    assert look_up(metrics, "x.y") is None


def test_disagreements() -> None:
    ours = {"document": {"f1": 0.7001}, "ndcg@10": 0.5}
    assert disagreements(TASK, ours, {"document": {"f1": 0.7}, "ndcg@10": 0.5}) == []
    assert disagreements(TASK, ours, {"document": {"f1": 0.71}, "ndcg@10": 0.5}) == ["t F1: whydx 0.7001, scorer 0.71"]
    assert disagreements(TASK, ours, {"document": {"f1": 0.7}}) == []
    assert disagreements(TASK, {}, {"document": {"f1": 0.71}}) == ["t F1: whydx None, scorer 0.71"]


def test_only_the_predicted_rows_are_scored(tmp_path: Path) -> None:
    (tmp_path / "g.jsonl").write_text('{"id": 1}\n{"id": 2}\n{"id": 3}\n')
    (tmp_path / "p").write_text('{"id": 3}\n{"id": 1}\n')
    (tmp_path / "s.py").write_text("import sys; print('{\"rows\": %d}' % len(open(sys.argv[1]).readlines()))\n")
    assert score(TASK, tmp_path, tmp_path / "p", tmp_path, tmp_path) == {"rows": 2}


def test_tasks_name_files_that_exist(shared_data: Path) -> None:
    for task in TASKS:
        assert (shared_data / task.gold).exists(), task.name
        assert (shared_data.parent / "score" / task.scorer).exists(), task.name


def test_stamp_names_the_machine() -> None:
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in stamp()
    assert "core" in stamp()
