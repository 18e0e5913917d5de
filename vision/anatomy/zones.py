"""What is measured beside the ratio: density by side and zone, costophrenic angles, diaphragm, mediastinum.

All of maps of ``SIDE`` pixels, so that an angle is good to a few degrees and a length to a hundredth. Densities are
brightness in standard deviations of the lungs' own, since a film's greys have no scale. Lengths are in parts of the
thorax's inner width or of the lungs' height.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.anatomy.measures import HEART, INSIDE, LEFT, RIGHT, Measurement, largest_part
from vision.anatomy.ranges import Person, Ranges, usual

THIRDS = ("upper", "middle", "lower")
SIDES = ("right", "left")
DEGREES = "°"
_EDGE = 2  # pixels of a lung's border that no density is taken of: ribs and diaphragm begin there
_LEAST_PIXELS = 250
_LEAST_COLUMNS = 5
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lung:
    """One lung's outline: ``mask`` (S, S), its first and last row, and for each row and column its ends in pixels
    (NaN where it has none). ``lateral`` is −1 when the chest wall is to the left of it.
    """

    mask: Mask
    top: int
    bottom: int
    lateral: int

    def wall(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where the outer edge is, on these rows."""
        return self._end(rows, self.lateral < 0)

    def inner(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where the edge beside the mediastinum is, on these rows."""
        return self._end(rows, self.lateral > 0)

    def base(self, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """The lowest row, on these columns."""
        part = self.mask[:, columns]
        last = part.shape[0] - 1 - part[::-1].argmax(0)
        return np.where(part.any(0), last, np.nan)

    def _end(self, rows: NDArray[np.int64], first: bool) -> NDArray[np.float64]:
        part = self.mask[rows]
        end = part.argmax(1) if first else part.shape[1] - 1 - part[:, ::-1].argmax(1)
        return np.where(part.any(1), end, np.nan)

    @property
    def columns(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.mask.any(0))


def lungs_of(shares: NDArray[np.float32]) -> tuple[Lung, Lung] | None:
    """The right and the left lung of maps (3, S, S); None unless there are two of some size."""
    found = []
    for i, lateral in ((RIGHT, -1), (LEFT, 1)):
        mask = largest_part(shares[i]) >= INSIDE
        if mask.sum() < _LEAST_PIXELS:
            return None
        rows = np.flatnonzero(mask.any(1))
        found.append(Lung(mask=mask, top=int(rows[0]), bottom=int(rows[-1]), lateral=lateral))
    return found[0], found[1]


def measured(shares: NDArray[np.float32], grey: NDArray[np.float32] | None = None) -> dict[str, float]:
    """{name: value} of maps (3, S, S); {} without two lungs. ``grey`` (S, S), the picture at the maps' size, is needed
    for densities. Angles are in degrees; a value that cannot be had is left out.
    """
    pair = lungs_of(shares)
    if pair is None:
        return {}
    found = {**_shape(*pair, largest_part(shares[HEART]) >= INSIDE)}
    if grey is not None:
        found |= dict(_densities(pair, grey))
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def measure_more(
    shares: NDArray[np.float32], grey: NDArray[np.float32], ranges: Ranges, person: Person
) -> tuple[Measurement, ...]:
    """What ``measured`` finds, in its order, each with its range among the films without a finding."""
    found = []
    for name, value in measured(shares, grey).items():
        low, high, whose = usual(ranges, name, person) or (None, None, "")
        angle = "angle" in name
        found.append(
            Measurement(
                name=name,
                value=round(value, 0 if angle else 2),
                low=low,
                high=high,
                basis=whose,
                unit=DEGREES if angle else "",
            )
        )
    return tuple(found)


def _shape(right: Lung, left: Lung, heart: Mask) -> dict[str, float]:
    outer = [np.nanmin(right.wall(_rows(right))), np.nanmax(left.wall(_rows(left)))]
    width = float(outer[1] - outer[0] + 1)
    domes = {side: _dome(lung, heart.any(0)) for side, lung in zip(SIDES, (right, left), strict=True)}
    heights = {side: domes[side] - lung.top for side, lung in zip(SIDES, (right, left), strict=True)}
    height = float(np.mean([*heights.values()]))
    whole, top = np.mean([right.bottom - right.top, left.bottom - left.top]), max(right.top, left.top)
    level = np.arange(round(top + 0.2 * whole), round(top + 0.35 * whole))
    gap = np.nanmedian(left.inner(level) - right.inner(level) - 1) if len(level) else np.nan
    return {
        "costophrenic angle, right": costophrenic_angle(right),
        "costophrenic angle, left": costophrenic_angle(left),
        "right diaphragm above left": (domes["left"] - domes["right"]) / height,
        "lung height, right": heights["right"] / width,
        "lung height, left": heights["left"] / width,
        "mediastinal width": float(gap) / width,
    }


def _rows(lung: Lung) -> NDArray[np.int64]:
    return np.arange(lung.top, lung.bottom + 1)


def _dome(lung: Lung, heart: NDArray[np.bool_]) -> float:
    """The row of the diaphragm's top: the highest of the lung's base, beside the heart's columns (S,) and without the
    outermost sixth. NaN where the heart leaves nothing."""
    columns = lung.columns[:: -lung.lateral]  # from the wall inwards
    beside = [int(c) for c in columns[len(columns) // 6 :] if not heart[c]]
    if len(beside) < _LEAST_COLUMNS:
        return float("nan")
    return float(np.nanpercentile(lung.base(np.array(beside)), 10)) + 1


def costophrenic_angle(lung: Lung) -> float:
    """Degrees between the chest wall and the diaphragm where they meet: sharp when the sinus is free, above a right
    angle when fluid rises along the wall. NaN where there is no corner.
    """
    rows, columns = np.nonzero(lung.mask)
    height, width = lung.bottom - lung.top + 1, len(lung.columns)
    corner = int((rows + 0.6 * lung.lateral * columns).argmax())
    y, x = int(rows[corner]), int(columns[corner])
    up = np.arange(max(round(y - 0.3 * height), lung.top), max(round(y - 0.06 * height), lung.top + 1))
    inward = x - lung.lateral * np.arange(max(1, round(0.08 * width)), max(3, round(0.4 * width)))
    inward = inward[(inward >= 0) & (inward < lung.mask.shape[1])]
    wall, base = lung.wall(up), lung.base(inward)
    if np.isfinite(wall).sum() < 3 or np.isfinite(base).sum() < 3:
        return float("nan")
    lean = np.polyfit(up[np.isfinite(wall)], wall[np.isfinite(wall)], 1)[0]  # columns a row
    slope = np.polyfit(inward[np.isfinite(base)], base[np.isfinite(base)], 1)[0]  # rows a column
    upward, medial = np.array((-lean, -1.0)), np.array((-lung.lateral, -lung.lateral * slope))
    cosine = upward @ medial / np.linalg.norm(upward) / np.linalg.norm(medial)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _densities(pair: tuple[Lung, Lung], grey: NDArray[np.float32]) -> Iterator[tuple[str, float]]:
    from scipy.ndimage import binary_erosion

    inner = [np.asarray(binary_erosion(lung.mask, iterations=_EDGE)) for lung in pair]
    values = grey[inner[0] | inner[1]].astype(np.float64)
    if len(values) < _LEAST_PIXELS or values.std() < 1e-4:
        return
    field = (grey - values.mean()) / values.std()
    by_zone: dict[tuple[str, str], float] = {}
    for side, lung, mask in zip(SIDES, pair, inner, strict=True):
        for zone, part in zones(lung).items():
            own = mask & part
            by_zone[side, zone] = float(field[own].mean()) if own.any() else float("nan")
    for third in THIRDS:
        yield f"density, {third} zones, right less left", by_zone["right", third] - by_zone["left", third]
    for side in SIDES:
        yield f"density, {side} lung, lower less upper", by_zone[side, "lower"] - by_zone[side, "upper"]
        yield f"density, {side} lung, central less peripheral", by_zone[side, "central"] - by_zone[side, "peripheral"]


def zones(lung: Lung) -> Mapping[str, Mask]:
    """{zone: (S, S) bool}: the lung's thirds by height, and its central and peripheral half, row by row."""
    rows = _rows(lung)
    edges = np.linspace(lung.top, lung.bottom + 1, 4)
    y, x = np.indices(lung.mask.shape)
    found = {
        third: lung.mask & (y >= low) & (y < high)
        for third, low, high in zip(THIRDS, edges[:-1], edges[1:], strict=True)
    }
    middle = np.full(lung.mask.shape[0], np.nan)
    middle[rows] = (lung.wall(rows) + lung.inner(rows)) / 2
    outside = (x - middle[:, None]) * lung.lateral > 0
    return found | {"central": lung.mask & ~outside, "peripheral": lung.mask & outside}
