"""Where a document lies and whose it is: the study of its images, its day and UIDs, the patient as far as asked."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from reports.cleaning import without_controls
from reports.dicom import coding
from reports.dicom.source import Source, check
from reports.json import dumps, loads

if TYPE_CHECKING:
    from pydicom import Dataset

    Document = TypeVar("Document", bound=Dataset)

NAME = "whydx"
# Raised whenever the same report gives another document, so that two documents never share a UID.
_LAYOUT = "2"
SPACE = uuid.uuid5(uuid.NAMESPACE_OID, "whydx dicom-sr")
_OLDEST = 89  # older ages identify (HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C))
_EMPTY = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID", "ReferringPhysicianName")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """``report`` as its JSON says it, ``images`` what it was made of. ``moment`` is the documents' own time (YYYYMMDD,
    HHMMSS); ``dated`` says that it was given, so that no date of the study stays."""

    report: DiagnosticReport
    images: tuple[Source, ...]
    moment: tuple[str, str]
    dated: bool
    identified: bool
    _made_of: str

    @classmethod
    def of(
        cls, report: DiagnosticReport, images: Sequence[Source], *, day: date | None = None, identified: bool = False
    ) -> Placement:
        """Without ``day`` the documents' time is the earliest of their images'. ``identified`` says whether the sources
        hold the patient. Raises InputError when the images are not the report's, or there is no day to be had."""
        # With the digits of the JSON, which UIDs are made from: a saved report gives the file of the one it was.
        report = without_controls(loads(dumps(report)))
        check(report, images)
        known = [image.moment for image in images if image.moment]
        if day is None and not known:
            raise InputError("the image does not say when it was made", value="no date", expected="--date YYYY-MM-DD")
        moment = min(known) if day is None else (f"{day:%Y%m%d}", "000000")
        headers = [image.header.to_json(suppress_invalid_tags=True) for image in images]
        given = (dumps(report), moment[0], str(day is not None), str(identified), *headers)
        return cls(
            report=report,
            images=tuple(images),
            moment=moment,
            dated=day is not None,
            identified=identified,
            _made_of="\0".join((_LAYOUT, version("highdicom"), *given)),
        )

    @property
    def made_by(self) -> str:
        """The version of whydx that made the report."""
        return self.report.provenance.get(NAME) or version(NAME)

    def space(self, kind: str = "", *content: bytes) -> uuid.UUID:
        """What the UIDs of a document are made in: another for everything that goes into it."""
        digest = hashlib.sha256(self._made_of.encode("utf-8"))
        for part in (kind.encode("utf-8"), *content):
            digest.update(b"\0" + part)
        return uuid.uuid5(SPACE, digest.hexdigest())

    def common(self, space: uuid.UUID, *, series: int, description: str) -> dict[str, Any]:
        """The arguments that all of highdicom's documents take: each is alone in a series of its own."""
        day, time = self.moment
        return {
            "series_instance_uid": uid(space, "series"),
            "series_number": series,
            "sop_instance_uid": uid(space, "document"),
            "instance_number": 1,
            "manufacturer": NAME,
            "manufacturer_model_name": NAME,
            "software_versions": coding.one_line(self.made_by),
            "device_serial_number": "none",
            "series_description": description,
            "specific_character_set": "ISO_IR 192",
            "series_date": day,
            "series_time": time,
        }

    def finished(self, document: Document) -> Document:
        """``document`` without what highdicom takes from the clock, and with no more of the patient than was asked."""
        day, time = self.moment
        put(document, InstanceCreationDate=day, InstanceCreationTime=time, PatientSex=self.report.sex or "")
        for part in ("Content", "PresentationCreation"):
            if f"{part}Date" in document:
                put(document, **{f"{part}Date": day, f"{part}Time": time})
        if "DateOfSecondaryCapture" in document:
            put(document, DateOfSecondaryCapture=day, TimeOfSecondaryCapture=time)
        for equipment in document.get("ContributingEquipmentSequence", ()):  # highdicom itself
            put(equipment, ContributionDateTime=day + time)
        if age := _age(self.report.age, self.identified):
            put(document, PatientAge=age)
        if self.dated:
            put(document, StudyDate="", StudyTime="")
        if not self.identified:
            # Archives tell patients apart by this; one made from a UID that the document holds anyway tells nothing.
            pseudonym = uuid.uuid5(SPACE, str(document.StudyInstanceUID)).hex[:16].upper()
            how = "whydx: only UIDs of study, series and images are kept"
            put(document, **dict.fromkeys(_EMPTY, ""))
            put(document, PatientID=f"WHYDX-{pseudonym}", PatientIdentityRemoved="YES", DeidentificationMethod=how)
        return document


def uid(space: uuid.UUID, name: str) -> str:
    """A UUID-derived UID (PS3.5 B.2), the same for the same name in a space."""
    return f"2.25.{uuid.uuid5(space, name).int}"


def put(dataset: Dataset, **values: str) -> None:
    """Set attributes by keyword."""
    for name, value in values.items():
        setattr(dataset, name, value)


def written(document: Dataset) -> bytes:
    """The file (PS3.10) of a document."""
    file = BytesIO()
    document.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _age(years: float | None, identified: bool) -> str:
    """A DICOM age string (PS3.5 6.2), "" where there is none to be told."""
    if years is None or (years > _OLDEST and not identified):
        return ""
    return f"{int(years):03}Y" if years >= 2 else f"{int(years * 12):03}M"
