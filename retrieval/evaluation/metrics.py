"""Measures of a ranking against judged documents.

``ranked`` is a list of document ids, best first, without repetition; ``grades`` maps a relevant id to its grade (≥ 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Normalised discounted cumulative gain at ``k``: Σ (2^grade − 1) / log2(rank + 1), over that of the ideal order.

    The exponential gain is that of Burges et al. 2005 (ICML, "Learning to rank using gradient descent"); the measure
    is by Järvelin and Kekäläinen 2002 (ACM TOIS 20:4). Zero when nothing is relevant.
    """
    gain = sum(_gain(grades.get(name, 0), rank) for rank, name in enumerate(ranked[:k], 1))
    ideal = sum(_gain(grade, rank) for rank, grade in enumerate(sorted(grades.values(), reverse=True)[:k], 1))
    return gain / ideal if ideal else 0.0


def recall(ranked: Sequence[str], grades: Mapping[str, int], k: int = 100) -> float:
    """The share of the relevant documents among the first ``k``; zero when nothing is relevant."""
    return len(set(ranked[:k]) & grades.keys()) / len(grades) if grades else 0.0


def reciprocal_rank(ranked: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """One over the rank of the first relevant document among the first ``k``, else zero (MRR is its mean; TREC-8
    QA)."""
    return next((1 / rank for rank, name in enumerate(ranked[:k], 1) if name in grades), 0.0)


def averages(run: Mapping[str, Sequence[str]], judged: Mapping[str, Mapping[str, int]]) -> dict[str, float | int]:
    """Means over the judged queries, rounded to four places; a query that the run lacks scores zero.

    Keys: queries, missing, ndcg@10, recall@100, mrr@10. ValueError when no query is judged.
    """
    if not judged:
        raise ValueError("no query is judged")
    count = len(judged)

    def mean(measure: Callable[[Sequence[str], Mapping[str, int]], float]) -> float:
        return round(sum(measure(run.get(query, ()), grades) for query, grades in judged.items()) / count, 4)

    return {
        "queries": count,
        "missing": len(judged.keys() - run.keys()),
        "ndcg@10": mean(ndcg),
        "recall@100": mean(recall),
        "mrr@10": mean(reciprocal_rank),
    }


def _gain(grade: int, rank: int) -> float:
    return (2**grade - 1) / math.log2(rank + 1)
