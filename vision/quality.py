"""Refusal: what the detector will not read, each with a stable reason code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from errors import InputError
from vision.image import ImageInstance
from vision.intake.words import RADIOGRAPHS, SECONDARY, region_of, view_of

REFUSALS = {
    "blank": "the image holds no structure",
    "wrong_modality": "the header says this is not a projection radiograph",
    "wrong_body_part": "the header says this is not the chest",
    "lateral_view": "the header says this is a lateral or oblique view; only PA and AP are read",
    "inverted": "the image looks like a radiograph whose greys are inverted",
    "rotated": "the image looks like a chest radiograph turned by a quarter or half",
    "cropped": "the image looks like a part of a chest radiograph",
    "not_a_chest_radiograph": "the image does not look like a frontal chest radiograph",
    "unreadable": "the file cannot be read as one grey image (in a folder of many; alone it is an error)",
}
"""Reason code → what it means. The codes are stable; they stand in predictions and reports."""

LOW_RESOLUTION = 200
_LEAST_SPREAD = 0.02
_LEAST_LEVELS = 8


def refused(path: Path, reason: str) -> InputError:
    """What to say of an image that cannot be used."""
    expected = "a frontal chest radiograph"
    if reason == "wrong_modality":
        expected += ", or the folder of a CT series"
    return InputError(f"the image is refused ({reason})", value=path, expected=expected)


def refusal(image: ImageInstance) -> str | None:
    """The first reason not to read this image, from its header and its grey levels, or None. Codes are REFUSALS'
    keys.
    """
    if image.modality not in RADIOGRAPHS | SECONDARY:
        return "wrong_modality"
    if region_of(image.body_part) == "other":
        return "wrong_body_part"
    if view_of(image.view_position) == "lateral":
        return "lateral_view"
    low, high = np.percentile(image.pixels, (1, 99))
    if high - low < _LEAST_SPREAD or len(np.unique(image.pixels[::2, ::2])) < _LEAST_LEVELS:
        return "blank"
    return None


def cautions(image: ImageInstance) -> tuple[str, ...]:
    """Lines for the reader about an image that is read all the same."""
    lines = []
    if image.is_phantom:
        lines.append("PHANTOM: a computed image, not a patient")
    height, width = image.pixels.shape
    if min(height, width) < LOW_RESOLUTION:
        lines.append(f"low resolution ({width} × {height} pixels): small findings cannot be seen")
    if not view_of(image.view_position):
        lines.append("the view is not stated: read as frontal (PA or AP)")
    if image.body_part and not region_of(image.body_part):
        lines.append(f"the header's body part is not known ({image.body_part[:24]}): judged by the look alone")
    return (*lines, *image.warnings)
