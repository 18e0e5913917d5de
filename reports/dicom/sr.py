"""A report as a DICOM Structured Report: TID 1500 "Measurement Report" in a Comprehensive 3D SR, preliminary, partial
and unverified.

The document is that of highdicom's ``MeasurementReport``; ``reports/dicom/groups.py`` says what is in a group and which
rules of OHIF's loader it keeps. Those for the whole: the title is (126000, DCM), there is an Image Library, and each
document is a series of its own, since of several in one series OHIF shows the last.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from ontologies.coding import Named
from reports.dicom import coding
from reports.dicom.coding import coded
from reports.dicom.groups import Groups, said
from reports.dicom.placement import NAME, SPACE, Placement, uid, written
from reports.dicom.source import Source
from reports.plain import printable
from reports.table import DISCLAIMER, understanding

if TYPE_CHECKING:
    from highdicom.sr import Comprehensive3DSR, ContainerContentItem, MeasurementReport

SERIES = 990


class DicomSrReporter:
    """``images`` are what the report was made of (``read_source``); the document lies in their study.

    Without ``day`` the dates are those of the study. With it they are ``day``, and no date of the study is in the
    document. ``identified`` says whether the sources hold the patient.
    """

    def __init__(self, images: Sequence[Source], *, day: date | None = None, identified: bool = False) -> None:
        self._images = tuple(images)
        self._day = day
        self._identified = identified

    def render(self, report: DiagnosticReport) -> bytes:
        """The file (PS3.10). The same report, images and day give the same bytes: UIDs are made from their hash.

        Raises InputError when the images are not the report's, or there is no day to be had.
        """
        return written(self.document(report))

    def document(self, report: DiagnosticReport) -> Comprehensive3DSR:
        """The same as highdicom's object. Raises InputError as ``render`` does."""
        return document(Placement.of(report, self._images, day=self._day, identified=self._identified))


def document(place: Placement) -> Comprehensive3DSR:
    """The document of a report that was placed already. Raises InputError when the images are of a kind that no report
    refers to."""
    from highdicom.sr import Comprehensive3DSR

    space = place.space()
    day, time = place.moment
    made = Comprehensive3DSR(
        evidence=[image.header for image in place.images],
        content=_content(place, space)[0],
        coding_schemes=[coding.own_scheme()],
        content_date=day,
        content_time=time,
        **place.common(space, series=SERIES, description="whydx report (unverified)"),
    )
    return place.finished(made)


def _content(place: Placement, space: uuid.UUID) -> MeasurementReport:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = DeviceObserverIdentifyingAttributes(
        uid=uid(SPACE, f"device {place.made_by}"), name=NAME, manufacturer_name=NAME, model_name=NAME
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    images = {image.uid: image for image in place.images}
    try:
        content = MeasurementReport(
            observation_context=ObservationContext(observer_device_context=observer),
            procedure_reported=coded(coding.IMAGING),
            imaging_measurements=Groups(space, place.made_by, images).of(place.report),
            title=codes.DCM.ImagingMeasurementReport,
            referenced_images=[image.header for image in place.images],
        )
    except ValueError as error:
        kind = place.images[0].header.SOPClassUID.name
        raise InputError("a report cannot refer to this kind of image", value=kind, expected="an X-ray") from error
    content[0].ContentSequence.append(_evaluations(place.report))
    return content


def _evaluations(report: DiagnosticReport) -> ContainerContentItem:
    """TID 1500's container of evaluations that belong to no group, which highdicom does not write: what the report says
    as a whole."""
    from highdicom.sr import ContainerContentItem, ContentSequence, RelationshipTypeValues

    container = ContainerContentItem(coded(coding.EVALUATIONS), relationship_type=RelationshipTypeValues.CONTAINS)
    container.ContentSequence = ContentSequence([*said(_remarks(report))])
    return container


def _remarks(report: DiagnosticReport) -> Iterable[tuple[Named, str]]:
    yield coding.COMMENT, DISCLAIMER
    for line in report.warnings:
        yield coding.COMMENT, printable(line)
    if report.abstention:
        yield coding.COMMENT, f"No diagnosis is named: {printable(report.abstention)}"
    yield coding.COMMENT, understanding(report)
    for step in report.next_steps:
        yield coding.RECOMMENDATION, printable(f"{step.text} [{step.disease}; {step.reference}]")
    for left in report.left_out:
        yield coding.COMMENT, printable(f"Not suggested: {left.objection} [{left.disease}; {left.reference}]")
    for name, value in sorted(report.provenance.items()):  # once, not in each group: they are the same in all
        yield coding.MADE_WITH, printable(f"{name} {value}")
