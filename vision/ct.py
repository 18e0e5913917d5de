"""CT as a series: a folder of DICOM slices or a MetaImage file → a volume in Hounsfield units; lung window; crops.

The radiograph detector refuses CT; this is the way in for networks that are trained on nodules. Points are patient
coordinates in mm, (x, y, z) with x to the patient's left and y to the back (DICOM's LPS, which MetaImage files of
LUNA16 use too).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError

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
    and the centre of voxel [0, 0, 0]. Slices are axial, from the feet up. ``uid`` is the series instance UID.
    """

    uid: str
    voxels: NDArray[np.float32]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    sop_instance_uids: tuple[str, ...] = ()

    def index(self, point_mm: tuple[float, float, float]) -> tuple[float, float, float]:
        """A point as (z, y, x) voxel indices, not rounded."""
        x, y, z = ((p - o) / s for p, o, s in zip(point_mm, self.origin_mm, self.spacing_mm, strict=True))
        return z, y, x


def lung_window(voxels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hounsfield units → [0, 1] by the usual lung window, centre −600, width 1500."""
    low = LUNG_CENTRE - LUNG_WIDTH / 2
    return np.clip((voxels - low) / LUNG_WIDTH, 0, 1).astype(np.float32)


def crop(volume: Volume, centre_mm: tuple[float, float, float], *, size_mm: float = 50.0, side: int = 64) -> NDArray:
    """2.5-D: the axial, coronal and sagittal plane through a point, (3, side, side) float32 in the lung window.

    Each plane spans ``size_mm``; what lies outside the volume is air (0). Trilinear (Setio et al. 2016, arXiv
    1612.08012, used such orthogonal patches).
    """
    from scipy.ndimage import map_coordinates

    steps = (np.arange(side) + 0.5) / side * size_mm - size_mm / 2  # mm
    u, v = np.meshgrid(steps, steps, indexing="ij")
    zero = np.zeros_like(u)
    planes = ((zero, u, v), (-u, zero, v), (-u, v, zero))  # (z, y, x) offsets; heads up in the last two
    z, y, x = volume.index(centre_mm)
    sx, sy, sz = volume.spacing_mm
    rows = [np.stack((z + dz / sz, y + dy / sy, x + dx / sx)) for dz, dy, dx in planes]
    outside = LUNG_CENTRE - LUNG_WIDTH / 2
    values = [map_coordinates(volume.voxels, at, order=1, mode="constant", cval=outside) for at in rows]
    return lung_window(np.stack(values).astype(np.float32))


def read_series(folder: Path) -> Volume:
    """The CT slices of a folder (``*.dcm``), sorted along the body. Other objects among them are passed over.

    Raises InputError without CT slices, with slices of several series or sizes, tilted or missing slices, or a file
    that cannot be decoded.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    slices = []
    for path in sorted(folder.glob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path)
            if dataset.get("Modality") != "CT" or "PixelData" not in dataset:
                continue
            orientation = [float(v) for v in dataset.ImageOrientationPatient]
            position = tuple(float(v) for v in dataset.ImagePositionPatient)
            rescaled = dataset.pixel_array * np.float32(dataset.get("RescaleSlope", 1))
            pixels = rescaled + np.float32(dataset.get("RescaleIntercept", 0))
            row_mm, column_mm = (float(v) for v in dataset.PixelSpacing)
        except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError) as error:
            raise InputError(f"cannot read a CT slice ({error})", value=path, expected="a DICOM CT image") from error
        if any(abs(a - b) > 1e-3 for a, b in zip(orientation, (1, 0, 0, 0, 1, 0), strict=True)):
            raise InputError("the slices are not axial", value=path, expected="ImageOrientationPatient 1 0 0 0 1 0")
        uid = str(dataset.get("SeriesInstanceUID", ""))
        slices.append((position, pixels, (column_mm, row_mm), uid, str(dataset.get("SOPInstanceUID", ""))))
    if not slices:
        raise InputError("no CT slices here", value=folder, expected="a folder with the .dcm files of one series")
    if len({(s[1].shape, s[2], s[3]) for s in slices}) > 1:
        raise InputError("the slices are of several series or sizes", value=folder, expected="one series")
    slices.sort(key=lambda s: s[0][2])
    heights = np.array([s[0][2] for s in slices])
    gaps = np.diff(heights)
    gap = float(np.median(gaps)) if len(gaps) else 1.0
    if len(gaps) and (gaps.min() <= 0 or gaps.max() > 1.5 * gap):
        raise InputError("slices are missing or doubled", value=folder, expected="evenly spaced slices")
    return Volume(
        uid=slices[0][3],
        voxels=np.stack([s[1] for s in slices]).astype(np.float32),
        spacing_mm=(*slices[0][2], gap),
        origin_mm=(slices[0][0][0], slices[0][0][1], float(heights[0])),
        sop_instance_uids=tuple(s[4] for s in slices),
    )


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
