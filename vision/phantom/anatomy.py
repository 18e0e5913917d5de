"""The computed chest behind the phantom: path lengths of parallel rays through simple bodies, in millimetres.

x runs to the image's right (the patient's left), y down, z along the ray; the origin is the middle of the film. Each
body is convex along the ray, so at every pixel it is an interval (middle, half length) in z; a body inside another
replaces it over the overlap of their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 768
PIXEL_MM = 0.5

Grid = NDArray[np.float64]


def plane() -> tuple[Grid, Grid]:
    """Pixel centres (x, y) in millimetres, each (SIDE, SIDE)."""
    line = (np.arange(SIDE) + 0.5 - SIDE / 2) * PIXEL_MM
    x, y = np.meshgrid(line, line)
    return x, y


@dataclass(frozen=True, slots=True, eq=False)
class Chord:
    """A body along the rays: ``middle`` and ``half`` length in z, mm, each (SIDE, SIDE); half is 0 where a ray
    misses.
    """

    middle: Grid
    half: Grid

    @property
    def length(self) -> Grid:
        """Path length through the body, mm."""
        return 2 * self.half

    def overlap(self, other: Chord) -> Grid:
        """Path length inside both bodies, mm."""
        low = np.maximum(self.middle - self.half, other.middle - other.half)
        high = np.minimum(self.middle + self.half, other.middle + other.half)
        return np.clip(high - low, 0, None)


def ellipsoid(
    x: Grid, y: Grid, centre: tuple[float, float, float], radii: tuple[float, float, float], tilt: float = 0.0
) -> Chord:
    """An ellipsoid with its axes along x, y, z, turned by ``tilt`` radians in the plane of the film."""
    dx, dy = x - centre[0], y - centre[1]
    u = dx * np.cos(tilt) + dy * np.sin(tilt)
    v = dy * np.cos(tilt) - dx * np.sin(tilt)
    inside = np.clip(1 - (u / radii[0]) ** 2 - (v / radii[1]) ** 2, 0, None)
    return Chord(np.full(x.shape, centre[2]), radii[2] * np.sqrt(inside))


def _smooth(y: Grid, heights: Sequence[float], values: Sequence[float]) -> Grid:
    """A smooth monotone curve through (height, value) points, read at ``y``; constant beyond the ends."""
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(heights, values)(np.clip(y, heights[0], heights[-1])))


def torso(x: Grid, y: Grid) -> Chord:
    """Neck, shoulders, chest and abdomen: elliptical cross-sections whose width and depth change with height."""
    width = _smooth(y, [-192, -172, -155, -135, -105, -60, 0, 80, 192], [60, 66, 92, 150, 184, 180, 170, 166, 176])
    depth = _smooth(y, [-192, -165, -140, -110, -60, 0, 80, 192], [50, 52, 60, 80, 104, 112, 112, 116])
    return Chord(np.zeros_like(x), depth * np.sqrt(np.clip(1 - np.abs(x / width) ** 3, 0, None)))


def dome(x: Grid, y: Grid, centre: float, top: float) -> Chord:
    """What lies under a half of the diaphragm: a paraboloid y ≥ top + a (x − centre)² + b z²; its back reaches
    lower.
    """
    below = np.clip(y - top - (x - centre) ** 2 / 105, 0, None)
    return Chord(np.full(x.shape, 12.0), np.sqrt(below * 95))


def lung(x: Grid, y: Grid, side: int) -> Chord:
    """A lung before heart and diaphragm are taken out; ``side`` is −1 on the image's left (the patient's right)."""
    heights = [-132, -128, -118, -100, -70, -20, 50, 150]
    outer = _smooth(y, heights, [52, 68, 84, 101, 119, 136, 144, 146])
    inner = _smooth(y, heights, [52, 38, 28, 21, 17, 15, 15, 15])
    depth = _smooth(y, heights, [0, 14, 32, 52, 72, 84, 90, 90])
    across = (side * x - (outer + inner) / 2) / np.maximum((outer - inner) / 2, 1e-3)
    half = depth * np.sqrt(np.clip(1 - np.abs(across) ** 3, 0, None)) * (y > heights[0])
    return Chord(np.full(x.shape, -5.0), half)


def tubes(lines: Sequence[Sequence[tuple[float, float]]], radius: float) -> Grid:
    """Path length (mm) through round tubes of ``radius`` mm along polylines of (x, y) mm; crossing tubes do not add
    up.
    """
    from PIL import Image, ImageDraw
    from scipy.ndimage import distance_transform_edt

    canvas = Image.new("1", (SIDE, SIDE), 1)
    draw = ImageDraw.Draw(canvas)
    for line in lines:
        draw.line([(px / PIXEL_MM + SIDE / 2, py / PIXEL_MM + SIDE / 2) for px, py in line], fill=0)
    far = distance_transform_edt(np.asarray(canvas)) * PIXEL_MM
    return np.asarray(2 * np.sqrt(np.clip(radius**2 - far**2, 0, None)))


def ribs(side: int) -> tuple[list[list[tuple[float, float]]], list[list[tuple[float, float]]]]:
    """Back and front arcs of ten ribs of one side, as polylines in mm."""
    back, front = [], []
    for i in range(10):
        root = -138 + i * 22.5
        reach = float(np.interp(root, [-138, -115, -93, -70, -25, 65], [66, 96, 116, 128, 143, 152]))
        turn = np.linspace(0, 1, 40)
        back.append(
            [(side * (16 + (reach - 16) * t), root - 10 * np.sin(np.pi * t) + (8 + 2.5 * i) * t**2) for t in turn]
        )
        if i < 8:
            edge = root + 8 + 2.5 * i
            end = 22 + 5.5 * i
            front.append([(side * (reach - (reach - end) * t), edge + (38 + i) * t**0.8) for t in turn])
    return back, front


def vessels(rng: np.random.Generator, side: int) -> dict[float, list[list[tuple[float, float]]]]:
    """A branching tree from the hilum of one side: {radius mm: polylines}."""
    tree: dict[float, list[list[tuple[float, float]]]] = {}
    sizes = (4.2, 3.0, 2.1, 1.4, 0.9)
    ends = [(side * 34.0, -8.0, a) for a in np.linspace(-1.25, 1.25, 5)]
    for level, radius in enumerate(sizes):
        grown = []
        for x0, y0, angle in ends:
            length = float(rng.uniform(20, 30)) * 0.92**level
            bend = float(rng.normal(0, 0.25))
            steps = np.linspace(0, 1, 8)
            line = [
                (x0 + side * length * t * np.cos(angle + bend * t), y0 + length * t * np.sin(angle + bend * t))
                for t in steps
            ]
            tree.setdefault(radius, []).append(line)
            x1, y1 = line[-1]
            spread = float(rng.uniform(0.28, 0.55))
            grown += [(x1, y1, angle + bend - spread), (x1, y1, angle + bend + spread)]
        ends = grown
    return tree
