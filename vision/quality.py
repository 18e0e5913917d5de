"""Refusal: what the detector will not read, each with a stable reason code; by header and grey levels, then by the look
and the outlines together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.frontal import without_frame
from vision.image import ImageInstance
from vision.intake.words import RADIOGRAPHS, SECONDARY, region_of, view_of
from vision.intensity import resize

if TYPE_CHECKING:
    from vision.anatomy.outliner import Anatomy, Outlines
    from vision.frontal import Frontal

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

IN_A_FRAME = "the film fills a part of the picture only: cut its even borders off, and it is read better"
LOW_RESOLUTION = 200
_ADULT = 16  # years
_GLANCE, _MOST_INSIDE = 160, 0.7  # a film that fills less than this share of its picture is said to be in a frame
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admission:
    """Of one image: ``refused`` a reason code or None; its ``outlines``, None where they were not asked; ``framed``
    whether it is a film in wide even borders."""

    refused: str | None
    outlines: Outlines | None = None
    framed: bool = False


def admit(images: Sequence[ImageInstance], frontal: Frontal | None, anatomy: Anatomy | None) -> list[Admission]:
    """One for each image, in order. A model that is None is not asked; without the look, the outlines alone refuse."""
    reasons = [refusal(image) for image in images]
    asked = [i for i, reason in enumerate(reasons) if reason is None]
    pictures = [images[i].upright for i in asked]
    outlines = anatomy.outline(pictures) if anatomy is not None else None
    judged = _looked_at(pictures, outlines, frontal, anatomy)
    inner = [without_frame(p) if reason else None for p, reason in zip(pictures, judged, strict=True)]
    cut = [p for p in inner if p is not None]
    again = iter(_looked_at(cut, anatomy.outline(cut) if anatomy is not None else None, frontal, anatomy))
    found = [Admission(refused=reason) for reason in reasons]
    for k, (i, reason) in enumerate(zip(asked, judged, strict=True)):
        if inner[k] is not None and next(again) is None:
            reason = None
        found[i] = Admission(
            refused=reason,
            outlines=outlines[k] if outlines is not None else None,
            framed=reason is None and _in_a_frame(pictures[k]),
        )
    return found


def _in_a_frame(picture: NDArray[np.float32]) -> bool:
    small = resize(picture, _GLANCE)
    inside = without_frame(small)
    return inside is not None and inside.size < _MOST_INSIDE * small.size


def _looked_at(
    pictures: Sequence[NDArray[np.float32]],
    outlines: Sequence[Outlines] | None,
    frontal: Frontal | None,
    anatomy: Anatomy | None,
) -> list[str | None]:
    if frontal is not None:
        return frontal.reasons(pictures, None if outlines is None else [o.distance for o in outlines])
    if anatomy is not None and outlines is not None:
        return [anatomy.reason(o) for o in outlines]
    return [None] * len(pictures)


def cautions(image: ImageInstance) -> tuple[str, ...]:
    """Lines for the reader about an image that is read all the same."""
    lines = []
    if image.is_phantom:
        lines.append("PHANTOM: a computed image, not a patient")
    height, width = image.pixels.shape
    if min(height, width) < LOW_RESOLUTION:
        lines.append(f"low resolution ({width} × {height} pixels): small findings cannot be seen")
    if image.patient_age_y is not None and image.patient_age_y < _ADULT:
        lines.append(
            "the detector was fitted on adults: its networks raise a finding on nine children in ten, ill or not"
        )
    if not view_of(image.view_position):
        lines.append("the view is not stated: read as frontal (PA or AP)")
    if image.body_part and not region_of(image.body_part):
        lines.append(f"the header's body part is not known ({image.body_part[:24]}): judged by the look alone")
    return (*lines, *image.warnings)
