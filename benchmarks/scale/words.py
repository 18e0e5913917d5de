"""BM25 over made texts: ``python -m benchmarks.scale.words --sizes 10000 100000 1000000 --folder F``.

A text has 60 to 180 words of a vocabulary of 50,000, drawn by Zipf's law, so that a few words are in most texts. Each
size is built, opened and searched (200 queries of four words that are neither the commonest nor the rarest) in a
process of its own with one thread; the figures go to ``F/words.json`` as soon as they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from benchmarks.scale.vectors import Clock
from indexes.lexical_index import LexicalIndex

VOCABULARY, QUERIES, K = 50_000, 200, 10
_SYLLABLES = ["ba", "co", "di", "fu", "ga", "hel", "in", "jor", "ka", "lu", "mo", "nar", "op", "pel", "ri", "su", "tor"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--part", choices=("build", "search"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if arguments.part:
        (n,) = arguments.sizes
        print(json.dumps(build(folder, n) if arguments.part == "build" else search(folder, n)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "words.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    for n in arguments.sizes:
        for part in ("build", "search"):
            if part in results.setdefault(str(n), {}):
                continue
            command = [sys.executable, "-m", "benchmarks.scale.words", "--folder", str(folder), "--sizes", str(n)]
            done = subprocess.run([*command, "--part", part], stdout=subprocess.PIPE, text=True, check=True)
            results[str(n)][part] = json.loads(done.stdout.splitlines()[-1])
            file.write_text(json.dumps(results | {"machine": stamp()}, indent=1) + "\n")
            print(f"{n:>9,} {part:7} {results[str(n)][part]}", flush=True)


def words() -> np.ndarray:
    """The vocabulary, commonest first: words of three to five syllables."""
    random, made = np.random.default_rng(5), dict[str, None]()
    while len(made) < VOCABULARY:
        made["".join(random.choice(_SYLLABLES, random.integers(3, 6)))] = None
    return np.array(list(made))


def texts(n: int) -> Iterator[str]:
    """``n`` made texts; the same each time."""
    vocabulary, random = words(), np.random.default_rng(6)
    cumulated = np.cumsum(1 / np.arange(1, VOCABULARY + 1))
    for _ in range(n):
        drawn = np.searchsorted(cumulated, random.random(random.integers(60, 181)) * cumulated[-1])
        yield " ".join(vocabulary[np.minimum(drawn, VOCABULARY - 1)])


def build(folder: Path, n: int) -> dict[str, Any]:
    """Build the index of ``n`` texts (which are made before the clock starts)."""
    made, ids = list(texts(n)), [f"doc-{row:08d}" for row in range(n)]
    clock, path = Clock(), folder / f"words-{n}"
    LexicalIndex.build(made, ids, path)
    size = sum(file.stat().st_size for file in path.iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**clock.told("build"), "disk_mb": round(size / 1e6, 1), "peak_mb": round(peak / 1024)}


def search(folder: Path, n: int) -> dict[str, Any]:
    """Open it and search."""
    clock = Clock()
    index = LexicalIndex.open(folder / f"words-{n}")
    opened, random = clock.told("open"), np.random.default_rng(8)
    vocabulary = words()[100:20_000]
    queries = [" ".join(random.choice(vocabulary, 4)) for _ in range(QUERIES)]
    index.search(queries[0], K)
    clock = Clock()
    found = sum(bool(index.search(query, K)[0]) for query in queries)
    took = clock.told("all")
    return opened | {"ms": round(1e3 * took["all_s"] / QUERIES, 2), "answered": found}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
