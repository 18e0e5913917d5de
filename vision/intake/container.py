"""The bytes of a DICOM file → its dataset, also when the file is broken in the ways that gateways, discs and exports
break it: no preamble or magic word, no meta information, a transfer syntax that is missing or not that of the pixels.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from vision.intake.header import number, text
from vision.intake.raster import FORMATS, check_size, reason

if TYPE_CHECKING:
    from pydicom import Dataset

_PREAMBLE_WITHIN = 1024
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_ITEM = b"\xfe\xff\x00\xe0"  # what encapsulated pixels begin with (PS3.5 A.4)
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_MOST_UNPACKED, _UNPACKED_AT_ONCE = 256_000_000, 1 << 22  # bytes; the most pixels take 128 MB


def looks_like(start: bytes) -> bool:
    """Whether a file that begins with ``start`` (at least 1,032 bytes, or all of it) is DICOM: by its magic word, where
    it belongs or a little elsewhere, or by a first tag of group 0002 or 0008 with a plausible element.
    """
    if start[128:132] == b"DICM" or start.startswith(b"DICM") or _magic(start) >= 0 or _without_magic(start):
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


def _without_magic(data: bytes) -> bool:
    """An empty preamble with group 0002 at once behind it, where "DICM" should stand between the two."""
    return data[128:132] == b"\x02\x00\x00\x00" and data[132:134] == b"UL" and not any(data[:128])


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
    elif _without_magic(data):
        data = data[:128] + b"DICM" + data[128:]
    _check_deflated(path, data)
    if data[:2] == b"\x00\x08" and data[128:132] != b"DICM":
        dataset = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=False)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    else:
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    _check(path, dataset)
    _mend(dataset)
    if not _syntax_fits(dataset):
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(_syntax(dataset))
    return dataset


def _mend(dataset: Dataset) -> None:
    """Fields that decoders insist on, absent or written otherwise, as they can only be meant."""
    if "NumberOfFrames" in dataset:
        del dataset.NumberOfFrames  # one, as checked
    if number(dataset.get("SamplesPerPixel")) is None:
        dataset.SamplesPerPixel = 1
    photometric = text(dataset, "PhotometricInterpretation").upper()
    dataset.PhotometricInterpretation = "MONOCHROME2" if photometric in ("", "MONOCHROME") else photometric


def _syntax_fits(dataset: Dataset) -> bool:
    """Whether there is a transfer syntax and it is that of the pixels: gateways pack and unpack them and leave it."""
    from pydicom.uid import UID

    said, pixels = text(dataset.file_meta, "TransferSyntaxUID"), dataset.get("PixelData")
    if not said or not isinstance(pixels, bytes):
        return bool(said)
    bits = int(number(dataset.get("BitsAllocated")) or 0)
    plain = int(dataset.Rows) * int(dataset.Columns) * int(dataset.SamplesPerPixel) * bits // 8
    packed = pixels.startswith(_ITEM) and len(pixels) not in (plain, plain + 1)
    syntax = UID(said)
    if syntax.is_transfer_syntax and not syntax.is_private and syntax.is_encapsulated != packed:
        return not (packed or len(pixels) in (plain, plain + 1))
    return True


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
    if pixels.startswith(_ITEM):
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
