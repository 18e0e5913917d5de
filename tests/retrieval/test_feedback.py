from __future__ import annotations

import numpy as np
import pytest

from retrieval.feedback import moved

QUERY = np.array([1.0, 0.0, 0.0], dtype=np.float32)
VECTORS = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float32)
RANKS = np.arange(3)


def test_the_query_moves_towards_its_best_documents() -> None:
    scores = np.array([0.9, 0.3, 0.1])
    found = moved(QUERY, scores, RANKS, VECTORS.__getitem__, documents=2, share=0.4)
    centre = np.array([0, 0.9, 0.3]) / np.hypot(0.9, 0.3)
    expected = 0.6 * QUERY + 0.4 * centre
    assert found == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert found.dtype == np.float32


def test_equals_are_taken_in_their_order() -> None:
    scores = np.array([0.5, 0.5, 0.0])
    found = moved(QUERY, scores, np.array([1, 0, 2]), VECTORS.__getitem__, documents=1, share=0.5)
    assert found == pytest.approx(np.array([1, 0, 1]) / np.sqrt(2), abs=1e-6)


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros(0)])
def test_without_a_good_document_the_query_stays(scores: np.ndarray) -> None:
    vectors = VECTORS[: len(scores)]
    assert moved(QUERY, scores, RANKS[: len(scores)], vectors.__getitem__) is QUERY
