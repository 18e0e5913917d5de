"""What is watched of an image: a few numbers that say how it was made and how it looks, and nothing of who is on it.

A scanner, a protocol or a population that changes moves them. ``measures`` gives them as they are, ``coarse`` in steps
that are wide enough to keep for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vision import training_cases

if TYPE_CHECKING:
    from vision.detector import Detection
    from vision.image import ImageInstance

_AXES = 6
_MOST_PIXELS = 1 << 20
_FRAME = 0.03
# A quarter of the spread among the films that the detector was trained on, rounded.
STEPS: Mapping[str, float] = {
    "brightness": 0.02,
    "contrast": 0.01,
    "dark": 0.02,
    "bright": 0.02,
    "tone": 0.02,
    "noise": 0.05,
    "sharpness": 0.05,
    "frame": 0.04,
    "clipped": 0.2,
    "shape": 0.03,
    "size": 0.1,
    "lungs": 0.015,
    "lungs top": 0.015,
    "lungs width": 0.015,
    "unusual": 0.02,
    **{f"look {i + 1}": 0.05 for i in range(_AXES)},
    "normal": 0.25,
    "strongest": 0.25,
    "findings": 1.0,
}
"""Measure → the step in which it is kept."""
PIXELS = tuple(STEPS)[:11]
LOOKS = ("unusual", *(f"look {i + 1}" for i in range(_AXES)), "lungs", "lungs top", "lungs width")


def measures(image: ImageInstance, seen: Detection) -> dict[str, float]:
    """Measure → value of an image that was looked at; of a refused one the pixels' alone, and of one without trusted
    outlines nothing of the lungs.

    Greys are in [0, 1]: mean, spread, 5th and 95th percentile, where the median lies between these ("tone"), decadic
    logarithms of the noise (Immerkær 1996), of the gradient at 256 px ("sharpness") and of the share of black and white
    pixels ("clipped"), the frame's mean less the picture's; natural logarithms of height over width and of the shorter
    side. Lungs: the share of the picture that they fill, where they begin and how wide they are, as shares of its
    sides. "unusual": 1 - cosine to the most similar training image; "look 1" …: projections on the training images'
    principal axes. "normal" and "strongest": log odds of no finding, and of the likeliest finding; "findings": how
    many are present.
    """
    found = of_pixels(image.pixels)
    if seen.refused:
        return found
    axes, mean, known = _training()
    found["unusual"] = 1 - float((known @ seen.embedding).max())
    found |= {f"look {i + 1}": float(v) for i, v in enumerate(axes @ (seen.embedding - mean))}
    if seen.outlines:
        found |= _of_lungs(image, seen)
    found["normal"] = _log_odds(seen.no_finding)
    found["strongest"] = _log_odds(max(f.probability or 0.0 for f in seen.findings))
    found["findings"] = float(sum(f.presence == "present" for f in seen.findings))
    return found


def coarse(values: Mapping[str, float]) -> dict[str, int]:
    """Measure → the number of its steps, rounded."""
    return {name: round(value / STEPS[name]) for name, value in values.items() if name in STEPS}


def of_pixels(pixels: NDArray[np.float32]) -> dict[str, float]:
    """Those of ``measures`` that need no detector, of pixels (H, W) in [0, 1]."""
    from vision.intensity import resize

    height, width = pixels.shape
    every = max(1, int(np.sqrt(pixels.size / _MOST_PIXELS)))
    few = pixels[::every, ::every]
    low, middle, high = np.percentile(few, (5, 50, 95))
    # a window at full resolution: noise does not survive thinning
    rows, columns = min(height, 1024), min(width, 1024)
    top, left = (height - rows) // 2, (width - columns) // 2
    window = pixels[top : top + rows, left : left + columns]
    small = resize(pixels, 256)
    down, across = np.diff(small, axis=0)[:, :-1], np.diff(small, axis=1)[:-1]
    edge = max(1, int(_FRAME * min(few.shape)))
    inner = few[edge:-edge, edge:-edge]
    frame = (few.sum() - inner.sum()) / max(few.size - inner.size, 1)
    return {
        "brightness": float(few.mean()),
        "contrast": float(few.std()),
        "dark": float(low),
        "bright": float(high),
        "tone": float((middle - low) / max(high - low, 1e-6)),
        "noise": float(np.log10(_noise(window) + 1e-5)),
        "sharpness": float(np.log10(np.sqrt(np.mean(down**2 + across**2)) + 1e-5)),
        "frame": float(frame - few.mean()),
        "clipped": float(np.log10(np.mean((few <= 0.004) | (few >= 0.996)) + 1e-4)),
        "shape": float(np.log(height / width)),
        "size": float(np.log(min(height, width))),
    }


def _noise(window: NDArray[np.float32]) -> float:
    """The noise's standard deviation by the mean of a Laplacian that does not see edges."""
    if min(window.shape) < 3:
        return 0.0
    a = window[:-2, :-2] + window[:-2, 2:] + window[2:, :-2] + window[2:, 2:]
    b = window[:-2, 1:-1] + window[2:, 1:-1] + window[1:-1, :-2] + window[1:-1, 2:]
    laplacian = np.abs(a - 2 * b + 4 * window[1:-1, 1:-1])
    return float(np.sqrt(np.pi / 2) / 6 * laplacian.mean())


def _of_lungs(image: ImageInstance, seen: Detection) -> dict[str, float]:
    shares = [image.orientation.upright(share) for organ, share in seen.outlines.items() if "lung" in organ]
    inside = np.maximum.reduce(shares) >= 0.5
    if not inside.any():
        return {}
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return {
        "lungs": float(inside.mean()),
        "lungs top": float(rows[0] / len(inside)),
        "lungs width": float((columns[-1] - columns[0] + 1) / inside.shape[1]),
    }


@cache
def _training() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
    """The training embeddings' principal axes (6, D), their mean (D,), and themselves."""
    known = training_cases.read().embedding
    mean = known.mean(0, dtype=np.float64)
    axes = np.linalg.svd(known - mean, full_matrices=False)[2][:_AXES]
    return axes * np.sign(axes.sum(1, keepdims=True)), mean, known


def _log_odds(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return float(np.log(p / (1 - p)))
