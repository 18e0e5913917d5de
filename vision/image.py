"""Reading one image: DICOM, PNG or JPEG, told apart by their first bytes, → ImageInstance.

Pixels always come out as MONOCHROME2 (larger is brighter), float32 in [0, 1]: for DICOM after the modality LUT or
rescale (PS3.3 C.11.1), the VOI LUT or window (C.11.2) and the inversion of MONOCHROME1 (C.7.6.3.1.2). Names and
identifiers of the patient are not read.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError

if TYPE_CHECKING:
    from PIL import Image
    from pydicom import Dataset

MOST_PIXELS = 64_000_000
_MOST_BYTES = 512_000_000
_SMALLEST_SIDE = 16
_COLOUR_SPREAD = 0.08
_COLOUR_SHARE = 0.02
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_FORMATS = "a DICOM, PNG or JPEG image"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageInstance:
    """One image and what its header says that matters for reading it; empty string or None where it does not say.

    ``pixels`` (H, W) float32 in [0, 1], MONOCHROME2. ``modality`` and ``view_position`` are DICOM codes ("DX", "PA").
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
    name: str = ""
    warnings: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be (H, W) float32, not {self.pixels.shape} {self.pixels.dtype}")


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
    if data[128:132] == b"DICM":
        return _read_dicom(path, data)
    if data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        return _read_raster(path, data)
    if data[:8] in (b"\x08\x00\x05\x00", b"\x08\x00\x08\x00") or data[:2] == b"\x08\x00":
        return _read_dicom(path, data)  # DICOM written without its preamble
    raise InputError("not an image whydx reads", value=path, expected=_FORMATS)


def _derived_uid(data: bytes) -> str:
    """A UUID-derived UID (PS3.5 B.2) from the content."""
    return f"2.25.{int(hashlib.sha256(data).hexdigest()[:32], 16)}"


def _read_raster(path: Path, data: bytes) -> ImageInstance:
    import io

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
            _check_size(path, image.height, image.width)
            image.load()
            pixels = _grey(path, image)
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise InputError(f"the image is damaged ({_reason(error)})", value=path, expected=_FORMATS) from error
    uid = _derived_uid(data)
    return ImageInstance(sop_instance_uid=uid, study_instance_uid=uid, pixels=pixels, name=path.name)


def _grey(path: Path, image: Image.Image) -> NDArray[np.float32]:
    """8- or 16-bit grey, or colour channels that agree; a colour photograph is refused."""
    if getattr(image, "n_frames", 1) > 1:
        raise InputError("the image is animated", value=path, expected="a single image")
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        return np.clip(np.asarray(image, dtype=np.float32) / 65535, 0, 1)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"), dtype=np.float32) / 255
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("LA"), dtype=np.float32)[..., 0] / 255
    return _grey_of_colour(path, np.asarray(image.convert("RGB"), dtype=np.float32) / 255)


