"""A DICOM file → its dataset and grey pixels, also when the header is broken in the ways that exports break it.

Pixels come out as MONOCHROME2, after the modality LUT or rescale (PS3.3 C.11.1), the VOI LUT or window (C.11.2) and the
inversion of MONOCHROME1 (C.7.6.3.1.2). A rescale, LUT or window that cannot be meant is left out; the film is then
shown with its full range.
"""

from __future__ import annotations

import io
import os
import re
import struct
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.intake.header import number, text
from vision.intake.raster import FORMATS, check_size, grey_of_colour, is_grey, reason

if TYPE_CHECKING:
    from pydicom import Dataset

_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_PREAMBLE_WITHIN = 1024
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_GREY = ("MONOCHROME1", "MONOCHROME2", "")
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_MOST_UNPACKED, _UNPACKED_AT_ONCE = 256_000_000, 1 << 22  # bytes; the most pixels take 128 MB
_WRAPS = 0.002  # of neighbouring pixels, at the least, jump by half the range when the sign is read wrongly
_WRAPS_LESS = 10

Values = NDArray[np.float64]


def looks_like(start: bytes) -> bool:
    """Whether a file that begins with ``start`` (at least 1,032 bytes, or all of it) is DICOM: by its magic word, where
    it belongs or a little elsewhere, or by a first tag of group 0002 or 0008 with a plausible element.
    """
    if start[128:132] == b"DICM" or start.startswith(b"DICM") or _magic(start) >= 0:
        return True
    if start[:2] == b"\x00\x08" and start[2:3] == b"\x00":
        return start[4:6].isalpha() and start[4:6].isupper()  # big endian has explicit VRs
    if start[:2] not in _FIRST_GROUPS or len(start) < 8 or start[3:4] != b"\x00":
        return False
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return explicit or struct.unpack("<I", start[4:8])[0] < 1024


def is_directory(start: bytes) -> bool:
    """Whether the first bytes are of a DICOMDIR (Media Storage Directory Storage, PS3.3 F)."""
    return re.search(rb"1\.2\.840\.10008\.1\.3\.10(?![.0-9])", start) is not None


def _magic(data: bytes) -> int:
    """Where "DICM" with group 0002 after it stands, -1 when not near the beginning."""
    return data.find(b"DICM\x02\x00", 0, _PREAMBLE_WITHIN + 6)


