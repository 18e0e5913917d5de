"""The packaged sentence encoder, moved to the words of a place: its vectors times a matrix, scaled to length one.

The network stays as it is; a version of the home (`indexes.versions`) holds the matrix. Only collections of cases are
encoded with it, and each is opened with the encoder that it was built with, whichever is in use now.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ArtifactError
from indexes import versions
from retrieval.encoder import PACKAGED_SHA256, Encoder, Progress

if TYPE_CHECKING:
    import numpy as np

NAME = "encoder.json"
LOCAL = "local"
_AGAIN = "whydx adapt --reports PATH, or whydx adapt --use 0 for what was shipped"


class AdaptedEncoder(Encoder):
    """``base``, whose vectors are multiplied by ``matrix``, float32 (d, d)."""

    def __init__(self, base: Encoder, matrix: np.ndarray) -> None:
        self.base, self.matrix = base, matrix
        digest = hashlib.sha256(base.fingerprint.encode() + matrix.astype("<f4").tobytes()).hexdigest()
        super().__init__(f"{base.name}, adapted to local reports", digest, base.dimension, self._moved)

    def _moved(self, texts: Sequence[str], longest: int | None, progress: Progress | None) -> np.ndarray:
        return self.moved(self.base.encode(texts, longest=longest, progress=progress))

    def moved(self, vectors: np.ndarray) -> np.ndarray:
        """The adapted vectors of those of ``base``, float32 (n, d), each row by itself, so that its neighbours do not
        change its last bits."""
        import numpy as np

        out = np.empty((len(vectors), self.dimension), np.float32)
        for row, vector in enumerate(vectors):
            turned = vector @ self.matrix
            out[row] = turned / max(float(np.linalg.norm(turned)), 1e-12)
        return out


def text(matrix: np.ndarray) -> str:
    """What a version holds of a matrix, float32 (d, d), for the packaged encoder."""
    stated = {
        "base": PACKAGED_SHA256,
        "dimension": len(matrix),
        "matrix": base64.b64encode(matrix.astype("<f4").tobytes()).decode("ascii"),
    }
    return json.dumps(stated, indent=1, sort_keys=True) + "\n"


def in_use(home: Path, base: Encoder | None = None) -> Encoder:
    """What collections of cases are encoded with now: ``base`` (None: the packaged encoder), adapted where the version
    in use of ``home`` says so. Raises ArtifactError when that is damaged, or was fitted for another encoder."""
    base = base or Encoder.load()
    version = versions.current(home / LOCAL)
    matrix = None if version is None else _matrix(version / NAME, base)
    return base if matrix is None else AdaptedEncoder(base, matrix)


def built_with(home: Path, fingerprint: str) -> Encoder | None:
    """The encoder of this fingerprint, of any version of ``home``; None for the packaged one, and where there is none.
    A version that cannot be read is passed over."""
    if fingerprint == PACKAGED_SHA256:
        return None
    for path in sorted((home / LOCAL).glob(f"[0-9]*/{NAME}"), reverse=True):
        try:
            matrix = _matrix(path, base := Encoder.load())
        except ArtifactError:
            continue
        if matrix is not None and (found := AdaptedEncoder(base, matrix)).fingerprint == fingerprint:
            return found
    return None


def _matrix(path: Path, base: Encoder) -> np.ndarray | None:
    import numpy as np

    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        size, fitted = int(stated["dimension"]), str(stated["base"])
        matrix = np.frombuffer(base64.b64decode(stated["matrix"], validate=True), "<f4").reshape(size, size)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError("the adapted encoder is damaged", value=path, run=_AGAIN) from error
    if fitted != base.fingerprint or size != base.dimension or not np.isfinite(matrix).all():
        raise ArtifactError(
            "the adapted encoder was fitted on another encoder", value=fitted, expected=base.fingerprint, run=_AGAIN
        )
    return matrix.astype(np.float32)
