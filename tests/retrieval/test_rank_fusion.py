from __future__ import annotations

import numpy as np
import pytest

from retrieval.rank_fusion import convex, reciprocal_rank, scaled


def test_convex_by_hand() -> None:
    parts = {"bm25": np.array([0.0, 5.0, 10.0]), "dense": np.array([0.8, 0.2, -0.1])}
    fused = convex(parts, {"bm25": 1, "dense": 3, "unused": 9})
    np.testing.assert_allclose(fused, [0.25 * 0 + 0.75 * 1, 0.25 * 0.5 + 0.75 * 0.25, 0.25 * 1 + 0.75 * 0])


def test_a_part_in_which_nothing_matches_counts_nothing() -> None:
    assert scaled(np.array([0.0, -2.0])).tolist() == [0, 0]
    assert scaled(np.zeros(0)).tolist() == []
    fused = convex({"bm25": np.zeros(2), "dense": np.array([0.2, 0.4])}, {"bm25": 0.5, "dense": 0.5})
    assert fused.tolist() == [0.25, 0.5]


def test_the_only_candidate_is_the_best() -> None:
    assert convex({"concepts": np.array([0.3])}, {"concepts": 0.5}).tolist() == [1]


def test_the_unit_of_a_part_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=20), rng.normal(size=20)
    one = convex({"a": a, "b": b}, {"a": 0.3, "b": 0.7})
    np.testing.assert_allclose(one, convex({"a": 9 * a, "b": b / 7}, {"a": 3, "b": 7}))


def test_reciprocal_rank_by_hand() -> None:
    fused = reciprocal_rank({"one": ["a", "b"], "two": ["b", "c"]}, {"one": 1.0, "two": 2.0})
    assert fused == pytest.approx({"a": 1 / 61, "b": 1 / 62 + 2 / 61, "c": 2 / 62})


@pytest.mark.parametrize("weights", [{}, {"a": -1.0}, {"a": 0.0}, {"b": 1.0}])
def test_weights_that_cannot_be(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        convex({"a": np.ones(2)}, weights)
    with pytest.raises(ValueError, match="weights"):
        reciprocal_rank({"a": ["x"]}, weights)
