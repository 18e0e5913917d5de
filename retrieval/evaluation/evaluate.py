"""``whydx eval retrieve``: the literature search on a judged collection in BEIR layout.

Files: `retrieval.evaluation.beir`. Measures: `retrieval.evaluation.metrics`, over the queries that qrels judge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError
from indexes import manifest
from indexes.lexical_index import LexicalIndex
from indexes.ranking import best_rows, id_ranks
from retrieval.encoder import Encoder
from retrieval.evaluation import beir
from retrieval.evaluation.metrics import averages
from retrieval.feedback import DOCUMENTS, SHARE, moved
from retrieval.hybrid import DEPTH
from retrieval.literature import WEIGHTS
from retrieval.rank_fusion import convex

if TYPE_CHECKING:
    import numpy as np

TAG = "whydx"
SYSTEMS = ("bm25", "grams", "dense", "fused")
CACHE_KIND = "embedding cache"
_CHUNK = 1024

Progress = Callable[[str, int, int], None]


def evaluate_retrieve(
    beir_dir: Path,
    k: int = 100,
    *,
    home: Path | None = None,
    encoder: Encoder | None = None,
    progress: Progress | None = None,
) -> tuple[str, dict[str, Any]]:
    """Search the corpus with every judged query; returns (TREC run of the fused search, metrics).

    The run has one line for each of the ``k`` best documents of a query, "query Q0 document rank score whydx",
    queries by id, best first, ties by document id. Metrics: those of `metrics.averages` for the fused search, and
    ``systems``: the same for "bm25", "grams", "dense" and "fused". Vectors are kept under ``home/indexes/beir`` (None:
    not kept), in chunks, so that an interrupted run resumes; a chunk's key is the sha256 of its texts and the encoder's
    fingerprint.

    Raises InputError when a file is missing or malformed.
    """
    collection = beir.read(beir_dir)
    ids, texts, judged = collection.ids, collection.texts, collection.judged
    encoder = encoder or Encoder.load()
    vectors = encoded(texts, encoder, home, "encode documents", progress)
    asked = encoded(list(collection.queries.values()), encoder, home, "encode queries", progress)
    lexical, grams = LexicalIndex.of(texts, ids), LexicalIndex.of(texts, ids, unit="grams")
    ranks = id_ranks(ids)
    runs: dict[str, dict[str, list[str]]] = {system: {} for system in SYSTEMS}
    lines: list[str] = []
    for number, (name, query) in enumerate(collection.queries.items()):
        words = {"bm25": lexical.scores(query), "grams": grams.scores(query)}
        candidates = Candidates.of(words, asked[number], vectors, ranks, max(DEPTH, k))
        for system, values in candidates.parts.items():
            rows, scores = candidates.best(values, k)
            runs[system][name] = [ids[row] for row, score in zip(rows, scores, strict=True) if score > 0]
        rows, scores = candidates.best(candidates.fused(), k)
        runs["fused"][name] = [ids[row] for row in rows]
        lines += [
            f"{name} Q0 {ids[row]} {rank} {score!r} {TAG}"
            for rank, (row, score) in enumerate(zip(rows, scores.tolist(), strict=True), 1)
        ]
        if progress:
            progress("search", number + 1, len(asked))
    systems = {system: averages(runs[system], judged) for system in SYSTEMS}
    metrics: dict[str, Any] = {
        **systems["fused"],
        "documents": len(ids),
        "systems": systems,
        "weights": {name: WEIGHTS[name] for name in SYSTEMS[:-1]},
        "encoder": encoder.fingerprint,
    }
    return "".join(f"{line}\n" for line in lines), metrics


@dataclass(frozen=True, slots=True)
class Candidates:
    """What one query's search chooses from: ``rows`` (n,) of the collection, the score of each in every part (n,),
    their vectors (n, d) and order among equals (n,); ``query`` (d,) is the query's vector."""

    rows: np.ndarray
    parts: Mapping[str, np.ndarray]
    vectors: np.ndarray
    ranks: np.ndarray
    query: np.ndarray

    @classmethod
    def of(
        cls, words: Mapping[str, np.ndarray], query: np.ndarray, vectors: np.ndarray, ranks: np.ndarray, depth: int
    ) -> Candidates:
        """The ``depth`` best of each part. ``words`` are lexical scores of every document, zero where none matches."""
        import numpy as np

        parts = {**words, "dense": vectors @ query}
        best = [best_rows(scores, ranks, depth) for scores in parts.values()]
        kept = [
            rows if name == "dense" else rows[parts[name][rows] > 0] for name, rows in zip(parts, best, strict=True)
        ]
        rows = np.unique(np.concatenate(kept))
        chosen = {name: scores[rows] for name, scores in parts.items()}
        return cls(rows, chosen, vectors[rows], ranks[rows], query)

    def fused(
        self, weights: Mapping[str, float] = WEIGHTS, *, documents: int = DOCUMENTS, share: float = SHARE
    ) -> np.ndarray:
        """The fused score of each candidate, float64 (n,), as `literature.Literature.search` has it for a text."""
        fused = convex(self.parts, weights)
        if not share:
            return fused
        query = moved(self.query, fused, self.ranks, self.vectors.__getitem__, documents=documents, share=share)
        return convex({**self.parts, "dense": self.vectors @ query}, weights)

    def best(self, scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of the ``k`` best of the candidates by ``scores`` (n,), ties in the order of ``ranks``."""
        best = best_rows(scores, self.ranks, k)
        return self.rows[best], scores[best]


def encoded(
    texts: Sequence[str], encoder: Encoder, home: Path | None, stage: str, progress: Progress | None
) -> np.ndarray:
    """Vectors of the texts, chunk by chunk, from the cache where it has them."""
    import numpy as np

    parts = []
    for start in range(0, len(texts), _CHUNK):
        part = texts[start : start + _CHUNK]
        parts.append(_chunk(part, encoder, home))
        if progress:
            progress(stage, start + len(part), len(texts))
    return np.concatenate(parts)


def _chunk(texts: Sequence[str], encoder: Encoder, home: Path | None) -> np.ndarray:
    import numpy as np

    if home is None:
        return encoder.encode(texts)
    digest = hashlib.sha256(json.dumps([encoder.fingerprint, *texts]).encode()).hexdigest()
    folder = home / "indexes" / "beir" / digest[:32]
    try:
        manifest.read(folder, kind=CACHE_KIND)
        return np.load(folder / "vectors.npy", allow_pickle=False)
    except ArtifactError:  # not there, or damaged: it can be made again
        vectors = encoder.encode(texts)
    with manifest.atomic_directory(folder) as building:
        np.save(building / "vectors.npy", vectors, allow_pickle=False)
        manifest.write(building, kind=CACHE_KIND, version=1, inputs={"encoder": encoder.fingerprint, "texts": digest})
    return vectors
