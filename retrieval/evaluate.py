"""``whydx eval retrieve``: the literature search on a judged collection in BEIR layout.

Files: corpus.jsonl (``_id``, ``title``, ``text``), queries.jsonl (``_id``, ``text``), qrels/test.tsv (query,
document, grade; one header line). Measures: `retrieval.metrics`, over the queries that qrels judge.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError
from indexes import manifest
from indexes.lexical_index import LexicalIndex
from indexes.ranking import best_rows, id_ranks
from retrieval.encoder import Encoder
from retrieval.hybrid import DEPTH, WEIGHTS
from retrieval.metrics import averages
from retrieval.rank_fusion import convex

if TYPE_CHECKING:
    import numpy as np

TAG = "whydx"
SYSTEMS = ("bm25", "dense", "fused")
CACHE_KIND = "embedding cache"
_CHUNK = 1024

Progress = Callable[[str, int, int], None]


def evaluate_retrieve(
    beir_dir: Path,
    k: int = 100,
    *,
    home: Path | None = None,
    encoder: Encoder | None = None,
    weights: Mapping[str, float] = WEIGHTS,
    progress: Progress | None = None,
) -> tuple[str, dict[str, Any]]:
    """Search the corpus with every judged query; returns (TREC run of the fused search, metrics).

    The run has one line for each of the ``k`` best documents of a query, "query Q0 document rank score whydx",
    queries by id, best first, ties by document id. Metrics: those of `metrics.averages` for the fused search, and
    ``systems``: the same for "bm25", "dense" and "fused". Vectors are kept under ``home/indexes/beir`` (None: not
    kept), in chunks, so that an interrupted run resumes; a chunk's key is the sha256 of its texts and the encoder's
    fingerprint.

    Raises InputError when a file is missing or malformed.
    """
    documents = _rows(beir_dir / "corpus.jsonl")
    judged = _judgements(beir_dir / "qrels" / "test.tsv")
    queries = {row["_id"]: row["text"] for row in _rows(beir_dir / "queries.jsonl") if row["_id"] in judged}
    if not documents or not queries:
        raise InputError("nothing to evaluate", value=beir_dir, expected="documents and judged queries")
    ids = [row["_id"] for row in documents]
    if len(set(ids)) != len(ids):
        raise InputError("a document id repeats", value=beir_dir / "corpus.jsonl")
    texts = [f"{row.get('title') or ''} {row['text']}".strip() for row in documents]
    encoder = encoder or Encoder.load()
    names = sorted(queries)
    vectors = _encoded(texts, encoder, home, "encode documents", progress)
    asked = _encoded([queries[name] for name in names], encoder, home, "encode queries", progress)
    lexical, ranks = LexicalIndex.of(texts, ids), id_ranks(ids)
    runs: dict[str, dict[str, list[str]]] = {system: {} for system in SYSTEMS}
    lines: list[str] = []
    for number, name in enumerate(names):
        found = _search(lexical.scores(queries[name]), vectors @ asked[number], ranks, k, weights)
        for system, (rows, _) in found.items():
            runs[system][name] = [ids[row] for row in rows]
        rows, scores = found["fused"]
        lines += [
            f"{name} Q0 {ids[row]} {rank} {score!r} {TAG}"
            for rank, (row, score) in enumerate(zip(rows, scores.tolist(), strict=True), 1)
        ]
        if progress:
            progress("search", number + 1, len(names))
    systems = {system: averages(runs[system], judged) for system in SYSTEMS}
    metrics: dict[str, Any] = {
        **systems["fused"],
        "documents": len(documents),
        "systems": systems,
        "weights": {name: weights[name] for name in ("bm25", "dense")},
        "encoder": encoder.fingerprint,
    }
    return "".join(f"{line}\n" for line in lines), metrics


def _search(
    words: np.ndarray, cosines: np.ndarray, ranks: np.ndarray, k: int, weights: Mapping[str, float]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows and scores of each system: the same candidates and fusion as `hybrid.HybridIndex.search`."""
    import numpy as np

    matching = np.flatnonzero(words > 0)
    lexical = matching[best_rows(words[matching], ranks[matching], DEPTH)]
    dense = best_rows(cosines, ranks, DEPTH)
    candidates = np.union1d(lexical, dense)
    fused = convex({"bm25": words[candidates], "dense": cosines[candidates]}, weights)
    best = best_rows(fused, ranks[candidates], k)
    return {
        "bm25": (lexical[:k], words[lexical[:k]]),
        "dense": (dense[:k], cosines[dense[:k]]),
        "fused": (candidates[best], fused[best]),
    }


def _encoded(
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


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file, each with a text ``_id`` and ``text``; blank lines are passed over."""
    rows = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            whole = isinstance(row["_id"], str) and isinstance(row["text"], str) and not set(row["_id"]) & set(" \t\n")
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            raise InputError(f"line {number} is not a row", value=path, expected='{"_id": "…", "text": "…"}')
        rows.append(row)
    return rows


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_lines(path)[1:], 2):
        fields = line.split("\t")
        if len(fields) != 3 or not fields[2].strip().lstrip("-").isdigit():
            raise InputError(f"line {number} is not a judgement", value=path, expected="query, document and grade")
        if int(fields[2]) > 0:
            judged.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    if not judged:
        raise InputError("no relevant document", value=path)
    return judged


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split("\n")[: None if path.suffix == ".jsonl" else -1]
    except FileNotFoundError:
        raise InputError(
            "no such file", value=path, expected="a BEIR folder: corpus, queries, qrels/test.tsv"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read", value=path, expected="UTF-8 text") from error
