"""The lungs on CT by their air, which also tells a chest from anything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.ct.volume import Volume
from vision.intake.words import region_of

REFUSALS = {
    "wrong_body_part": "the header says this is not the chest",
    "too_few_slices": "a series of at least 12 slices is needed",
    "slices_too_thick": "the slices are more than 5 mm apart; small nodules are lost between them",
    "not_a_chest_ct": "there are no lungs in this volume",
}
"""Reason code → what it means, of a CT series. The codes are stable."""

_COARSE_MM = 2.0
_AIR = -400.0
_GAS = -975.0  # what is darker is gas in the bowel or around the body, not lung
_DENSE = -450.0
_PIECE_ML = 60.0
_LEAST_ML, _LEAST_MM = 700.0, 90.0  # volume and height of a child's lungs
LEAST_SLICES = 12
_MOST_GAP_MM = 5.0
_CLOSED_MM = 9.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lungs:
    """``mask`` bool (z, y, x) on every ``steps``-th voxel of the volume (steps in the same order), closed over vessels
    and nodules that touch the chest wall. ``low`` and ``high`` are the ends in patient coordinates, mm (x, y, z).
    """

    mask: NDArray[np.bool_]
    steps: tuple[int, int, int]
    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def place(self, point: tuple[float, float, float]) -> tuple[str, str]:
        """("left" or "right", "upper", "middle" or "lower" third) of a point in mm, by the lungs' own extent."""
        side = "left" if point[0] > (self.low[0] + self.high[0]) / 2 else "right"
        up = (point[2] - self.low[2]) / max(self.high[2] - self.low[2], 1e-6)
        return side, "lower" if up < 1 / 3 else "middle" if up < 2 / 3 else "upper"


def find_lungs(volume: Volume) -> Lungs | str:
    """The lungs, or the code (a key of REFUSALS) of why this is not read."""
    if region_of(volume.body_part) == "other":
        return "wrong_body_part"
    if len(volume.voxels) < LEAST_SLICES:
        return "too_few_slices"
    if volume.spacing_mm[2] > _MOST_GAP_MM:
        return "slices_too_thick"
    sizes = volume.spacing_mm[::-1]
    steps = tuple(max(1, round(_COARSE_MM / size)) for size in sizes)
    coarse = volume.voxels[:: steps[0], :: steps[1], :: steps[2]]
    voxel = tuple(size * step for size, step in zip(sizes, steps, strict=True))
    inside = _air_inside(coarse < _AIR)
    mask = _lung_like(coarse, inside, float(np.prod(voxel)) / 1000)
    where = np.argwhere(mask)
    if not len(where) or float(mask.sum() * np.prod(voxel)) / 1000 < _LEAST_ML:
        return "not_a_chest_ct"
    low, high = where.min(0) * steps, where.max(0) * steps
    if (high[0] - low[0]) * sizes[0] < _LEAST_MM:
        return "not_a_chest_ct"
    ends = [volume.point((float(v[0]), float(v[1]), float(v[2]))) for v in (low, high)]
    return Lungs(mask=_closed(mask, voxel), steps=(steps[0], steps[1], steps[2]), low=ends[0], high=ends[1])


def _air_inside(air: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Air that on its slice does not touch the picture's edge."""
    from scipy.ndimage import label

    inside = np.zeros_like(air)
    for own, plane in zip(inside, air, strict=True):
        parts, _ = label(plane)
        edge = np.unique(np.concatenate((parts[0], parts[-1], parts[:, 0], parts[:, -1])))
        own[:] = plane & ~np.isin(parts, edge)
    return inside


def _lung_like(coarse: NDArray[np.float32], inside: NDArray[np.bool_], voxel_ml: float) -> NDArray[np.bool_]:
    """The larger pieces of air inside that have the density of lung, which holds blood, and not of gas."""
    from scipy.ndimage import label, labeled_comprehension

    parts, count = label(inside)
    if not count:
        return inside
    size = np.bincount(parts.ravel())[1:] * voxel_ml
    large = 1 + np.flatnonzero(size >= _PIECE_ML)
    if not len(large):
        return np.zeros_like(inside)
    middle = labeled_comprehension(coarse, parts, large, np.median, np.float64, 0.0)
    return np.asarray(np.isin(parts, large[(middle > _GAS) & (middle < _DENSE)]))


def _closed(mask: NDArray[np.bool_], voxel: tuple[float, ...]) -> NDArray[np.bool_]:
    """Grown by a few millimetres and shrunk again, so that what stands in the lung or bulges into it is inside."""
    from scipy.ndimage import distance_transform_edt

    where = np.argwhere(mask)
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(where.min(0), where.max(0), strict=True))
    margin = [int(np.ceil(_CLOSED_MM / size)) + 1 for size in voxel]
    padded = np.pad(mask[box], [(m, m) for m in margin])
    grown = distance_transform_edt(~padded, sampling=voxel) <= _CLOSED_MM
    shrunk = distance_transform_edt(grown, sampling=voxel) > _CLOSED_MM
    closed = mask.copy()
    closed[box] |= shrunk[tuple(slice(m, -m) for m in margin)]
    return closed
