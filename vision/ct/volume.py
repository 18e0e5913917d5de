"""CT as a series: DICOM slices or a MetaImage file → a volume in Hounsfield units.

Points are patient coordinates in mm, (x, y, z) with x to the patient's left and y to the back (DICOM's LPS, which
MetaImage files of LUNA16 use too).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError

SUFFIXES = frozenset((".mhd", ".mha"))
"""Of MetaImage files."""

LUNG_CENTRE, LUNG_WIDTH = -600.0, 1500.0
_MOST_VOXELS = 2_000_000_000
_ELEMENTS = {
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Volume:
    """``voxels`` (Z, Y, X) float32 in Hounsfield units, ``spacing_mm`` and ``origin_mm`` (x, y, z): the size of a voxel
    and the centre of voxel [0, 0, 0]. Slices are axial, from the feet up, their rows from front to back and their
    columns from the patient's right to his left. ``uid`` is the series instance UID; ``body_part`` is as the header
    has it.
    """

    uid: str
    voxels: NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    sop_instance_uids: tuple[str, ...] = ()
    body_part: str = ""
    is_phantom: bool = False

    def index(self, point_mm: tuple[float, float, float]) -> tuple[float, float, float]:
        """A point as (z, y, x) voxel indices, not rounded."""
        x, y, z = ((p - o) / s for p, o, s in zip(point_mm, self.origin_mm, self.spacing_mm, strict=True))
        return z, y, x

    def point(self, index: tuple[float, float, float]) -> tuple[float, float, float]:
        """Voxel indices (z, y, x) as a point in mm."""
        z, y, x = index
        at = [o + i * s for o, i, s in zip(self.origin_mm, (x, y, z), self.spacing_mm, strict=True)]
        return at[0], at[1], at[2]


def lung_window(voxels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hounsfield units → [0, 1] by the usual lung window, centre −600, width 1500."""
    low = LUNG_CENTRE - LUNG_WIDTH / 2
    return np.clip((voxels - low) / LUNG_WIDTH, 0, 1).astype(np.float32)


