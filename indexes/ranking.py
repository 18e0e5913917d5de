"""The order of results: by score, ties by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def id_ranks(ids: Sequence[str]) -> np.ndarray:
    """The position of every id in sorted order, int64 (n,): what ties are broken by."""
    import numpy as np

    ranks = np.empty(len(ids), dtype=np.int64)
    ranks[sorted(range(len(ids)), key=lambda row: ids[row])] = np.arange(len(ids))
    return ranks


def best_rows(scores: np.ndarray, ranks: np.ndarray, k: int) -> np.ndarray:
    """Rows of the ``k`` highest ``scores`` (n,), best first; equal scores in the order of ``ranks`` (n,). Fewer when
    n < k.

    Every row that ties with the k-th score takes part before the cut, so the result does not depend on the order of
    rows.
    """
    import numpy as np

    if k <= 0 or not len(scores):
        return np.zeros(0, dtype=np.int64)
    rows = np.arange(len(scores))
    if k < len(scores):
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        rows = np.flatnonzero(scores >= threshold)
    return rows[np.lexsort((ranks[rows], -scores[rows]))][:k]
