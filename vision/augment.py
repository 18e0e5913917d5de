"""Augmentation of training images, drawn from a generator that is seeded per image and epoch (so a resumed run repeats
it).

The varied things are those that tell machines and hospitals apart without telling disease: exposure, saturation, blur,
resolution, noise, borders, markers, crop and aspect. There is no horizontal flip: it would train on mirrored hearts and
mirrored side markers, which no patient shows, and the side of a finding is read from where the map lights up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.finding import BoundingBox
from vision.intensity import standardise

Box = tuple[float, float, float, float]  # x, y, width, height as shares of the picture


def augment(
    pixels: NDArray[np.uint8], boxes: list[BoundingBox], side: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[Box]]:
    """(H, W) uint8 and boxes in its pixels → standardised (side, side) float32 and the boxes as shares of the new
    picture.
    """
    from PIL import Image

    image = Image.fromarray(pixels)
    height, width = pixels.shape
    if rng.random() < 0.6 and not boxes:
        corner = int(np.median(pixels[:4, :4]))
        angle = float(rng.normal(0, 4))
        image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=corner if corner < 40 else 0)
    area, aspect = rng.uniform(0.72, 1.0), np.exp(rng.uniform(-0.16, 0.16))
    crop_w = min(1.0, np.sqrt(area * aspect)) * width
    crop_h = min(1.0, np.sqrt(area / aspect)) * height
    left, top = rng.uniform(0, width - crop_w), rng.uniform(0, height - crop_h)
    frame = (left, top, left + crop_w, top + crop_h)
    low = side
    if rng.random() < 0.5:
        low = int(rng.integers(48, side)) if rng.random() < 0.5 else 64
    kernel = Image.Resampling.BILINEAR if rng.random() < 0.7 else Image.Resampling.BICUBIC
    picture = image.resize((low, low), kernel, box=frame)
    if low != side:
        picture = picture.resize((side, side), Image.Resampling.BILINEAR)
    x = np.asarray(picture, dtype=np.float32) / 255
    x = _expose(x, rng)
    x = _blur_and_noise(x, rng)
    _border(x, rng)
    x = standardise(x)
    if rng.random() < 0.6:
        x = np.clip(x * np.float32(rng.uniform(0.7, 1.2)) + np.float32(rng.uniform(-0.2, 0.2)), -1, 1)
    _erase(x, rng)
    moved = [_clip((b.x - left) / crop_w, (b.y - top) / crop_h, b.width / crop_w, b.height / crop_h) for b in boxes]
    return x, [b for b in moved if b[2] > 0.01 and b[3] > 0.01]


def _clip(x: float, y: float, width: float, height: float) -> Box:
    right, bottom = min(x + width, 1.0), min(y + height, 1.0)
    x, y = max(x, 0.0), max(y, 0.0)
    return x, y, right - x, bottom - y


def _expose(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    if rng.random() < 0.8:
        x = x ** np.float32(np.exp(rng.uniform(-0.7, 0.7)))
    if rng.random() < 0.4:
        low, high = np.percentile(x, (rng.uniform(0, 8), rng.uniform(90, 100)))
        x = np.clip((x - low) / max(high - low, 0.1), 0, 1)
    if rng.random() < 0.3:  # a sigmoid characteristic curve, as films and some processors have
        x = 1 / (1 + np.exp(-rng.uniform(4, 8) * (x - np.float32(x.mean()))))
    return x.astype(np.float32)


def _blur_and_noise(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    if rng.random() < 0.25:
        blurred = gaussian_filter(x, rng.uniform(0.4, 1.5))
        x = blurred if rng.random() < 0.6 else np.clip(2 * x - blurred, 0, 1)  # or sharpened (unsharp mask)
    if rng.random() < 0.3:
        x = x + rng.normal(0, rng.uniform(0.005, 0.04), x.shape).astype(np.float32)
    return np.clip(x, 0, 1)


def _border(x: NDArray[np.float32], rng: np.random.Generator) -> None:
    side = x.shape[0]
    if rng.random() < 0.3:
        shade = 0.0 if rng.random() < 0.8 else 1.0
        for edge in range(4):
            if rng.random() < 0.5:
                depth = int(rng.uniform(0.01, 0.1) * side)
                np.rot90(x, edge)[:depth] = shade
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):  # markers and letters near the edges
        h, w = (int(v) for v in rng.integers(3, max(4, side // 12), 2))
        row = int(rng.integers(0, side // 5)) if rng.random() < 0.7 else int(rng.integers(0, side - h))
        column = int(rng.integers(0, side // 5)) if rng.random() < 0.5 else int(rng.integers(4 * side // 5, side - w))
        x[row : row + h, column : column + w] = rng.uniform(0.6, 1.0)


def _erase(x: NDArray[np.float32], rng: np.random.Generator) -> None:
    if rng.random() < 0.2:
        side = x.shape[0]
        h, w = (int(v) for v in rng.uniform(0.05, 0.2, 2) * side)
        row, column = int(rng.integers(0, side - h)), int(rng.integers(0, side - w))
        x[row : row + h, column : column + w] = rng.uniform(-1, 1)