def dataset_of(path: Path, data: bytes) -> Dataset:
    """The dataset, with a transfer syntax whatever the file says. Raises InputError for what holds no single image."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.filereader import read_dataset

    at = _magic(data)
    if at >= 0 and at != 128:
        data = bytes(128) + data[at:]
    elif data.startswith(b"DICM"):
        data = bytes(128) + data
    _check_deflated(path, data)
    if data[:2] == b"\x00\x08" and data[128:132] != b"DICM":
        dataset = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=False)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    else:
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    _check(path, dataset)
    if not text(dataset.file_meta, "TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(_syntax(dataset))
    return dataset


def _check_deflated(path: Path, data: bytes) -> None:
    """Raise InputError for a deflated dataset (PS3.5 A.5) that unpacks to more than an image can be: pydicom unpacks
    it whole, and 2 MB may stand for 2 GB."""
    import zlib

    if _DEFLATED not in data[:_PREAMBLE_WITHIN] or data[132:136] != b"\x02\x00\x00\x00":
        return
    start = 144 + struct.unpack("<I", data[140:144])[0]  # behind the group length, which counts what is left of 0002
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    seen, rest = 0, data[start:]
    try:
        while rest and not unpacker.eof and seen <= _MOST_UNPACKED:
            seen += len(unpacker.decompress(rest, _UNPACKED_AT_ONCE))
            rest = unpacker.unconsumed_tail
    except zlib.error:
        return  # pydicom says what is wrong
    if seen > _MOST_UNPACKED:
        most = f"at most {_MOST_UNPACKED // 10**6} MB"
        raise InputError("the DICOM file unpacks to too much", value=path, expected=most)


def _syntax(dataset: Dataset) -> str:
    """The transfer syntax of a file that does not state it: by its encoding, and by the first bytes of what is
    encapsulated.
    """
    from pydicom import uid

    pixels: bytes = dataset.get("PixelData", b"")
    if pixels.startswith(b"\xfe\xff\x00\xe0"):
        inside = pixels[:4096]
        if b"\xff\x4f\xff\x51" in inside:
            return str(uid.JPEG2000)
        start = inside.find(b"\xff\xd8\xff")
        if start < 0:
            return str(uid.RLELossless)
        frame = re.search(rb"\xff([\xc0-\xc3\xf7])\x00[\x0b-\x20]", inside[start:])
        kinds = {
            0xC0: uid.JPEGBaseline8Bit,
            0xC1: uid.JPEGExtended12Bit,
            0xC3: uid.JPEGLossless,
            0xF7: uid.JPEGLSLossless,
        }
        return str(kinds.get(frame[1][0] if frame else 0xC0, uid.JPEGBaseline8Bit))
    implicit, little = dataset.original_encoding
    if little is False:
        return str(uid.ExplicitVRBigEndian)
    return str(uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian)


def _check(path: Path, dataset: Dataset) -> None:
    if "Rows" not in dataset or "Columns" not in dataset:
        raise InputError("the DICOM file is truncated or holds no image", value=path, expected="a complete DICOM image")
    if not any(k in dataset for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise InputError(
            "the DICOM file is truncated: it has no pixel data", value=path, expected="a complete DICOM image"
        )
    frames = int(number(dataset.get("NumberOfFrames")) or 1)
    if frames > 1:
        raise InputError(f"the DICOM file holds {frames} frames", value=path, expected="a single-frame radiograph")
    check_size(path, int(dataset.Rows), int(dataset.Columns))


def pixels_of(path: Path, dataset: Dataset) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1]. Raises InputError for colour, and whatever pydicom raises for what it cannot decode."""
    photometric = text(dataset, "PhotometricInterpretation").upper()
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == _JPEG_EXTENDED and int(dataset.get("BitsStored", 8)) > 8:
        _check_jpeg12(path)
    if photometric == "PALETTE COLOR":
        return _of_palette(path, dataset)
    if int(number(dataset.get("SamplesPerPixel")) or 1) > 1:
        return _of_colour(path, dataset)
    if photometric not in _GREY:
        message = "MONOCHROME1 or MONOCHROME2"
        raise InputError("the DICOM image is not grey-scale", value=photometric, expected=message)
    with _quiet_decoders():
        stored = dataset.pixel_array
    stored = _signed_as_it_is(stored, int(number(dataset.get("BitsStored")) or 8 * stored.dtype.itemsize))
    values = _rescaled(stored, dataset)
    shown = _windowed(values, stored, dataset)
    inside = ~_padding(stored, dataset)
    low, high = (float(shown[inside].min()), float(shown[inside].max())) if inside.any() else (0.0, 0.0)
    if low == high and inside.any():  # a window that leaves nothing to see is a broken header
        shown = values
        low, high = float(shown[inside].min()), float(shown[inside].max())
    scaled = np.clip((shown - low) / (high - low), 0, 1) if high > low else np.zeros(shown.shape)
    if photometric == "MONOCHROME1":
        scaled = 1 - scaled
    scaled[~inside] = 0
    return scaled.astype(np.float32)


def _of_palette(path: Path, dataset: Dataset) -> NDArray[np.float32]:
    """Through the palette (PS3.3 C.7.9): a grey ramp gives a grey film."""
    from pydicom.pixels import apply_color_lut

    with _quiet_decoders():
        colour = np.asarray(apply_color_lut(dataset.pixel_array, dataset))
    top = np.iinfo(colour.dtype).max
    return grey_of_colour(path, colour[..., :3].astype(np.float32) / top)


def _of_colour(path: Path, dataset: Dataset) -> NDArray[np.float32]:
    """Three samples a pixel. What is stored may be grey in each, or luminance with empty colour differences, whatever
    the header calls it: secondary captures name the wrong one. Else pydicom makes it RGB, by the header.
    """
    from pydicom.pixels import pixel_array

    bits = int(number(dataset.get("BitsStored")) or 8)
    top = float(2**bits - 1)
    with _quiet_decoders():
        raw = pixel_array(dataset, raw=True).astype(np.float32) / top
        if raw.ndim == 3 and is_grey(raw):
            return grey_of_colour(path, raw)
        middle = np.full((*raw.shape[:2], 1), 2 ** (bits - 1) / top, np.float32)
        if raw.ndim == 3 and is_grey(np.concatenate((raw[..., 1:], middle), 2)):
            return np.ascontiguousarray(raw[..., 0])
        return grey_of_colour(path, dataset.pixel_array.astype(np.float32) / top)


