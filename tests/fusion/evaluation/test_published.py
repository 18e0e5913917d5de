"""Rank metrics by hand and by the scorer that accepts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from errors import InputError
from fusion.evaluation.published import calibration_figures, evaluate_diagnose, in_split, rank_metrics
from fusion.patients import PublishedCase


def test_metrics_by_hand() -> None:
    assert rank_metrics([1, 2, None, 10]) == {
        "n": 4, "top1": 0.25, "top3": 0.5, "top5": 0.5, "top10": 0.75, "top50": 0.75, "mrr": 0.4,
    }  # fmt: skip
    assert rank_metrics([])["mrr"] == 0


def test_an_unknown_split_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown split"):
        in_split("OMIM:1", "test")


def test_calibration_figures_by_hand() -> None:
    def case(disease: str, sex: str | None) -> PublishedCase:
        return PublishedCase(case_id="x", disease=disease, observed=(), excluded=(), age=None, sex=sex, pmid="")

    def row(first: float, conformal: list[str], none: bool) -> dict[str, object]:
        ranking = {"ranking": ["OMIM:1", "OMIM:2"], "probabilities": [first, 0.1], "conformal": conformal}
        return {**ranking, "none_of_these": {"probability": 0.9 - first, "conformal": none}}

    cases = [case("OMIM:1", "F"), case("OMIM:2", "F"), case("OMIM:9", None), case("OMIM:9", None)]
    rows = [
        row(0.8, ["OMIM:1"], False),
        row(0.8, ["OMIM:1"], True),  # misses: it holds "none of these", but the disease is in the ranking
        row(0.3, ["OMIM:1", "OMIM:2"], True),  # covers: the disease is none of them
        row(0.3, ["OMIM:1"], False),
    ]
    found = calibration_figures(rows, cases)
    assert found["ece"] == pytest.approx(0.3)
    assert (found["coverage"], found["set_size"], found["top1"]) == (0.5, 1.25, 0.25)
    assert found["outside_the_ranking"] == 0.5
    assert found["groups"]["women"] | {"interval": None} == {
        "n": 2, "diseases": 2, "coverage": 0.5, "interval": None, "set_size": 1.0,
    }  # fmt: skip
    assert set(found["groups"]) == {"women", "sex unknown", "age unknown"}
    assert found["coverage_interval"] == [0.0, 1.0], "whole diseases are drawn"


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
        assert ("conformal" in row) == (mode != "likelihood")
        if mode != "likelihood":
            assert set(row["conformal"]) <= set(row["ranking"])
            none = row["none_of_these"]["probability"]
            assert sum(row["probabilities"]) + none == pytest.approx(1, abs=1e-3)
            count = len(row["conformal"])
            assert row["conformal"] == row["ranking"][:count], "the set holds the likeliest"


@pytest.mark.slow
def test_probabilities_of_validation_diseases_can_be_believed(shared_data: Path, home: Path) -> None:
    _, metrics = evaluate_diagnose(shared_data / "phenopackets" / "cases.jsonl", home, split="val")
    assert metrics["n"] == 1025
    assert metrics["ece"] <= 0.05
    assert 0.88 <= metrics["coverage"] <= 0.92
