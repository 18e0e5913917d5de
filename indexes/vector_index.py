"""Nearest vectors by inner product (FAISS), exact or approximate, with ids that are strings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError
from indexes import manifest
from indexes.manifest import Manifest, Verify, atomic_directory
from indexes.planner import IndexPlan, plan
from indexes.ranking import best_rows, id_ranks

if TYPE_CHECKING:
    import numpy as np

KIND = "vector index"
VERSION = 1
DEFAULT_MEMORY = 4 * 1024**3
MEASURED_K = 10
_HELD_OUT = 200


class VectorIndex:
    """Vectors in a folder: ``index.faiss``, ``ids.json``, a manifest, and for approximate kinds ``vectors.npy``,
    memory-mapped.

    The score is the inner product (the cosine, when vectors are normalised); higher is nearer. A search returns
    min(k, n) ids for each query, ordered by score and then id; FAISS's padding never shows. With a filter the search
    is exact, so that it returns min(k, matching) whatever the index. Approximate kinds find candidates, whose scores
    are then computed exactly.
    """

    def __init__(
        self, vectors: np.ndarray, ids: Sequence[str], index: Any, order: np.ndarray | None, stored: Manifest
    ) -> None:
        self.vectors, self.ids, self._index, self._order, self.manifest = vectors, tuple(ids), index, order, stored
        self._ranks = id_ranks(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        ids: Sequence[str],
        path: Path,
        *,
        encoder: str = "",
        memory_bytes: int = DEFAULT_MEMORY,
        recall_target: float = 0.95,
        index_plan: IndexPlan | None = None,
    ) -> VectorIndex:
        """Build in the folder ``path`` and open.

        ``vectors`` is float32 (n, d), finite; ``ids`` are unique. ``encoder`` is the fingerprint of what made the
        vectors and is checked by `open`. The kind is ``index_plan``'s, else the planner's. For an approximate kind
        the search effort is doubled until recall@10 on held-out queries (a tenth of the vectors, at most 200, before
        they are added; against exact search) reaches the target; the manifest records plan, effort and measured
        recall. ValueError when shapes do not fit together.
        """
        import numpy as np

        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(ids) or len(set(ids)) != len(ids):
            raise ValueError("every vector needs an id of its own")
        if not np.isfinite(vectors).all():
            raise ValueError("vectors must be finite")
        chosen = index_plan or plan(len(vectors), vectors.shape[1], memory_bytes, recall_target)
        index, order, parameters, recall = _train(vectors, chosen, recall_target)
        with atomic_directory(path) as folder:
            import faiss

            faiss.write_index(index, str(folder / "index.faiss"))
            if chosen.kind != "flat":  # a flat index is its vectors
                np.save(folder / "vectors.npy", vectors, allow_pickle=False)
                np.save(folder / "order.npy", order, allow_pickle=False)
            (folder / "ids.json").write_text(json.dumps(list(ids), ensure_ascii=False), encoding="utf-8")
            settings = {
                "index": chosen.kind,
                "parameters": parameters,
                "reason": chosen.reason,
                "estimated_bytes": chosen.estimated_bytes,
                "vectors": len(vectors),
                "dimension": vectors.shape[1],
                "recall@10": round(recall, 4),
                "recall_target": recall_target,
            }
            manifest.write(folder, kind=KIND, version=VERSION, inputs={"encoder": encoder}, settings=settings)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, encoder: str | None = None, verify: Verify = "open") -> VectorIndex:
        """Open memory-mapped. Raises ArtifactError when missing, damaged, or made by another ``encoder`` (a
        fingerprint)."""
        import numpy as np

        stored = manifest.read(path, kind=KIND, version=VERSION, verify=verify)
        if encoder is not None and stored.inputs["encoder"] != encoder:
            raise ArtifactError(
                "the index was built with another encoder",
                value=stored.inputs["encoder"],
                expected=encoder,
                run=manifest.REBUILD,
            )
        import faiss

        index: Any = faiss.read_index(str(path / "index.faiss"))
        order = None
        ids = json.loads((path / "ids.json").read_text(encoding="utf-8"))
        if stored.settings["index"] == "flat":
            shape = (index.ntotal, index.d)
            flat = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d) if ids else np.zeros(0, dtype=np.float32)
            vectors = flat.reshape(shape)  # a view; the index lives as long as the object does
        else:
            _set_effort(index, stored.settings["parameters"])
            vectors = np.load(path / "vectors.npy", mmap_mode="r", allow_pickle=False)
            order = np.load(path / "order.npy", mmap_mode="r", allow_pickle=False)
        return cls(vectors, ids, index, order, stored)

    def search(
        self, queries: np.ndarray, k: int, *, among: np.ndarray | None = None
    ) -> tuple[list[list[str]], np.ndarray]:
        """Ids (one list for each query) and scores, float32 (q, min(k, n)), best first, ties by id.

        ``queries`` is float32 (q, d), or (d,) for one. ``among`` (int64 rows) restricts the search, exactly. Raises
        InputError when k < 1, or a query is not finite or has another dimension.
        """
        import numpy as np

        queries = self._checked(queries, k)
        rows = [self._nearest(query, k, among) for query in queries]
        width = min(k, len(self.ids) if among is None else len(among))
        scores = np.array([self._exact(query, found) for query, found in zip(queries, rows, strict=True)])
        return [[self.ids[row] for row in found] for found in rows], scores.reshape(len(queries), width)

    def scores(self, query: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """The exact score of the vectors at ``rows`` (int64; all, in the order of ``ids``, when None), float32."""
        return self._exact(query, rows)

    def rows(self, query: np.ndarray, k: int, *, among: np.ndarray | None = None) -> np.ndarray:
        """The rows of the min(k, n) nearest vectors, int64, as `search` orders them."""
        return self._nearest(self._checked(query, k)[0], k, among)

    def _checked(self, queries: np.ndarray, k: int) -> np.ndarray:
        import numpy as np

        queries = np.atleast_2d(np.asarray(queries, dtype=np.float32))
        if k < 1:
            raise InputError("k is too small", value=k, expected="1 or more")
        if queries.shape[1] != self.vectors.shape[1] or not np.isfinite(queries).all():
            expected = f"finite vectors of dimension {self.vectors.shape[1]}"
            raise InputError("not a query for this index", value=queries.shape, expected=expected)
        return queries

    def _exact(self, query: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        import numpy as np

        vectors = self.vectors if rows is None else self.vectors[rows]
        # a product summed row by row gives a vector the same score whatever stands beside it; a matrix product may not
        return np.einsum("nd,d->n", vectors, query, dtype=np.float32, casting="same_kind")

    def _nearest(self, query: np.ndarray, k: int, among: np.ndarray | None) -> np.ndarray:
        import numpy as np

        if among is not None:
            rows = np.asarray(among, dtype=np.int64)
        else:
            rows = self._candidates(query, min(k, len(self.ids)))
        return rows[best_rows(self._exact(query, rows), self._ranks[rows], k)]

    def _candidates(self, query: np.ndarray, k: int) -> np.ndarray:
        """Rows that FAISS proposes for the best ``k``, or all rows where its answer would not do."""
        import numpy as np

        everything = np.arange(len(self.ids))
        if _wanted(k) >= len(self.ids):
            return everything
        found_scores, found = self._index.search(query[None], _wanted(k))
        rows = found[0][found[0] >= 0]
        if len(rows) < k:  # too few lists were visited to fill the answer
            return everything
        if self.manifest.settings["index"] == "flat":
            scores = found_scores[0]
            if scores[k - 1] - scores[-1] <= 1e-5 * max(
                1.0, abs(float(scores[0]))
            ):  # a tie may go on past the last one
                return everything
        return rows if self._order is None else self._order[rows]


def _train(vectors: np.ndarray, chosen: IndexPlan, target: float) -> tuple[Any, np.ndarray, dict[str, int], float]:
    """The index, the row of each of its positions, the parameters after tuning, and the recall that was measured.

    The held-out vectors are added last, after they have served as queries: a vector that is in a graph finds itself
    and its neighbours far more easily than a new query does, and would flatter the recall.
    """
    import faiss
    import numpy as np

    n, dim = vectors.shape
    parameters = dict(chosen.parameters)
    index: Any
    if chosen.kind == "flat":
        index = faiss.IndexFlatIP(dim)
        index.add(vectors)
        return index, np.arange(n), parameters, 1.0
    if chosen.kind == "hnsw":
        index = faiss.IndexHNSWFlat(dim, parameters["M"], faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = parameters["efConstruction"]
    else:
        coding = "SQ8" if chosen.kind == "ivf-sq8" else f"PQ{parameters['m']}x{parameters['bits']}"
        index = faiss.index_factory(dim, f"IVF{parameters['nlist']},{coding}", faiss.METRIC_INNER_PRODUCT)
    order = np.random.default_rng(0).permutation(n)
    held_out = order[n - min(_HELD_OUT, n // 10) :]
    order = np.concatenate([np.sort(order[: n - len(held_out)]), held_out])
    known = np.ascontiguousarray(vectors[order[: n - len(held_out)]])
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # the graph that threads build differs from run to run
    try:
        index.train(known)
        index.add(known)
        parameters, recall = _tune(index, known, vectors[held_out], parameters, target)
        index.add(np.ascontiguousarray(vectors[held_out]))
    finally:
        faiss.omp_set_num_threads(threads)
    return index, order, parameters, recall


def _wanted(k: int) -> int:
    """How many candidates to take for ``k`` answers: room for ties, and for neighbours that a lossy code ranks too
    low."""
    return 4 * k + 16


def _set_effort(index: Any, parameters: Any) -> None:
    if "efSearch" in parameters:
        index.hnsw.efSearch = parameters["efSearch"]
    else:
        index.nprobe = parameters["nprobe"]


def _tune(
    index: Any, known: np.ndarray, queries: np.ndarray, parameters: dict[str, int], target: float
) -> tuple[dict[str, int], float]:
    """Double the effort until the recall of the queries reaches the target or everything is visited."""
    import numpy as np

    name = "efSearch" if "efSearch" in parameters else "nprobe"
    most = len(known) if name == "efSearch" else parameters["nlist"]
    k = min(MEASURED_K, len(known))
    exact = np.argsort(-(queries @ known.T), axis=1, kind="stable")[:, :k]
    while True:
        _set_effort(index, parameters)
        found = index.search(queries, min(_wanted(k), len(known)))[1] if len(queries) else exact
        # candidates are ranked again by their exact scores, so a nearest neighbour among them is an answer
        shares = [len(np.intersect1d(row, nearest)) / k for row, nearest in zip(found, exact, strict=True)]
        recall = float(np.mean(shares)) if shares else 1.0
        if recall >= target or parameters[name] >= most:
            return parameters, recall
        parameters = parameters | {name: min(most, parameters[name] * 2)}
