"""Encoding papers, beside plain sentence-transformers: ``python -m benchmarks.scale.encoding FOLDER``.

FOLDER is a judged collection in BEIR layout. The same packaged model encodes its documents three ways: by
``SentenceTransformer.encode`` as it comes, by whydx up to the model's own limit, and by whydx as the literature index
does (`retrieval.literature.LONGEST` tokens). Chunks of 64 documents go to the three in turn, so that other work on the
machine slows all of them alike; time is of the processor, one thread, after a chunk to warm up. nDCG@10 is of the
vectors alone, over all judged queries, which are encoded by whydx for all three.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

import numpy as np
import torch

from benchmarks.machine import stamp
from indexes.ranking import best_rows, id_ranks
from retrieval.encoder import Encoder, packaged_folder
from retrieval.evaluation import beir
from retrieval.evaluation.metrics import averages
from retrieval.literature import LONGEST

_CHUNK = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=None, help="only so many of them, and no nDCG")
    given = parser.parse_args()
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    collection, encoder = beir.read(given.folder), Encoder.load()
    plain = SentenceTransformer(str(packaged_folder()), device="cpu")
    ways: dict[str, Callable[[Sequence[str]], np.ndarray]] = {
        "plain sentence-transformers": lambda texts: np.asarray(
            plain.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        ),
        "whydx, whole": encoder.encode,
        f"whydx, {LONGEST} tokens": lambda texts: encoder.encode(texts, longest=LONGEST),
    }
    texts = collection.texts[: given.documents]
    seconds, vectors = dict.fromkeys(ways, 0.0), {way: [encode(texts[:_CHUNK])][:0] for way, encode in ways.items()}
    for start in range(0, len(texts), _CHUNK):
        for way, encode in ways.items():
            begun = process_time()
            vectors[way].append(encode(texts[start : start + _CHUNK]))
            seconds[way] += process_time() - begun
    found = {"documents": len(texts), "ms a document": {w: round(1e3 * s / len(texts), 2) for w, s in seconds.items()}}
    first = next(iter(ways))
    found |= {"times as fast": {way: round(seconds[first] / s, 2) for way, s in seconds.items()}}
    if given.documents is None:
        asked, ranks = encoder.encode(list(collection.queries.values())), id_ranks(collection.ids)
        measured = {}
        for way, parts in vectors.items():
            scores = asked @ np.concatenate(parts).T
            runs = {
                name: [collection.ids[row] for row in best_rows(row_scores, ranks, 100)]
                for name, row_scores in zip(collection.queries, scores, strict=True)
            }
            measured[way] = averages(runs, collection.judged)["ndcg@10"]
        found |= {"nDCG@10": measured, "share": {way: round(n / measured[first], 4) for way, n in measured.items()}}
    print(stamp())
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
