"""The verdicts on extracted pairs, and how two rankings of patients are compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmarks.extraction.diagnosis import difference, seen
from benchmarks.extraction.edges import COLUMNS, JUDGED, precision


def test_every_verdict_has_a_reason_and_comes_once() -> None:
    with JUDGED.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert tuple(rows[0]) == COLUMNS
    assert {row["verdict"] for row in rows} == {"right", "wrong"}
    assert all(row["reason"] for row in rows)
    assert len({(row["disease"], row["finding"]) for row in rows}) == len(rows)


def test_precision_counts_only_what_was_judged() -> None:
    found = precision([("a", "b"), ("a", "c"), ("a", "d")], {("a", "b"): True, ("a", "c"): False})
    assert (found["judged"], found["right"]) == (2, 0.5)


def test_a_better_rank_is_a_gain() -> None:
    found = difference([1, 2, 3], [2, 2, 3])
    assert (found["up"], found["down"]) == (1, 0)
    assert found["mrr"][0] == pytest.approx(0.5 / 3, abs=1e-3)
    assert found["top1"][0] == pytest.approx(1 / 3, abs=1e-3)


def test_a_patient_whose_text_was_read_is_found(tmp_path: Path) -> None:
    words = [f"word{i}" for i in range(80)]
    read, own = tmp_path / "read.jsonl", tmp_path / "own.jsonl"
    read.write_text(json.dumps({"text": " ".join(words)}) + "\n", encoding="utf-8")
    notes = [{"id": "same", "note": " ".join(words[10:70])}, {"id": "other", "note": " ".join(words[::-1])}]
    own.write_text("".join(json.dumps(note) + "\n" for note in notes), encoding="utf-8")
    assert list(seen([own], [read])) == ["same"]
