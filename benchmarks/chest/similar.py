"""How alike the reports found are: ``python -m benchmarks.chest.similar --home HOME``. Of films: `similar_films`.

**Open-i**: a report without its annotators' codes asks all the others; relevant is whose MeSH codes
agree (Jaccard of the headings and of heading with qualifier). Reports coded abnormal ask, ``--queries`` of them, drawn
by the sha256 of their ids.

The gain is the agreement; the precision at 5 counts an agreement of one half and more. Reported are random order, each
part alone, and all together. Weights are chosen on one half of the queries (by hash), and everything is reported on the
other, with the 95 % interval of a paired bootstrap over its queries (2,000 resamples) of what all have over each part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from home import open_graph, open_linker
from indexes.lexical_index import LexicalIndex
from kg.graph import KnowledgeGraph
from ontologies.sources.store import member_path
from retrieval import openi
from retrieval.concept_index import ConceptIndex
from retrieval.encoder import Encoder
from retrieval.evaluation.evaluate import encoded
from retrieval.hybrid import WEIGHTS
from retrieval.rank_fusion import convex
from retrieval.readings import Readings

SEED, RESAMPLES = 20261128, 2000
_STEPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
Parts = Mapping[str, np.ndarray]  # name → float (cases,)
Query = tuple[str, Parts, np.ndarray]  # id, parts, agreement in [0, 1] with every case (the case itself: NaN)


def agreement(own: frozenset[str], others: Sequence[frozenset[str]]) -> np.ndarray:
    """Jaccard with each, float64; of two empty sets, zero."""
    return np.array([len(own & other) / (len(own | other) or 1) for other in others])


def measured(scores: np.ndarray, gains: np.ndarray) -> tuple[float, float]:
    """nDCG@10, with the agreement as gain, and precision@5 of one ranking; ties in the order of the cases."""
    order = np.argsort(-scores, kind="stable")
    discount = 1 / np.log2(np.arange(2, 12))
    best = np.sort(gains)[::-1][:10]
    ideal = float((best * discount[: len(best)]).sum())
    first = gains[order[:10]]
    found = float((first * discount[: len(first)]).sum())
    return (found / ideal if ideal else 0.0), float((gains[order[:5]] >= 0.5).mean())


def fused(parts: Parts, weights: Mapping[str, float]) -> np.ndarray:
    """All parts in one score, as `retrieval.hybrid` fuses them."""
    return convex({name: parts[name] for name in weights}, weights)


def openi_queries(home: Path, most: int, graph: KnowledgeGraph) -> Iterator[Query]:
    """A report asks the others; nothing of the annotators' codes is in what is asked or searched."""
    reports = [r for r in openi.read(member_path(home, "openi", "NLMCXR_reports.tgz")) if r.findings or r.impression]
    texts = [" ".join(filter(None, (r.findings, r.impression))) for r in reports]
    encoder = Encoder.load()
    vectors = encoded(texts, encoder, home, "", None)
    lexical = LexicalIndex.of(texts, [r.report_id for r in reports])
    found = Readings(open_linker(home), home / "readings" / "openi-without-codes")
    concepts = [tuple(sorted({curie for curie, _ in one})) for one in found.present(texts)]
    found.save()
    index = ConceptIndex.build(
        concepts,
        home / "indexes" / "openi-concepts",
        ancestors=lambda curie: graph.ancestors(curie) - {graph.resolve(curie)} if curie in graph else frozenset(),
    )
    coded = [frozenset(p for code in r.mesh for p in (code.split("/")[0], *_pairs(code))) for r in reports]
    abnormal = [row for row, report in enumerate(reports) if report.abnormal]
    drawn = sorted(abnormal, key=lambda row: sha256(reports[row].report_id.encode()).hexdigest())[:most]
    for row in sorted(drawn):
        others = np.arange(len(reports)) != row
        parts = {
            "bm25": lexical.scores(texts[row]),
            "dense": vectors @ vectors[row],
            "concepts": index.scores(concepts[row]),
        }
        parts = {name: values[others] for name, values in parts.items()}
        yield reports[row].report_id, parts, agreement(coded[row], coded)[others]


def _pairs(code: str) -> Iterator[str]:
    heading, *qualifiers = code.split("/")
    return (f"{heading}/{qualifier}" for qualifier in qualifiers)


def table(queries: Sequence[Query], together: Sequence[str], today: Mapping[str, float]) -> dict[str, Any]:
    """Everything that is said of one set."""
    half = np.array([int(sha256(f"half {name}".encode()).hexdigest(), 16) % 2 for name, _, _ in queries])
    tried = [dict(zip(together, steps, strict=True)) for steps in product(_STEPS, repeat=len(together))]
    tried = [weights for weights in tried if abs(sum(weights.values()) - 1) < 1e-9]

    def every(score: Callable[[Parts], np.ndarray], rows: Sequence[Query]) -> np.ndarray:
        return np.array([measured(score(parts), gains) for _, parts, gains in rows])

    tune = [query for query, part in zip(queries, half, strict=True) if part == 0]
    test = [query for query, part in zip(queries, half, strict=True) if part == 1]
    means = [every(lambda parts, w=weights: fused(parts, w), tune)[:, 0].mean() for weights in tried]  # type: ignore[misc]
    chosen = tried[int(np.argmax(means))]
    random = np.random.default_rng(SEED)
    rows = {"random": every(lambda parts: random.random(len(next(iter(parts.values())))), test)}
    rows |= {name: every(lambda parts, n=name: parts[n], test) for name in test[0][1]}  # type: ignore[misc]
    rows["all, weights of today"] = every(lambda parts: fused(parts, today), test)
    rows["all"] = every(lambda parts: fused(parts, chosen), test)
    drawn = random.integers(0, len(test), (RESAMPLES, len(test)))
    gain = {}
    for name, values in rows.items():
        means_of = (rows["all"] - values)[:, 0][drawn].mean(1)
        gain[name] = [round(float(v), 4) for v in np.percentile(means_of, (2.5, 97.5))]
    return {
        "queries": {"tuned on": len(tune), "reported on": len(test)},
        "cases": len(test[0][2]),
        "weights": chosen,
        "nDCG@10, precision@5": {n: [round(float(m), 4) for m in v.mean(0)] for n, v in rows.items()},
        "all over it, nDCG@10": {n: v for n, v in gain.items() if n != "all"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=600)
    given = parser.parse_args()
    print(stamp())
    queries = list(openi_queries(given.home, given.queries, open_graph(given.home)))
    today = {part: WEIGHTS[part] for part in ("bm25", "dense", "concepts")}
    print(json.dumps({"Open-i": table(queries, tuple(today), today)}, indent=1))


if __name__ == "__main__":
    main()
