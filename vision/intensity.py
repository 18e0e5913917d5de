"""Intensity standardisation: the one place where pixels become the network's input, in training and in use.

Exposure, window and machine differ between hospitals and between the normal and the abnormal films of a data set, and a
network would rather learn those. So every image is stretched between two percentiles of its central part and then
equalised locally with limited contrast (CLAHE, Zuiderveld 1994), after which its grey-level histogram says little about
the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

_TILES = 8
_BINS = 128
_CLIP = 3.0
_MARGIN = 0.06


def resize(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """(H, W) → (side, side) float32, antialiased; the aspect ratio is not kept (training varies it)."""
    from PIL import Image

    source = np.ascontiguousarray(pixels, dtype=np.float32)
    image: Image.Image = Image.fromarray(source, mode=None)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)


def standardise(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(S, S) float32, any range, S a multiple of 8 → (S, S) float32 in [−1, 1]. A constant image gives a constant."""
    side = pixels.shape[0]
    margin = int(side * _MARGIN)
    centre = pixels[margin : side - margin, margin : side - margin]
    low, high = np.percentile(centre, (0.5, 99.5))
    if high - low < 1e-6:
        return np.zeros_like(pixels)
    stretched = np.clip((pixels - low) / (high - low), 0, 1)
    return (2 * equalise(stretched) - 1).astype(np.float32)


def equalise(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Contrast-limited adaptive histogram equalisation of (S, S) float32 in [0, 1], 8 × 8 tiles; result in [0, 1]."""
    side = pixels.shape[0]
    tile = side // _TILES
    level = np.minimum((pixels * _BINS).astype(np.int64), _BINS - 1)
    which = np.minimum(np.arange(side) // tile, _TILES - 1)
    flat = (which[:, None] * _TILES + which[None, :]) * _BINS + level
    histogram = np.bincount(flat.ravel(), minlength=_TILES * _TILES * _BINS).reshape(_TILES, _TILES, _BINS)
    share = histogram / histogram.sum(2, keepdims=True)
    limit = _CLIP / _BINS
    clipped = np.minimum(share, limit)
    clipped += (1 - clipped.sum(2, keepdims=True)) / _BINS
    table = np.cumsum(clipped, 2).astype(np.float32)
    # each pixel reads the tables of the four nearest tile centres
    place = np.clip((np.arange(side) + 0.5) / tile - 0.5, 0, _TILES - 1)
    first = np.minimum(place.astype(np.int64), _TILES - 2)
    share_next = (place - first).astype(np.float32)
    rows, columns = first[:, None], first[None, :]
    down, across = share_next[:, None], share_next[None, :]
    upper = table[rows, columns, level] * (1 - across) + table[rows, columns + 1, level] * across
    lower = table[rows + 1, columns, level] * (1 - across) + table[rows + 1, columns + 1, level] * across
    return np.clip(upper * (1 - down) + lower * down, 0, 1)
