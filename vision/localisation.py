"""From a finding's patch map to a peak, boxes and the patient's side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.finding import BoundingBox, Laterality

NO_SIDE = frozenset(("Cardiomegaly", "Hernia"))
_FINE = 64
_SMOOTH = 1.0  # patches
_LEAST_SHARE = 0.012
_MIDLINE = 0.06
_SIDE_CUT = 0.7
_OTHER_SIDE = 0.5


def upsample(heatmap: NDArray[np.float32], side: int = _FINE) -> NDArray[np.float32]:
    """(h, w) → (side, side) float32, bicubic without overshoot below the map's minimum."""
    from PIL import Image

    fine = np.asarray(Image.fromarray(heatmap.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC))
    return np.clip(fine, heatmap.min(), heatmap.max()).astype(np.float32)


def peak(heatmap: NDArray[np.float32], width: int, height: int) -> tuple[float, float]:
    """The pixel (x, y) of the input image where the map, smoothed over a patch, is highest; the first in reading order
    among ties. A single patch can spike beside a lesion, at an edge or a marker; the lesion is where its neighbours
    agree.
    """
    from scipy.ndimage import gaussian_filter

    fine = upsample(gaussian_filter(heatmap, _SMOOTH))
    row, column = divmod(int(fine.argmax()), fine.shape[1])
    return (column + 0.5) / fine.shape[1] * width, (row + 0.5) / fine.shape[0] * height


def boxes(heatmap: NDArray[np.float32], cut: float, width: int, height: int) -> tuple[tuple[BoundingBox, float], ...]:
    """Boxes in input pixels around the connected parts of the map above ``cut`` × its maximum, each with its highest
    value.

    Sorted by that value, highest first; parts smaller than about 1 % of the picture are dropped unless all are. Empty
    for a map of zeros.
    """
    from scipy.ndimage import find_objects, label

    fine = upsample(heatmap)
    top = float(fine.max())
    if top <= 0:
        return ()
    parts, _ = label(fine >= cut * top)
    found = []
    for index, (rows, columns) in enumerate(find_objects(parts), 1):
        inside = parts[rows, columns] == index
        value = float(fine[rows, columns][inside].max())
        box = BoundingBox(
            x=columns.start / _FINE * width,
            y=rows.start / _FINE * height,
            width=(columns.stop - columns.start) / _FINE * width,
            height=(rows.stop - rows.start) / _FINE * height,
        )
        found.append((inside.sum() / fine.size >= _LEAST_SHARE, value, index, box))
    kept = [f for f in found if f[0]] or found
    kept.sort(key=lambda f: (-f[1], f[2]))
    return tuple((box, value) for _, value, _, box in kept)


def laterality(label: str, heatmap: NDArray[np.float32]) -> Laterality | None:
    """The patient's side of a finding on a frontal film, where the patient's right is on the image's left.

    Compares the areas where the map reaches 70 % of its maximum: "midline" when most of it lies within 6 % of the
    middle, else "bilateral" when the smaller side has at least half of the larger's area. None for findings that have
    no side and for a flat map.
    """
    if label in NO_SIDE:
        return None
    fine = upsample(heatmap)
    top = float(fine.max())
    if top <= float(fine.min()):
        return None
    strong = fine >= _SIDE_CUT * top
    middle, gap = _FINE // 2, int(_MIDLINE * _FINE)
    image_left, image_right = int(strong[:, : middle - gap].sum()), int(strong[:, middle + gap :].sum())
    if strong[:, middle - gap : middle + gap].sum() > image_left + image_right:
        return "midline"
    if min(image_left, image_right) >= _OTHER_SIDE * max(image_left, image_right):
        return "bilateral"
    return "right" if image_left > image_right else "left"