def _signed_as_it_is(stored: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stored integers with the sign that the picture has, whatever Pixel Representation says.

    Read with the wrong sign, values around the middle of the range jump from its one end to the other, which tissue
    does not. The header is believed unless its reading jumps at 0.2 % of the neighbouring pixels and the other ten
    times less.
    """
    if not np.issubdtype(stored.dtype, np.integer) or not 8 <= bits <= 16:
        return stored
    whole, half = 1 << bits, 1 << (bits - 1)
    values = stored.astype(np.int32)
    if values.min() < -half or values.max() >= whole:
        return stored
    other = (
        np.where(values < 0, values + whole, values)
        if values.min() < 0
        else np.where(values >= half, values - whole, values)
    )
    said, turned = (_jumps(v, half) for v in (values, other))
    return other if said > _WRAPS and turned * _WRAPS_LESS < said else stored


def _jumps(values: NDArray[np.int32], half: int) -> float:
    """The share of neighbours along rows and columns that differ by more than three quarters of ``half``."""
    limit = 0.75 * half
    down, across = np.abs(np.diff(values, axis=0)) > limit, np.abs(np.diff(values, axis=1)) > limit
    return float(down.sum() + across.sum()) / (down.size + across.size)


def _rescaled(stored: NDArray[Any], dataset: Dataset) -> Values:
    """After the modality LUT, or slope and intercept; a slope that is absent, zero or no number counts as 1."""
    from pydicom.pixels import apply_modality_lut

    if dataset.get("ModalityLUTSequence"):
        try:
            return np.asarray(apply_modality_lut(stored, dataset), np.float64)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, NotImplementedError):
            return stored.astype(np.float64)
    slope = number(dataset.get("RescaleSlope")) or 1.0
    return stored.astype(np.float64) * slope + (number(dataset.get("RescaleIntercept")) or 0.0)


def _windowed(values: Values, stored: NDArray[Any], dataset: Dataset) -> Values:
    """After the VOI LUT, else the first window that can be meant, else as they are."""
    from pydicom.pixels import apply_voi

    if dataset.get("VOILUTSequence"):
        rounded = np.rint(values)
        whole = np.issubdtype(stored.dtype, np.integer) and np.array_equal(rounded, values)
        try:  # a VOI LUT is looked up with integers
            return np.asarray(apply_voi(rounded.astype(np.int32) if whole else values, dataset), np.float64)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, NotImplementedError):
            pass
    kind = text(dataset, "VOILUTFunction").upper() or "LINEAR"
    for centre, width in zip(_numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth"), strict=False):
        if centre is None or width is None or width <= 0 or (kind == "LINEAR" and width < 1):
            continue
        return _window(values, centre, width, kind)
    return values


def _window(values: Values, centre: float, width: float, kind: str) -> Values:
    """PS3.3 C.11.2.1.2 and .3, onto [0, 1]; an unknown function leaves the values. pydicom's own scales onto the range
    of the rescaled values, which a negative slope turns round.
    """
    if kind == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700)))
    if kind == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-9)
    elif kind != "LINEAR_EXACT":
        return values
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _numbers(dataset: Dataset, name: str) -> list[float | None]:
    value: Any = dataset.get(name)
    if value is None:
        return []
    if isinstance(value, str):
        return [number(part) for part in value.split("\\")]
    try:
        return [number(str(part)) for part in value]
    except TypeError:
        return [number(str(value))]


def _padding(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_]:
    """Where the picture is padded: at Pixel Padding Value, or from it to the Range Limit (PS3.3 C.7.5.1.1.2). The value
    is compared modulo its bits, since its sign is often written otherwise than the pixels'.
    """
    ends = [number(dataset.get(name)) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    first = ends[0]
    if first is None or not np.issubdtype(stored.dtype, np.integer):
        return np.zeros(stored.shape, bool)
    last = first if ends[1] is None else ends[1]
    low, high = sorted((first, last))
    values = stored.astype(np.int64)
    found = (values >= low) & (values <= high)
    whole = 1 << int(number(dataset.get("BitsAllocated")) or 16)
    if not found.any():
        low, high = sorted((first % whole, last % whole))
        found = (values % whole >= low) & (values % whole <= high)
    return found


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


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Whatever pydicom and its plug-ins raise on a damaged file becomes one InputError; their warnings are silent."""
    import logging

    from pydicom.errors import InvalidDicomError

    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    damaged = (
        InvalidDicomError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError,
        RuntimeError, IndexError, struct.error, OverflowError, MemoryError,
    )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except damaged as error:
        raise InputError(f"the DICOM file cannot be decoded ({reason(error)})", value=path, expected=FORMATS) from error
    finally:
        logger.setLevel(level)
