from __future__ import annotations

import math

import pytest

from retrieval.evaluation.metrics import averages, ndcg, recall, reciprocal_rank


def test_ndcg_by_hand() -> None:
    # gains 2^2−1 = 3 at rank 2 and 2^1−1 = 1 at rank 3; ideally 3 at rank 1 and 1 at rank 2
    found = 3 / math.log2(3) + 1 / math.log2(4)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    assert ndcg(["x", "a", "b"], {"a": 2, "b": 1}) == pytest.approx(found / ideal)


def test_ndcg_bounds() -> None:
    assert ndcg(["a", "b"], {"a": 3, "b": 1}) == 1
    assert ndcg([], {"a": 1}) == 0
    assert ndcg(["a"], {}) == 0
    assert ndcg(["x"] * 10 + ["a"], {"a": 1}) == 0  # past the cut
    assert ndcg([f"d{i}" for i in range(10)], {f"d{i}": 1 for i in range(30)}) == 1  # the ideal is cut too


def test_recall_and_reciprocal_rank() -> None:
    assert recall(["x", "a", "b"], {"a": 1, "b": 1, "c": 1}, k=2) == pytest.approx(1 / 3)
    assert recall(["a"], {}) == 0
    assert reciprocal_rank(["x", "y", "a", "b"], {"a": 1, "b": 1}) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x"] * 10 + ["a"], {"a": 1}) == 0


def test_a_missing_query_scores_zero() -> None:
    result = averages({"q1": ["a"]}, {"q1": {"a": 1}, "q2": {"b": 1}})
    assert result == {"queries": 2, "missing": 1, "ndcg@10": 0.5, "recall@100": 0.5, "mrr@10": 0.5}
    with pytest.raises(ValueError, match="judged"):
        averages({}, {})
