"""Several scores of the same documents into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def convex(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """The weighted mean of the parts, each scaled to [0, 1] over the candidates; float64 (n,), higher is better.

    ``parts`` are float (n,) over the same candidates. A part is divided by its best value, after negative values are
    set to zero: the convex combination with a theoretical minimum of Bruch, Gai and Ingber 2023 ("An analysis of
    fusion functions for hybrid retrieval", ACM TOIS 42:1), the minimum being 0 for BM25, for simGIC and for cosines
    between texts. The mean is over all the parts given, so 1 is a document that is best in each. ValueError when a
    part has no weight, a weight is negative, or all are zero.
    """
    import numpy as np

    total = _checked(parts, weights)
    fused = np.zeros(len(next(iter(parts.values()))), dtype=np.float64)
    for name in sorted(parts):
        fused += weights[name] / total * scaled(parts[name])
    return fused


def scaled(scores: np.ndarray) -> np.ndarray:
    """``scores`` over the best of them, float64 in [0, 1]; negative ones are zero."""
    import numpy as np

    scores = np.maximum(np.asarray(scores, dtype=np.float64), 0)
    best = scores.max(initial=0)
    return scores / best if best > 0 else scores


def reciprocal_rank(
    rankings: Mapping[str, Sequence[str]], weights: Mapping[str, float], *, k: float = 60
) -> dict[str, float]:
    """Weighted reciprocal rank fusion: for each id, the sum of weight / (k + rank) over the rankings that hold it.

    Cormack, Clarke and Büttcher 2009 (SIGIR), who use k = 60. For rankings whose scores cannot be compared.
    ValueError as in `convex`.
    """
    _checked(rankings, weights)
    fused: dict[str, float] = {}
    for name in sorted(rankings):
        for rank, document in enumerate(rankings[name], 1):
            fused[document] = fused.get(document, 0.0) + weights[name] / (k + rank)
    return fused


def _checked(parts: Mapping[str, object], weights: Mapping[str, float]) -> float:
    chosen = [weights[name] for name in sorted(parts) if name in weights]
    if len(chosen) != len(parts) or not parts or min(chosen) < 0 or sum(chosen) <= 0:
        raise ValueError(f"parts {sorted(parts)} need weights ≥ 0 that are not all zero, not {dict(weights)}")
    return sum(chosen)
