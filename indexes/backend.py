"""Where the vectors of a collection lie: in its folder (FAISS), or in Milvus; found again by the folder's manifest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ArtifactError, WhydxError
from indexes import manifest
from indexes.faiss_device import available
from indexes.manifest import Verify
from indexes.milvus import MilvusStore
from indexes.milvus_index import MilvusIndex
from indexes.vector_files import KIND, VERSION
from indexes.vector_index import VectorIndex

if TYPE_CHECKING:
    import numpy as np

Vectors = VectorIndex | MilvusIndex
FAISS = "faiss"  # the backend that needs no address


def build_vectors(
    vectors: np.ndarray,
    ids: Sequence[str],
    path: Path,
    *,
    texts: Sequence[str],
    encoder: str,
    before: Path,
    backend: str = FAISS,
    device: str = "cpu",
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Index the vectors, float32 (n, d), in the folder ``path``, or in the Milvus at the address ``backend``.

    FAISS works on the GPU when ``device`` is "cuda" and it can. ``before`` is the folder whose place this one takes:
    what a killed build of it has left is taken up. Raises as `VectorIndex.build` and `MilvusIndex.build` do.
    """
    if backend != FAISS:
        built = MilvusIndex.build(
            vectors, ids, path, backend, texts=texts, encoder=encoder, before=before, progress=progress
        )
        built.close()
        return
    collection = before.absolute().parent  # the folder of the collection, which this build takes the place of
    VectorIndex.build(
        vectors,
        ids,
        path,
        encoder=encoder,
        device=device if available(device) else "cpu",
        progress=progress,
        partial=collection.parent / f".{collection.name}.{path.name}.partial",
    )


def open_vectors(path: Path, *, verify: Verify = "open") -> Vectors:
    """Open what `build_vectors` built, wherever it lies. Raises as `VectorIndex.open` and `MilvusIndex.open` do."""
    if place_of(path) is None:
        return VectorIndex.open(path, verify=verify)
    return MilvusIndex.open(path, verify=verify)


def place_of(path: Path) -> tuple[str, str] | None:
    """Milvus's address and collection of the index in ``path``; None when its vectors lie there, or it is none."""
    try:
        settings = manifest.read(path, kind=KIND, version=VERSION, verify="size").settings
    except ArtifactError:
        return None
    return (settings["address"], settings["collection"]) if settings["index"] == "milvus" else None


def forget(place: tuple[str, str] | None) -> None:
    """Take a collection away from Milvus, if it answers."""
    if place is not None:
        with contextlib.suppress(WhydxError):
            store = MilvusStore(*place)
            store.drop()
            store.close()
