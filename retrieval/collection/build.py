"""Building a collection, and keeping it up to date: only what is new or changed is linked, encoded and looked at.

Every text is encoded, and every image looked at, by itself: in a batch the last bits of a vector depend on its
neighbours, and a collection that grew would differ from one that was built at once (7 % slower for abstracts).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from errors import ArtifactError
from indexes import backend as backends
from indexes import manifest
from indexes.milvus import checked
from retrieval import adapted
from retrieval.adapted import AdaptedEncoder
from retrieval.cases import asserted
from retrieval.collection import catalogue
from retrieval.collection import sources as given
from retrieval.collection.record import Record
from retrieval.collection.sources import Notes, Sources
from retrieval.concept_index import Ancestors
from retrieval.document import Document
from retrieval.encoder import Encoder
from retrieval.hybrid import VERSION, HybridIndex, searched_text
from retrieval.literature import LONGEST, RETRACTED
from retrieval.where import FIELDS, FINDINGS_SEPARATOR

if TYPE_CHECKING:
    import numpy as np

    from ontologies.linking.linker import ConceptMatch

SEEN = "seen"
_NUMBER = re.compile(r"[-+]?\d{1,15}(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?")
Progress = Callable[[str, int, int], None]
# Metadata that no filter compares: texts, and what is known of the whole collection.
_NO_FIELDS = frozenset({"collection", "findings", "impression", "indication", "image", *FIELDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a network says of an image: an embedding, float32 (d,), and findings, CURIE → name; or why it refuses it."""

    embedding: np.ndarray | None
    findings: Mapping[str, str]
    refused: str = ""


class Reader(Protocol):
    """What links texts; ``fingerprint`` changes when it would link otherwise."""

    @property
    def fingerprint(self) -> str: ...

    def link_all(self, texts: Iterable[str]) -> Iterator[tuple[ConceptMatch, ...]]: ...


class Eyes(Protocol):
    """What looks at images; ``fingerprint`` changes when it would see something else."""

    @property
    def fingerprint(self) -> str: ...

    def look_all(self, paths: Iterable[Path]) -> Iterator[Seen]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build did: how many documents there are, and how many of them are new, changed, or there no more; why how
    many images were refused; what reading had to say."""

    documents: int
    new: int
    changed: int
    gone: int
    refused: Mapping[str, int]
    notes: Notes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """The build before: id → key, and what may be taken over from it, by key."""

    keys: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    images: Mapping[str, np.ndarray] = field(default_factory=dict)


def build(
    home: Path,
    name: str,
    sources: Sources,
    linker: Reader,
    *,
    eyes: Callable[[], Eyes] | None = None,
    ancestors: Ancestors | None = None,
    encoder: Encoder | None = None,
    anew: bool = False,
    backend: str | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Built:
    """Build the collection ``name`` from all that is in its sources now, written beside and then renamed.

    What the collection has already is taken over where linker, encoder and detector are the same, unless ``anew``; the
    files are the same byte for byte either way. ``eyes`` is called when there are images. ``backend`` is where the
    vectors lie ("faiss", or an address of Milvus; None: where they were), ``device`` where FAISS works. Raises
    InputError for sources that cannot be read, ArtifactError when the collection's salt is gone or Milvus does not
    answer; the collection is then as it was.
    """
    path = catalogue.folder(home, name)
    if backend is None:
        backend = (backends.place_of(path / "dense") or (backends.FAISS,))[0]
    elif backend != backends.FAISS:
        checked(backend)
    salt = _salt(path) if sources.kind == "cases" else b""
    records, notes = given.read(sources, salt=salt, collection=name, progress=progress)
    encoder = adapted.in_use(home, encoder) if sources.kind == "cases" else encoder or Encoder.load()
    looking = eyes() if eyes and any(record.image for record in records) else None
    origin = {"linker": linker.fingerprint, "encoder": encoder.fingerprint}
    before = _before(path, catalogue.KINDS[sources.kind], origin, encoder, looking.fingerprint if looking else None)
    keep = _Before() if anew else before

    documents, images = _documents(records, keep, linker, looking, progress)
    vectors = _vectors(records, documents, keep, encoder, progress)
    keys = {record.doc_id: record.key for record in records}
    looks = [document.metadata["image"] for document in documents if "image" in document.metadata]
    refused = Counter(look for look in looks if look != SEEN)
    files = {catalogue.KEYS: list(keys.values()), catalogue.SOURCES: asdict(sources)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)  # reports of patients lie here
    HybridIndex.build(
        documents,
        path,
        kind=catalogue.KINDS[sources.kind],
        encoder=encoder,
        longest=LONGEST,
        grams=sources.kind == "papers",
        ancestors=ancestors,
        images=(images, looking.fingerprint) if images is not None and looking else None,
        vectors=vectors,
        files={file: json.dumps(held, sort_keys=True).encode() for file, held in files.items()}
        | ({catalogue.SALT: salt} if salt else {}),
        inputs=origin | {"records": hashlib.sha256("\n".join(keys.values()).encode()).hexdigest()},
        settings={
            "counts": {"images": len(looks) - refused.total(), "refused": dict(refused)},
            "columns": _columns(documents) if sources.kind == "cases" else {},
            "left_out": sorted(notes.left_out),
            "retracted": sorted(d.doc_id for d in documents if d.metadata.get("status") == RETRACTED),
        },
        backend=backend,
        device=device,
        progress=progress,
    )
    return Built(
        documents=len(records),
        new=len(keys.keys() - before.keys.keys()),
        changed=sum(before.keys.get(doc_id, key) != key for doc_id, key in keys.items()),
        gone=len(before.keys.keys() - keys.keys()),
        refused=dict(sorted(refused.items())),
        notes=notes,
    )


def _salt(path: Path) -> bytes:
    """The collection's own, or a new one. Raises ArtifactError when there is a collection without one."""
    try:
        return (path / catalogue.SALT).read_bytes()
    except OSError as error:
        if path.is_dir():
            again = f"whydx index remove {path.name}, then whydx index add {path.name} PATH"
            raise ArtifactError("the collection's salt cannot be read", value=path.name, run=again) from error
    return secrets.token_bytes(32)


