"""A LangChain vector store in a folder: the same index as the collections', for documents of any kind.

The folder has ``vectors`` (`indexes.vector_index`: exact up to 200,000, then what the planner chooses) and
``documents.sqlite`` (id → text and metadata). Additions and deletions do not build the index anew
(`indexes.vector_update`).
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from indexes.vector_index import VectorIndex
from indexes.vector_update import update
from retrieval.encoder import Encoder
from retrieval.hybrid import unit

if TYPE_CHECKING:
    import numpy as np

Filter = Callable[[Document], bool]


class EncoderEmbeddings(Embeddings):
    """A sentence encoder (the packaged one by default) as LangChain's embeddings; vectors have length one."""

    def __init__(self, encoder: Encoder | None = None) -> None:
        self.encoder = encoder or Encoder.load()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text, in their order."""
        vectors: list[list[float]] = self.encoder.encode(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text."""
        vector: list[float] = self.encoder.query(text).tolist()
        return vector


class FolderVectorStore(VectorStore):
    """Documents in ``folder``, which is made when the first come; found by the cosine of their vectors.

    ``embedding`` is the packaged encoder by default, and must be the same whenever the folder is opened. Scores are
    cosines, higher is nearer; equal ones are ordered by id. A ``filter`` (document → whether it may be found) is
    applied before the search, so that none is lost.
    """

    def __init__(self, folder: Path | str, embedding: Embeddings | None = None) -> None:
        self.folder, self._embedding = Path(folder), embedding or EncoderEmbeddings()
        self._index = VectorIndex.open(self._vectors) if self._vectors.is_dir() else None

    @property
    def _vectors(self) -> Path:
        return self.folder / "vectors"

    @property
    def embeddings(self) -> Embeddings:
        """What makes vectors of texts."""
        return self._embedding

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[Any, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        folder: Path | str = "vectorstore",
        **kwargs: Any,
    ) -> FolderVectorStore:
        """A store in ``folder`` with these texts in it."""
        store = cls(folder, embedding)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[Any, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, in place of those whose ids are there already; a text without an id gets a new one. Returns the
        ids in their order; of one that comes twice the last text is kept. ValueError when lengths differ."""
        import numpy as np

        said = list(texts)
        names = [name or str(uuid.uuid4()) for name in (ids if ids is not None else [None] * len(said))]
        known = list(metadatas) if metadatas is not None else [{} for _ in said]
        if not len(said) == len(names) == len(known):
            raise ValueError("texts, metadatas and ids are not of the same length")
        if not said:
            return []
        last = {name: row for row, name in enumerate(names)}
        kept = sorted(last.values())
        vectors = unit(np.asarray(self._embedding.embed_documents([said[row] for row in kept]), dtype=np.float32))
        fresh = [names[row] for row in kept]
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._index is None:
            self._index = VectorIndex.build(vectors, fresh, self._vectors)
        else:
            self._index = update(self._vectors, vectors, fresh)
        with self._open() as held:
            rows = [(names[row], said[row], json.dumps(known[row], ensure_ascii=False)) for row in kept]
            held.executemany("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", rows)
        held.close()
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Take away the documents of these ids (all when None); one that is not there is passed over."""
        import numpy as np

        if self._index is None:
            return True
        gone = list(self._index.ids) if ids is None else list(ids)
        nothing = np.zeros((0, self._index.vectors.shape[1]), dtype=np.float32)
        self._index = update(self._vectors, nothing, [], remove=gone)
        with self._open() as held:
            held.executemany("DELETE FROM documents WHERE id = ?", [(name,) for name in gone])
        held.close()
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids, in their order; without those that are not there."""
        if self._index is None:
            return []
        with self._open() as held:
            found = [held.execute("SELECT * FROM documents WHERE id = ?", (name,)).fetchone() for name in ids]
        held.close()
        return [_document(*row) for row in found if row is not None]

    def similarity_search(
        self, query: str, k: int = 4, *, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        """The ``k`` nearest documents, nearest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter=filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: Filter | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The ``k`` nearest documents with their cosines, nearest first."""
        return self._nearest(self._embedding.embed_query(query), k, filter)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        """The ``k`` documents nearest to a vector."""
        return [document for document, _ in self._nearest(embedding, k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """``k`` of the ``fetch_k`` nearest that are unlike each other; ``lambda_mult`` 1 is the nearest, 0 the most
        unlike."""
        import numpy as np

        if self._index is None:
            return []
        vector = self._vector(self._embedding.embed_query(query))
        rows = self._index.rows(vector, fetch_k, among=self._among(filter))
        vectors: list[Any] = list(self._index.vectors[rows])
        chosen = maximal_marginal_relevance(np.asarray(vector), vectors, lambda_mult=lambda_mult, k=k)
        return self.get_by_ids([self._index.ids[row] for row in rows[chosen].tolist()])

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: min(max((1 + cosine) / 2, 0.0), 1.0)  # a cosine may be 1.0000001

    def _nearest(self, embedding: Sequence[float], k: int, filter: Filter | None) -> list[tuple[Document, float]]:
        if self._index is None:
            return []
        names, scores = self._index.search(self._vector(embedding), k, among=self._among(filter))
        found = {document.id: document for document in self.get_by_ids(names[0])}
        pairs = zip(names[0], scores[0].tolist(), strict=True)
        return [(found[name], score) for name, score in pairs if name in found]

    def _among(self, filter: Filter | None) -> np.ndarray | None:
        import numpy as np

        if filter is None or self._index is None:
            return None
        with self._open() as held:
            passed = {row[0] for row in held.execute("SELECT * FROM documents") if filter(_document(*row))}
        held.close()
        return np.array([row for row, name in enumerate(self._index.ids) if name in passed], dtype=np.int64)

    def _vector(self, embedding: Sequence[float]) -> np.ndarray:
        import numpy as np

        return unit(np.asarray([embedding], dtype=np.float32))[0]

    def _open(self) -> sqlite3.Connection:
        held = sqlite3.connect(self.folder / "documents.sqlite")
        held.execute("CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, text TEXT, metadata TEXT)")
        return held


def _document(name: str, text: str, metadata: str) -> Document:
    return Document(id=name, page_content=text, metadata=json.loads(metadata))
