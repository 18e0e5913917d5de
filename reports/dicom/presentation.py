"""A softcopy presentation state (PS3.3 A.33.1) beside an image: the boxes of its findings, each with what it is.

It shows the picture as its own header does: a state that named no window would take the image's away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontologies import coding
from reports.dicom.coding import one_line
from reports.dicom.placement import Placement, uid
from reports.dicom.source import Source, box_on, quiet
from reports.table import percent
from vision.finding import Finding, in_words

if TYPE_CHECKING:
    from highdicom import ModalityLUTTransformation
    from highdicom.pr import GrayscaleSoftcopyPresentationState, SoftcopyVOILUTTransformation
    from pydicom import Dataset

SERIES = 993
_LAYER = "FINDINGS"
_YELLOW = (97.0, -21.0, 94.0)  # CIELab


def caption(finding: Finding) -> str:
    """What a box says: "Consolidation, right, 81 %", and whether it is uncertain."""
    doubt = "" if finding.presence == "present" else f" ({finding.presence})"
    chance = None if finding.probability is None else percent(finding.probability)
    side = None if finding.laterality is None else coding.SIDES[finding.laterality][2].lower()
    return ", ".join(filter(None, (one_line(in_words(finding.label)) + doubt, side, chance)))


def boxes(place: Placement, image: Source, findings: Sequence[Finding]) -> GrayscaleSoftcopyPresentationState:
    """A layer with a closed line and a text for each of ``findings`` that has a box. Raises ValueError for an image in
    colour, which such a state cannot show, or when there is no box."""
    import numpy as np
    from highdicom import PresentationLUTTransformation
    from highdicom.color import CIELabColor
    from highdicom.pr import (
        GraphicAnnotation,
        GraphicLayer,
        GraphicObject,
        GrayscaleSoftcopyPresentationState,
        TextObject,
    )

    shown = [finding for finding in findings if finding.box]
    if not shown:
        raise ValueError("no finding has a box")
    space = place.space(f"boxes {image.uid}")
    layer = GraphicLayer(_LAYER, order=1, description="whydx", display_color=CIELabColor(*_YELLOW))
    drawn, texts = [], []
    for number, finding in enumerate(shown, 1):
        left, top, right, bottom = box_on(finding, image)
        # (0, 0) is the first pixel's top left corner here too (PS3.3 C.10.5, Graphic Annotation Units).
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
        tracked = uid(space, f"box {number}")
        drawn.append(GraphicObject("POLYLINE", corners, "PIXEL", tracking_id=f"Box {number}", tracking_uid=tracked))
        texts.append(TextObject(caption(finding), "PIXEL", anchor_point=(left, bottom), anchor_point_visible=False))
    header = _shown(image)
    made = GrayscaleSoftcopyPresentationState(
        referenced_images=[image.header],
        content_label="FINDINGS",
        content_description="whydx: boxes of findings, made by a program",
        concept_name=None,
        graphic_annotations=[GraphicAnnotation([image.header], layer, graphic_objects=drawn, text_objects=texts)],
        graphic_layers=[layer],
        modality_lut_transformation=_modality(header),
        voi_lut_transformations=_window(header),
        presentation_lut_transformation=PresentationLUTTransformation(
            # Polarity is the state's, not the image's (PS3.4 N.2.1).
            presentation_lut_shape="INVERSE" if header.get("PhotometricInterpretation") == "MONOCHROME1" else "IDENTITY"
        ),
        **place.common(space, series=SERIES, description="whydx boxes (unverified)"),
    )
    made.Laterality = ""  # General Series asks for it, if only empty
    return place.finished(made)


def _shown(image: Source) -> Dataset:
    """The image's header up to its pixels."""
    import pydicom

    with quiet():
        return pydicom.dcmread(image.path, stop_before_pixels=True)


def _modality(header: Dataset) -> ModalityLUTTransformation | None:
    """Slope and intercept; a modality LUT as it is, without its words."""
    from highdicom import ModalityLUT, ModalityLUTTransformation

    if table := _table(header, "ModalityLUTSequence"):
        return ModalityLUTTransformation(modality_lut=ModalityLUT(lut_type="US", **table))
    slope, intercept = _number(header.get("RescaleSlope")), _number(header.get("RescaleIntercept"))
    if not slope or intercept is None:
        return None
    return ModalityLUTTransformation(rescale_intercept=intercept, rescale_slope=slope, rescale_type="US")


def _window(header: Dataset) -> list[SoftcopyVOILUTTransformation] | None:
    """The VOI LUT, else the first window that can be meant, else None; never their explanations, which are words."""
    from highdicom import VOILUT
    from highdicom.pr import SoftcopyVOILUTTransformation

    if table := _table(header, "VOILUTSequence"):
        return [SoftcopyVOILUTTransformation(voi_luts=[VOILUT(**table)])]
    kind = str(header.get("VOILUTFunction") or "LINEAR").upper()
    for centre, width in zip(_several(header, "WindowCenter"), _several(header, "WindowWidth"), strict=False):
        if centre is not None and width is not None and width >= 1 and kind in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
            return [SoftcopyVOILUTTransformation(window_center=centre, window_width=width, voi_lut_function=kind)]
    return None


def _table(header: Dataset, name: str) -> dict[str, Any] | None:
    """What highdicom's LUTs take, of the first item of a LUT sequence; None where there is none that can be read."""
    import numpy as np

    try:
        item = next(iter(header.get(name) or ()))
        length, first, bits = (int(value) for value in item.LUTDescriptor)
        data = item.LUTData
        if isinstance(data, bytes):
            values = np.frombuffer(data, "<u2" if len(data) >= 2 * (length or 65536) else np.uint8)
        else:
            values = np.asarray(data, np.uint16)
        if len(values) < (length or 65536):
            return None
        return {
            "first_mapped_value": first,
            "lut_data": values[: length or 65536].astype(np.uint8 if bits == 8 else np.uint16),
        }
    except (StopIteration, ValueError, TypeError, AttributeError):
        return None


def _several(header: Dataset, name: str) -> list[float | None]:
    value: Any = header.get(name)
    if value is None or isinstance(value, str | int | float):
        return [_number(value)]
    return [_number(one) for one in value]


def _number(value: Any) -> float | None:
    try:
        found = float(str(value))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
