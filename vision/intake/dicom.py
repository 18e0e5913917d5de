"""A DICOM dataset → grey pixels, also when the header is broken in the ways that exports break it.

Pixels come out as MONOCHROME2, after the modality LUT or rescale (PS3.3 C.11.1), the VOI LUT or window (C.11.2) and the
inversion of MONOCHROME1 (C.7.6.3.1.2). A rescale, LUT or window that cannot be meant is left out; the film is then
shown with its full range.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.intake.header import number, text
from vision.intake.raster import below_marks, grey_of_colour, is_grey

if TYPE_CHECKING:
    from pydicom import Dataset

_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_GREY = ("MONOCHROME1", "MONOCHROME2")
_LEAST_SHADED = 0.01  # of the pixels: a window that leaves fewer between its ends leaves nothing to see
_WRAPS = 0.002  # of neighbouring pixels, at the least, jump by half the range when the sign is read wrongly
_WRAPS_LESS = 10

Values = NDArray[np.float64]


def pixels_of(path: Path, dataset: Dataset) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1]. Raises InputError for colour, and whatever pydicom raises for what it cannot decode."""
    photometric = text(dataset, "PhotometricInterpretation")
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax == _JPEG_EXTENDED and int(dataset.get("BitsStored", 8)) > 8:
        _check_jpeg12(path)
    if photometric == "PALETTE COLOR":
        return _of_palette(path, dataset)
    if int(dataset.SamplesPerPixel) > 1:
        return _of_colour(path, dataset)
    if photometric not in _GREY:
        message = "MONOCHROME1 or MONOCHROME2"
        raise InputError("the DICOM image is not grey-scale", value=photometric, expected=message)
    shift = _high_bits(dataset)
    with _quiet_decoders():
        stored = dataset.pixel_array
    stored = stored if not shift or (stored & ((1 << shift) - 1)).any() else stored >> shift
    stored = _signed_as_it_is(stored, int(number(dataset.get("BitsStored")) or 8 * stored.dtype.itemsize))
    values = _rescaled(stored, dataset)
    shown = _windowed(values, stored, dataset)
    inside = ~_padding(stored, dataset)
    low, high = _ends(shown[inside])
    if inside.any() and float(((shown > low) & (shown < high))[inside].mean()) < _LEAST_SHADED:
        shown = values  # the window is a broken header
        low, high = _ends(shown[inside])
    if inside.any():  # what is burnt in is brighter than the film
        bright = -1.0 if photometric == "MONOCHROME1" else 1.0
        low, high = sorted((bright * below_marks(bright * shown[inside]), low if bright > 0 else high))
    scaled = np.clip((shown - low) / (high - low), 0, 1) if high > low else np.zeros(shown.shape)
    if photometric == "MONOCHROME1":
        scaled = 1 - scaled
    scaled[~inside] = 0
    return scaled.astype(np.float32)


def _ends(values: Values) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _high_bits(dataset: Dataset) -> int:
    """How many low bits are unused, where High Bit says that the pixels stand above them (PS3.5 8.1.1). Bits Stored is
    then raised so that the decoder, which takes them to stand lowest, cuts none off.
    """
    allocated, stored = (int(number(dataset.get(name)) or 0) for name in ("BitsAllocated", "BitsStored"))
    high = number(dataset.get("HighBit"))
    if high is None or not stored - 1 < high < allocated or dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return 0
    dataset.BitsStored = int(high) + 1
    return int(high) + 1 - stored


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
