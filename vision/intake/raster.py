"""PNG and JPEG → grey pixels, and when colour channels count as grey."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = "a DICOM, PNG or JPEG image"
MOST_PIXELS = 64_000_000
_SMALLEST_SIDE = 16
_COLOUR_SPREAD = 0.08
_COLOUR_SHARE = 0.02
_LEAST_RANGE = 32  # of 65,536: a picture with less in it is blank, not dark


def pixels_of(path: Path, data: bytes) -> NDArray[np.float32]:
    """(H, W) float32 in [0, 1] of a PNG or JPEG, turned as its EXIF orientation says. Raises InputError for what is
    damaged, too large or too small, animated, or a colour picture.
    """
    import io

    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken EXIF and the like do not change the picture
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
            check_size(path, image.height, image.width)
            image.load()
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a telephone's second picture is small
                raise InputError("the image is animated", value=path, expected="a single image")
            return _grey(path, ImageOps.exif_transpose(image))
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise InputError(f"the image is damaged ({reason(error)})", value=path, expected=FORMATS) from error


def _grey(path: Path, image: Image.Image) -> NDArray[np.float32]:
    """8- or 16-bit grey, or colour channels that agree; a colour photograph is refused.

    16 bits are scaled by the picture's own range, as DICOM is: detectors of 10 to 14 bits leave the upper ones empty.
    """
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        values = np.asarray(image, dtype=np.float32)
        low, high = float(values.min()), below_marks(values)
        values = np.minimum(values, high)
        return (values - low) / (high - low) if high - low >= _LEAST_RANGE else np.clip(values / 65535, 0, 1)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"), dtype=np.float32) / 255
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("LA"), dtype=np.float32)[..., 0] / 255
    return grey_of_colour(path, np.asarray(image.convert("RGB"), dtype=np.float32) / 255)


def below_marks(values: NDArray[Any]) -> float:
    """The largest value, without letters and signs burnt in far above the film: those hold less than 1 % of the pixels
    and lie above a gap of a quarter of the whole range that begins below its middle.
    """
    low, high = float(values.min()), float(values.max())
    whole = high - low
    if whole <= 0 or float(np.percentile(values, 99)) - low > 0.5 * whole:
        return high
    above = np.unique(values[values >= np.percentile(values, 99)]).astype(np.float64)
    gaps = np.diff(above)
    if not gaps.size or gaps.max() < 0.25 * whole:
        return high
    return float(above[int(gaps.argmax())])


def grey_of_colour(path: Path, colour: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) in [0, 1] → (H, W), when hardly any pixel is coloured (a scan's tint or a small coloured mark is let
    pass). Raises InputError for a colour picture.
    """
    if not is_grey(colour):
        raise InputError("this is a colour picture, not a radiograph", value=path, expected="a grey-scale radiograph")
    return (colour @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.float32)


def is_grey(colour: NDArray[np.float32]) -> bool:
    """Whether the channels (H, W, 3) in [0, 1] agree nearly everywhere."""
    spread = colour.max(2) - colour.min(2)
    return float((spread > _COLOUR_SPREAD).mean()) <= _COLOUR_SHARE


def check_size(path: Path, height: int, width: int) -> None:
    """Raises InputError for more than 64 million pixels or a side below 16."""
    if height * width > MOST_PIXELS:
        raise InputError(f"{path.name} has too many pixels", value=f"{width} × {height}", expected="at most 64 million")
    if min(height, width) < _SMALLEST_SIDE:
        raise InputError(f"{path.name} is too small", value=f"{width} × {height}", expected="at least 16 × 16 pixels")


def reason(error: BaseException) -> str:
    """An exception in one short line."""
    return re.sub(r"\s+", " ", str(error)).strip()[:90].rstrip(".") or type(error).__name__
