"""What a radiologist measures on a frontal film, from outlines of the lungs and the heart.

The cardiothoracic ratio is the greatest width of the heart over the greatest inner width of the thorax (Danzer 1919),
here from the outermost points of the outlined lungs. Lungs are compared by their areas. Lengths are in parts of the
picture's width or height, so that no pixel spacing is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.anatomy.organs import ORGANS

RIGHT, LEFT, HEART = range(3)
INSIDE = 0.5
LARGEST_RATIO = 0.5
LARGEST_RATIO_AP = 0.55
LARGEST_RATIO_INFANT = 0.6
_INFANT_YEARS = 2
Limits = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A number from the film with the range that is usual; ``low`` or ``high`` is None where the range is open.
    ``basis`` says whose range it is; ``unit`` is "°" for an angle.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    basis: str = ""
    unit: str = ""

    @property
    def usual(self) -> bool:
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)


def largest_part(share: NDArray[np.float32]) -> NDArray[np.float32]:
    """One organ's map (S, S) in [0, 1] without what is not connected to its largest part above a half."""
    from scipy.ndimage import label

    parts, count = label(share >= INSIDE)
    if count <= 1:
        return share
    largest = 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return np.where((parts == largest) | (share < INSIDE), share, 0).astype(np.float32)


def span(share: NDArray[np.float32], axis: int) -> tuple[float, float] | None:
    """From where to where a map (S, S) reaches a half, along ``axis`` (0: downwards, 1: to the right), in parts of the
    picture, between pixels by linear interpolation. None where it nowhere does.
    """
    profile = np.concatenate(([0.0], share.max(1 - axis), [0.0]))
    reached = np.flatnonzero(profile >= INSIDE)
    if not len(reached):
        return None
    first, last = int(reached[0]), int(reached[-1])

    def crossing(outer: int, inner: int) -> float:
        step = (profile[inner] - INSIDE) / (profile[inner] - profile[outer])
        return inner + (outer - inner) * float(step)

    size = share.shape[axis]
    # a pixel's value stands at its centre; the outline is half a pixel further out for a mask of zeros and ones
    return (crossing(first - 1, first) - 0.5) / size, (crossing(last + 1, last) - 0.5) / size


def ratio(shares: NDArray[np.float32]) -> float | None:
    """The cardiothoracic ratio of maps (3, S, S) in ORGANS order; None without a heart or without both lungs."""
    parts = [largest_part(share) for share in shares]
    heart = span(parts[HEART], 1)
    right, left = span(parts[RIGHT], 1), span(parts[LEFT], 1)
    if heart is None or right is None or left is None:
        return None
    low, high = min(right[0], left[0]), max(right[1], left[1])
    return (heart[1] - heart[0]) / (high - low)


def ratio_limit(view: str, age: float | None) -> tuple[float, str]:
    """The largest usual ratio, and for whom: 0.50 on a PA film, 0.55 on an AP film, where the heart is magnified, 0.60
    below the age of two.
    """
    if age is not None and age < _INFANT_YEARS:
        return LARGEST_RATIO_INFANT, "infants"
    if view.upper().startswith("AP"):
        return LARGEST_RATIO_AP, "AP films"
    return LARGEST_RATIO, "PA films of adults" if age is None or age >= 16 else "PA films"


def measure(
    shares: NDArray[np.float32], limits: Mapping[str, Limits], *, view: str = "", age: float | None = None
) -> tuple[Measurement, ...]:
    """What can be measured on maps (3, S, S): the ratio, and the left lung's part of both lungs' area, whose usual
    range is of ``limits`` (from the outlined films without a large heart).
    """
    found = []
    value = ratio(shares)
    if value is not None:
        most, whose = ratio_limit(view, age)
        found.append(Measurement(name="cardiothoracic ratio", value=round(value, 3), high=most, basis=whose))
    areas = [float((largest_part(share) >= INSIDE).mean()) for share in shares[: ORGANS.index("heart")]]
    if min(areas) > 0:
        low, high = limits.get("left lung share", (None, None))
        part = round(areas[LEFT] / sum(areas), 3)
        found.append(Measurement(name="left lung share", value=part, low=low, high=high, basis="outlined films"))
    return tuple(found)