def _grey_of_colour(path: Path, colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1] → (H, W), when hardly any pixel is coloured (a scan's tint or a small coloured mark is let
    pass).
    """
    spread = colour.max(2) - colour.min(2)
    if float((spread > _COLOUR_SPREAD).mean()) > _COLOUR_SHARE:
        raise InputError("this is a colour picture, not a radiograph", value=path, expected="a grey-scale radiograph")
    return (colour @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.float32)


def _check_size(path: Path, height: int, width: int) -> None:
    if height * width > MOST_PIXELS:
        raise InputError(f"{path.name} has too many pixels", value=f"{width} × {height}", expected="at most 64 million")
    if min(height, width) < _SMALLEST_SIDE:
        raise InputError(f"{path.name} is too small", value=f"{width} × {height}", expected="at least 16 × 16 pixels")


def _reason(error: BaseException) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()[:90].rstrip(".") or type(error).__name__


def _read_dicom(path: Path, data: bytes) -> ImageInstance:
    import io
    import logging
    import struct

    import pydicom
    from pydicom.errors import InvalidDicomError

    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    # pydicom and its plug-ins raise many kinds of error on damaged files; each of these means "cannot be decoded"
    damaged = (
        InvalidDicomError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError,
        RuntimeError, IndexError, struct.error, OverflowError, MemoryError,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            _check_dicom(path, dataset)
            pixels = _dicom_pixels(path, dataset)
            return _instance(path, dataset, data, pixels)
    except damaged as error:
        raise InputError(
            f"the DICOM file cannot be decoded ({_reason(error)})", value=path, expected=_FORMATS
        ) from error
    finally:
        logger.setLevel(level)


def _check_dicom(path: Path, dataset: Dataset) -> None:
    if "Rows" not in dataset or "Columns" not in dataset:
        raise InputError("the DICOM file is truncated or holds no image", value=path, expected="a complete DICOM image")
    if not any(k in dataset for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise InputError(
            "the DICOM file is truncated: it has no pixel data", value=path, expected="a complete DICOM image"
        )
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise InputError(f"the DICOM file holds {frames} frames", value=path, expected="a single-frame radiograph")
    _check_size(path, int(dataset.Rows), int(dataset.Columns))


def _dicom_pixels(path: Path, dataset: Dataset) -> NDArray[np.float32]:
    from pydicom.pixels import apply_modality_lut, apply_voi_lut, convert_color_space

    if dataset.file_meta.get("TransferSyntaxUID") == _JPEG_EXTENDED and int(dataset.get("BitsStored", 8)) > 8:
        _check_jpeg12(path)
    with _quiet_decoders():
        stored = dataset.pixel_array
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if stored.ndim == 3:
        if photometric.startswith("YBR") and not dataset.file_meta.TransferSyntaxUID.is_compressed:
            stored = convert_color_space(stored, photometric, "RGB")
        top = 2 ** int(dataset.get("BitsStored", 8)) - 1
        return _grey_of_colour(path, stored.astype(np.float32) / top)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        message = "MONOCHROME1 or MONOCHROME2"
        raise InputError("the DICOM image is not grey-scale", value=photometric, expected=message)
    values = np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64)
    windowed = bool(dataset.get("VOILUTSequence")) or dataset.get("WindowWidth") not in (None, "")
    shown = values
    if windowed:
        shown = np.asarray(apply_voi_lut(_integral(values, stored), dataset), dtype=np.float64)
        if float(np.ptp(shown)) < 1e-6 < float(np.ptp(values)):
            shown = values  # a window that leaves nothing to see is a broken header
    padding = dataset.get("PixelPaddingValue")
    inside = np.ones(stored.shape, bool) if padding is None else stored != int(padding)
    low, high = (float(shown[inside].min()), float(shown[inside].max())) if inside.any() else (0.0, 0.0)
    scaled = np.clip((shown - low) / (high - low), 0, 1) if high > low else np.zeros(shown.shape)
    if photometric == "MONOCHROME1":
        scaled = 1 - scaled
    scaled[~inside] = 0
    return scaled.astype(np.float32)


def _check_jpeg12(path: Path) -> None:
    """Lossy JPEG of 12 bits needs a decoder whose licence (GPL 3) is not ours, so that it is an extra."""
    from importlib.util import find_spec

    if find_spec("libjpeg") is None:
        raise InputError(
            "the DICOM file holds lossy JPEG of 12 bits, which needs a decoder of its own",
            value=path,
            expected="the extra jpeg12",
            run="pip install 'whydx[jpeg12]'",
        )


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Keep what the C++ decoders write to file descriptor 2 off the user's terminal; their errors arrive as
    exceptions.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    silent = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silent, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silent)


def _integral(values: NDArray[np.float64], stored: NDArray) -> NDArray:
    """A VOI LUT is looked up with integers; a window works on any number."""
    rounded = np.rint(values)
    return (
        rounded.astype(np.int32)
        if np.issubdtype(stored.dtype, np.integer) and np.array_equal(rounded, values)
        else values
    )


def _instance(path: Path, dataset: Dataset, data: bytes, pixels: NDArray[np.float32]) -> ImageInstance:
    def text(name: str) -> str:
        return str(dataset.get(name) or "").strip()

    sex = text("PatientSex").upper()
    return ImageInstance(
        sop_instance_uid=text("SOPInstanceUID") or _derived_uid(data),
        study_instance_uid=text("StudyInstanceUID") or _derived_uid(data),
        pixels=pixels,
        modality=text("Modality").upper(),
        body_part=text("BodyPartExamined").upper(),
        view_position=text("ViewPosition").upper(),
        pixel_spacing_mm=_spacing(dataset),
        patient_age_y=_age_years(text("PatientAge")),
        patient_sex=sex if sex in ("F", "M", "O") else None,
        is_phantom=text("ImageComments").upper().startswith("PHANTOM"),
        name=path.name,
    )


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    value: Any = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not value or len(value) != 2:
        return None
    row, column = float(value[0]), float(value[1])
    return (row, column) if row > 0 and column > 0 else None


def _age_years(text: str) -> float | None:
    """DICOM age string (PS3.5 6.2, "045Y", "018M", "003W", "010D") in years; None when it says nothing."""
    match = re.fullmatch(r"(\d{3})([YMWD])", text)
    if not match:
        return None
    return int(match[1]) / {"Y": 1, "M": 12, "W": 52.1775, "D": 365.25}[match[2]]
