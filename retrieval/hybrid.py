"""One searchable collection: words (BM25), meaning (sentence vectors), concepts, and images where there are any.

A search takes the 1,000 (or k) best candidates of each part that the query has, computes every part exactly for all
of them, and fuses the parts (`rank_fusion.convex`).
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError, InputError
from indexes import backend as backends
from indexes import manifest
from indexes.lexical_index import LexicalIndex, Unit
from indexes.manifest import Manifest, Verify, atomic_directory
from indexes.ranking import best_rows, id_ranks
from indexes.vector_index import VectorIndex
from retrieval import relevance
from retrieval.concept_index import Ancestors, ConceptIndex, Likely
from retrieval.document import Document
from retrieval.document_store import DocumentStore
from retrieval.encoder import PACKAGED_SHA256, Encoder
from retrieval.feedback import moved
from retrieval.rank_fusion import convex

if TYPE_CHECKING:
    import numpy as np

VERSION = 1
DEPTH = 1000
# bm25 and dense: tuned on the training part of two question sets (docs/retrieval.md); concepts and image: set by hand,
# since there is no judged collection of cases to tune them on
WEIGHTS: Mapping[str, float] = {"bm25": 0.4, "dense": 0.6, "concepts": 0.5, "image": 1.0}

TEXT_PARTS = frozenset({"bm25", "grams", "dense"})

Progress = Callable[[str, int, int], None]
_FOLDERS: Mapping[Unit, str] = {"stems": "bm25", "grams": "grams"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A row of a collection, its fused score in [0, 1], and the raw value of each part."""

    row: int
    score: float
    parts: Mapping[str, float]


