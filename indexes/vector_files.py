"""The files of a vector index: written beside and renamed, and joined from old ones without holding them in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from indexes import manifest
from indexes.id_table import IdTable
from indexes.manifest import atomic_directory
from indexes.planner import IndexPlan
from indexes.vector_build import Trained, blocks

if TYPE_CHECKING:
    import numpy as np

KIND = "vector index"
VERSION = 1


def digest_of(vectors: np.ndarray) -> str:
    """The sha256 of vectors, float32 (n, d), in hex, read block by block. ValueError when one is not finite."""
    import numpy as np

    found = hashlib.sha256(str(vectors.shape).encode())
    for rows in blocks(len(vectors)):
        block = np.ascontiguousarray(vectors[rows])
        if not np.isfinite(block).all():
            raise ValueError("vectors must be finite")
        found.update(block.data)
    return found.hexdigest()


def write_folder(
    path: Path,
    vectors: np.ndarray,
    ids: Sequence[str],
    done: Trained,
    chosen: IndexPlan,
    target: float,
    encoder: str,
    *,
    gone: np.ndarray | None = None,
    built: int | None = None,
) -> None:
    """The folder of an index. ``built`` is how many vectors there were when it was built, if it has been updated."""
    import faiss
    import numpy as np

    settings = {
        "index": chosen.kind,
        "parameters": done.parameters,
        "reason": chosen.reason,
        "estimated_bytes": chosen.estimated_bytes,
        "vectors": len(vectors) - (0 if gone is None else int(gone.sum())),
        "dimension": vectors.shape[1],
        "recall@10": round(done.recall, 4),
        "recall_target": target,
    } | ({} if built is None else {"built": built})
    with atomic_directory(path) as folder:
        faiss.write_index(done.index, str(folder / "index.faiss"))
        if chosen.kind == "flat":  # a flat index is its vectors
            (folder / "ids.json").write_text(json.dumps(list(ids), ensure_ascii=False), encoding="utf-8")
        else:
            np.save(folder / "vectors.npy", vectors, allow_pickle=False)
            np.save(folder / "order.npy", done.order, allow_pickle=False)
            IdTable.write(ids, folder)
        if gone is not None and gone.any():
            np.save(folder / "gone.npy", gone, allow_pickle=False)
        manifest.write(folder, kind=KIND, version=VERSION, inputs={"encoder": encoder}, settings=settings)


def joined(file: Path, first: np.ndarray, rows: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The ``rows`` of ``first`` and then ``second``, both float32 (n, d), written to ``file`` and mapped."""
    import numpy as np

    shape = (len(rows) + len(second), first.shape[1])
    if not shape[0]:
        return np.zeros(shape, dtype=np.float32)
    whole = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
    for block in blocks(len(rows)):
        whole[block] = first[rows[block]]
    whole[len(rows) :] = second
    return whole
