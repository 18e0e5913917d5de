"""A secondary capture (PS3.3 A.8) for viewers that show neither a report's boxes nor presentation states: the film with
boxes and outlines burnt in, and beside it what the report says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fusion.diagnosis import DiagnosticReport
from reports.dicom.placement import Placement
from reports.dicom.presentation import caption
from reports.dicom.source import Source, box_on
from reports.plain import printable
from reports.table import DISCLAIMER, percent
from vision.finding import Finding, in_words
from vision.image import ImageInstance

if TYPE_CHECKING:
    import numpy as np
    from highdicom.sc import SCImage
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont

SERIES = 994
HEIGHT = 1200
"""Rows of the picture; a film that is broader than 2 : 1 is fitted to 2400 columns."""
_PANEL, _MARGIN, _SIZE, _TAG = 640, 24, 20, 34
_YELLOW, _BLUE, _WHITE, _GREY = (255, 221, 51), (64, 160, 255), (240, 240, 240), (170, 170, 170)
_INSIDE = 0.5
Line = tuple[str, tuple[int, int, int], bool]  # text, colour, whether it is a heading


def picture(
    report: DiagnosticReport,
    image: ImageInstance,
    source: Source,
    outlines: Mapping[str, NDArray[np.float32]] | None = None,
) -> NDArray[np.uint8]:
    """(1200, W, 3): the film upright, with the boxes of the report's findings and ``outlines`` ({organ: (h, w) in [0,
    1]}, lying as the image is stored) on it, and a panel of text to the right. A box has the number of its finding in
    the panel. What does not fit the panel is said to be left out."""
    import numpy as np
    from PIL import Image, ImageDraw

    rows, columns = image.upright.shape
    scale = min(HEIGHT / rows, 2 * HEIGHT / columns)
    width, height = max(1, round(columns * scale)), max(1, round(rows * scale))
    grey = Image.fromarray((np.clip(image.upright, 0, 1) * 255).round().astype(np.uint8)).resize((width, height))
    whole = Image.new("RGB", (width + _PANEL, HEIGHT))
    whole.paste(grey.convert("RGB"), (0, 0))
    for share in (outlines or {}).values():
        whole.paste(_BLUE, (0, 0), mask=_edge(image.orientation.upright(share), width, height))
    canvas = ImageDraw.Draw(whole)
    told = [f for f in report.findings if f.presence in ("present", "uncertain")]
    numbers = [(n, f) for n, f in enumerate(told, 1) if f.box and f.sop_instance_uid in (None, source.uid)]
    taken: list[tuple[float, float]] = []
    for number, finding in numbers:
        left, top, right, bottom = (scale * edge for edge in _upright(box_on(finding, source), image))
        canvas.rectangle((left, top, right, bottom), outline=_YELLOW, width=3)
        x, y = left + 8, top + 6
        while any(abs(x - a) < _TAG and abs(y - b) < _TAG for a, b in taken):  # boxes often lie over each other
            x += _TAG
        taken.append((x, y))
        font = _font(_SIZE + 4)
        canvas.text((x, y), str(number), fill=_YELLOW, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
    _write(canvas, [*_lines(report, told)], width + _MARGIN)
    return np.asarray(whole)


def _upright(box: tuple[float, float, float, float], image: ImageInstance) -> tuple[float, float, float, float]:
    """Left, top, right and bottom on the stored picture → on the upright one."""
    left, top, right, bottom = box
    lying = image.orientation
    if lying.transposed:
        left, top, right, bottom = top, left, bottom, right
    rows, columns = image.upright.shape
    if lying.mirrored:
        left, right = columns - right, columns - left
    if lying.upside_down:
        top, bottom = rows - bottom, rows - top
    return left, top, right, bottom


def capture(place: Placement, image: Source, drawn: NDArray[np.uint8]) -> SCImage:
    """``drawn`` (H, W, 3), what ``picture`` gave, as a document."""
    from highdicom.sc import SCImage

    header = image.header
    space = place.space(f"capture {image.uid}", drawn.tobytes())
    day, time = place.moment
    common = place.common(space, series=SERIES, description="whydx picture (unverified)")
    made = SCImage(
        pixel_array=drawn,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # the film is drawn upright
        study_instance_uid=header.StudyInstanceUID,
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate or None,
        study_time=header.StudyTime or None,
        referring_physician_name=header.ReferringPhysicianName,
        content_date=day,
        content_time=time,
        **common,
    )
    made.Laterality = ""  # General Series asks for it, if only empty
    made.DerivationDescription = "whydx: a film with findings of a program drawn on it, and a panel of text"
    made.SourceImageSequence = [_reference(image)]
    made.BurnedInAnnotation = "YES" if image.named else "NO"
    return place.finished(made)


def _reference(image: Source) -> Any:
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.header.SOPClassUID, image.uid
    return item


def _lines(report: DiagnosticReport, told: list[Finding]) -> Iterator[Line]:
    """What the panel says: warnings, what was found, the differential, next steps."""
    yield DISCLAIMER, _GREY, False
    for warning in report.warnings:
        yield f"! {warning}", _YELLOW, False
    yield "Findings", _WHITE, True
    for number, finding in enumerate(told, 1):
        box = f"{number}: " if finding.box else ""
        yield f"{box}{caption(finding)} [{finding.origin}]", _YELLOW if box else _WHITE, False
    absent = [in_words(f.label) for f in report.findings if f.presence == "absent" and f.origin != "image"]
    if absent:
        yield f"Absent: {', '.join(absent)}", _GREY, False
    if not told:
        yield "None is present", _GREY, False
    yield "Differential", _WHITE, True
    if report.abstention:
        yield f"No diagnosis is named: {report.abstention}", _YELLOW, False
    for diagnosis in report.diagnoses:
        mark = " ◂" if diagnosis.conformal_member else ""
        yield f"{diagnosis.rank}. {diagnosis.concept.name} {percent(diagnosis.probability)}{mark}", _WHITE, False
    yield f"None of these {percent(report.none_of_these)}", _GREY, False
    if any(diagnosis.conformal_member for diagnosis in report.diagnoses):
        yield "◂ cannot be ruled out at 90 % coverage", _GREY, False
    if report.next_steps:
        yield "To consider", _WHITE, True
    for step in report.next_steps:
        yield f"{step.text} [{step.disease}]", _WHITE, False


def _write(canvas: Any, lines: list[Line], left: int) -> None:
    """The lines from the top down, wrapped to the panel."""
    down, bottom = _MARGIN, HEIGHT - 2 * _MARGIN
    for text, colour, heading in lines:
        font = _font(_SIZE + 4 if heading else _SIZE)
        down += 14 if heading else 0
        for line in _wrapped(printable(text), canvas, font, _PANEL - 2 * _MARGIN):
            if down > bottom:
                canvas.text((left, down), "… more is in the report", fill=_GREY, font=_font(_SIZE))
                return
            canvas.text((left, down), line, fill=colour, font=font)
            down += _SIZE + 8


def _wrapped(text: str, canvas: Any, font: FreeTypeFont, width: int) -> list[str]:
    """``text`` in lines that are at most ``width`` pixels long."""
    at = max(8, int(len(text) * width / max(1.0, canvas.textlength(text, font=font))))
    lines = wrap(text, at) or [""]
    while at > 8 and any(canvas.textlength(line, font=font) > width for line in lines):
        at -= 2
        lines = wrap(text, at)
    return lines


@cache
def _font(size: int) -> FreeTypeFont:
    """DejaVu Sans, which matplotlib brings: it has the letters of most scripts that names are written in."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _edge(share: NDArray[np.float32], width: int, height: int) -> Any:
    """A mask of (width, height) along the line where ``share`` crosses a half."""
    import numpy as np
    from PIL import Image
    from scipy.ndimage import binary_erosion

    stretched = Image.fromarray(np.asarray(share, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    inside = np.asarray(stretched) >= _INSIDE
    edge = inside & ~binary_erosion(inside, iterations=2, border_value=1)
    return Image.fromarray(edge.astype(np.uint8) * 255)
