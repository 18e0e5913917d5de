"""A vector index of made vectors, beside hnswlib and plain FAISS: ``python -m benchmarks.scale.vectors --folder F``.

Makes N × 384 clustered vectors (a mixture in 48 dimensions, turned into 384, with noise), and 500 queries of the same
mixture, for each of --sizes. Every figure is of a process of its own with one thread and is written to
``F/results.json`` as soon as it is there; a run that was killed goes on with what is missing. Times are of the
processor (wall times stand beside them); "mb" of an index is the memory that opening and searching it has taken,
without what is only mapped from its files.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from indexes.planner import IndexPlan, plan
from indexes.vector_build import blocks, exact_rows
from indexes.vector_index import VectorIndex
from indexes.vector_update import update

DIM, QUERIES, K = 384, 500, 10
_LATENT, _CLUSTERS, _WITHIN, _NOISE = 48, 2000, 0.7, 0.3
SHARES = (0.001, 0.01, 0.1, 0.5)
LARGE = 1 << 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, required=True, help="where vectors, indexes and results.json go")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--step", nargs=2, metavar=("N", "STEP"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    if arguments.step:
        n, step = int(arguments.step[0]), arguments.step[1]
        print(json.dumps(STEPS[step](folder / str(n), n)))
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    results: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    for n in arguments.sizes:
        (folder / str(n)).mkdir(exist_ok=True)
        for step in arguments.only:
            if step in results.setdefault(str(n), {}):
                continue
            command = [sys.executable, "-m", "benchmarks.scale.vectors", "--folder", str(folder)]
            done = subprocess.run([*command, "--step", str(n), step], stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                print(f"{n:>9,} {step:12} failed", file=sys.stderr)
                continue
            results[str(n)][step] = json.loads(done.stdout.splitlines()[-1])
            file.write_text(json.dumps(results | {"machine": stamp()}, indent=1) + "\n")
            print(f"{n:>9,} {step:12} {results[str(n)][step]}", flush=True)


def block(n: int, number: int) -> np.ndarray:
    """``n`` vectors of length one, float32 (n, DIM), of the mixture; the same for the same number."""
    shape = np.random.default_rng(7)
    turn = shape.normal(size=(_LATENT, DIM)).astype(np.float32) / np.float32(np.sqrt(_LATENT))
    centres = shape.normal(size=(_CLUSTERS, _LATENT)).astype(np.float32)
    random = np.random.default_rng([7, number])
    latent = centres[random.integers(0, _CLUSTERS, n)]
    latent += np.float32(_WITHIN) * random.standard_normal((n, _LATENT), dtype=np.float32)
    made: np.ndarray = latent @ turn + np.float32(_NOISE) * random.standard_normal((n, DIM), dtype=np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def make(folder: Path, n: int) -> dict[str, Any]:
    """The vectors, the queries, and the ten nearest to each."""
    whole = np.lib.format.open_memmap(folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(n, DIM))
    for number, rows in enumerate(blocks(n)):
        whole[rows] = block(rows.stop - rows.start, number)
    queries = block(QUERIES, 1 << 20)
    nearest = exact_rows(whole, np.arange(n), queries, K)
    np.savez(folder / "queries.npz", queries=queries, nearest=nearest)
    return {"gb": round(whole.nbytes / 1e9, 2)}


def flat(folder: Path, n: int) -> dict[str, Any]:
    """FAISS's own exact index."""
    import faiss

    vectors, queries, nearest = _data(folder)
    clock, before = Clock(), anonymous()
    index = faiss.IndexFlatIP(DIM)
    for rows in blocks(n):
        index.add(vectors[rows])
    built = clock.told("build")
    return built | _searched(lambda query: index.search(query[None], K)[1][0], queries, nearest, before)


def hnsw(folder: Path, n: int) -> dict[str, Any]:
    """The graph that the planner chooses where exact search is too slow."""
    return _build(
        folder,
        n,
        replace(
            plan(1_000_000, DIM, LARGE), estimated_bytes=plan(1_000_000, DIM, LARGE).estimated_bytes * n // 1_000_000
        ),
    )


