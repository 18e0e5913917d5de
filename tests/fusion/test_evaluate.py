"""Rank metrics by hand and by the scorer that accepts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from errors import InputError
from fusion.evaluate import evaluate_diagnose, in_split, rank_metrics


def test_metrics_by_hand() -> None:
    assert rank_metrics([1, 2, None, 10]) == {
        "n": 4, "top1": 0.25, "top3": 0.5, "top5": 0.5, "top10": 0.75, "top50": 0.75, "mrr": 0.4,
    }  # fmt: skip
    assert rank_metrics([])["mrr"] == 0


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown split"):
        in_split("OMIM:1", "test")


@pytest.mark.parametrize("mode", ["published", "likelihood", "reasoner"])
def test_figures_agree_with_the_scorer(shared_data: Path, home: Path, tmp_path: Path, mode: str) -> None:
    cases = shared_data / "phenopackets" / "cases.jsonl"
    rows, metrics = evaluate_diagnose(cases, home, split="val", limit=12, mode=mode)
    ids = {row["id"] for row in rows}
    kept = [line for line in cases.read_text().splitlines() if json.loads(line)["id"] in ids]
    (tmp_path / "cases.jsonl").write_text("\n".join(kept))
    (tmp_path / "predictions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    scorer = shared_data.parent / "score" / "diagnose.py"
    command = [sys.executable, str(scorer), str(tmp_path / "cases.jsonl"), str(tmp_path / "predictions.jsonl")]
    scored = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["all"]
    assert {k: metrics[k] for k in scored} == scored
    for row in rows:
        assert len(row["ranking"]) >= 50
        assert len(set(row["ranking"])) == len(row["ranking"])
        assert len(row["probabilities"]) == len(row["ranking"])
        assert 0 < sum(row["probabilities"]) <= 1.0001
