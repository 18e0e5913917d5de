"""Build and query a graph of UMLS's shape at a scale: ``python -m benchmarks.scale.umls --scale S --json``.

Writes a synthetic release (``benchmarks/scale/synthetic_umls.py``), builds the graph from it with ``kg.graph_build`` in
a process of its own, opens it in another, and asks for the five best paths of at most three hops between pairs of a
finding and a disease that three random steps connect. ``--peer`` does the same with networkx, from the same relations:
the first five of ``shortest_simple_paths``, which knows no costs, on the undirected graph.

Its last line is a JSON object: ``concepts``, ``names`` and ``relations`` are the concepts, English names and rows of
MRREL in the release; ``graph`` counts what the graph holds, where each relationship stands once, though MRREL states it
in both directions. Peaks and resident memory are the kernel's figures for the process, mapped files included.
Times are of the clock; those with ``cpu`` in the name are the processor's, which other work on the machine does not
stretch.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from benchmarks.scale import synthetic_umls

PAIRS = 200
K, HOPS = 5, 3
_PEER_BYTES = 10 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=0.01, help="1: 3.4 M concepts, 17 M names, 40 M rows of MRREL")
    parser.add_argument("--memory", default="6GB", help="what DuckDB may take")
    parser.add_argument("--folder", type=Path, help="where to work and leave the files; else a temporary folder")
    parser.add_argument("--peer", action="store_true", help="networkx on the same job")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    parser.add_argument("--part", choices=("build", "query", "peer"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        parts = {"build": _build, "query": _query, "peer": _peer}
        print(json.dumps(parts[arguments.part](arguments.folder, arguments.memory)))
        return
    with synthetic_umls.working_folder(arguments.folder) as folder:
        result = measure(folder, arguments.scale, arguments.memory, arguments.peer)
    if not arguments.json:
        for name, value in result.items():
            print(f"{name:20} {value}")
    print(json.dumps(result))


def measure(folder: Path, scale: float, memory: str, peer: bool = False) -> dict[str, Any]:
    """Every figure at one scale; the release and the graph are left in ``folder``."""
    started = time.perf_counter()
    rows = synthetic_umls.write(folder / "META", scale)
    written = time.perf_counter() - started
    result: dict[str, Any] = {
        "scale": scale,
        "concepts": rows.concepts,
        "names": rows.names,
        "relations": rows.relation_rows,
        "generate_s": round(written, 1),
        "release_gb": _gigabytes(folder / "META"),
        "memory": memory,
    }
    for part in ("build", "query", *(("peer",) if peer else ())):
        command = [sys.executable, "-m", "benchmarks.scale.umls", "--part", part, "--memory", memory]
        done = subprocess.run([*command, "--folder", str(folder)], stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed = f"{part} failed with status {done.returncode}"
            if part != "peer":
                raise SystemExit(failed)
            result["networkx"] = failed
        elif part == "peer":
            result["networkx"] = json.loads(done.stdout.splitlines()[-1])
        else:
            result |= json.loads(done.stdout.splitlines()[-1])
    return result | {"machine": stamp()}


def _build(folder: Path, memory: str) -> dict[str, Any]:
    from kg.graph_build import build_graph
    from ontologies.readers import umls
    from ontologies.sources.archive import members
    from ontologies.staging import Staging

    def stage(staging: Staging) -> None:
        staging.once("umls", "synthetic", lambda s: umls.stage(members(folder / "META"), s, progress=report))

    started = time.perf_counter()
    stages: dict[str, float] = {}

    def report(stage: str, done: int, total: int) -> None:
        stages[stage] = round(time.perf_counter() - started, 1)
        print(f"{stages[stage]:8} s  {stage}", file=sys.stderr)

    largest = _Watch(folder)
    graph = build_graph(folder / "graph", stage, inputs={"umls": "synthetic"}, memory=memory, progress=report)
    return {
        "build_s": round(time.perf_counter() - started, 1),
        "build_cpu_s": round(time.process_time(), 1),
        "build_peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20), 2),
        "build_disk_peak_gb": largest.stop(),
        "disk_gb": _gigabytes(folder / "graph"),
        "graph": dict(graph.manifest.settings),
    }


def _query(folder: Path, memory: str) -> dict[str, Any]:
    from kg.graph import KnowledgeGraph
    from kg.paths import PathFinder

    started, processor = time.perf_counter(), time.process_time()
    graph = KnowledgeGraph.open(folder / "graph")
    opened, processor = time.perf_counter() - started, time.process_time() - processor
    resident = _resident_mb()
    pairs = [(graph.curie(a), graph.curie(b)) for a, b in _pairs(graph)]
    (folder / "pairs.json").write_text(json.dumps(pairs))
    finder = PathFinder(graph)
    asked = _timed(lambda a, b: len(finder.find(a, b, k=K, max_hops=HOPS)), pairs)
    return {
        "open_s": round(opened, 3),
        "open_cpu_s": round(processor, 3),
        "rss_after_open_mb": round(resident),
        **asked,
        "rss_after_paths_mb": round(_resident_mb()),
    }


def _pairs(graph: Any) -> list[tuple[int, int]]:
    """(finding, disease) nodes, PAIRS of them, that three random steps from the disease connect."""
    rng = np.random.default_rng(3)
    found: list[tuple[int, int]] = []
    while len(found) < PAIRS:
        disease = int(rng.integers(len(graph)))
        if "Disease or Syndrome" not in graph.concept(graph.curie(disease)).semantic_types:
            continue
        node = disease
        for _ in range(HOPS):
            around = graph.steps(np.array([node]))[1]
            node = int(rng.choice(around)) if len(around) else node
        if node != disease and "Finding" in graph.concept(graph.curie(node)).semantic_types:
            found.append((node, disease))
    return found


def _timed(ask: Callable[[str, str], int], pairs: list[tuple[str, str]]) -> dict[str, float]:
    """Milliseconds for a pair, and how many paths are found for one on average."""
    taken, processor, paths = [], [], 0
    for finding, disease in pairs:
        started, before = time.perf_counter(), time.process_time()
        paths += ask(finding, disease)
        taken.append(time.perf_counter() - started)
        processor.append(time.process_time() - before)
    return {
        "path_ms_p50": round(1000 * float(np.percentile(taken, 50)), 2),
        "path_ms_p95": round(1000 * float(np.percentile(taken, 95)), 2),
        "path_cpu_ms_p50": round(1000 * float(np.percentile(processor, 50)), 2),
        "paths_mean": round(paths / len(pairs), 2),
    }


def _peer(folder: Path, memory: str) -> dict[str, Any]:
    import networkx

    from ontologies.merging.knowledge import Saved

    resource.setrlimit(resource.RLIMIT_AS, (_PEER_BYTES, _PEER_BYTES))
    started = time.perf_counter()
    graph = networkx.Graph()
    for batch in Saved(folder / "graph").batches("relations"):
        columns = [batch.column(name).to_pylist() for name in ("subject", "object", "predicate", "source")]
        graph.add_edges_from((s, o, {"predicate": p, "source": k}) for s, o, p, k in zip(*columns, strict=True))
    built = time.perf_counter() - started
    resident = _resident_mb()

    def ask(finding: str, disease: str) -> int:
        paths = itertools.islice(networkx.shortest_simple_paths(graph, finding, disease), K)
        return sum(len(path) <= HOPS + 1 for path in paths)

    return {
        "version": networkx.__version__,
        "build_s": round(built, 1),
        "rss_mb": round(resident),
        **_timed(ask, [tuple(pair) for pair in json.loads((folder / "pairs.json").read_text())]),
    }


class _Watch:
    """The most disk that a folder takes, looked at every second."""

    def __init__(self, folder: Path) -> None:
        import threading

        self._folder, self._most, self._end = folder, 0.0, threading.Event()
        self._before = _gigabytes(folder)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._end.wait(1):
            self._most = max(self._most, _gigabytes(self._folder) - self._before)

    def stop(self) -> float:
        self._end.set()
        self._thread.join()
        return round(self._most, 3)


def _gigabytes(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # of a build that goes on
    return round(total / 1e9, 3)


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


if __name__ == "__main__":
    main()
