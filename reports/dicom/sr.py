"""A report as a DICOM Structured Report: TID 1500 "Measurement Report" in a Comprehensive 3D SR, preliminary, partial
and unverified.

The document is that of highdicom's ``MeasurementReport``; ``reports/dicom/groups.py`` says what is in a group and which
rules of OHIF's loader it keeps. Those for the whole: the title is (126000, DCM), there is an Image Library, and each
document is a series of its own, since of several in one series OHIF shows the last.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from reports.cleaning import without_controls
from reports.dicom import coding
from reports.dicom.coding import Named, coded
from reports.dicom.groups import NAME, Groups, said, uid
from reports.dicom.source import Source, check
from reports.json import dumps, loads
from reports.plain import printable
from reports.table import DISCLAIMER, understanding

if TYPE_CHECKING:
    from highdicom.sr import Comprehensive3DSR, ContainerContentItem, MeasurementReport
    from pydicom import Dataset

# Raised whenever the same report gives another document, so that two documents never share a UID.
_LAYOUT = "1"
_SPACE = uuid.uuid5(uuid.NAMESPACE_OID, "whydx dicom-sr")
_SERIES_NUMBER = 990
_OLDEST = 89  # older ages identify (HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C))


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
        return _written(self.document(report))

    def document(self, report: DiagnosticReport) -> Comprehensive3DSR:
        """The same as highdicom's object. Raises InputError as ``render`` does."""
        from highdicom.coding_schemes import CodingSchemeIdentificationItem
        from highdicom.sr import Comprehensive3DSR

        # With the digits of the JSON, which UIDs are made from: a saved report gives the file of the one it was.
        report = without_controls(loads(dumps(report)))
        check(report, self._images)
        day, time = self._moment()
        space = self._space(report, day)
        made_by = report.provenance.get(NAME) or version(NAME)
        scheme = CodingSchemeIdentificationItem(
            designator=coding.SCHEME,
            name="whydx: CURIEs of merged concepts, and its own terms",
            responsible_organization=NAME,
        )
        document = Comprehensive3DSR(
            evidence=[image.header for image in self._images],
            content=self._content(report, space, made_by)[0],
            series_instance_uid=uid(space, "series"),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=uid(space, "document"),
            instance_number=1,
            manufacturer=NAME,
            manufacturer_model_name=NAME,
            software_versions=coding.one_line(made_by),
            device_serial_number="none",
            series_description="whydx report (unverified)",
            specific_character_set="ISO_IR 192",
            coding_schemes=[scheme],
            content_date=day,
            content_time=time,
            series_date=day,
            series_time=time,
        )
        self._overwrite(document, report, day, time)
        return document

    def _overwrite(self, document: Comprehensive3DSR, report: DiagnosticReport, day: str, time: str) -> None:
        """What highdicom takes from the clock or from the images."""
        _put(document, InstanceCreationDate=day, InstanceCreationTime=time, PatientSex=report.sex or "")
        for equipment in document.ContributingEquipmentSequence:  # highdicom itself
            _put(equipment, ContributionDateTime=day + time)
        if age := _age(report.age, self._identified):
            _put(document, PatientAge=age)
        if self._day:
            _put(document, StudyDate="", StudyTime="")
        if not self._identified:
            # Archives tell patients apart by this; one made from a UID that the document holds anyway tells nothing.
            pseudonym = uuid.uuid5(_SPACE, str(document.StudyInstanceUID)).hex[:16].upper()
            how = "whydx: only UIDs of study, series and images are kept"
            _put(document, PatientID=f"WHYDX-{pseudonym}", PatientIdentityRemoved="YES", DeidentificationMethod=how)

    def _moment(self) -> tuple[str, str]:
        if self._day:
            return f"{self._day:%Y%m%d}", "000000"
        known = [image.moment for image in self._images if image.moment]
        if not known:
            raise InputError("the image does not say when it was made", value="no date", expected="--date YYYY-MM-DD")
        return min(known)

    def _space(self, report: DiagnosticReport, day: str) -> uuid.UUID:
        """What UIDs are made in: another for everything that goes into the document."""
        headers = [image.header.to_json(suppress_invalid_tags=True) for image in self._images]
        parts = (
            _LAYOUT,
            version("highdicom"),
            dumps(report),
            day,
            str(bool(self._day)),
            str(self._identified),
            *headers,
        )
        return uuid.uuid5(_SPACE, hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest())

    def _content(self, report: DiagnosticReport, space: uuid.UUID, made_by: str) -> MeasurementReport:
        from highdicom.sr import (
            DeviceObserverIdentifyingAttributes,
            MeasurementReport,
            ObservationContext,
            ObserverContext,
        )
        from pydicom.sr.codedict import codes

        device = DeviceObserverIdentifyingAttributes(
            uid=uid(_SPACE, f"device {made_by}"), name=NAME, manufacturer_name=NAME, model_name=NAME
        )
        observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
        images = {image.uid: image for image in self._images}
        try:
            content = MeasurementReport(
                observation_context=ObservationContext(observer_device_context=observer),
                procedure_reported=coded(coding.IMAGING),
                imaging_measurements=Groups(space, made_by, images).of(report),
                title=codes.DCM.ImagingMeasurementReport,
                referenced_images=[image.header for image in self._images],
            )
        except ValueError as error:
            kind = self._images[0].header.SOPClassUID.name
            raise InputError("a report cannot refer to this kind of image", value=kind, expected="an X-ray") from error
        content[0].ContentSequence.append(_evaluations(report))
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


def _age(years: float | None, identified: bool) -> str:
    """A DICOM age string (PS3.5 6.2), "" where there is none to be told."""
    if years is None or (years > _OLDEST and not identified):
        return ""
    return f"{int(years):03}Y" if years >= 2 else f"{int(years * 12):03}M"


def _put(dataset: Dataset, **values: str) -> None:
    for name, value in values.items():
        setattr(dataset, name, value)


def _written(document: Comprehensive3DSR) -> bytes:
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()
