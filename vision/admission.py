"""Which images are let in as frontal chest films: by header and grey levels, then by look and outlines together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vision.anatomy.outliner import Anatomy, Outlines
from vision.frontal import without_frame
from vision.quality import refusal

if TYPE_CHECKING:
    from vision.frontal import Frontal
    from vision.image import ImageInstance

IN_A_FRAME = "the film fills a part of the picture only: cut its even borders off, and it is read better"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admission:
    """Of one image: ``refused`` a reason code or None; its ``outlines``, None where they were not asked; ``framed``
    whether it was taken for a film only without its even borders."""

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
        framed = inner[k] is not None and next(again) is None
        found[i] = Admission(
            refused=None if framed else reason, outlines=outlines[k] if outlines is not None else None, framed=framed
        )
    return found


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
