"""From what a user points at (files, a folder, a DICOMDIR) to the images of one study of one patient.

Folders are read as archives and discs export them: files without a suffix, several series, reports and other objects
beside the images, several studies. What identifies a patient is compared, and neither kept nor shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from vision.intake.container import decoding, is_directory, looks_like
from vision.intake.header import VIEW_TAGS, is_raw, text, view_position
from vision.intake.words import RADIOGRAPHS, SECONDARY, view_of

if TYPE_CHECKING:
    from pydicom import Dataset

Given = Path | str | Sequence[Path | str]
_SNIFFED = 4096
_RASTER = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_OWN = "whydx"  # the manufacturer of our own documents, which may lie beside the images that they are about
_TAGS = (
    *("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "StudyInstanceUID", "SOPInstanceUID"),
    *("StudyDate", "StudyTime", "SeriesDate", "AcquisitionDate", "ContentDate", "Modality", "Manufacturer"),
    *("Rows", "Columns", "NumberOfFrames", "SeriesNumber", "InstanceNumber"),
)
_LOOKS = ("PresentationIntentType", "SOPClassUID", *VIEW_TAGS)
_EXPECTED = "DICOM files, of any name, in it or in folders of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A DICOM image: ``study`` tells studies and patients apart, ``when`` orders them."""

    path: Path
    study: tuple[str, str]  # patient, Study Instance UID
    uid: str
    when: str
    modality: str
    place: tuple[int, int]  # series and instance number
    lateral: bool
    raw: bool

    @property
    def rank(self) -> int:
        """0 for a radiograph, 1 for the data it was made of, 2 for what may hold one, 3 for anything else."""
        if self.modality in SECONDARY:
            return 2
        return int(self.raw) if self.modality in RADIOGRAPHS else 3


def one_study(images: Given, which: str | None = None) -> tuple[Path, ...]:
    """The images of one study among ``images``: files as they are, folders and DICOMDIRs by what lies in them.

    A file that is given by name is kept, unless it belongs to another study; of a folder only radiographs are taken
    (unprocessed data or secondary captures when there is nothing better), or one image of another kind if there is
    none, so that its refusal says why. A lateral view that is in a study of its own, as anonymisers leave it, goes
    with the frontal film beside it. ``which`` chooses among several studies:
    their number (by date, 1 the oldest), "last", or a Study Instance UID. Raises InputError when nothing is there, when
    there are several studies or patients and nothing chooses, and when a folder's images say nothing of whose they are.
    """
    given = _paths(images)
    named = [path for path in given if not _lists(path)]
    if len(given) == len(named) <= 1 and which is None:
        return tuple(given)
    listed = [path for folder in given if _lists(folder) for path in _inside(folder)]
    members = [member for path in dict.fromkeys((*named, *listed)) if (member := _member(path, named))]
    studies = sorted({member.study for member in members}, key=lambda s: (_day(members, s), s[1], s[0]))
    together = _together(members, named) if which is None else ()
    chosen = together or (_chosen(studies, members, which),)
    known = {member.path for member in members}
    loose = [path for path in named if path not in known]  # PNG, JPEG, and what no header can be read of
    kept = [member for member in members if member.study in chosen]
    from_folders = sorted((m for m in kept if m.path not in named), key=lambda m: (m.rank, m.place, m.path))
    best = from_folders[0].rank if from_folders else 0
    films = [m for m in from_folders if m.rank == best] if best < 3 else from_folders[:1]
    found = [*(path for path in named if path in loose or any(m.path == path for m in kept)), *(m.path for m in films)]
    if not found:
        found = _lone_picture(given, listed)
    return tuple(found)


def of_images(images: Given, uids: Collection[str | None]) -> tuple[Path, ...]:
    """Files as they are; of folders and DICOMDIRs the images with these SOP Instance UIDs. Raises InputError when one
    of them holds none."""
    found: list[Path] = []
    for path in _paths(images):
        inside = [path]
        if _lists(path):
            inside = [p for p in _inside(path) if (m := _member(p, ())) and m.uid in uids]
            if not inside:
                raise InputError("none of the report's images is in this folder", value=path, expected=_EXPECTED)
        found += inside
    return tuple(dict.fromkeys(found))


def _paths(images: Given) -> tuple[Path, ...]:
    return (Path(images),) if isinstance(images, Path | str) else tuple(Path(image) for image in images)


def listed(path: Path) -> list[Path]:
    """The files that a DICOMDIR names, those that are there, by path. Raises InputError when it cannot be read or none
    is; a name that leads out of its folder is not followed."""
    import pydicom

    with decoding(path):
        directory = pydicom.dcmread(path)
        records = list(directory.get("DirectoryRecordSequence") or ())
        names = [_parts(record) for record in records if record.get("ReferencedFileID")]
    root = path.parent.resolve()
    found = {root.joinpath(*parts) for parts in names}
    inside = sorted(p for p in found if p.resolve().is_relative_to(root) and p.is_file())
    if not inside:
        raise InputError("the DICOMDIR names no file that is there", value=path, expected="the whole disc beside it")
    return inside


