"""Reading one image: DICOM, PNG or JPEG, told apart by their first bytes, → ImageInstance.

Pixels always come out as MONOCHROME2 (larger is brighter), float32 in [0, 1]; ``vision.intake`` says how. Names and
identifiers of the patient are not read.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.intake import container, dicom, header, raster
from vision.intake.header import UPRIGHT, Orientation
from vision.intake.words import sex_of

if TYPE_CHECKING:
    from pydicom import Dataset

_MOST_BYTES = 512_000_000
_FORMATS = raster.FORMATS
_RASTER = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_SNIFFED = 1032


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageInstance:
    """One image and what its header says that matters for reading it; empty string or None where it does not say.

    ``pixels`` (H, W) float32 in [0, 1], MONOCHROME2, as they are stored; ``orientation`` says how that lies, and
    ``upright`` is the picture as a frontal film is looked at. ``modality`` and ``view_position`` are DICOM codes ("DX",
    "PA"), or what the header has in their place. ``warnings`` are lines for the reader.
    ``pixel_spacing_mm`` is (row, column). ``is_phantom`` marks a computed image. A PNG or JPEG has no header: its UIDs
    are derived from its bytes (2.25.…), so that the same file has the same identity.
    """

    sop_instance_uid: str
    study_instance_uid: str
    pixels: NDArray[np.float32]
    modality: str = ""
    body_part: str = ""
    view_position: str = ""
    pixel_spacing_mm: tuple[float, float] | None = None
    patient_age_y: float | None = None
    patient_sex: str | None = None
    is_phantom: bool = False
    orientation: Orientation = UPRIGHT
    name: str = ""
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be (H, W) float32, not {self.pixels.shape} {self.pixels.dtype}")

    @property
    def upright(self) -> NDArray[np.float32]:
        """The pixels with the patient's left to the right and the feet down, as far as the header tells."""
        return self.orientation.upright(self.pixels)


def load_image(path: Path | str) -> ImageInstance:
    """Read an image file. Raises InputError (one line) for anything that is not a readable single grey image."""
    path = Path(path)
    if path.is_dir():
        raise InputError("this is a folder, not an image", value=path, expected=_FORMATS)
    if not path.is_file():
        raise InputError("no such image", value=path, expected=_FORMATS)
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError("the image file is too large", value=path, expected=f"at most {_MOST_BYTES // 10**6} MB")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the image ({error.strerror})", value=path, expected=_FORMATS) from error
    if not data:
        raise InputError("the image file is empty", value=path, expected=_FORMATS)
    if data.startswith(_RASTER):
        uid = _derived_uid(data)
        pixels = raster.pixels_of(path, data)
        return ImageInstance(sop_instance_uid=uid, study_instance_uid=uid, pixels=pixels, name=path.name)
    if container.looks_like(data[:_SNIFFED]):
        with container.decoding(path):
            dataset = container.dataset_of(path, data)
            return _instance(path, dataset, data, dicom.pixels_of(path, dataset))
    raise InputError("not an image whydx reads", value=path, expected=_FORMATS)


def image_of(image: Path | str | ImageInstance) -> ImageInstance:
    """An image as it is, or the one in a file."""
    return load_image(image) if isinstance(image, Path | str) else image


def is_image(path: Path) -> bool:
    """Whether a file begins as a DICOM, PNG or JPEG image does, whatever its name; a DICOMDIR, which lists others, is
    none. False for what cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_SNIFFED)
    except OSError:
        return False
    return start.startswith(_RASTER) or (container.looks_like(start) and not container.is_directory(start))


def _derived_uid(data: bytes) -> str:
    """A UUID-derived UID (PS3.5 B.2) from the content."""
    return f"2.25.{int(hashlib.sha256(data).hexdigest()[:32], 16)}"


def _instance(path: Path, dataset: Dataset, data: bytes, pixels: NDArray[np.float32]) -> ImageInstance:
    return ImageInstance(
        sop_instance_uid=header.text(dataset, "SOPInstanceUID") or _derived_uid(data),
        study_instance_uid=header.text(dataset, "StudyInstanceUID") or _derived_uid(data),
        pixels=pixels,
        modality=header.text(dataset, "Modality").upper(),
        body_part=header.body_part(dataset),
        view_position=header.view_position(dataset),
        pixel_spacing_mm=header.spacing_mm(dataset),
        patient_age_y=header.age(dataset),
        patient_sex=sex_of(header.text(dataset, "PatientSex")),
        is_phantom=header.text(dataset, "ImageComments").upper().startswith("PHANTOM"),
        orientation=header.orientation(dataset),
        name=path.name,
        warnings=header.remarks(dataset),
    )
