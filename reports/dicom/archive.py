"""All documents of a report for an archive: the SR, and for each image outlines, heat maps, boxes and a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from fusion.diagnosis import DiagnosticReport
from reports.dicom import capture, pdf, presentation, segments, sr
from reports.dicom.placement import Placement, written
from reports.dicom.source import Source
from vision.finding import Finding, in_words
from vision.image import ImageInstance, load_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vision.detector import Detector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """An image as it is drawn on, with what is drawn: ``outlines`` {organ: (h, w) in [0, 1]} and ``heatmaps`` {label:
    (h, w) in [0, 1]}, lying as it is stored. ``remarks`` say what is left out and why."""

    image: ImageInstance
    outlines: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    heatmaps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The files (PS3.10) by name, and lines about what is not among them."""

    files: Mapping[str, bytes]
    remarks: tuple[str, ...]


def look(detector: Detector, source: Source, report: DiagnosticReport) -> Look:
    """The image of a report seen again, for what the report does not hold. A heat map that does not beat chance is left
    out (vision.explanation), and so is everything when another detector made the report. Raises InputError when the
    file cannot be read."""
    from vision.explanation import explain

    image = load_image(source.path)
    made_by = report.provenance.get("detector")
    if made_by not in (None, detector.fingerprint):
        return Look(image=image, remarks=("no outlines and heat maps: another detector made the report",))
    seen = detector.detect(image)
    if seen.refused:
        return Look(image=image, remarks=(f"no outlines and heat maps: the image is refused ({seen.refused})",))
    remarks = [] if seen.outlines else ["no outlines: they are not to be trusted on this film"]
    present = [
        f.label for f in report.findings if f.presence == "present" and f.label in seen.heatmaps and _on(f, source)
    ]
    explained = explain(detector, image, present) if present else ()
    remarks += [
        f"no heat map of {in_words(e.label)}: it does not beat chance" for e in explained if not e.faithfulness.passes
    ]
    if not present:
        remarks.append("no heat maps: no finding of the image is present")
    maps = {e.label: seen.heatmaps[e.label] for e in explained if e.faithfulness.passes}
    return Look(image=image, outlines=seen.outlines, heatmaps=maps, remarks=tuple(remarks))


def archive(
    report: DiagnosticReport,
    images: Sequence[Source],
    see: Callable[[Source], Look],
    *,
    day: date | None = None,
    identified: bool = False,
    document: bytes | None = None,
) -> Archive:
    """Every document of ``report``, each in a series of its own in the study of ``images``. ``see`` gives what is drawn
    on an image; ``document`` is a PDF that goes with them. The same input gives the same bytes.

    A film that its header calls marked with the patient's name gives no picture unless ``identified``. Raises
    InputError when the images are not the report's, there is no day to be had, or ``document`` is no PDF.
    """
    place = Placement.of(report, images, day=day, identified=identified)
    files = {} if document is None else {"report-pdf.dcm": written(pdf.encapsulated(place, document))}
    files["report.dcm"] = written(sr.document(place))
    remarks: list[str] = []
    for number, source in enumerate(place.images, 1):
        seen = see(source)
        end = f"-{number}.dcm" if len(place.images) > 1 else ".dcm"
        told = [*seen.remarks]
        here = [finding for finding in place.report.findings if _on(finding, source)]
        if seen.outlines:
            files[f"outlines{end}"] = written(segments.organs(place, source, seen.outlines))
        if seen.heatmaps:
            files[f"heat-maps{end}"] = written(segments.heat(place, source, here, seen.heatmaps))
        if not any(finding.box for finding in here):
            told.append("no boxes: no finding has one")
        elif source.header.SamplesPerPixel != 1:
            told.append("no boxes: a presentation state shows no image in colour")
        else:
            files[f"boxes{end}"] = written(presentation.boxes(place, source, here))
        if source.named and not identified:
            told.append("no picture: the header says that the film names the patient (--identified makes it)")
        else:
            drawn = capture.picture(place.report, seen.image, source, seen.outlines)
            files[f"picture{end}"] = written(capture.capture(place, source, drawn))
        remarks += [f"image {number}: {line}" if len(place.images) > 1 else line for line in told]
    return Archive(files=files, remarks=tuple(remarks))


def _on(finding: Finding, source: Source) -> bool:
    """Whether a finding of the image is of this one; a report of before UIDs were kept is of its only image."""
    return finding.origin == "image" and finding.sop_instance_uid in (None, source.uid)