def _parts(record: Dataset) -> list[str]:
    value = record.ReferencedFileID
    return [value] if isinstance(value, str) else [str(part) for part in value]


def is_listing(path: Path) -> bool:
    """Whether a file is a DICOMDIR."""
    return path.is_file() and is_directory(_start(path))


def _lists(path: Path) -> bool:
    """Whether a path stands for others."""
    return path.is_dir() or is_listing(path)


def _inside(path: Path) -> Iterator[Path]:
    """The files of a folder and its sub-folders, or of a DICOMDIR, sorted; hidden ones are left out."""
    if not path.is_dir():
        yield from listed(path)
        return
    for file in sorted(path.rglob("*")):
        parts = file.relative_to(path).parts
        if file.is_file() and not any(part.startswith(".") or part == "__MACOSX" for part in parts):
            yield file


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_SNIFFED)
    except OSError:
        return b""


def _member(path: Path, named: Collection[Path]) -> _Member | None:
    """What a file says of its study; None for what is no DICOM image. Of a file that is not ``named`` also None when it
    is damaged, our own, or has several frames: an archive holds much beside radiographs."""
    import pydicom

    start = _start(path)
    if start.startswith(_RASTER) or not looks_like(start) or is_directory(start):
        return None
    try:
        with decoding(path):
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=[*_TAGS, *_LOOKS])
            said = {name: text(header, name) for name in _TAGS}
            lateral = view_of(view_position(header)) == "lateral"
    except InputError:
        return None
    image = _whole(said["Rows"]) and _whole(said["Columns"]) and _whole(said["NumberOfFrames"]) <= 1
    if path not in named and (not image or said["Manufacturer"] == _OWN):
        return None
    who = said["PatientID"], said["IssuerOfPatientID"]
    patient = who if who[0] else (said["PatientName"], said["PatientBirthDate"])
    dates = (said[name] for name in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"))
    day = next((d for d in dates if re.fullmatch(r"\d{8}", d)), "")
    return _Member(
        path=path,
        study=("\0".join(" ".join(part.upper().split()) for part in patient), said["StudyInstanceUID"]),
        uid=said["SOPInstanceUID"],
        when=day + said["StudyTime"],
        modality=said["Modality"].upper(),
        place=(_whole(said["SeriesNumber"]), _whole(said["InstanceNumber"])),
        lateral=lateral,
        raw=is_raw(header),
    )


def _whole(value: str) -> int:
    return int(value) if re.fullmatch(r"\d{1,9}", value) else 0


def _day(members: Sequence[_Member], study: tuple[str, str]) -> str:
    return min(member.when for member in members if member.study == study)


def _together(members: Sequence[_Member], named: Collection[Path]) -> tuple[tuple[str, str], ...]:
    """The studies of one patient of which one alone holds a frontal film, when nothing dates them apart or all were
    given by name: only that film is read, whichever is taken. () where they are not that.
    """
    studies = {member.study for member in members}
    frontal = {m.study for m in members if not m.lateral}
    dates = {m.when[:8] for m in members if m.when[:8].isdigit() and len(m.when) >= 8}
    one_day = len(dates) <= 1 or all(m.path in named for m in members)
    same = len({patient for patient, _ in studies}) == 1
    return tuple(sorted(studies)) if len(frontal) == 1 < len(studies) and same and one_day else ()


def _chosen(
    studies: Sequence[tuple[str, str]], members: Sequence[_Member], which: str | None
) -> tuple[str, str] | None:
    if which is None:
        if len(studies) <= 1:
            return studies[0] if studies else None
        patients = len({patient for patient, _ in studies})
        what = f"{patients} patients" if patients > 1 else f"{len(studies)} studies of one patient"
        counts = [sum(member.study == study for member in members) for study in studies]
        shown = ", ".join(f"study {n}: {count} image{'s' if count > 1 else ''}" for n, count in enumerate(counts, 1))
        raise InputError(
            f"the images are of {what}",
            value=shown,
            expected="one study of one patient (numbered by date, the oldest first)",
            run="the same with --study 1, --study last, or --study UID",
        )
    if which == "last" and studies:
        return studies[-1]
    if re.fullmatch(r"\d{1,6}", which) and 1 <= int(which) <= len(studies):
        return studies[int(which) - 1]
    found = [study for study in studies if study[1] == which]
    if len(found) != 1:
        raise InputError("no such study", value=which, expected=f"1 to {len(studies)}, last, or a Study Instance UID")
    return found[0]


def _lone_picture(given: Sequence[Path], inside: Sequence[Path]) -> list[Path]:
    """The one PNG or JPEG of a folder without DICOM: several could be of several patients, and nothing says so."""
    pictures = [path for path in inside if _start(path).startswith(_RASTER)]
    shown = given[0] if given else ""
    if len(pictures) > 1:
        raise InputError("nothing says whose these images are", value=shown, expected="DICOM, or the files by name")
    if not pictures:
        raise InputError("no images in this folder", value=shown, expected=_EXPECTED)
    return pictures
