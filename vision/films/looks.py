"""What the detector makes of many images, kept, so that it is asked once about each: for watching and for adapting."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.detector import EMBEDDING_DIM, Detector
from vision.films.levels import measures
from vision.finding import LABELS
from vision.image import ImageInstance, load_image
from vision.quality import LOW_RESOLUTION

UNREADABLE = "unreadable"
_BATCH = 4
Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One image: ``refused`` (a code of quality.REFUSALS, or None), whether it is of low resolution, ``logits`` (15,)
    and unit ``embedding`` (256,) float32 (zeros when refused), and its measures (`levels.measures`)."""

    refused: str | None
    low_resolution: bool
    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]
    measures: dict[str, float]


class Looks:
    """Looks at files through a detector without a local head. ``kept`` is a file of JSON lines that is appended to, so
    that a run that was stopped goes on where it was; None keeps nothing. A line names its image by the SHA-256 of the
    file's bytes. A line that was cut short is looked at anew."""

    def __init__(self, detector: Detector, kept: Path | None = None) -> None:
        if detector.local is not None:
            raise ValueError("looks are kept of the shipped detector, without a local head")
        self._detector, self._kept = detector, kept
        self.detector = detector.fingerprint
        self._made_by = f"{detector.fingerprint} {detector.anatomy_fingerprint}"
        self._known: dict[str, Look] = {}
        if kept is not None and kept.is_file():
            for line in kept.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    row = json.loads(line)
                    if row["by"] == self._made_by:
                        self._known[row["key"]] = _look(row)
                except (ValueError, KeyError, TypeError):
                    continue

    def known(self, path: Path, change: tuple[str, Change] | None = None) -> Look | None:
        """The look at a file that is kept, None when there is none."""
        return self._known.get(_key(path, change) or "")

    def at(
        self, paths: Sequence[Path], change: tuple[str, Change] | None = None, progress: Progress | None = None
    ) -> Iterator[Look]:
        """Each file's look, in order; one that cannot be read is refused as UNREADABLE. ``change`` (a name and what it
        does to the pixels as they are stored) is made to each image before it is looked at."""
        for start in range(0, len(paths), _BATCH):
            some = paths[start : start + _BATCH]
            keys = [_key(path, change) for path in some]
            new = [i for i, key in enumerate(keys) if key is not None and key not in self._known]
            self._look([(some[i], str(keys[i])) for i in new], change)
            for key in keys:
                yield self._known[key] if key in self._known else _refused(UNREADABLE, low=False, found={})
            if progress:
                progress("looking", min(start + _BATCH, len(paths)), len(paths))

    def _look(self, asked: Sequence[tuple[Path, str]], change: tuple[str, Change] | None) -> None:
        images: dict[str, ImageInstance] = {}
        for path, key in asked:
            try:
                image = load_image(path)
            except InputError:
                continue
            images[key] = image if change is None else replace(image, pixels=change[1](image.pixels))
        if not images:
            return
        lines = []
        for key, seen in zip(images, self._detector.detect_batch(list(images.values())), strict=True):
            image = images[key]
            low, found = min(image.pixels.shape) < LOW_RESOLUTION, measures(image, seen)
            if seen.refused:
                self._known[key] = _refused(seen.refused, low=low, found=found)
            else:
                self._known[key] = Look(
                    refused=None,
                    low_resolution=low,
                    logits=seen.logits.astype(np.float32),
                    embedding=seen.embedding.astype(np.float16).astype(np.float32),
                    measures={name: float(f"{value:.6g}") for name, value in found.items()},
                )
            lines.append(json.dumps({"key": key, "by": self._made_by, **_row(self._known[key])}) + "\n")
        if self._kept is not None:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            with self._kept.open("a", encoding="utf-8") as file:
                file.write("".join(lines))
                file.flush()
                os.fsync(file.fileno())


def _key(path: Path, change: tuple[str, Change] | None) -> str | None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
    return digest if change is None else f"{digest} {change[0]}"


def _refused(reason: str, *, low: bool, found: dict[str, float]) -> Look:
    nothing = np.zeros(len(LABELS) + 1, np.float32)
    return Look(
        refused=reason,
        low_resolution=low,
        logits=nothing,
        embedding=np.zeros(EMBEDDING_DIM, np.float32),
        measures={name: float(f"{value:.6g}") for name, value in found.items()},
    )


def _row(look: Look) -> dict[str, object]:
    row: dict[str, object] = {
        "refused": look.refused,
        "low": look.low_resolution,
        "measures": look.measures,
    }
    if look.refused is None:
        row["logits"] = [float(f"{v:.6g}") for v in look.logits]
        row["embedding"] = base64.b64encode(look.embedding.astype("<f2").tobytes()).decode()
    return row


def _look(row: dict[str, object]) -> Look:
    if row["refused"] is not None:
        return _refused(str(row["refused"]), low=bool(row["low"]), found=dict(row["measures"]))  # type: ignore[call-overload]
    embedding = np.frombuffer(base64.b64decode(str(row["embedding"])), "<f2").astype(np.float32)
    return Look(
        refused=None,
        low_resolution=bool(row["low"]),
        logits=np.array(row["logits"], np.float32),
        embedding=embedding,
        measures=dict(row["measures"]),  # type: ignore[call-overload]
    )
