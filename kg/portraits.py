"""How much a note reads like a made-up patient of each disease.

The chest layer has portraits: what is told of a patient with the disease, in the words of notes (portraits.tsv). Each
is a vector of the packaged sentence encoder, made by ``python -m fusion.training.portraits``; a note is the sum of its
sentences' vectors. The likeness of a note and a disease is their cosine, of the disease's most similar portrait, less
the mean over all portraits; what has no portrait is neither like the note nor unlike it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from errors import ArtifactError
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.chest.layer import Portrait

VECTORS = Path(__file__).parent / "weights" / "portraits.safetensors"
_REMAKE = "python -m fusion.training.portraits"


def digest() -> str:
    """sha256 of the portraits' texts, in their order: whose vectors they are."""
    return hashlib.sha256("\n".join(p.text for p in chest.load().portraits).encode()).hexdigest()


def vectors(path: Path = VECTORS) -> np.ndarray:
    """float32 (P, dimension), of unit length, in the order of the portraits. Raises ArtifactError when the file is
    missing, or is of other texts."""
    return _vectors() if path == VECTORS else _read(path)


@cache
def _vectors() -> np.ndarray:
    return _read(VECTORS)


def _read(path: Path) -> np.ndarray:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            made: Mapping[str, str] = file.metadata() or {}
            found = file.get_tensor("portraits").astype(np.float32)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            "the vectors of the portraits cannot be read", value=error, expected=str(path.name), run=_REMAKE
        ) from error
    if made.get("texts") != digest():
        raise ArtifactError(
            "the vectors are not of these portraits", value=path.name, expected=digest()[:12], run=_REMAKE
        )
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    found.flags.writeable = False
    return found


class Portraits:
    """The portraits of the diseases of a graph. ``disease`` int (D,): their nodes, ascending. ``told``: other portraits
    than the chest layer's, with their ``vectors`` (float32 (P, dimension), of unit length). ``texts`` and ``row`` int
    (P,): the portraits and the place of their disease; those of diseases that are not there are left out."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        disease: np.ndarray,
        told: Sequence[Portrait] | None = None,
        vectors: np.ndarray | None = None,
    ) -> None:
        self.texts: list[str] = []
        rows, kept = [], []
        for number, portrait in enumerate(chest.load().portraits if told is None else told):
            if portrait.disease not in graph:
                continue
            node = graph.node(portrait.disease)
            row = int(np.searchsorted(disease, node))
            if row < len(disease) and disease[row] == node:
                rows.append(row)
                kept.append(number)
                self.texts.append(portrait.text)
        self.row = np.array(rows, np.int64)
        self._kept, self._diseases, self._given = np.array(kept, np.int64), len(disease), vectors

    def likeness(self, meaning: np.ndarray) -> np.ndarray:
        """float64 (D,) for the sum of the vectors of a note's sentences; zeros when it is nothing, or nothing has a
        portrait."""
        out = np.zeros(self._diseases)
        length = float(np.linalg.norm(meaning))
        if not length or not len(self.row):
            return out
        own = vectors() if self._given is None else self._given
        cosine = (own[self._kept] @ (meaning / length)).astype(np.float64)
        best = np.full(self._diseases, -np.inf)
        np.maximum.at(best, self.row, cosine)
        has = np.isfinite(best)
        out[has] = best[has] - cosine.mean()
        return out
