"""A vector index brought up to date without building it anew."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from indexes.planner import EXACT_BELOW, IndexPlan
from indexes.vector_build import HELD_OUT, Progress, Trained, add, blocks, tune
from indexes.vector_files import digest_of, joined, write_folder
from indexes.vector_index import DEFAULT_MEMORY, VectorIndex

if TYPE_CHECKING:
    import numpy as np

MOST_GONE = 0.25  # share of removed rows from which it is built anew
MOST_GROWN = 4  # times the vectors that it was built of, likewise


def update(
    path: Path,
    vectors: np.ndarray,
    ids: Sequence[str],
    *,
    remove: Collection[str] = (),
    memory_bytes: int = DEFAULT_MEMORY,
    device: str = "cpu",
    threads: int = 1,
    progress: Progress | None = None,
) -> VectorIndex:
    """Add ``vectors``, float32 (n, d), to the index in ``path``, in place of those whose ``ids`` are there already;
    take away ``remove``; open it.

    A graph, or lists, take in what is new and are not built anew, unless more than MOST_GONE of the rows are gone,
    there are MOST_GROWN times as many vectors as at building, or an exact index has outgrown itself. The effort is
    raised when recall@10 of the new vectors (as queries, before they are added) misses the target. The folder is
    written beside and renamed. An id of ``remove`` that is not there is passed over.

    Raises InputError when the vectors have another dimension, and what `VectorIndex.build` and ``open`` raise.
    """
    import faiss
    import numpy as np

    vectors = np.asarray(vectors, dtype=np.float32)
    old = VectorIndex.open(path)
    settings, encoder = old.manifest.settings, old.manifest.inputs["encoder"]
    if vectors.ndim != 2 or len(vectors) != len(ids) or len(set(ids)) != len(ids):
        raise ValueError("every vector needs an id of its own")
    if vectors.shape[1] != old.vectors.shape[1]:
        expected = f"dimension {old.vectors.shape[1]}"
        raise InputError("not vectors for this index", value=vectors.shape, expected=expected)
    digest_of(vectors)  # all finite
    leaving = {*remove, *ids}
    gone = np.fromiter((name in leaving for name in old.ids), dtype=bool, count=len(old.ids))
    if old.gone is not None:
        gone |= old.gone
    alive, built = np.flatnonzero(~gone), settings.get("built", len(old.ids))
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=f".{path.name}.update.") as folder:
        file, target = Path(folder) / "vectors.npy", settings["recall_target"]
        most_gone = len(alive) < (1 - MOST_GONE) * len(old.ids)
        if old.order is None or most_gone or len(alive) + len(vectors) > MOST_GROWN * built:
            exact = old.order is None and (target == 1 or len(alive) + len(vectors) <= EXACT_BELOW)
            return VectorIndex.build(
                joined(file, old.vectors, alive, vectors),
                [*(old.ids[row] for row in alive.tolist()), *ids],
                path,
                encoder=encoder,
                memory_bytes=memory_bytes,
                recall_target=1.0 if exact else target,
                device=device,
                threads=threads,
                progress=progress,
            )
        whole = joined(file, old.vectors, np.arange(len(old.ids)), vectors)
        index, order, parameters, recall = (
            old.faiss_index,
            old.order,
            dict(settings["parameters"]),
            settings["recall@10"],
        )
        before = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(threads)
        try:
            if len(vectors):
                asked = np.sort(np.random.default_rng(0).permutation(len(vectors))[:HELD_OUT])
                parameters, recall = tune(index, whole, order, vectors[asked], parameters, target, among=alive)
            for block in blocks(len(vectors)):
                add(index, vectors[block])
        finally:
            faiss.omp_set_num_threads(before)
        grown = Trained(
            index=index,
            order=np.concatenate([order, np.arange(len(old.ids), len(whole))]),
            parameters=parameters,
            recall=recall,
        )
        chosen = IndexPlan(
            kind=settings["index"],
            parameters=parameters,
            estimated_bytes=settings["estimated_bytes"] * len(whole) // len(old.ids),
            reason=settings["reason"],
        )
        gone = np.concatenate([gone, np.zeros(len(vectors), dtype=bool)])
        names = [*old.ids, *ids]
        write_folder(path, whole, names, grown, chosen, target, encoder, gone=gone, built=built)
    return VectorIndex.open(path, device=device)
