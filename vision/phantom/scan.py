"""A computed chest CT with placed nodules, for the demonstration and the tests. It shows no patient.

Body, lungs, heart, spine, ribs and a branching tree of vessels in Hounsfield units, on a grid of 1 × 1 × 2 mm;
written as a folder of DICOM slices with PHANTOM in ImageComments.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.ct.volume import Volume
from vision.phantom.radiograph import COMMENT

SPACING_MM = (1.0, 1.0, 2.0)
SHAPE = (110, 252, 352)
ORIGIN_MM = (-175.5, -125.5, 0.0)
_AIR, _LUNG, _SOFT, _BONE, _FAT = -1000.0, -860.0, 40.0, 500.0, -90.0
_LUNG_CENTRES = {"right": (-78.0, 5.0, 108.0), "left": (78.0, 5.0, 108.0)}
_LUNG_RADII = (58.0, 82.0, 104.0)
Grid = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ball:
    """A nodule: its centre in patient coordinates, mm, its diameter, and its density."""

    centre_mm: tuple[float, float, float]
    diameter_mm: float
    hounsfield: float = 30.0


NODULES: tuple[Ball, ...] = (
    Ball(centre_mm=(-95.0, -22.0, 150.0), diameter_mm=9.0),
    Ball(centre_mm=(88.0, 30.0, 75.0), diameter_mm=14.0),
    Ball(centre_mm=(70.0, -30.0, 165.0), diameter_mm=7.0),
)


def scan(nodules: Sequence[Ball] = NODULES, seed: int = 0, *, vessels: bool = True) -> Volume:
    """The phantom's volume, 10 million voxels. Same seed, same voxels."""
    rng = np.random.default_rng(seed)
    z, y, x = _grid()
    voxels = np.full(SHAPE, _AIR, np.float32)
    body = (np.abs(x / 170) ** 2.5 + np.abs(y / 118) ** 2.5) < 1
    voxels[np.broadcast_to(body, SHAPE)] = _FAT
    voxels[np.broadcast_to((np.abs(x / 155) ** 2.5 + np.abs(y / 106) ** 2.5) < 1, SHAPE)] = _SOFT
    spine = np.broadcast_to(np.hypot(x, y - 82) < 17, SHAPE)
    ring = np.abs(np.hypot(x / 150, y / 100) - 0.97) < 0.03
    ribs = ring & (np.mod(z + 0.25 * np.abs(y), 26) < 8)
    voxels[spine | ribs] = _BONE
    inside = np.zeros(SHAPE, bool)
    for centre in _LUNG_CENTRES.values():
        inside |= _ellipsoid(x, y, z, centre, _LUNG_RADII)
    inside &= ~_ellipsoid(x, y, z, (18.0, -20.0, 60.0), (58.0, 48.0, 52.0))  # the heart
    voxels[inside] = _LUNG
    for line, radius in _tree(rng) if vessels else ():
        _tube(voxels, inside, line, radius)
    for ball in nodules:
        _ball(voxels, ball)
    from scipy.ndimage import gaussian_filter

    return Volume(
        uid=_uid(nodules, seed, "series"),
        voxels=(gaussian_filter(voxels, (0.4, 0.7, 0.7)) + rng.normal(0, 18, SHAPE).astype(np.float32)),
        spacing_mm=SPACING_MM,
        origin_mm=ORIGIN_MM,
        body_part="CHEST",
        is_phantom=True,
    )


def _grid() -> tuple[Grid, Grid, Grid]:
    """Voxel centres in mm: z (Z, 1, 1), y (Y, 1), x (X,)."""
    lines = [
        (o + s * np.arange(n)).astype(np.float32) for o, s, n in zip(ORIGIN_MM, SPACING_MM, SHAPE[::-1], strict=True)
    ]
    return lines[2][:, None, None], lines[1][:, None], lines[0]


