"""Pseudo-relevance feedback: a question moved towards the documents that answer it best so far.

Rocchio's formula (1971) on sentence vectors, as Li et al. 2023 ("Pseudo relevance feedback with deep language models
and dense retrievers", ACM TOIS 41:3) use it: what the first documents agree on and the question leaves unsaid counts
too. How far and towards how many: docs/retrieval.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from indexes.ranking import best_rows

if TYPE_CHECKING:
    import numpy as np

DOCUMENTS, SHARE = 2, 0.4


def moved(
    query: np.ndarray,
    scores: np.ndarray,
    ranks: np.ndarray,
    vectors: Callable[[np.ndarray], np.ndarray],
    *,
    documents: int = DOCUMENTS,
    share: float = SHARE,
) -> np.ndarray:
    """The query's vector, ``share`` of the way towards the mean of its best ``documents``, weighted by their scores.

    ``query`` is a unit vector (d,); ``scores`` (n,) ≥ 0 and ``ranks`` (n,) order the candidates; ``vectors`` gives the
    unit vectors (k, d) of some of them. float32 (d,), of length one; the query itself when no candidate has a score.
    """
    import numpy as np

    best = best_rows(scores, ranks, documents)
    weights = scores[best]
    if not len(best) or weights.sum() <= 0:
        return query
    centre = weights @ vectors(best)
    towards = (1 - share) * query + share * centre / max(float(np.linalg.norm(centre)), 1e-9)
    return np.asarray(towards / max(float(np.linalg.norm(towards)), 1e-9), dtype=np.float32)