def series_of(files: Iterable[Path]) -> dict[str, tuple[Path, ...]]:
    """Series instance UID → its CT slices, for those of ``files`` that are CT images in DICOM; the pixels are not read.
    Other files are left out.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    found: dict[str, list[Path]] = {}
    for path in files:
        try:
            said = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["Modality", "SeriesInstanceUID", "Rows"]
            )
        except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
        if said.get("Modality") == "CT" and "Rows" in said:
            found.setdefault(str(said.get("SeriesInstanceUID", "")), []).append(path)
    return {uid: tuple(paths) for uid, paths in found.items()}


def read_series(where: Path | Iterable[Path]) -> Volume:
    """The CT slices of a folder (``*.dcm``), or these files, sorted along the body. Other objects among them are passed
    over.

    Raises InputError without CT slices, with slices of several series or sizes, tilted or missing slices, or a file
    that cannot be decoded.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    slices = []
    files = sorted(where.glob("*.dcm")) if isinstance(where, Path) else list(where)
    place = where if isinstance(where, Path) else files[0].parent if files else Path()
    for path in files:
        try:
            dataset = pydicom.dcmread(path)
            if dataset.get("Modality") != "CT" or "PixelData" not in dataset:
                continue
            orientation = [float(v) for v in dataset.ImageOrientationPatient]
            x, y, z = (float(v) for v in dataset.ImagePositionPatient)
            rescaled = dataset.pixel_array * np.float32(dataset.get("RescaleSlope", 1))
            pixels = rescaled + np.float32(dataset.get("RescaleIntercept", 0))
            row_mm, column_mm = (float(v) for v in dataset.PixelSpacing)
            if pixels.ndim != 2 or min(row_mm, column_mm) <= 0:
                raise ValueError("not one slice")
        except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError) as error:
            raise InputError(f"cannot read a CT slice ({error})", value=path, expected="a DICOM CT image") from error
        if any(abs(abs(a) - b) > 1e-3 for a, b in zip(orientation, (1, 0, 0, 0, 1, 0), strict=True)):
            raise InputError("the slices are not axial", value=path, expected="ImageOrientationPatient 1 0 0 0 1 0")
        if orientation[0] < 0:  # lying face down, or feet first
            pixels, x = pixels[:, ::-1], x - column_mm * (pixels.shape[1] - 1)
        if orientation[4] < 0:
            pixels, y = pixels[::-1], y - row_mm * (pixels.shape[0] - 1)
        said = _Slice(
            place=(x, y, z),
            pixels=pixels.astype(np.float32),
            size=(column_mm, row_mm),
            series=str(dataset.get("SeriesInstanceUID", "")),
            uid=str(dataset.get("SOPInstanceUID", "")),
        )
        slices.append(said)
        part, comment = str(dataset.get("BodyPartExamined", "")), str(dataset.get("ImageComments", ""))
    if not slices:
        raise InputError("no CT slices here", value=place, expected="a folder with the .dcm files of one series")
    if len({(s.pixels.shape, s.size, s.series) for s in slices}) > 1:
        raise InputError("the slices are of several series or sizes", value=place, expected="one series")
    slices.sort(key=lambda s: s.place[2])
    heights = np.array([s.place[2] for s in slices])
    gaps = np.diff(heights)
    gap = float(np.median(gaps)) if len(gaps) else 1.0
    if len(gaps) and (gaps.min() <= 0 or gaps.max() > 1.5 * gap):
        raise InputError("slices are missing or doubled", value=place, expected="evenly spaced slices")
    return Volume(
        uid=slices[0].series,
        voxels=np.stack([s.pixels for s in slices]),
        spacing_mm=(*slices[0].size, gap),
        origin_mm=(slices[0].place[0], slices[0].place[1], float(heights[0])),
        sop_instance_uids=tuple(s.uid for s in slices),
        body_part=part,
        is_phantom=comment.upper().startswith("PHANTOM"),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Slice:
    place: tuple[float, float, float]
    pixels: NDArray[np.float32]
    size: tuple[float, float]
    series: str
    uid: str


def read_metaimage(path: Path) -> Volume:
    """An ``.mhd`` header with its ``.raw`` or ``.zraw`` file, as LUNA16 has them, or an ``.mha`` of one piece.

    Raises InputError for a header that lacks a field, an element type that is not a number, axes that are turned, or
    data of another size than the header says.
    """
    header, local = _header(path)
    try:
        columns, rows, slices = (int(v) for v in header["DimSize"].split())
        spacing = tuple(float(v) for v in header.get("ElementSpacing", "1 1 1").split())
        origin = tuple(float(v) for v in header.get("Offset", header.get("Position", "0 0 0")).split())
        turn = [float(v) for v in header.get("TransformMatrix", "1 0 0 0 1 0 0 0 1").split()]
        kind = np.dtype(_ELEMENTS[header["ElementType"]])
        name = header["ElementDataFile"]
        if len(spacing) != 3 or len(origin) != 3 or columns * rows * slices > _MOST_VOXELS or min(spacing) <= 0:
            raise ValueError("sizes out of range")
    except (KeyError, ValueError) as error:
        raise InputError(f"cannot read the MetaImage header ({error})", value=path, expected="a 3-D volume") from error
    if any(abs(a - b) > 1e-3 for a, b in zip(turn, (1, 0, 0, 0, 1, 0, 0, 0, 1), strict=False)):
        raise InputError("the volume's axes are turned", value=path, expected="TransformMatrix 1 0 0 0 1 0 0 0 1")
    if Path(name).name != name:
        raise InputError("the data file lies elsewhere", value=name, expected="a file beside the header")
    try:
        data = local if name == "LOCAL" else (path.parent / name).read_bytes()
        if header.get("CompressedData", "False").lower() == "true":
            data = zlib.decompress(data)
    except (OSError, zlib.error) as error:
        raise InputError(f"cannot read the volume ({error})", value=path, expected="its .raw file") from error
    if header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False")).lower() == "true":
        kind = kind.newbyteorder(">")
    if len(data) != columns * rows * slices * kind.itemsize:
        expected = f"{columns * rows * slices * kind.itemsize} bytes"
        raise InputError("the volume is of another size than its header says", value=len(data), expected=expected)
    voxels = np.frombuffer(data, kind).reshape(slices, rows, columns).astype(np.float32)
    return Volume(uid=path.stem, voxels=voxels, spacing_mm=spacing, origin_mm=origin)


def _header(path: Path) -> tuple[dict[str, str], bytes]:
    """The ``Key = value`` lines up to ElementDataFile, and the bytes after them."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the volume ({error.strerror})", value=path, expected="an .mhd file") from error
    header: dict[str, str] = {}
    start = 0
    while start < len(data) and "ElementDataFile" not in header:
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        key, equals, value = data[start:end].decode("latin-1").partition("=")
        if not equals:
            raise InputError("not a MetaImage header", value=path, expected="lines of the form Key = value")
        header[key.strip()] = value.strip()
        start = end + 1
    return header, data[start:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodule:
    """A lung nodule that readers marked: centre in patient coordinates and greatest diameter. ``readers`` is how many
    of a scan's readers marked it; 0 where the source does not say.
    """

    series_uid: str
    centre_mm: tuple[float, float, float]
    diameter_mm: float
    readers: int = 0

    def near(self, other: Nodule) -> bool:
        """Whether two marks are of one nodule: their centres are closer than the larger one's radius, at least 3 mm."""
        reach = max(self.diameter_mm, other.diameter_mm) / 2
        return math.dist(self.centre_mm, other.centre_mm) <= max(reach, 3.0)