def _ellipsoid(
    x: Grid, y: Grid, z: Grid, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> NDArray[np.bool_]:
    a, b, c = ((v - m) / r for v, m, r in zip((x, y, z), centre, radii, strict=True))
    return np.asarray(a**2 + b**2 + c**2 < 1)


def _tree(rng: np.random.Generator) -> list[tuple[NDArray[np.float64], float]]:
    """Vessels of both lungs: (two ends in mm (2, 3), radius in mm), thinner at each branching."""
    found = []
    for side, (_, cy, cz) in _LUNG_CENTRES.items():
        sign = -1.0 if side == "right" else 1.0
        ends = [(np.array([sign * 26.0, cy, cz - 6]), np.array([sign, 0.0, 0.0]))]
        for radius in (5.0, 3.6, 2.6, 1.9, 1.3):
            grown = []
            for start, way in ends:
                for _ in range(3 if radius > 2 else 2):
                    turned = way + rng.normal(0, 0.65, 3)
                    turned /= np.linalg.norm(turned)
                    end = start + turned * rng.uniform(14, 26)
                    found.append((np.stack((start, end)), radius))
                    grown.append((end, turned))
            ends = grown
    return found


def _tube(voxels: Grid, inside: NDArray[np.bool_], line: NDArray[np.float64], radius: float) -> None:
    """Soft tissue along a line, in the lungs."""
    low, high = line.min(0) - radius - 1, line.max(0) + radius + 1
    part, (z, y, x) = _part(low, high)
    if min(z.size, y.size, x.size) == 0:
        return
    way = line[1] - line[0]
    across = (x - line[0, 0], y - line[0, 1], z - line[0, 2])
    along = np.clip(sum(a * b for a, b in zip(across, way, strict=True)) / (way @ way), 0, 1)
    far = sum((a - along * b) ** 2 for a, b in zip(across, way, strict=True))
    voxels[part] = np.where((far < radius**2) & inside[part], _SOFT, voxels[part])


def _ball(voxels: Grid, ball: Ball) -> None:
    centre, radius = np.array(ball.centre_mm), ball.diameter_mm / 2
    part, (z, y, x) = _part(centre - radius - 1, centre + radius + 1)
    near = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < radius**2
    voxels[part] = np.where(near, ball.hounsfield, voxels[part])


def _part(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[tuple[slice, ...], tuple[Grid, Grid, Grid]]:
    """The voxels of a box in mm (x, y, z), cut off at the volume's ends, and their centres."""
    cuts = []
    for a, b, o, s, n in zip(low, high, ORIGIN_MM, SPACING_MM, SHAPE[::-1], strict=True):
        cuts.append(slice(int(np.clip(np.floor((a - o) / s), 0, n)), int(np.clip(np.ceil((b - o) / s) + 1, 0, n))))
    z, y, x = _grid()
    return (cuts[2], cuts[1], cuts[0]), (z[cuts[2]], y[cuts[1]], x[cuts[0]])


def _uid(nodules: Sequence[Ball], seed: int, part: str) -> str:
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'whydx scan {seed} {tuple(nodules)!r} {part}').int}"


def write_scan(folder: Path | str, volume: Volume, *, modality: str = "CT") -> Path:
    """Write a volume as a folder of DICOM slices, named by their height; the same volume gives the same bytes. Returns
    the folder. Raises InputError when it cannot be written.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for i, plane in enumerate(volume.voxels):
            uid = UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{volume.uid} {i}').int}")
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, uid
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            path = folder / f"{i:04d}.dcm"
            data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
            data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, uid
            data.StudyInstanceUID, data.SeriesInstanceUID = f"{volume.uid}1", volume.uid
            data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "PHANTOM", "PHANTOM", "", "O"
            data.StudyDate = data.StudyTime = data.AccessionNumber = data.ReferringPhysicianName = data.StudyID = ""
            data.Modality, data.SeriesNumber, data.InstanceNumber = modality, 1, i + 1
            data.ImageType, data.ImageComments = ["DERIVED", "PRIMARY", "AXIAL"], COMMENT
            data.BodyPartExamined = volume.body_part
            data.Rows, data.Columns = plane.shape
            data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            x, y, z = volume.point((float(i), 0.0, 0.0))
            data.ImagePositionPatient = [round(x, 4), round(y, 4), round(z, 4)]
            data.PixelSpacing, data.SliceThickness = [volume.spacing_mm[1], volume.spacing_mm[0]], volume.spacing_mm[2]
            data.BitsAllocated = data.BitsStored = 16
            data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 1, 1
            data.PhotometricInterpretation, data.RescaleSlope, data.RescaleIntercept = "MONOCHROME2", 1, 0
            data.WindowCenter, data.WindowWidth = -600, 1500
            data.PixelData = np.rint(plane).astype("<i2").tobytes()
            data.save_as(path, enforce_file_format=True)
    except OSError as error:
        message = f"cannot write the scan ({error.strerror})"
        raise InputError(message, value=folder, expected="a writable place") from error
    return folder
