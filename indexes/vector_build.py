"""Building an approximate index of vectors that need not fit in memory, block by block, so that a kill loses little.

Beside the folder that is built stands ``.NAME.partial``: the index as far as it is, and ``state.json``. It is written
every ``CHECKPOINT`` seconds and taken up by the next build of the same vectors, ids and plan; another build starts
anew. A graph that was built in one go and one that was taken up again are the same, byte for byte, with one thread.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError
from indexes.faiss_device import on_device, on_processor
from indexes.planner import IndexPlan

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1 << 15  # vectors; 50 MB of 384 dimensions
CHECKPOINT = 120.0  # seconds of work that a kill may lose, beside the time that writing takes
HELD_OUT = 200
MEASURED_K = 10
_TRAINING, _ROUNDS = 40, 10  # vectors for each centroid, and how often they are moved

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A built index (on the processor), the row of each of its positions (int64), the parameters after tuning, and the
    recall that was measured."""

    index: Any
    order: np.ndarray
    parameters: dict[str, int]
    recall: float


class Partial:
    """What a build that was killed has left in ``folder``, while this process alone uses it; gone when it is built."""

    def __init__(self, folder: Path, key: str, checkpoint: float) -> None:
        self.folder, self._key, self._every = folder, key, checkpoint
        self._written = time.monotonic()

    def __enter__(self) -> Partial:
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ArtifactError(
                "another process builds this index", value=self.folder.name, expected="to wait until it is done"
            ) from None
        if self._state().get("key") != self._key:
            for left in self.folder.glob("[!.]*"):
                left.unlink()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:  # it is built
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    def load(self) -> tuple[Any, int]:
        """The index and how many vectors it holds; (None, 0) when there is none to take up."""
        import faiss

        state = self._state()
        try:
            index = faiss.read_index(str(self.folder / state["file"]))
        except (KeyError, RuntimeError):
            return None, 0
        return (index, index.ntotal) if index.ntotal == state["added"] else (None, 0)

    def due(self) -> bool:
        """Whether it is time to `save`."""
        return time.monotonic() - self._written >= self._every

    def save(self, index: Any) -> None:
        """Keep the index as it is now; a kill while it is written leaves the one before."""
        import faiss

        before = self._state().get("file")
        name = f"{index.ntotal}.faiss"
        faiss.write_index(index, str(self.folder / name))
        part = self.folder / "state.json.part"
        part.write_text(json.dumps({"key": self._key, "added": index.ntotal, "file": name}))
        part.replace(self.folder / "state.json")
        if before and before != name:
            (self.folder / before).unlink(missing_ok=True)
        self._written = time.monotonic()

    def _state(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.folder / "state.json").read_text()))
        except (OSError, ValueError):
            return {}


def flat(vectors: np.ndarray) -> Trained:
    """The exact index of vectors, float32 (n, d), in memory or mapped."""
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(vectors.shape[1])
    for rows in blocks(len(vectors)):
        index.add(np.ascontiguousarray(vectors[rows]))
    return Trained(index=index, order=np.arange(len(vectors)), parameters={}, recall=1.0)


def key_of(digest: str, ids: Sequence[str], plan: IndexPlan, target: float) -> str:
    """What tells a build from another: the digest of the vectors, ids, plan and target."""
    told = json.dumps([digest, plan.kind, dict(plan.parameters), target, BLOCK])
    return hashlib.sha256("\n".join([told, *ids]).encode()).hexdigest()


