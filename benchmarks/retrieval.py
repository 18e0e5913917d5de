"""How papers are ranked, a collection left out in turn: ``python -m benchmarks.retrieval [COLLECTION…]``.

COLLECTION: a folder in BEIR layout (`retrieval.evaluation.beir`); by default three of the development data. Of each:
nDCG@10 of BM25 alone, of pieces of words alone, of sentence vectors alone, of the mean of BM25 and vectors, of the
fusion before (BM25 .4, vectors .6) and of the product today; then what the other collections would have chosen for it,
by their mean gain, from each family of settings: two parts, with pieces of words, with feedback, with both. Gains are
over the fusion before, with the 95 % interval of a paired bootstrap over queries (2,000 resamples). Of a collection
with more than ``--queries`` judged queries so many are drawn (by the sha256 of their ids), and of its documents theirs
and others up to ``--documents``. ``floor``: the share of the judged queries that the relevance floor would turn away.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from indexes.lexical_index import LexicalIndex
from indexes.ranking import id_ranks
from retrieval.encoder import Encoder
from retrieval.evaluation import beir
from retrieval.evaluation.beir import JudgedCollection
from retrieval.evaluation.evaluate import Candidates, encoded
from retrieval.evaluation.metrics import ndcg
from retrieval.feedback import DOCUMENTS, SHARE
from retrieval.literature import WEIGHTS
from retrieval.relevance import reached

DEFAULT = ("bioasq_beir", "pubmedqa_beir", "cystic_fibrosis_beir")
DEPTH = 300
SEED, RESAMPLES = 20261127, 2000


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """Weights of the parts (vectors have the rest), and of how many documents how much is fed back."""

    bm25: float
    grams: float
    documents: int = 0
    share: float = 0.0

    @property
    def weights(self) -> dict[str, float]:
        return {"bm25": self.bm25, "grams": self.grams, "dense": round(1 - self.bm25 - self.grams, 3)}


BEFORE, AVERAGE = Setting(0.4, 0.0), Setting(0.5, 0.0)
TODAY = Setting(WEIGHTS["bm25"], WEIGHTS["grams"], DOCUMENTS, SHARE)
SINGLE = {"bm25": Setting(1.0, 0.0), "grams": Setting(0.0, 1.0), "dense": Setting(0.0, 0.0)}
_STEPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
_PARTS = [Setting(a, g) for a, g in product(_STEPS, _STEPS) if 0.3 <= round(a + g, 3) <= 0.6]
_ALL = _PARTS + [Setting(s.bm25, s.grams, n, share) for s in _PARTS for n in (2, 3) for share in (0.2, 0.4)]
FAMILIES: dict[str, list[Setting]] = {
    "two parts": [s for s in _PARTS if not s.grams],
    "pieces of words": _PARTS,
    "feedback": [s for s in _ALL if not s.grams],
    "both": _ALL,
}
Scores = Mapping[Setting, np.ndarray]


def part_of(collection: JudgedCollection, queries: int, documents: int) -> JudgedCollection:
    """At most so many queries, and their documents with others up to so many (more when they have more)."""

    def drawn(name: str) -> str:
        return sha256(name.encode()).hexdigest()

    if len(collection.queries) <= queries:
        return collection
    asked = sorted(sorted(collection.queries, key=drawn)[:queries])
    judged = {name: collection.judged[name] for name in asked}
    needed = {document for grades in judged.values() for document in grades}
    rows = sorted(range(len(collection.ids)), key=lambda r: (collection.ids[r] not in needed, drawn(collection.ids[r])))
    rows = rows[: max(documents, len(needed))]
    return JudgedCollection(
        ids=tuple(collection.ids[row] for row in rows),
        texts=tuple(collection.texts[row] for row in rows),
        queries={name: collection.queries[name] for name in asked},
        judged=judged,
    )


def measure(collection: JudgedCollection, cache: Path | None) -> tuple[dict[Setting, np.ndarray], dict[str, Any]]:
    """nDCG@10 of every query under every setting, float64 (queries,), and the rest of what is said of a collection."""
    encoder = Encoder.load()
    vectors = encoded(collection.texts, encoder, cache, "", None)
    asked = encoded(list(collection.queries.values()), encoder, cache, "", None)
    lexical = LexicalIndex.of(collection.texts, collection.ids)
    grams = LexicalIndex.of(collection.texts, collection.ids, unit="grams")
    ranks = id_ranks(collection.ids)
    settings = sorted({*_ALL, BEFORE, AVERAGE, TODAY, *SINGLE.values()})
    found: dict[Setting, list[float]] = {setting: [] for setting in settings}
    turned_away, spent = 0, {BEFORE: 0.0, TODAY: 0.0}
    for vector, (name, query) in zip(asked, collection.queries.items(), strict=True):
        words = {"bm25": lexical.scores(query), "grams": grams.scores(query)}
        candidates = Candidates.of(words, vector, vectors, ranks, DEPTH)
        best = {part: float(values.max()) for part, values in candidates.parts.items()}
        turned_away += not reached(query, lexical, best["bm25"], best["dense"])
        for setting in settings:
            scores = candidates.fused(setting.weights, documents=setting.documents, share=setting.share)
            ranked = [collection.ids[row] for row in candidates.best(scores, 10)[0]]
            found[setting].append(ndcg(ranked, collection.judged[name]))
        for setting in spent:
            spent[setting] += _seconds(setting, lexical, grams, query, vector, vectors, ranks)
    said = {
        "queries": len(collection.queries),
        "documents": len(collection.ids),
        "floor": round(turned_away / len(collection.queries), 4),
        "ms_a_query": {
            "before": round(1000 * spent[BEFORE] / len(asked), 3),
            "today": round(1000 * spent[TODAY] / len(asked), 3),
        },
    }
    return {setting: np.array(values) for setting, values in found.items()}, said


def _seconds(
    setting: Setting,
    lexical: LexicalIndex,
    grams: LexicalIndex,
    query: str,
    vector: np.ndarray,
    vectors: np.ndarray,
    ranks: np.ndarray,
) -> float:
    """Processor time of the search of an encoded query."""
    started = process_time()
    words = {"bm25": lexical.scores(query)} | ({"grams": grams.scores(query)} if setting.grams else {})
    candidates = Candidates.of(words, vector, vectors, ranks, DEPTH)
    candidates.best(candidates.fused(setting.weights, documents=setting.documents, share=setting.share), 10)
    return process_time() - started


def chosen(family: Sequence[Setting], others: Sequence[Scores]) -> Setting:
    """The setting with the best mean gain over BEFORE on the other collections, each counting the same; the first of
    equals."""
    return max(sorted(family), key=lambda s: sum(float((scores[s] - scores[BEFORE]).mean()) for scores in others))


def gain(scores: Scores, setting: Setting) -> dict[str, Any]:
    """nDCG@10 of a setting, its gain over BEFORE and the interval of that."""
    difference = scores[setting] - scores[BEFORE]
    drawn = np.random.default_rng(SEED).integers(0, len(difference), (RESAMPLES, len(difference)))
    low, high = np.percentile(difference[drawn].mean(axis=1), [2.5, 97.5])
    rounded = {"ndcg@10": scores[setting].mean(), "gain": difference.mean(), "low": low, "high": high}
    return {
        "weights": setting.weights,
        "feedback": [setting.documents, setting.share],
        **{name: round(float(value), 4) for name, value in rounded.items()},
    }


def left_out(measured: Mapping[str, Scores]) -> dict[str, Any]:
    """By family: what the other collections choose for each collection and what it gains there; the worst and the
    mean gain."""
    result: dict[str, Any] = {}
    for family, settings in FAMILIES.items():
        rows = {
            name: gain(scores, chosen(settings, [other for key, other in measured.items() if key != name]))
            for name, scores in measured.items()
        }
        gains = [row["gain"] for row in rows.values()]
        result[family] = {"worst": min(gains), "mean": round(sum(gains) / len(gains), 4), **rows}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("collections", nargs="*", type=Path, metavar="COLLECTION")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, help="keep the vectors here")
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=2500)
    parser.add_argument("--json", action="store_true", help="one object on one line")
    arguments = parser.parse_args()
    measured: dict[str, Scores] = {}
    result: dict[str, Any] = {"measured": stamp(), "collections": {}}
    for folder in arguments.collections or [arguments.data / name for name in DEFAULT]:
        collection = part_of(beir.read(folder), arguments.queries, arguments.documents)
        measured[folder.name], said = measure(collection, arguments.cache)
        scores = measured[folder.name]
        alone = {name: round(float(scores[setting].mean()), 4) for name, setting in SINGLE.items()}
        alone |= {"plain average": round(float(scores[AVERAGE].mean()), 4)}
        alone |= {"before": round(float(scores[BEFORE].mean()), 4)}
        result["collections"][folder.name] = {**said, **alone, "today": gain(scores, TODAY)}
    if len(measured) > 1:
        result["left out"] = left_out(measured)
        result["chosen by all"] = {name: _said(chosen(s, list(measured.values()))) for name, s in FAMILIES.items()}
    print(json.dumps(result, indent=None if arguments.json else 1))


def _said(setting: Setting) -> dict[str, Any]:
    return {"weights": setting.weights, "feedback": [setting.documents, setting.share]}


if __name__ == "__main__":
    main()
