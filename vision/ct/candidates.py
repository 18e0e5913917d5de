"""Where a nodule might be: bright blobs in the lungs, at several sizes, that are neither tubes nor sheets.

Differences of Gaussians stand for the Laplacian (Lowe 2004); a ball of radius r answers most at a width of r / √3. Most
of what is found is vessels: the network (``patches``) judges each.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vision.ct.lungs import Lungs
from vision.ct.volume import Volume

_GRID_MM = 1.0
_WIDTHS_MM = (1.2, 1.7, 2.4, 3.4, 4.8, 6.8, 9.6)  # of balls of 4 to 24 mm; the last only ends the ladder
_RATIO = 2**0.5
_LEAST_ANSWER = 110.0  # HU; a ball answers with 0.9 of its contrast
_LEAST_ROUND = 0.22  # the flattest curvature over the sharpest: 0 along a tube, 1 for a ball
_LUNG = -850.0
_BRIGHTEST = 300.0
_MOST = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A blob: ``centre_mm`` in patient coordinates and the diameter of the ball that it answers like."""

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    answer: float


def find_candidates(volume: Volume, lungs: Lungs) -> tuple[Candidate, ...]:
    """The blobs in the lungs, strongest first, none inside a stronger one; at most 700."""
    grid, inside, origin, size = _resampled(volume, lungs)
    inside = _without_rim(inside)
    rows: list[tuple[float, float, NDArray[np.int64]]] = []  # answer, width in mm, (z, y, x) on the grid
    fine = _blurred(grid, _WIDTHS_MM[0] / _GRID_MM)
    step = 1
    for width, wider in pairwise(_WIDTHS_MM):
        if width > 4 and step == 1:  # a coarser grid is enough from here on
            step, fine, inside = 2, fine[::2, ::2, ::2], inside[::2, ::2, ::2]
        before, after = width / _GRID_MM / step, wider / _GRID_MM / step
        coarse = _blurred(fine, float(np.sqrt(after**2 - before**2)))
        answer = (fine - coarse) / (_RATIO - 1)
        for at in _peaks(answer, inside):
            if _roundness(fine, at) >= _LEAST_ROUND:
                rows.append((float(answer[tuple(at)]), width, at * step))
        fine = coarse
    rows.sort(key=lambda row: -row[0])
    kept: list[tuple[float, float, NDArray[np.int64]]] = []
    for row in rows:
        if all(np.linalg.norm((row[2] - other[2]) * _GRID_MM) > 3**0.5 * max(row[1], other[1]) for other in kept):
            kept.append(row)
        if len(kept) == _MOST:
            break
    return tuple(
        Candidate(
            centre_mm=(
                origin[0] + float(at[2]) * size[0],
                origin[1] + float(at[1]) * size[1],
                origin[2] + float(at[0]) * size[2],
            ),
            diameter_mm=2 * 3**0.5 * width,
            answer=answer,
        )
        for answer, width, at in kept
    )


def _resampled(
    volume: Volume, lungs: Lungs
) -> tuple[NDArray[np.float32], NDArray[np.bool_], tuple[float, float, float], tuple[float, float, float]]:
    """The lungs' box on a grid of about 1 mm: HU (what is outside is as lung is), the mask, and the point (x, y, z) of
    its first voxel and the grid's steps, mm."""
    from scipy.ndimage import zoom

    where = np.argwhere(lungs.mask)
    low, high = where.min(0) * lungs.steps, (where.max(0) + 1) * lungs.steps
    box = volume.voxels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    spacing = volume.spacing_mm[::-1]
    shape = [max(2, round(n * s / _GRID_MM)) for n, s in zip(box.shape, spacing, strict=True)]
    factors = [n / m for n, m in zip(shape, box.shape, strict=True)]
    grid = zoom(np.clip(box, -1000, _BRIGHTEST), factors, order=1, grid_mode=True, mode="nearest")
    # the mask's voxels are those of the scan at every step: the nearest of them to each of the grid's
    nearest = [
        np.clip(np.rint((first + (np.arange(n) + 0.5) * m / n - 0.5) / step), 0, most - 1).astype(np.int64)
        for first, n, m, step, most in zip(low, grid.shape, box.shape, lungs.steps, lungs.mask.shape, strict=True)
    ]
    inside = lungs.mask[np.ix_(*nearest)]
    sizes = [m * s / n for m, s, n in zip(box.shape, spacing, grid.shape, strict=True)]  # what a step is, exactly
    at = [float(a) + (size / s - 1) / 2 for a, size, s in zip(low, sizes, spacing, strict=True)]
    return (
        np.where(inside, grid, _LUNG).astype(np.float32),
        inside,
        volume.point((at[0], at[1], at[2])),
        (sizes[2], sizes[1], sizes[0]),
    )


def _without_rim(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without the outermost 2 mm, where the chest wall's edge answers; a nodule on the wall has its middle further
    in."""
    from scipy.ndimage import binary_erosion

    return np.asarray(binary_erosion(inside, iterations=2, border_value=1))


def _blurred(grid: NDArray[np.float32], width: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(grid, width, truncate=3.0, output=np.float32))


def _peaks(answer: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, 3): where the answer is largest among its 26 neighbours and large enough, not at the grid's edge."""
    from scipy.ndimage import maximum_filter

    tops = (answer >= _LEAST_ANSWER) & inside & (answer == maximum_filter(answer, 3))
    found = np.argwhere(tops)
    edge = ((found > 0) & (found < np.array(answer.shape) - 1)).all(1)
    return found[edge]


def _roundness(grid: NDArray[np.float32], at: NDArray[np.int64]) -> float:
    """The flattest over the sharpest of the three curvatures at a voxel, by its 26 neighbours; 0 unless it is convex
    in all."""
    z, y, x = (int(v) for v in at)
    near = grid[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2].astype(np.float64)
    bend = np.empty((3, 3))
    for i in range(3):
        ahead, behind = [1, 1, 1], [1, 1, 1]
        ahead[i], behind[i] = 2, 0
        bend[i, i] = near[tuple(ahead)] + near[tuple(behind)] - 2 * near[1, 1, 1]
        for j in range(i):
            corner = [1, 1, 1]
            total = 0.0
            for a in (0, 2):
                for b in (0, 2):
                    corner[i], corner[j] = a, b
                    total += (1 if a == b else -1) * near[tuple(corner)]
            bend[i, j] = bend[j, i] = total / 4
    curve = np.linalg.eigvalsh(bend)
    return float(curve[2] / curve[0]) if curve[2] < 0 else 0.0
