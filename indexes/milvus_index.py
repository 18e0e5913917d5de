"""A vector index that lies in Milvus, with the interface of `indexes.vector_index.VectorIndex`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError
from indexes import manifest
from indexes.lexical_index import K1, B, Tokenizer
from indexes.manifest import Manifest, Verify, atomic_directory
from indexes.milvus import BATCH, MilvusStore, checked, cut, key_of, new_name
from indexes.planner import plan
from indexes.ranking import best_rows, id_ranks
from indexes.vector_files import KIND, VERSION

if TYPE_CHECKING:
    import numpy as np

MEMORY = 1 << 40  # a cluster is as large as it needs to be
_RANK = 1000  # of each of words and meaning, when Milvus fuses them

Progress = Callable[[str, int, int], None]


class MilvusIndex:
    """Vectors in Milvus by the row of their ids; scores are inner products that are computed here, from Milvus's
    vectors, so that the same vectors have the same scores and order as in `VectorIndex`.

    A vector that Milvus no longer has scores −1: below all that a search finds.
    """

    def __init__(self, store: MilvusStore, ids: Sequence[str], stored: Manifest) -> None:
        self.store, self.ids, self.manifest = store, tuple(ids), stored
        self._row = {name: row for row, name in enumerate(self.ids)}
        self._ranks, self._recent = id_ranks(self.ids), dict[str, Any]()

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        ids: Sequence[str],
        path: Path,
        address: str,
        *,
        texts: Sequence[str] | None = None,
        encoder: str = "",
        before: Path | None = None,
        progress: Progress | None = None,
    ) -> MilvusIndex:
        """Bring Milvus's collection up to date with ``vectors``, float32 (n, d), write the folder ``path``, and open.

        ``texts`` are what BM25 reads there. Only rows that Milvus does not have yet, or has otherwise, are sent: a
        build that was killed goes on with what is missing. ``before`` is the folder of the index that this one takes
        the place of; its collection is kept when it is of the same dimension. ValueError when shapes do not fit
        together; otherwise as `MilvusStore` raises.
        """
        if vectors.ndim != 2 or len(vectors) != len(ids) or len(set(ids)) != len(ids):
            raise ValueError("every vector needs an id of its own")
        address, name = checked(address), _name_at(before, checked(address), vectors.shape[1])
        chosen = plan(len(vectors), vectors.shape[1], MEMORY)
        store, tokenize = MilvusStore(address, name), Tokenizer()
        if not store.exists():
            store.create(vectors.shape[1], chosen, K1, B)
        had = store.keys()
        waiting: list[dict[str, Any]] = []
        for row, name_of_row in enumerate(ids):
            stems = cut(iter(tokenize(texts[row]))) if texts is not None else ""
            key = key_of(vectors[row], stems)
            if had.get(name_of_row) != key:
                waiting.append({"id": name_of_row, "key": key, "stems": stems, "dense": vectors[row]})
            if len(waiting) == BATCH or (waiting and row + 1 == len(ids)):
                store.write(waiting)
                waiting = []
            if progress and (row + 1) % BATCH == 0:
                progress("send to Milvus", row + 1, len(ids))
        store.delete(sorted(had.keys() - set(ids)))
        store.flush()
        settings = {
            "index": "milvus",
            "address": address,
            "collection": name,
            "kind": chosen.kind,
            "parameters": dict(chosen.parameters),
            "vectors": len(vectors),
            "dimension": vectors.shape[1],
        }
        with atomic_directory(path) as folder:
            (folder / "ids.json").write_text(json.dumps(list(ids), ensure_ascii=False), encoding="utf-8")
            stored = manifest.write(folder, kind=KIND, version=VERSION, inputs={"encoder": encoder}, settings=settings)
        return cls(store, ids, stored)

    @classmethod
    def open(cls, path: Path, *, verify: Verify = "open") -> MilvusIndex:
        """Open. Raises ArtifactError when the folder is missing or damaged, or Milvus does not answer or does not have
        the collection."""
        stored = manifest.read(path, kind=KIND, version=VERSION, verify=verify)
        ids = json.loads((path / "ids.json").read_text(encoding="utf-8"))
        store = MilvusStore(stored.settings["address"], stored.settings["collection"])
        if not store.exists():
            raise ArtifactError(
                "Milvus does not have this index",
                value=stored.settings["address"],
                run="whydx index update NAME --anew",
            )
        return cls(store, ids, stored)

    @property
    def vectors(self) -> MilvusIndex:
        """What gives the vectors of rows: ``index.vectors[rows]``, float32 (len(rows), d)."""
        return self

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        import numpy as np

        names = [self.ids[row] for row in np.asarray(rows).tolist()]
        found = self._recent | self.store.vectors([name for name in names if name not in self._recent])
        nothing = np.full(self.manifest.settings["dimension"], np.nan, dtype=np.float32)
        return np.stack([found.get(name, nothing) for name in names]) if names else nothing[None][:0]

    def copy(self) -> np.ndarray:
        """All the vectors, float32 (n, d), by row."""
        import numpy as np

        return self[np.arange(len(self.ids))]

    def rows(self, query: np.ndarray, k: int, *, among: np.ndarray | None = None) -> np.ndarray:
        """The rows of the min(k, n) nearest vectors, int64, best first, ties by id; ``among`` (int64 rows) restricts
        the search, exactly. Raises InputError when k < 1, or the query is not one for this index."""
        import numpy as np

        query = np.asarray(query, dtype=np.float32).reshape(-1)
        if k < 1:
            raise InputError("k is too small", value=k, expected="1 or more")
        if len(query) != self.manifest.settings["dimension"] or not np.isfinite(query).all():
            expected = f"finite vectors of dimension {self.manifest.settings['dimension']}"
            raise InputError("not a query for this index", value=query.shape, expected=expected)
        if not len(self.ids):
            return np.zeros(0, dtype=np.int64)
        if among is None:
            parameters = self.manifest.settings["parameters"]
            asked = min(len(self.ids), k + 16)
            effort = {"ef": max(parameters["efSearch"], asked)} if "efSearch" in parameters else {}
            effort |= {"nprobe": parameters["nprobe"]} if "nprobe" in parameters else {}
            # kept, since who searches asks for the scores of what was found
            self._recent = self.store.nearest(query, asked, effort)
            rows = np.array([self._row[name] for name in self._recent if name in self._row], dtype=np.int64)
        else:
            rows = np.asarray(among, dtype=np.int64)
        return rows[best_rows(self.scores(query, rows), self._ranks[rows], k)]

    def scores(self, query: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """The exact score of the vectors at ``rows`` (int64; all when None), float32."""
        import numpy as np

        vectors = self[np.arange(len(self.ids)) if rows is None else rows]
        found = np.einsum("nd,d->n", vectors, query, dtype=np.float32, casting="same_kind")
        return np.nan_to_num(found, nan=-1.0)

    def search(
        self, queries: np.ndarray, k: int, *, among: np.ndarray | None = None
    ) -> tuple[list[list[str]], np.ndarray]:
        """Ids (one list for each query) and scores, float32 (q, min(k, n)), best first, ties by id."""
        import numpy as np

        queries = np.atleast_2d(np.asarray(queries, dtype=np.float32))
        rows = [self.rows(query, k, among=among) for query in queries]
        scores = np.array([self.scores(query, found) for query, found in zip(queries, rows, strict=True)])
        return [[self.ids[row] for row in found.tolist()] for found in rows], scores.reshape(len(queries), -1)

    def words(self, text: str, k: int) -> list[tuple[str, float]]:
        """Id and BM25 of the ``k`` texts that answer best, as Milvus computes it; empty when no text shares a word."""
        stems = cut(iter(Tokenizer()(text)))
        return self.store.words(stems, k) if stems else []

    def hybrid(self, text: str, query: np.ndarray, k: int) -> list[tuple[str, float]]:
        """Id and score of the ``k`` best by words and meaning, fused in Milvus (reciprocal ranks)."""
        stems = cut(iter(Tokenizer()(text)))
        return self.store.hybrid(stems, np_vector(query), k, _RANK) if stems else []

    def close(self) -> None:
        """Let go of Milvus."""
        self.store.close()


def np_vector(query: np.ndarray) -> np.ndarray:
    """The query, float32 (d,)."""
    import numpy as np

    return np.asarray(query, dtype=np.float32).reshape(-1)


def _name_at(before: Path | None, address: str, dimension: int) -> str:
    """The collection of the index at ``before`` when it lies at the same address, else a new name."""
    if before is not None and before.is_dir():
        try:
            settings = manifest.read(before, kind=KIND, version=VERSION, verify="size").settings
        except ArtifactError:
            return new_name()
        if (settings.get("address"), settings.get("dimension")) == (address, dimension):
            return str(settings["collection"])
    return new_name()
