"""Segmentations (PS3.3 A.51) beside an image: the outlines of lungs and heart, and the heat maps of its findings.

Each is as large as the image, pixel for pixel, since a radiograph has no frame of reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from ontologies import coding
from ontologies.coding import Named
from reports.dicom.coding import coded, of_finding, one_line, own_scheme
from reports.dicom.placement import NAME, Placement, uid
from reports.dicom.source import Source
from vision.finding import Finding, in_words

if TYPE_CHECKING:
    import numpy as np
    from highdicom.seg import Segmentation, SegmentDescription
    from highdicom.sr import CodedConcept
    from numpy.typing import NDArray

ORGANS_SERIES, HEAT_SERIES = 991, 992
_INSIDE = 0.5
_MOST = 255  # what a share of 1 is written as
# One colour for each segment in turn, as CIELab (PS3.3 C.10.7.1.1): blue, green, red, yellow, cyan, magenta.
_COLOURS = ((45.0, 10.0, -50.0), (65.0, -50.0, 45.0), (50.0, 65.0, 45.0), (85.0, 0.0, 75.0), (75.0, -35.0, -15.0),
            (55.0, 75.0, -40.0))  # fmt: skip


def organs(place: Placement, image: Source, outlines: Mapping[str, NDArray[np.float32]]) -> Segmentation:
    """A binary segment for each of ``outlines`` ({organ: (h, w) in [0, 1]}, lying as the image is stored), in the order
    of ``ontologies.coding.ORGANS``; inside is where it reaches a half. Raises ValueError when nothing does."""
    import numpy as np

    names = [name for name in coding.ORGANS if name in outlines]
    masks = [_stretched(outlines[name], image) >= _INSIDE for name in names]
    kept = [(name, mask) for name, mask in zip(names, masks, strict=True) if mask.any()]
    described = []
    for number, (name, _) in enumerate(kept, 1):
        organ, side = coding.ORGANS[name]
        label = name.replace("_", " ").capitalize()
        described.append(_described(place, image, number, label, coding.ANATOMY, _sided(organ, side)))
    overlap = "YES" if any((a & b).any() for (_, a), (_, b) in combinations(kept, 2)) else "NO"
    content = np.packbits(np.concatenate([mask.ravel() for _, mask in kept]), bitorder="little").tobytes()
    return _segmentation(
        place, image, content, overlap, described, "BINARY", ORGANS_SERIES, "ORGANS", "lungs and heart"
    )


def heat(
    place: Placement, image: Source, findings: Sequence[Finding], maps: Mapping[str, NDArray[np.float32]]
) -> Segmentation:
    """A fractional segment for each of ``findings`` that has a map in ``maps`` ({label: (h, w) in [0, 1]}, the
    probability of each patch, lying as the image is stored), in the order of ``findings``. Raises ValueError when none
    has."""
    import numpy as np

    shown = [finding for finding in findings if finding.label in maps]
    described = []
    for number, finding in enumerate(shown, 1):
        said = f"{in_words(finding.label)}: where the detector sees it"
        described.append(_described(place, image, number, said, coding.ABNORMAL, coded(of_finding(finding))))
    frames = []
    for finding in shown:
        share = np.clip(_stretched(maps[finding.label], image), 0, 1)
        share *= _MOST
        frames.append(np.rint(share, out=share).astype(np.uint8))
    overlap = "NO" if len(frames) == 1 else "UNDEFINED"  # what it would be of shares is not defined
    content = b"".join(frame.tobytes() for frame in frames)
    return _segmentation(place, image, content, overlap, described, "FRACTIONAL", HEAT_SERIES, "HEAT MAPS", "heat maps")


def _segmentation(
    place: Placement,
    image: Source,
    content: bytes,
    overlap: str,
    described: Sequence[SegmentDescription],
    kind: str,
    series: int,
    label: str,
    what: str,
) -> Segmentation:
    """``content``: the frames as they stand in the file, a segment after the other.

    highdicom looks through every value for its range and for overlaps, which takes seconds on a large film. So it lays
    out blank frames, and ``content`` is put into them.
    """
    import numpy as np
    from highdicom.seg import Segmentation

    space = place.space(f"{label} {image.uid}", content)
    common = place.common(space, series=series, description=f"whydx {what} (unverified)")
    day, time = place.moment
    made = Segmentation(
        source_images=[image.header],
        pixel_array=np.zeros((1, image.header.Rows, image.header.Columns, len(described)), np.uint8),
        segmentation_type=kind,
        segment_descriptions=described,
        max_fractional_value=_MOST,
        content_label=label,
        content_description=f"whydx: {what}, made by a program",
        content_date=day,
        content_time=time,
        coding_schemes=[own_scheme()],
        omit_empty_frames=False,
        **common,
    )
    made.PixelData = content + bytes(len(content) % 2)
    made.SegmentsOverlap = overlap
    made.PatientOrientation = image.header.get("PatientOrientation") or ""  # General Image asks for it, if only empty
    for organization in made.get("DimensionOrganizationSequence", ()):
        organization.DimensionOrganizationUID = uid(space, "dimensions")
    for index in made.get("DimensionIndexSequence", ()):
        index.DimensionOrganizationUID = uid(space, "dimensions")
    return place.finished(made)


def _described(
    place: Placement, image: Source, number: int, label: str, category: Named, kind: CodedConcept
) -> SegmentDescription:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    family = coded(coding.ARTIFICIAL_INTELLIGENCE)
    return SegmentDescription(
        segment_number=number,
        segment_label=one_line(label),
        segmented_property_category=coded(category),
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=NAME, version=one_line(place.made_by), family=family
        ),
        tracking_id=one_line(label),
        tracking_uid=uid(place.space(), f"segment {image.uid} {label}"),
        display_color=CIELabColor(*_COLOURS[(number - 1) % len(_COLOURS)]),
    )


def _sided(organ: Named, side: str | None) -> CodedConcept:
    """The code of an organ, with its side as a modifier."""
    from pydicom import Sequence as Items

    code = coded(organ)
    if side:
        code.SegmentedPropertyTypeModifierCodeSequence = Items([coded(coding.SIDES[side])])
    return code


def _stretched(share: NDArray[np.float32], image: Source) -> NDArray[np.float32]:
    """(h, w) over the image's pixels."""
    import numpy as np
    from PIL import Image

    size = (int(image.header.Columns), int(image.header.Rows))
    return np.asarray(Image.fromarray(np.asarray(share, np.float32)).resize(size, Image.Resampling.BICUBIC))