def planned(folder: Path, n: int) -> dict[str, Any]:
    """Open and search the graph, in a process that has not built it."""
    return _opened(folder, "hnsw")


def product(folder: Path, n: int) -> dict[str, Any]:
    """What the planner builds in a quarter of the graph's memory without codes of a byte a dimension."""
    quarter = plan(1_000_000, DIM, LARGE).estimated_bytes * n // 1_000_000 // 4
    chosen = plan(n, DIM, quarter) if n > 200_000 else plan(n, DIM, 4 * n * DIM - 1)
    for budget in range(quarter, 0, -max(1, quarter // 40)):
        chosen = plan(n, DIM, budget)
        if chosen.kind == "ivf-pq":
            break
    return _build(folder, n, chosen, "product")


def product_search(folder: Path, n: int) -> dict[str, Any]:
    """Open and search it, in a process that has not built it."""
    return _opened(folder, "product")


def filtered(folder: Path, n: int) -> dict[str, Any]:
    """Search among a share of the rows, beside brute force."""
    index, (vectors, queries, _) = VectorIndex.open(folder / "hnsw"), _data(folder)
    found: dict[str, Any] = {}
    for share in SHARES:
        among = np.sort(np.random.default_rng(3).choice(n, max(K, int(share * n)), replace=False))
        some = queries[:50]
        nearest = exact_rows(vectors, among, some, K)
        clock = Clock()
        rows = [index.rows(query, K, among=among) for query in some]
        took = clock.told("all")
        found[f"{share:.1%}"] = {"recall": _recall(rows, nearest), "ms": round(1e3 * took["all_s"] / len(some), 2)}
    return found


def updated(folder: Path, n: int) -> dict[str, Any]:
    """A hundredth of the vectors more, and a hundredth gone."""
    import shutil

    copy, more = folder / "updated", n // 100
    shutil.copytree(folder / "hnsw", copy, dirs_exist_ok=True)
    new, (vectors, queries, _) = block(more, 1 << 21), _data(folder)
    leaving = [f"doc-{row:08d}" for row in range(0, n, 100)]
    clock = Clock()
    index = update(copy, new, [f"new-{row:08d}" for row in range(more)], remove=leaving)
    took = clock.told("update")
    whole = np.concatenate([vectors, new])
    alive = np.setdiff1d(np.arange(len(whole)), np.arange(0, n, 100))
    nearest = exact_rows(whole, alive, queries, K)
    rows = [index.rows(query, K) for query in queries]
    shutil.rmtree(copy)
    return took | {"added": more, "removed": len(leaving), "recall@10": _recall(rows, nearest)}


def plain(folder: Path, n: int) -> dict[str, Any]:
    """FAISS's graph without whydx around it: what its own `search` takes of the file that whydx wrote."""
    import faiss

    _, queries, _ = _data(folder)
    before = anonymous()
    index: Any = faiss.read_index(str(folder / "hnsw" / "index.faiss"))
    settings = VectorIndex.open(folder / "hnsw").manifest.settings
    order = np.load(folder / "hnsw" / "order.npy")
    index.hnsw.efSearch = settings["parameters"]["efSearch"]
    return _searched(lambda query: order[index.search(query[None], K)[1][0]], queries, _data(folder)[2], before)


def hnswlib(folder: Path, n: int) -> dict[str, Any]:
    """hnswlib with the same links and the same effort at building, one thread."""
    import hnswlib as peer  # type: ignore[import-not-found,unused-ignore]

    vectors, queries, nearest = _data(folder)
    parameters = plan(1_000_000, DIM, LARGE).parameters
    clock, before = Clock(), anonymous()
    index = peer.Index(space="ip", dim=DIM)
    index.init_index(max_elements=n, M=parameters["M"], ef_construction=parameters["efConstruction"], random_seed=0)
    index.set_num_threads(1)
    for rows in blocks(n):
        index.add_items(vectors[rows], np.arange(rows.start, rows.stop))
    found: dict[str, Any] = clock.told("build")
    for effort in (16, 32, 64, 128):
        index.set_ef(effort)
        answer = _searched(
            lambda query: index.knn_query(query[None], K)[0][0].astype(np.int64), queries, nearest, before
        )
        found[f"ef {effort}"] = answer
        if answer["recall@10"] >= 0.95:
            break
    return found


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    step.__name__: step
    for step in (make, flat, hnsw, planned, plain, filtered, updated, product, product_search, hnswlib)
}


class Clock:
    """Processor and wall time since it was made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def told(self, name: str) -> dict[str, float]:
        """{"NAME_s": of the processor, "NAME_wall_s": of the wall}."""
        wall, processor = time.perf_counter() - self._wall, time.process_time() - self._processor
        return {f"{name}_s": round(processor, 3), f"{name}_wall_s": round(wall, 3)}


def anonymous() -> int:
    """Bytes of memory of this process that no file backs."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def _data(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    asked = np.load(folder / "queries.npz")
    return vectors, asked["queries"], asked["nearest"]


def _recall(rows: list[np.ndarray], nearest: np.ndarray) -> float:
    shares = [len(np.intersect1d(found, best)) / len(best) for found, best in zip(rows, nearest, strict=True)]
    return round(float(np.mean(shares)), 4)


def _searched(
    search: Callable[[np.ndarray], np.ndarray], queries: np.ndarray, nearest: np.ndarray, before: int
) -> dict[str, Any]:
    """Recall, ms of the processor for a query, and MB more than ``before``."""
    few = queries if len(queries) * 1 < 10_000 else queries[:100]
    for query in few[:20]:  # warm
        search(query)
    clock = Clock()
    rows = [search(query) for query in few]
    took = clock.told("all")
    return {
        "recall@10": _recall(rows, nearest[: len(few)]),
        "ms": round(1e3 * took["all_s"] / len(few), 3),
        "wall_ms": round(1e3 * took["all_wall_s"] / len(few), 3),
        "mb": round((anonymous() - before) / 1e6, 1),
    }


def _build(folder: Path, n: int, chosen: IndexPlan, name: str = "hnsw") -> dict[str, Any]:
    def told(stage: str, done: int, total: int) -> None:
        print(f"{time.process_time() - started:8.0f} s  {stage} {done:,}/{total:,}", file=sys.stderr, flush=True)

    started = time.process_time()
    ids, clock = [f"doc-{row:08d}" for row in range(n)], Clock()
    index = VectorIndex.build(_data(folder)[0], ids, folder / name, index_plan=chosen, progress=told, checkpoint=300)
    settings = index.manifest.settings
    return {
        **clock.told("build"),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "disk_mb": round(sum(entry.size for entry in index.manifest.files.values()) / 1e6, 1),
        "planned_mb": round(chosen.estimated_bytes / 1e6, 1),
        **{part: settings[part] for part in ("index", "parameters", "recall@10")},
    }


def _opened(folder: Path, name: str) -> dict[str, Any]:
    import faiss  # noqa: F401  # its own memory is none of the index's

    _, queries, nearest = _data(folder)
    VectorIndex.open(_small(folder))
    before, clock = anonymous(), Clock()
    index = VectorIndex.open(folder / name)
    opened = clock.told("open")
    found = _searched(lambda query: index.rows(query, K), queries, nearest, before)
    expected = index.manifest.settings["estimated_bytes"] / 1e6
    return opened | found | {"planned_mb": round(expected, 1), "of_plan": round(found["mb"] / expected, 3)}


def _small(folder: Path) -> Path:
    path = folder / "small"
    if not path.is_dir():
        VectorIndex.build(block(100, 0), [str(row) for row in range(100)], path)
    return path


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
