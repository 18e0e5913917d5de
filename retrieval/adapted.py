"""The packaged sentence encoder, moved to the words of a place: its vectors times a matrix, scaled to length one.

The network stays as it is; a version of the home (`indexes.versions`) holds the matrix. Only collections of cases are
encoded with it, and each is opened with the encoder that it was built with, whichever is in use now.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Move:
    """Vectors (n, d) times ``matrix`` (d, d), scaled to length one, under a first number that all have in common, so
    that a cosine c becomes ``lift`` + (1 - ``lift``) c: what is unlike stays about as unlike as it was, which
    the fusion with words and the floor of a search go by."""

    matrix: np.ndarray
    lift: float = 0.0

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """float32 (n, d + 1), of length one, each row by itself, so that its neighbours do not change its last bits."""
        import numpy as np

        out = np.empty((len(vectors), len(self.matrix) + 1), np.float32)
        out[:, 0] = np.sqrt(self.lift)
        for row, vector in enumerate(vectors):
            turned = vector @ self.matrix
            out[row, 1:] = turned * (np.sqrt(1 - self.lift) / max(float(np.linalg.norm(turned)), 1e-12))
        return out

    def text(self) -> str:
        """What a version of a home holds, for the packaged encoder."""
        stated = {
            "base": PACKAGED_SHA256,
            "dimension": len(self.matrix),
            "lift": self.lift,
            "matrix": base64.b64encode(self.matrix.astype("<f4").tobytes()).decode("ascii"),
        }
        return json.dumps(stated, indent=1, sort_keys=True) + "\n"


class AdaptedEncoder(Encoder):
    """``base``, whose vectors are moved."""

    def __init__(self, base: Encoder, move: Move) -> None:
        self.base, self.move = base, move
        digest = hashlib.sha256(f"{base.fingerprint} {move.lift!r} ".encode() + move.matrix.astype("<f4").tobytes())
        name = f"{base.name}, adapted to local reports"
        super().__init__(name, digest.hexdigest(), base.dimension + 1, self._moved)

    def _moved(self, texts: Sequence[str], longest: int | None, progress: Progress | None) -> np.ndarray:
        return self.move.of(self.base.encode(texts, longest=longest, progress=progress))


def in_use(home: Path, base: Encoder | None = None) -> Encoder:
    """What collections of cases are encoded with now: ``base`` (None: the packaged encoder), adapted where the version
    in use of ``home`` says so. Raises ArtifactError when that is damaged, or was fitted for another encoder."""
    base = base or Encoder.load()
    version = versions.current(home / LOCAL)
    move = None if version is None else _read(version / NAME, base)
    return base if move is None else AdaptedEncoder(base, move)


def built_with(home: Path, fingerprint: str) -> Encoder | None:
    """The encoder of this fingerprint, of any version of ``home``; None for the packaged one, and where there is none.
    A version that cannot be read is passed over."""
    if fingerprint == PACKAGED_SHA256:
        return None
    for path in sorted((home / LOCAL).glob(f"[0-9]*/{NAME}"), reverse=True):
        try:
            move = _read(path, base := Encoder.load())
        except ArtifactError:
            continue
        if move is not None and (found := AdaptedEncoder(base, move)).fingerprint == fingerprint:
            return found
    return None


def _read(path: Path, base: Encoder) -> Move | None:
    import numpy as np

    try:
        stated = json.loads(path.read_text(encoding="utf-8"))
        size, fitted, lift = int(stated["dimension"]), str(stated["base"]), float(stated["lift"])
        matrix = np.frombuffer(base64.b64decode(stated["matrix"], validate=True), "<f4").reshape(size, size)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError("the adapted encoder is damaged", value=path, run=_AGAIN) from error
    if fitted != base.fingerprint or size != base.dimension or not np.isfinite(matrix).all() or not 0 <= lift < 1:
        raise ArtifactError(
            "the adapted encoder was fitted on another encoder", value=fitted, expected=base.fingerprint, run=_AGAIN
        )
    return Move(matrix=matrix.astype(np.float32), lift=lift)
