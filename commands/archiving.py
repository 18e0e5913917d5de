"""A report for an archive: the DICOM SR, or all of its documents in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from errors import InputError

if TYPE_CHECKING:
    import whydx
    from reports.dicom.source import Source


def sr_of(report: Any, images: Sequence[Path], *, day: str | None = None, identified: bool = False) -> bytes:
    """The SR's file. Raises InputError when the images are not the report's, or ``day`` is no date."""
    from reports.dicom.sr import DicomSrReporter

    sources = _sources(report, images, identified)
    return DicomSrReporter(sources, day=_date(day), identified=identified).render(report)


def write_archive(
    report: Any,
    images: Sequence[Path],
    output: Path | None,
    dx: whydx.Whydx,
    *,
    day: str | None = None,
    identified: bool = False,
    pdf: Path | None = None,
) -> tuple[str, ...]:
    """Write every document to the new folder ``output``; gives lines about what is not among them. Raises InputError as
    ``sr_of`` does, and for a PDF that cannot be read."""
    if output is None or str(output) == "-":
        raise typer.BadParameter("dicom is several files: give a folder", param_hint="-o")
    from reports.dicom.archive import archive, look
    from reports.file import check_new_folder, write_folder

    check_new_folder(output)  # before the detector is opened
    document = None
    if pdf is not None:
        try:
            document = pdf.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read the PDF ({error.strerror})", value=pdf, expected="a PDF file") from error
    made = archive(
        report,
        _sources(report, images, identified),
        lambda source: look(dx.detector, source, report),
        day=_date(day),
        identified=identified,
        document=document,
    )
    write_folder(made.files, output)
    return made.remarks


def fhir_of(report: Any, images: Sequence[Path]) -> str:
    """The bundle with the patient's name and the study's own UIDs. Raises InputError when the images are not the
    report's."""
    from reports.dicom.source import check, imaged
    from reports.fhir import FhirReporter

    sources = _sources(report, images, True)
    check(report, sources)
    return FhirReporter(imaged(sources)).render(report)


def _sources(report: Any, images: Sequence[Path], identified: bool) -> list[Source]:
    from reports.dicom.source import read_source
    from vision.intake.study import of_images

    uids = {finding.sop_instance_uid for finding in report.findings}
    return [read_source(image, identified=identified) for image in of_images(images, uids)]


def _date(day: str | None) -> date | None:
    try:
        return None if day is None else date.fromisoformat(day)
    except ValueError as error:
        raise InputError("not a date", value=day, expected="YYYY-MM-DD") from error
