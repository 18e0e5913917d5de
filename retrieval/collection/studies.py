"""A radiologist's cases from a folder: DICOM images, each with its report in a .txt of the same stem, or in the DICOM
SR or the FHIR DiagnosticReport of the same study; and reports without an image, as .txt or FHIR.

Of a header only age, sex, date, modality, body part and view are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError
from indexes.manifest import file_sha256
from retrieval.collection import bundles
from retrieval.collection.identity import hashed, without
from retrieval.collection.papers import text_of
from retrieval.collection.record import LARGEST_TEXT, Record
from retrieval.collection.tables import age_years, case, day, years_between

if TYPE_CHECKING:
    from pydicom import Dataset

# What an SR calls its parts (PS3.16, CID 7002 and TID 2000) → ours.
_SECTIONS = {
    "findings": "findings",
    "finding": "findings",
    "impression": "impression",
    "impressions": "impression",
    "conclusion": "impression",
    "conclusions": "impression",
    "history": "indication",
    "indication": "indication",
    "indications for procedure": "indication",
    "reason for procedure": "indication",
    "request": "indication",
}
_IDENTIFIERS = (
    "PatientName OtherPatientNames PatientID OtherPatientIDs PatientBirthDate PatientBirthName AccessionNumber "
    "ReferringPhysicianName PerformingPhysicianName NameOfPhysiciansReadingStudy OperatorsName RequestingPhysician "
    "PatientAddress PatientTelephoneNumbers PatientMotherBirthName"
)


def is_case(path: Path) -> bool:
    """Whether a file is a DICOM image or report, or FHIR."""
    return bundles.is_fhir(path) or is_dicom(path)


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, by its preamble, or its name where it has none; a DICOMDIR only lists others."""
    if path.name.upper() == "DICOMDIR":
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM" or path.suffix.lower() == ".dcm"
    except OSError:
        return False


def read(
    files: Sequence[Path], root: Path, *, salt: bytes, collection: str, warned: set[str]
) -> Iterator[tuple[str, Record]]:
    """(where it stands, case) of each image and of each report without an image, by path. ``warned`` takes up the names
    of the files whose pixels show who the patient is, as the header says. Raises InputError for a damaged file."""
    texts = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".txt"}
    reported = [(path, one) for path in files if bundles.is_fhir(path) for one in bundles.read(path)]
    others = {*texts.values(), *(path for path in files if bundles.is_fhir(path))}
    headers = {path: _header(path) for path in files if path not in others}
    by_study = {uid: (number, one) for number, (_, one) in enumerate(reported) for uid in one.studies}
    used: set[int] = set()
    structured: dict[str, dict[str, str]] = {}
    for header in headers.values():
        if header.get("Modality") == "SR":
            sections = structured.setdefault(_said(header, "StudyInstanceUID"), {})
            for name, text in _sections(header):
                sections[name] = f"{sections[name]} {text}" if name in sections else text
    for path, header in sorted(headers.items()):
        if header.get("Modality") == "SR":
            continue
        if _said(header, "BurnedInAnnotation").upper() == "YES":
            warned.add(path.name)
        written = texts.pop(path, None) or texts.pop(path.with_suffix(""), None)  # files are also called by a UID
        said = {"report": " ".join(text_of(written, LARGEST_TEXT).split())} if written else {}
        said = said or structured.get(_said(header, "StudyInstanceUID"), {})
        naming = [part for name in _IDENTIFIERS.split() for part in _values(header, name)]
        known = _known(header, salt)
        number, other = by_study.get(_said(header, "StudyInstanceUID"), (-1, None))
        if other is not None:
            used.add(number)
            said = said or dict(other.texts)
            known = dict(other.known) | {name: value for name, value in known.items() if value}
            naming += other.naming
        identity = _said(header, "SOPInstanceUID") or path.relative_to(root).as_posix()
        yield (
            path.name,
            case(
                collection,
                hashed(identity, salt),
                {name: without(text, naming) for name, text in said.items()},
                known,
                path,
                file_sha256(path),
            ),
        )
    for number, (path, one) in enumerate(reported):
        if number not in used:
            identity = one.report_id or f"{path.relative_to(root).as_posix()}:{number}"
            known = dict(one.known) | ({"patient": hashed(one.patient, salt)} if one.patient else {})
            yield f"{path.name}, {one.report_id}", case(collection, hashed(identity, salt), one.texts, known, None, "")
    for stem, path in sorted(texts.items()):
        text = " ".join(text_of(path, LARGEST_TEXT).split())
        identity = stem.relative_to(root).as_posix()
        yield path.name, case(collection, hashed(identity, salt), {"report": text}, {}, None, "")


def _header(path: Path) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, force=path.suffix.lower() == ".dcm")
        if not len(header):
            raise InvalidDicomError("no elements")
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("the DICOM file cannot be read", value=path, expected="a whole DICOM file") from error
    return header


def _known(header: Dataset, salt: bytes) -> dict[str, str]:
    date = day(_said(header, "StudyDate") or _said(header, "AcquisitionDate"))
    patient = _said(header, "PatientID")
    sex = _said(header, "PatientSex").upper()
    return {
        "age": age_years(_said(header, "PatientAge")) or years_between(day(_said(header, "PatientBirthDate")), date),
        "sex": sex if sex in ("F", "M") else "",
        "date": date,
        "modality": _said(header, "Modality").upper(),
        "body_part": _said(header, "BodyPartExamined").upper(),
        "view": _said(header, "ViewPosition").upper(),
        "patient": hashed(patient, salt) if patient else "",
    }


def _sections(item: Any) -> Iterator[tuple[str, str]]:
    """(section, text) of each TEXT item below, in order; what stands under no known heading is the report."""
    for child in item.get("ContentSequence", ()):
        if child.get("ValueType") == "TEXT":
            heading = next((str(code.get("CodeMeaning", "")) for code in child.get("ConceptNameCodeSequence", ())), "")
            yield _SECTIONS.get(heading.strip().lower(), "report"), " ".join(str(child.get("TextValue", "")).split())
        yield from _sections(child)


def _said(header: Dataset, name: str) -> str:
    return str(header.get(name) or "").strip()


def _values(header: Dataset, name: str) -> list[str]:
    value = header.get(name)
    many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [str(one).strip() for one in many if one]
