"""Augmentation of training images, drawn from a generator that is seeded per step (so a resumed run repeats it).

Mild on purpose: a first training with strong changes of exposure, resolution and style lost the subtle findings. Crop,
aspect, a few degrees of turn, exposure, resolution, noise and mirroring are varied. A mirrored chest has its heart on
the wrong side, but the findings that the labels name can stand on either side, mirroring doubles what the network sees
of them, and the side of a finding is read from where the map lights up, which mirrors along.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vision.intensity import standardise

Box = tuple[float, float, float, float]  # x, y, width, height as shares of the picture


def augment(
    pixels: NDArray[np.uint8], boxes: Sequence[Box], side: int, rng: np.random.Generator, low_resolution: float = 0.2
) -> tuple[NDArray[np.float32], list[Box]]:
    """(H, W) uint8 and boxes as shares of the picture → standardised (side, side) float32 and the boxes as shares of
    the new one; a box that the crop leaves out is dropped. ``low_resolution`` is the share of images that pass through
    56 to 128 pixels. Boxes are not turned with the picture: at the few degrees of turn they would move by less than a
    patch.
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    height, width = pixels.shape
    image = image.rotate(float(rng.normal(0, 5)), Image.Resampling.BILINEAR)
    area, aspect = rng.uniform(0.75, 1.0), np.exp(rng.uniform(-0.12, 0.12))
    crop_w, crop_h = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = rng.uniform(0, 1 - crop_w), rng.uniform(0, 1 - crop_h)
    frame = (left * width, top * height, (left + crop_w) * width, (top + crop_h) * height)
    low = int(rng.integers(56, 128)) if rng.random() < low_resolution else side
    picture = image.resize((low, low), Image.Resampling.BILINEAR, box=frame)
    if low != side:
        picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    x = _expose(np.asarray(picture, dtype=np.float32) / 255, rng)
    moved = [_clip((b[0] - left) / crop_w, (b[1] - top) / crop_h, b[2] / crop_w, b[3] / crop_h) for b in boxes]
    kept = [b for b in moved if b[2] > 0.01 and b[3] > 0.01]
    if rng.random() < 0.5:
        x = np.ascontiguousarray(x[:, ::-1])
        kept = [(1 - b[0] - b[2], *b[1:]) for b in kept]
    return x, kept


def _clip(x: float, y: float, width: float, height: float) -> Box:
    right, bottom = min(x + width, 1.0), min(y + height, 1.0)
    x, y = max(x, 0.0), max(y, 0.0)
    return x, y, right - x, bottom - y


def _expose(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Gamma before standardisation; contrast, brightness and noise after it."""
    if rng.random() < 0.8:
        x = x ** np.float32(np.exp(rng.uniform(-0.3, 0.3)))
    x = standardise(x)
    if rng.random() < 0.5:
        x = x * np.float32(rng.uniform(0.8, 1.2)) + np.float32(rng.uniform(-0.15, 0.15))
    if rng.random() < 0.2:
        x = x + rng.normal(0, 0.03, x.shape).astype(np.float32)
    return np.clip(x, -1, 1)
