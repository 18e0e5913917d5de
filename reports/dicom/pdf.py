"""A PDF of the report as a DICOM object (Encapsulated PDF, PS3.3 A.45.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from errors import InputError
from reports.dicom.placement import NAME, Placement, put

if TYPE_CHECKING:
    from highdicom import SOPClass

SERIES = 995
_LARGEST = 100_000_000
_BEGINS_WITHIN = 1024


def encapsulated(place: Placement, data: bytes) -> SOPClass:
    """``data``, a PDF file, as a document. It is taken as it is: what it says of the patient stays in it, so that it is
    marked as one that may name him. Raises InputError when it is no PDF, or larger than 100 MB."""
    from highdicom import SOPClass
    from pydicom import Dataset
    from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

    if b"%PDF-" not in data[:_BEGINS_WITHIN]:
        raise InputError("not a PDF file", value=f"{len(data)} bytes", expected="a file that begins with %PDF-")
    if len(data) > _LARGEST:
        raise InputError("the PDF is too large", value=f"{len(data)} bytes", expected=f"at most {_LARGEST} bytes")
    space = place.space("pdf", data)
    day, time = place.moment
    header = place.images[0].header
    made = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=header.PatientID,
        patient_name=header.PatientName,
        patient_birth_date=header.PatientBirthDate,
        patient_sex="",
        accession_number=header.AccessionNumber,
        study_id=header.StudyID,
        study_date=header.StudyDate or None,
        study_time=header.StudyTime or None,
        referring_physician_name=header.ReferringPhysicianName,
        content_date=day,
        content_time=time,
        **place.common(space, series=SERIES, description="whydx report as PDF (unverified)"),
    )
    put(made, ConversionType="WSD", BurnedInAnnotation="YES", DocumentTitle=f"{NAME} report", AcquisitionDateTime="")
    put(made, MIMETypeOfEncapsulatedDocument="application/pdf", VerificationFlag="UNVERIFIED")
    made.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    made.EncapsulatedDocumentLength = len(data)
    made.ConceptNameCodeSequence = []
    made.SourceInstanceSequence = []
    for image in place.images:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.header.SOPClassUID, image.uid
        made.SourceInstanceSequence.append(item)
    return place.finished(made)
