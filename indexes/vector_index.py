"""Nearest vectors by inner product (FAISS), exact or approximate, with ids that are strings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError
from indexes import manifest
from indexes.faiss_device import GPU_MOST, check_device, on_device
from indexes.id_table import BYTES, IdTable
from indexes.manifest import Manifest, Verify
from indexes.planner import IndexPlan, plan
from indexes.ranking import best_rows, id_ranks
from indexes.vector_build import CHECKPOINT, Partial, Progress, flat, key_of, set_effort, train, wanted
from indexes.vector_files import KIND, VERSION, digest_of, write_folder

if TYPE_CHECKING:
    import numpy as np

DEFAULT_MEMORY = 4 * 1024**3
_GATHERED = 1 << 16  # rows whose vectors are copied at once


class VectorIndex:
    """Vectors in a folder: ``index.faiss``, the ids, a manifest, and for approximate kinds ``vectors.npy``,
    memory-mapped.

    The score is the inner product (the cosine, when vectors are normalised); higher is nearer. A search returns
    min(k, n) ids for each query, ordered by score and then id; FAISS's padding never shows. With a filter the search
    is exact, so that it returns min(k, matching) whatever the index. Approximate kinds find candidates, whose scores
    are then computed exactly.

    ``ids`` and ``vectors`` are by row; a row keeps its number until an update builds anew. Rows that were removed
    (``gone``, bool (n,), or None) stand there still, but are never found.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        ids: Sequence[str],
        index: Any,
        stored: Manifest,
        *,
        order: np.ndarray | None = None,
        gone: np.ndarray | None = None,
        device: str = "cpu",
    ) -> None:
        self.vectors, self.ids, self.faiss_index, self.order, self.manifest = vectors, ids, index, order, stored
        self.gone, self._device, self._held = gone, device, None
        self._ranks = ids.ranks if isinstance(ids, IdTable) else id_ranks(ids)

    def __len__(self) -> int:
        return len(self.ids) - (0 if self.gone is None else int(self.gone.sum()))

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
        device: str = "cpu",
        threads: int = 1,
        progress: Progress | None = None,
        checkpoint: float = CHECKPOINT,
        partial: Path | None = None,
    ) -> VectorIndex:
        """Build in the folder ``path`` and open.

        ``vectors`` is float32 (n, d), finite, in memory or mapped (`numpy.load` with ``mmap_mode``): what is mapped is
        read block by block. ``ids`` are unique. ``encoder`` is the fingerprint of what made the vectors and is checked
        by `open`. The kind is ``index_plan``'s, else the planner's. For an approximate kind the search effort is
        doubled until recall@10 on held-out queries (a tenth of the vectors, at most 200, before they are added; against
        exact search) reaches the target; the manifest records plan, effort and measured recall. It is written beside
        every ``checkpoint`` seconds (in the folder ``partial``; ".NAME.partial" by default), and a build that was
        killed goes on from there (`indexes.vector_build`).

        ``device`` "cuda" trains and fills what a GPU can hold there. With one of ``threads`` the same vectors give the
        same bytes; a graph that several build differs from run to run. ValueError when shapes do not fit together,
        DependencyError when FAISS cannot use the device, ArtifactError when another process builds the same.
        """
        import numpy as np

        if vectors.dtype != np.float32:
            vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(ids) or len(set(ids)) != len(ids):
            raise ValueError("every vector needs an id of its own")
        digest = digest_of(vectors)
        chosen = index_plan or plan(len(vectors), vectors.shape[1], memory_bytes, recall_target, device=device)
        check_device(device)
        if chosen.kind == "flat":
            done = flat(vectors)
            write_folder(path, vectors, ids, done, chosen, recall_target, encoder)
        else:
            beside = partial or path.absolute().parent / f".{path.name}.partial"
            with Partial(beside, key_of(digest, ids, chosen, recall_target), checkpoint) as kept:
                done = train(vectors, chosen, recall_target, kept, threads=threads, device=device, progress=progress)
                write_folder(path, vectors, ids, done, chosen, recall_target, encoder)
        del done  # as large as what is opened now
        return cls.open(path, device=device)

    @classmethod
    def open(
        cls, path: Path, *, encoder: str | None = None, verify: Verify = "open", device: str = "cpu"
    ) -> VectorIndex:
        """Open memory-mapped; ``device`` is where it is searched. Raises ArtifactError when missing, damaged, or made
        by another ``encoder`` (a fingerprint), DependencyError when FAISS cannot use the device."""
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
        if stored.settings["index"] == "flat":
            ids = tuple(json.loads((path / "ids.json").read_text(encoding="utf-8")))
            shape = (index.ntotal, index.d)
            held = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d) if ids else np.zeros(0, dtype=np.float32)
            found = cls(held.reshape(shape), ids, on_device(index, device), stored, device=device)
            found._held = index  # whose memory the vectors are
            return found
        if BYTES not in stored.files:
            raise ArtifactError("an index of an earlier version", value=path.name, run=manifest.REBUILD)
        # a GPU copies the effort of the index that it takes over
        set_effort(index, stored.settings["parameters"])
        gone = path / "gone.npy"
        return cls(
            np.load(path / "vectors.npy", mmap_mode="r", allow_pickle=False),
            IdTable.open(path),
            on_device(index, device),
            stored,
            order=np.load(path / "order.npy", mmap_mode="r", allow_pickle=False),
            gone=np.load(gone, allow_pickle=False) if gone.is_file() else None,
            device=device,
        )

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
        width = len(rows[0]) if rows else 0
        scores = np.array([self._exact(query, found) for query, found in zip(queries, rows, strict=True)])
        return [[self.ids[row] for row in found.tolist()] for found in rows], scores.reshape(len(queries), width)

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

        if among is None:
            rows = self._candidates(query, min(k, len(self)))
        else:
            rows = self._alive(np.asarray(among, dtype=np.int64))
        if len(rows) > max(_GATHERED, k):
            rows = self._close(query, rows, k)
        return rows[best_rows(self._exact(query, rows), self._ranks[rows], k)]

    def _alive(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.gone is None else rows[~self.gone[rows]]

    def _close(self, query: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
        """Those of the rows whose scores, which a quick product computes block by block, may be among the best k."""
        import numpy as np

        quick = np.concatenate([self.vectors[rows[i : i + _GATHERED]] @ query for i in range(0, len(rows), _GATHERED)])
        least = np.partition(quick, len(quick) - k)[len(quick) - k]
        return rows[quick >= least - 1e-5 * max(1.0, float(np.abs(quick).max()))]

    def _candidates(self, query: np.ndarray, k: int) -> np.ndarray:
        """Rows that FAISS proposes for the best ``k``, or all rows where its answer would not do."""
        import numpy as np

        settings = self.manifest.settings
        asked, effort = wanted(k, settings["parameters"]), 1
        while asked < len(self.ids) and (self._device == "cpu" or asked <= GPU_MOST):
            scores, found = self._search(query, asked, effort)
            places = found[found >= 0]
            rows = self._alive(places if self.order is None else self.order[places])
            if settings["index"] == "flat":  # a tie may go on past the last one
                tied = scores[k - 1] - scores[-1] <= 1e-5 * max(1.0, abs(float(scores[0])))
                return np.arange(len(self.ids)) if tied else rows
            if len(rows) >= k:
                return rows
            if len(places) < asked:  # too few lists were visited to fill the answer
                if effort >= settings["parameters"].get("nlist", 1):
                    break
                effort *= 4
            else:
                asked *= 2
        return self._alive(np.arange(len(self.ids)))

    def _search(self, query: np.ndarray, asked: int, effort: int) -> tuple[np.ndarray, np.ndarray]:
        if effort == 1:
            scores, found = self.faiss_index.search(query[None], asked)
        else:
            import faiss

            settings = self.manifest.settings["parameters"]
            probes = min(settings["nlist"], settings["nprobe"] * effort)
            further: Any = faiss.SearchParametersIVF
            scores, found = self.faiss_index.search(query[None], asked, params=further(nprobe=probes))
        return scores[0], found[0]