def _before(path: Path, kind: str, origin: Mapping[str, str], encoder: Encoder, eyes: str | None) -> _Before:
    """What there is to take over: nothing of a collection that is not there, damaged, or of another layout; no vectors
    of another encoder, unless ``encoder`` is an adaptation of it; and no documents that another linker, or another
    network, has read."""
    try:
        stored = manifest.read(path, kind=kind, version=VERSION)
        index = HybridIndex(path, stored, None)
        keys = json.loads((path / catalogue.KEYS).read_text(encoding="utf-8"))
    except (ArtifactError, OSError, ValueError):
        return _Before()
    same = {name: stored.inputs.get(name) == fingerprint for name, fingerprint in origin.items()}
    seen = stored.inputs.get("images", eyes) == eyes
    documents = {
        key: document
        for key, document in zip(keys, index.documents, strict=True)
        if same["linker"] and (seen or "image" not in document.metadata)
    }
    # copies, since vectors are a view of the memory of an index, which goes away with it
    vectors: Iterable[np.ndarray] = index.dense.vectors.copy() if same["encoder"] else ()
    if isinstance(encoder, AdaptedEncoder) and stored.inputs.get("encoder") == encoder.base.fingerprint:
        vectors = encoder.move.of(index.dense.vectors.copy())
    images: Iterable[np.ndarray] = index.images.vectors.copy() if index.images is not None and seen else ()
    return _Before(
        keys=dict(zip(index.lexical.ids, keys, strict=True)),
        documents=documents,
        vectors=dict(zip(keys, vectors, strict=False)),
        images=dict(zip([keys[row] for row in index.pictured.tolist()], images, strict=False)),
    )


def _documents(
    records: Sequence[Record], keep: _Before, linker: Reader, eyes: Eyes | None, progress: Progress | None
) -> tuple[list[Document], np.ndarray | None]:
    """The documents of the records, and the embeddings of their images, float32 (n, d), NaN for those without; None
    when nothing was embedded."""
    import numpy as np

    fresh = [record for record in records if record.key not in keep.documents]
    matches = linker.link_all(record.stated for record in fresh)
    looks = eyes.look_all(record.image for record in fresh if record.image is not None) if eyes else iter(())
    documents = dict(keep.documents)
    embeddings: dict[str, np.ndarray] = {
        record.key: keep.images[record.key] for record in records if record.key in keep.images
    }
    for done, (record, found) in enumerate(zip(fresh, matches, strict=True), 1):
        present, look = asserted(found), ""
        if record.image is not None and eyes is not None:
            seen = next(looks)
            look = f"refused: {seen.refused}" if seen.refused else SEEN
            if seen.embedding is not None:
                embeddings[record.key] = seen.embedding
            present = present if record.stated.strip() else dict(seen.findings)
        documents[record.key] = _document(record, present, look)
        if progress:
            progress("read and look", done, len(fresh))
    ordered = [documents[record.key] for record in records]
    if not embeddings:
        return ordered, None
    nothing = np.full_like(next(iter(embeddings.values())), np.nan)
    return ordered, np.stack([embeddings.get(record.key, nothing) for record in records])


def _document(record: Record, present: Mapping[str, str], look: str) -> Document:
    case = "collection" in record.metadata
    names = FINDINGS_SEPARATOR.join(sorted(set(present.values())))
    known = {"findings": names, "image": look} if case else {}
    if case and names and not record.stated.strip():  # what a reader sees of a case without a report
        known["impression"] = f"on the image: {names}"
    return Document(
        doc_id=record.doc_id,
        kind="case" if case else "literature",
        title=record.title,
        text=record.text,
        source_curie=record.doc_id,
        concepts=tuple(sorted(present)),
        metadata=dict(record.metadata) | {name: value for name, value in known.items() if value},
    )


def _vectors(
    records: Sequence[Record],
    documents: Sequence[Document],
    keep: _Before,
    encoder: Encoder,
    progress: Progress | None,
) -> np.ndarray:
    """The sentence vectors of the documents, float32 (n, d)."""
    import numpy as np

    vectors = np.zeros((len(records), encoder.dimension), dtype=np.float32)
    fresh = []
    for row, record in enumerate(records):
        if record.key in keep.vectors:
            vectors[row] = keep.vectors[record.key]
        else:
            fresh.append(row)
    encoded = encoder.each((searched_text(documents[row]) for row in fresh), longest=LONGEST)
    for done, (row, vector) in enumerate(zip(fresh, encoded, strict=True), 1):
        vectors[row] = vector
        if progress:
            progress("encode", done, len(fresh))
    return vectors


def _columns(documents: Sequence[Document]) -> dict[str, str]:
    """Field → "number", "date" or "text", of all that a filter may compare: what every value of it is."""
    kinds: dict[str, str] = {}
    for document in documents:
        for name, value in document.metadata.items():
            if name in _NO_FIELDS:
                continue
            kind = "number" if _NUMBER.fullmatch(value) else "date" if _DATE.fullmatch(value) else "text"
            kinds[name] = kind if kinds.get(name, kind) == kind else "text"
    return dict(sorted(kinds.items()))
