"""The headers of the DICOM images that a report was made of: what a document beside them must name, and no more."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from reports.fhir import Imaged
from vision.finding import Finding

if TYPE_CHECKING:
    from pydicom import Dataset

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1), type 2 in every document: empty, or copied on demand.
_WHO = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID", "ReferringPhysicianName")
_CLOCKS = ("Study", "Acquisition", "Series", "Content")
_PROJECTION = ("CR", "DX", "RG", "RF", "XA")
_EXPECTED = "the DICOM image that the report was made of"


@dataclass(frozen=True, slots=True)
class Source:
    """One image: ``header`` holds its UIDs, size and orientation, and who and when only as far as was asked for.
    ``moment`` is when its study was made, (YYYYMMDD, HHMMSS), or None where it does not say. ``path`` is the file;
    ``named`` says that its header calls the picture marked with who the patient is (Burned In Annotation);
    ``modality`` is the header's own, "" where it says none."""

    header: Dataset
    moment: tuple[str, str] | None
    path: Path
    named: bool = False
    modality: str = ""

    @property
    def uid(self) -> str:
        return str(self.header.SOPInstanceUID)


def read_source(path: Path, *, identified: bool = False) -> Source:
    """Read the header of a DICOM image.

    With ``identified`` it holds the patient's name, identifiers and birth date, the accession number and the referring
    physician; without, they are empty. Raises InputError when the file cannot be read, is no DICOM image, or lacks a
    valid UID, and, with ``identified``, when one of these values is not valid DICOM.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import UID

    damaged = (InvalidDicomError, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError)
    try:
        with quiet():
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            dataset.decode()
            known = {name: dataset.get(name) for name in (*_UIDS, *_WHO, "Rows", "Columns")}
    except OSError as error:
        raise InputError(f"cannot read the image ({error.strerror})", value=path, expected=_EXPECTED) from error
    except damaged as error:
        raise InputError("the image is no DICOM file", value=path, expected=_EXPECTED) from error
    if not known["Rows"] or not known["Columns"]:
        raise InputError("the DICOM file holds no image", value=path, expected=_EXPECTED)
    for name in _UIDS:
        if not known[name] or not UID(str(known[name])).is_valid:
            raise InputError(f"the DICOM file has no valid {name}", value=path, expected=_EXPECTED)
    header = pydicom.Dataset()
    with quiet():
        for name in (*_UIDS, "Rows", "Columns"):
            setattr(header, name, known[name])
        header.SamplesPerPixel = dataset.get("SamplesPerPixel") or 1
        moment = _moment(dataset)
        header.StudyDate, header.StudyTime = _when(dataset, "Study") or ("", "")
        header.PatientSex = ""  # the report's is put there
        _describe(header, dataset)
    try:
        for name in _WHO:
            setattr(header, name, known[name] if identified and known[name] is not None else "")
    except ValueError as error:
        raise InputError(f"the image's {name} is not valid DICOM", value=path, expected="a valid header") from error
    modality = str(dataset.get("Modality") or "")
    return Source(header, moment, path, _marked(dataset), modality if re.fullmatch("[A-Z0-9]{1,16}", modality) else "")


def check(report: DiagnosticReport, sources: Sequence[Source]) -> None:
    """Raise InputError when ``report`` was not made of these images, all of them, or they are of several studies.

    A report that names no image (its findings have no SOP Instance UID) fits any single one whose size holds its boxes.
    """
    if not sources:
        raise InputError("a DICOM document needs the image", value="no image", expected="--image IMAGE.dcm")
    given = {source.uid: source.header for source in sources}
    named = {f.sop_instance_uid for f in report.findings if f.sop_instance_uid}
    if len({str(header.StudyInstanceUID) for header in given.values()}) > 1:
        raise InputError("the images are of several studies", value=f"{len(given)} images", expected="one study")
    for uid in sorted(named - given.keys()):
        raise InputError("the report was made of another image", value=uid, expected="--image with this SOP instance")
    for uid in sorted(given.keys() - named):
        if named or len(given) > 1:
            raise InputError("the report was not made of this image", value=uid, expected=f"one of {len(named)} others")
    for finding in report.findings:
        header = given[finding.sop_instance_uid or next(iter(given))]
        box = finding.box
        if box and (
            min(box.x, box.y) < -1 or box.x + box.width > header.Columns + 1 or box.y + box.height > header.Rows + 1
        ):
            size = f"{header.Columns} × {header.Rows}"
            raise InputError("a box lies outside the image: it is another one", value=size, expected=_EXPECTED)


def imaged(sources: Sequence[Source]) -> Imaged:
    """The study of the images and its patient, as FHIR names them; ``sources`` were read as identified."""
    first = sources[0].header
    name, born = first.PatientName, str(first.PatientBirthDate or "")
    words = (getattr(name, "given_name", ""), getattr(name, "middle_name", ""), getattr(name, "family_name", ""))
    return Imaged(
        study_uid=str(first.StudyInstanceUID),
        images=tuple(
            (str(s.header.SeriesInstanceUID), s.modality or "OT", str(s.header.SOPClassUID), s.uid) for s in sources
        ),
        name=" ".join(filter(None, words)) or str(name or ""),
        patient_id=str(first.PatientID or ""),
        birth_date=f"{born[:4]}-{born[4:6]}-{born[6:]}" if re.fullmatch(r"\d{8}", born) else "",
        accession=str(first.AccessionNumber or ""),
    )


def box_on(finding: Finding, image: Source) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a finding's box, cut to the image; (0, 0) is the top left corner of the first
    pixel. Raises ValueError for a finding without a box."""
    box = finding.box
    if box is None:
        raise ValueError(f"{finding.label} has no box")
    left, right = (min(max(x, 0.0), float(image.header.Columns)) for x in (box.x, box.x + box.width))
    top, bottom = (min(max(y, 0.0), float(image.header.Rows)) for y in (box.y, box.y + box.height))
    return left, top, right, bottom


def _describe(header: Dataset, dataset: Dataset) -> None:
    """What the image library says of a projection (TID 1603), when the header holds all of it; highdicom asks for it by
    the modality, so that an image without is one of another kind."""
    orientation = [str(value) for value in dataset.get("PatientOrientation") or ()]
    spacing = dataset.get("ImagerPixelSpacing") or ()
    header.Modality = "OT"
    whole = len(orientation) == 2 and all(re.fullmatch("[A-Z]{1,3}", value) for value in orientation)
    if dataset.get("Modality") in _PROJECTION and whole and len(spacing) == 2 and all(mm > 0 for mm in spacing):
        header.Modality = dataset.Modality
        header.PatientOrientation, header.ImagerPixelSpacing = orientation, list(spacing)


def _marked(dataset: Dataset) -> bool:
    """Whether the header says that the picture names the patient; a phantom, which is none, says it of a word."""
    said = [str(dataset.get(name) or "").strip().upper() for name in ("BurnedInAnnotation", "ImageComments")]
    return said[0] == "YES" and not said[1].startswith("PHANTOM")


def _moment(dataset: Dataset) -> tuple[str, str] | None:
    return next(filter(None, (_when(dataset, clock) for clock in _CLOCKS)), None)


def _when(dataset: Dataset, clock: str) -> tuple[str, str] | None:
    day, time = (str(dataset.get(f"{clock}{part}") or "") for part in ("Date", "Time"))
    if not re.fullmatch(r"(1[89]|2\d)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", day):
        return None
    return day, time[:6] if re.fullmatch(r"([01]\d|2[0-3])[0-5]\d[0-5]\d(\.\d+)?", time) else "000000"


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom's remarks on a header's values, which may be a patient's, off the terminal."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
