"""Many image files, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from errors import InputError
from vision.detector import EMBEDDING_DIM, Detection, Detector
from vision.image import ImageInstance, load_image

UNREADABLE = "unreadable"
_BATCH = 8


def detect_files(
    detector: Detector, paths: Sequence[Path], *, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[tuple[Path, Detection]]:
    """Each file with what is seen on it, in order. One that cannot be read is refused as UNREADABLE with the reason
    among the warnings."""
    for start in range(0, len(paths), _BATCH):
        some = paths[start : start + _BATCH]
        loaded: dict[Path, ImageInstance] = {}
        reasons: dict[Path, str] = {}
        for path in some:
            try:
                loaded[path] = load_image(path)
            except InputError as error:
                reasons[path] = " ".join(str(error).split())
        found = dict(zip(loaded, detector.detect_batch(list(loaded.values())), strict=True))
        for path in some:
            if path in reasons:
                nothing = np.zeros(EMBEDDING_DIM, np.float32)
                yield path, Detection(findings=(), embedding=nothing, refused=UNREADABLE, warnings=(reasons[path],))
            else:
                yield path, found[path]
        if progress:
            progress("detecting", min(start + _BATCH, len(paths)), len(paths))