def blocks(n: int) -> Iterator[slice]:
    """The rows of ``n`` vectors, BLOCK at a time."""
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def train(
    vectors: np.ndarray,
    plan: IndexPlan,
    target: float,
    partial: Partial,
    *,
    threads: int = 1,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Trained:
    """Build and tune. ``vectors`` is float32 (n, d), in memory or mapped.

    The held-out vectors (HELD_OUT, a tenth at most) are added last, after they have served as queries: a vector that is
    in a graph finds itself and its neighbours far more easily than a new query does, and would flatter the recall.
    """
    import faiss
    import numpy as np

    n = len(vectors)
    order = np.random.default_rng(0).permutation(n)
    held_out = np.sort(order[n - min(HELD_OUT, n // 10) :])
    order = np.concatenate([np.sort(order[: n - len(held_out)]), held_out])
    known = n - len(held_out)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        index, added = partial.load()
        if index is None:
            if progress and plan.kind != "hnsw":
                progress("train the index", 0, 1)
            index = _untrained(vectors, plan, order[:known], device)
            partial.save(index)
        working = on_device(index, device)
        for rows in blocks(known):
            if rows.stop > added:
                add(working, vectors[order[max(rows.start, added) : rows.stop]])
                if progress:
                    progress("index vectors", rows.stop, n)
                if partial.due():
                    partial.save(on_processor(working, device))
        parameters, recall = tune(working, vectors, order[:known], vectors[held_out], dict(plan.parameters), target)
        add(working, vectors[held_out])
        if progress:
            progress("index vectors", n, n)
    finally:
        faiss.omp_set_num_threads(before)
    return Trained(index=on_processor(working, device), order=order, parameters=parameters, recall=recall)


def _untrained(vectors: np.ndarray, plan: IndexPlan, rows: np.ndarray, device: str) -> Any:
    """An empty index, its centroids trained on a sample of the rows where it has some."""
    import faiss
    import numpy as np

    dim, parameters = vectors.shape[1], plan.parameters
    if plan.kind == "hnsw":
        graph = faiss.IndexHNSWFlat(dim, parameters["M"], faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = parameters["efConstruction"]
        return graph
    coding = "SQ8" if plan.kind == "ivf-sq8" else f"PQ{parameters['m']}x{parameters['bits']}"
    index: Any = faiss.index_factory(dim, f"IVF{parameters['nlist']},{coding}", faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid, index.cp.niter = _TRAINING, _ROUNDS
    if plan.kind == "ivf-pq":
        index.pq.cp.max_points_per_centroid, index.pq.cp.niter = _TRAINING, _ROUNDS
    most = max(_TRAINING * parameters["nlist"], 256 * _TRAINING)
    chosen = np.sort(np.random.default_rng(1).choice(rows, min(most, len(rows)), replace=False))
    working = on_device(index, device)
    working.train(np.ascontiguousarray(vectors[chosen], dtype=np.float32))
    return on_processor(working, device)


def add(index: Any, vectors: np.ndarray) -> None:
    """Add a block. The levels of a graph are drawn from the position, so that they do not depend on what was added in
    which process."""
    import faiss
    import numpy as np

    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if isinstance(index, faiss.IndexHNSW) and len(vectors):
        start, links = index.ntotal, index.hnsw.nb_neighbors(1)  # type: ignore[attr-defined]
        drawn = np.random.default_rng([0, start]).random(len(vectors))
        # a level is stored one higher than it is named: 1 is the lowest, that holds all
        levels = 1 + np.minimum(-np.log(np.maximum(drawn, 1e-12)) / np.log(links), 12).astype(np.int32)
        held = faiss.vector_to_array(index.hnsw.levels)
        faiss.copy_array_to_vector(np.concatenate([held, levels]).astype(np.int32), index.hnsw.levels)
    index.add(vectors)


def wanted(k: int, parameters: Any) -> int:
    """How many candidates to take for ``k`` answers: room for ties, and for neighbours that a lossy code ranks too
    low."""
    return int(parameters.get("refine", 1)) * k + 16


def set_effort(index: Any, parameters: Any) -> None:
    """Search as thoroughly as the parameters say."""
    if "efSearch" in parameters:
        index.hnsw.efSearch = parameters["efSearch"]
    else:
        index.nprobe = parameters["nprobe"]


def tune(
    index: Any,
    vectors: np.ndarray,
    order: np.ndarray,
    queries: np.ndarray,
    parameters: dict[str, int],
    target: float,
    *,
    among: np.ndarray | None = None,
) -> tuple[dict[str, int], float]:
    """Double the effort until recall@10 of the queries reaches the target or everything is visited.

    ``order`` is the row of each position of the index; only these rows, and of these only ``among``, count. Where
    visiting more lists no longer helps, more candidates are ranked again by their exact scores.
    """
    import numpy as np

    among = order if among is None else among
    k = min(MEASURED_K, len(among))
    if not len(queries) or not k:
        return parameters, 1.0
    exact = exact_rows(vectors, among, np.asarray(queries, dtype=np.float32), k)
    name = "efSearch" if "efSearch" in parameters else "nprobe"
    most = len(order) if name == "efSearch" else parameters["nlist"]

    def recall(tried: dict[str, int]) -> float:
        set_effort(index, tried)
        found = index.search(np.ascontiguousarray(queries, dtype=np.float32), min(wanted(k, tried), len(order)))[1]
        # candidates are ranked again by their exact scores, so a nearest neighbour among them is an answer
        rows = [order[places[places >= 0]] for places in found]
        return float(np.mean([len(np.intersect1d(row, best)) / k for row, best in zip(rows, exact, strict=True)]))

    reached = recall(parameters)
    while reached < target:
        tries = []
        if parameters[name] < most:
            tries.append(parameters | {name: min(most, parameters[name] * 2)})
        if "refine" in parameters and wanted(k, parameters) < len(order):
            tries.append(parameters | {"refine": parameters["refine"] * 2})
        if not tries:
            break
        reached, parameters = max(((recall(tried), tried) for tried in tries), key=lambda pair: pair[0])
    set_effort(index, parameters)
    return parameters, reached


def exact_rows(vectors: np.ndarray, rows: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """The ``k`` of ``rows`` nearest to each query, int64 (q, min(k, len(rows))), block by block, in no order."""
    import numpy as np

    best = np.zeros((len(queries), 0), dtype=np.int64)
    scores = np.zeros((len(queries), 0), dtype=np.float32)
    for block in blocks(len(rows)):
        some = rows[block]
        both = np.concatenate([scores, queries @ vectors[some].T], axis=1)
        named = np.concatenate([best, np.broadcast_to(some, (len(queries), len(some)))], axis=1)
        kept = np.argpartition(-both, min(k, both.shape[1]) - 1, axis=1)[:, :k]
        scores, best = np.take_along_axis(both, kept, 1), np.take_along_axis(named, kept, 1)
    return best