class HybridIndex:
    """The parts of a collection, over the same documents in the same order.

    ``manifest.inputs["encoder"]`` is the fingerprint of the sentence encoder, ``["images"]`` that of the image encoder.
    """

    def __init__(self, path: Path, stored: Manifest, encoder: Encoder | None) -> None:
        self.manifest, self._encoder = stored, encoder
        # the manifest of the whole has just verified every file of the parts
        self.documents = DocumentStore.open(path / "documents", verify="size")
        self.lexical = LexicalIndex.open(path / "bm25", verify="size")
        self.grams = LexicalIndex.open(path / "grams", verify="size") if stored.settings.get("grams") else None
        self.dense = backends.open_vectors(path / "dense", verify="size")
        self.concepts = ConceptIndex.open(path / "concepts", verify="size")
        self.images = VectorIndex.open(path / "images", verify="size") if "images" in stored.inputs else None
        self._ranks = id_ranks(self.lexical.ids)
        self.pictured = self._pictured()
        # one case asks the same words of the papers about each candidate
        self._words = functools.lru_cache(maxsize=8)(self.lexical.scores)
        self._pieces = functools.lru_cache(maxsize=8)(self.grams.scores) if self.grams else None

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def every(self) -> np.ndarray:
        """All rows, int64, ascending."""
        import numpy as np

        return np.arange(len(self))

    def _pictured(self) -> np.ndarray:
        """The rows of the documents that have an image, int64, in the order of `images`."""
        import numpy as np

        if self.images is None:
            return np.zeros(0, dtype=np.int64)
        if len(self.images) == len(self):
            return np.arange(len(self))
        row_of = {name: row for row, name in enumerate(self.lexical.ids)}
        return np.array([row_of[name] for name in self.images.ids], dtype=np.int64)

    @classmethod
    def build(
        cls,
        documents: Sequence[Document],
        path: Path,
        *,
        kind: str,
        encoder: Encoder | None = None,
        longest: int | None = None,
        grams: bool = False,
        ancestors: Ancestors | None = None,
        known: Iterable[str] = (),
        images: tuple[np.ndarray, str] | None = None,
        vectors: np.ndarray | None = None,
        files: Mapping[str, bytes] | None = None,
        inputs: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
        backend: str = backends.FAISS,
        device: str = "cpu",
        progress: Progress | None = None,
    ) -> HybridIndex:
        """Build in the folder ``path`` and open.

        ``documents`` are sorted by id, so that the same documents give the same bytes. ``longest`` is how many tokens
        of a document the encoder reads. ``grams``: also indexed by pieces of words. ``ancestors`` and ``known`` are for
        `ConceptIndex.build`. ``images`` are the embeddings, float32 (n, d) in the order of ``documents``, and the
        fingerprint of the network they come from; a row of NaN is a document without an image. ``vectors`` are those of
        the sentence encoder, float32 (n, d) in the order of ``documents``; without them the vectors of the index that
        is in the folder are kept for the texts it has, and the rest is encoded (what a text is encoded with may change
        the last bits of its vector). ``files`` are further files of the folder, by name. ``backend`` is where the
        vectors of the texts lie ("faiss", or an address of Milvus), and ``device`` where FAISS works.
        ValueError when ids repeat or lengths differ.
        """
        import numpy as np

        order = sorted(range(len(documents)), key=lambda row: documents[row].doc_id)
        documents = [documents[row] for row in order]
        ids = [document.doc_id for document in documents]
        texts = [searched_text(document) for document in documents]
        encoder = encoder or Encoder.load()
        if vectors is None:
            vectors = _encoded(texts, _vectors_at(path, kind, encoder, longest), encoder, longest, progress)
        else:
            vectors = vectors[order]
        held = backends.place_of(path / "dense")
        with atomic_directory(path) as folder:
            DocumentStore.build(documents, folder / "documents")
            _lexical(texts, ids, path, kind, folder, ("stems", "grams") if grams else ("stems",))
            backends.build_vectors(
                vectors, ids, folder / "dense", texts=texts, encoder=encoder.fingerprint, before=path / "dense",
                backend=backend, device=device, progress=progress,
            )  # fmt: skip
            ConceptIndex.build(
                [document.concepts for document in documents], folder / "concepts", ancestors=ancestors, known=known
            )
            origin = dict(inputs or {}) | {"encoder": encoder.fingerprint}
            if images is not None:
                embeddings = np.asarray(images[0], dtype=np.float32)[order]
                seen = np.flatnonzero(~np.isnan(embeddings).all(axis=1))
                pictured = [ids[row] for row in seen]
                VectorIndex.build(unit(embeddings[seen]), pictured, folder / "images", encoder=images[1])
                origin["images"] = images[1]
            for name, content in (files or {}).items():
                (folder / name).write_bytes(content)
            manifest.write(
                folder,
                kind=kind,
                version=VERSION,
                inputs=origin,
                settings={"documents": len(documents), "encoder": encoder.name, "longest": longest}
                | ({"grams": True} if grams else {})
                | dict(settings or {}),
            )
        if held != backends.place_of(path / "dense"):
            backends.forget(held)
        return cls.open(path, kind=kind, encoder=encoder)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        kind: str,
        encoder: Encoder | None = None,
        images: str | None = None,
        verify: Verify = "open",
        run: str = manifest.REBUILD,
    ) -> HybridIndex:
        """Open; the packaged encoder is loaded by the first query when ``encoder`` is None.

        Raises ArtifactError, naming the command ``run`` that repairs it, when the folder is missing, damaged, of
        another kind, or built with another encoder than ``encoder`` (the packaged one) or, when given, the image
        encoder with the fingerprint ``images``.
        """
        stored = manifest.read(path, kind=kind, version=VERSION, verify=verify, run=run)
        wanted = {"encoder": encoder.fingerprint if encoder else PACKAGED_SHA256}
        if images is not None:
            wanted["images"] = images
        for name, fingerprint in wanted.items():
            if stored.inputs.get(name) != fingerprint:
                raise ArtifactError(
                    f"the {kind} was built with another {'image ' if name == 'images' else ''}encoder",
                    value=stored.inputs.get(name),
                    expected=fingerprint,
                    run=run,
                )
        return cls(path, stored, encoder)

    def search(
        self,
        *,
        k: int,
        text: str | None = None,
        concepts: Iterable[str] | Likely = (),
        image: np.ndarray | None = None,
        among: np.ndarray | None = None,
        exclude: Collection[str] = (),
        weights: Mapping[str, float] = WEIGHTS,
        floor: bool = False,
        feedback: bool = False,
    ) -> tuple[Scored, ...]:
        """The ``k`` best documents, best first, ties by id; fewer, or none, when fewer have anything in common.

        With ``floor`` nothing is found for a text that the collection says nothing about (`retrieval.relevance`),
        unless a document shares a concept with the query. With ``feedback`` the part "dense" is of the text's vector
        moved towards the documents that are best by the text alone (`retrieval.feedback`).

        ``concepts`` may be only likely (`concept_index.Likely`). ``image`` is an embedding, float32 (d,).
        ``among`` (int64 rows) restricts the documents before anything is ranked, and ``exclude`` leaves out ids. The
        parts are those that the query has and the collection can answer; none is an empty answer. Raises InputError
        when k < 1 or the image is not one for this index.
        """
        import numpy as np

        if k < 1:
            raise InputError("k is too small", value=k, expected="1 or more")
        rows = np.arange(len(self)) if among is None else np.asarray(among, dtype=np.int64)
        if not len(rows):
            return ()
        excluded = np.array(
            [row for row, name in enumerate(self.lexical.ids) if exclude and name in exclude], dtype=int
        )
        depth = max(DEPTH, k) + len(excluded)
        candidates, scorers = [], {}
        if text is not None and text.strip():
            words, vector = self._words(text), (self._encoder or Encoder.load()).query(text)
            candidates += [_positive(words, rows, self._ranks, depth), self.dense.rows(vector, depth, among=among)]
            scorers["bm25"] = words.__getitem__
            if self._pieces is not None:
                pieces = self._pieces(text)
                candidates.append(_positive(pieces, rows, self._ranks, depth))
                scorers["grams"] = pieces.__getitem__
            scorers["dense"] = lambda chosen: self.dense.scores(vector, chosen)
        wanted = concepts if isinstance(concepts, Likely) else sorted(set(concepts))
        if wanted:
            overlap = self.concepts.scores(wanted)
            candidates.append(_positive(overlap, rows, self._ranks, depth))
            scorers["concepts"] = overlap.__getitem__
        if image is not None and self.images is not None:
            embedding = unit(np.atleast_2d(np.asarray(image, dtype=np.float32)))[0]
            within = None if among is None else np.flatnonzero(np.isin(self.pictured, rows))
            candidates.append(self.pictured[self.images.rows(embedding, depth, among=within)])
            scorers["image"] = functools.partial(self._image_scores, embedding)
        if not candidates:
            return ()
        chosen = np.setdiff1d(np.concatenate(candidates), excluded)
        if not len(chosen):
            return ()
        parts = {name: np.asarray(score(chosen)) for name, score in scorers.items()}
        if text is not None and "dense" in parts:
            best = {name: float(values.max()) for name, values in parts.items()}
            named = best.get("concepts", 0.0) > 0
            if floor and not named and not relevance.reached(text, self.lexical, best["bm25"], best["dense"]):
                return ()
            if feedback:
                said = {name: values for name, values in parts.items() if name in TEXT_PARTS}
                vector = moved(
                    vector, convex(said, weights), self._ranks[chosen], lambda some: self.dense.vectors[chosen[some]]
                )
                parts["dense"] = self.dense.scores(vector, chosen)
        # radiographs are all alike to a network: what tells them apart is how far they stand above the least alike
        fused = convex(parts | {"image": above_least(parts["image"])} if "image" in parts else parts, weights)
        first = best_rows(fused, self._ranks[chosen], k)
        return tuple(
            Scored(
                row=int(chosen[i]),
                score=float(fused[i]),
                parts={name: float(parts[name][i]) for name in sorted(parts) if not np.isnan(parts[name][i])},
            )
            for i in first
        )

    def _image_scores(self, embedding: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The cosine of each row's image, float32; NaN for a document without one."""
        import numpy as np

        assert self.images is not None
        found = np.full(len(self), np.nan, dtype=np.float32)
        found[self.pictured] = self.images.scores(embedding)
        return found[rows]

    def first(self, k: int, among: np.ndarray, exclude: Collection[str] = ()) -> tuple[Scored, ...]:
        """The first ``k`` of the rows by id, unranked: score zero, no parts."""
        rows = [row for row in among.tolist() if self.lexical.ids[row] not in exclude]
        rows.sort(key=lambda row: int(self._ranks[row]))
        return tuple(Scored(row=row, score=0.0, parts={}) for row in rows[:k])


def _lexical(
    texts: Sequence[str], ids: Sequence[str], path: Path, kind: str, folder: Path, units: Sequence[Unit]
) -> None:
    """Index the texts in ``folder`` by words, and by their pieces; taken over from the index at ``path`` when it has
    the same texts."""
    try:
        manifest.read(path, kind=kind, version=VERSION)
        held = list(DocumentStore.open(path / "documents", verify="size"))
        same = [d.doc_id for d in held] == list(ids) and [searched_text(d) for d in held] == list(texts)
        indexes = [LexicalIndex.open(path / _FOLDERS[unit]) for unit in units] if same else []
    except ArtifactError:
        indexes = []
    for unit in units:
        if indexes:
            shutil.copytree(path / _FOLDERS[unit], folder / _FOLDERS[unit])
        else:
            LexicalIndex.build(texts, ids, folder / _FOLDERS[unit], unit=unit)


def _vectors_at(path: Path, kind: str, encoder: Encoder, longest: int | None) -> dict[str, np.ndarray]:
    """Searched text → its vector, of the index at ``path``; empty where there is none that this encoder made of as many
    tokens of each document."""
    try:
        stored = manifest.read(path, kind=kind, version=VERSION)
        if (stored.inputs.get("encoder"), stored.settings.get("longest")) != (encoder.fingerprint, longest):
            return {}
        documents, dense = DocumentStore.open(path / "documents"), backends.open_vectors(path / "dense")
    except ArtifactError:
        return {}
    # a copy, since the vectors are a view of the memory of an index that goes away
    return dict(zip(map(searched_text, documents), dense.vectors.copy(), strict=True))


def _encoded(
    texts: Sequence[str],
    known: Mapping[str, np.ndarray],
    encoder: Encoder,
    longest: int | None,
    progress: Progress | None,
) -> np.ndarray:
    """float32 (n, d): the vectors of the texts, of which those that are ``known`` are not encoded again."""
    import numpy as np

    fresh = [text for text in dict.fromkeys(texts) if text not in known]
    if len(fresh) == len(texts):
        return encoder.encode(texts, longest=longest, progress=progress)
    made = encoder.encode(fresh, longest=longest, progress=progress)
    vectors = dict(known) | dict(zip(fresh, made, strict=True))
    return np.stack([vectors[text] for text in texts])


def searched_text(document: Document) -> str:
    """What BM25 and the sentence encoder read of a document: its title and its text."""
    return f"{document.title} {document.text}".strip()


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length one, float32; a row of zeros stays, and one that has it already, so that scaling twice is
    scaling once."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[np.abs(lengths - 1) <= 1e-6] = 1
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)


def above_least(scores: np.ndarray) -> np.ndarray:
    """How far each stands above the least; a document without a score (NaN) stands with the least."""
    import numpy as np

    known = scores[~np.isnan(scores)]
    least = known.min() if len(known) and known.max() > known.min() else 0.0
    return np.nan_to_num(scores - least, nan=0.0)


def _positive(scores: np.ndarray, rows: np.ndarray, ranks: np.ndarray, depth: int) -> np.ndarray:
    rows = rows[scores[rows] > 0]
    return rows[best_rows(scores[rows], ranks[rows], depth)]
