"""A phantom: a computed chest radiograph with placed lesions, for the demonstration and the tests. It shows no patient.

Beer–Lambert attenuation along parallel rays through a simple anatomy, a scatter blur, photon noise, and the logarithm
with an S-shaped curve as a processed film has. Written as DICOM Digital X-Ray Image – For Presentation, with PHANTOM as
the patient's name, in ImageComments (by which load_image knows it) and burned into the picture.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.phantom import anatomy
from vision.phantom.anatomy import Chord, Grid, ellipsoid

Kind = Literal["consolidation", "effusion", "nodule", "mass", "cardiomegaly", "pneumothorax"]
KINDS: tuple[Kind, ...] = ("consolidation", "effusion", "nodule", "mass", "cardiomegaly", "pneumothorax")
COMMENT = "PHANTOM: a computed image, not a patient"

_SOFT, _BONE = 0.0185, 0.034  # linear attenuation per mm, about 70 keV effective, water and what bone adds to it
_AIRED = 0.24  # density of aerated lung against water
_PHOTONS = 9000.0
_ZONES = {"upper": -78.0, "middle": -18.0, "lower": 46.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A placed lesion. ``side`` is the patient's; ``size`` scales it (1 is plainly visible). Cardiomegaly has no
    side or zone.
    """

    kind: Kind
    side: Literal["left", "right"] = "right"
    zone: Literal["upper", "middle", "lower"] = "lower"
    size: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("no such lesion", value=self.kind, expected=", ".join(KINDS))
        if not 0.2 <= self.size <= 2:
            raise InputError("the lesion's size is out of range", value=self.size, expected="0.2 to 2")


DEFAULT_LESIONS: tuple[Lesion, ...] = (
    Lesion(kind="consolidation", side="right", size=2.0),
    Lesion(kind="consolidation", side="right", zone="middle", size=2.0),
    Lesion(kind="consolidation", side="left", size=2.0),
    Lesion(kind="consolidation", side="left", zone="upper", size=1.3),
)


def radiograph(lesions: Sequence[Lesion] = DEFAULT_LESIONS, seed: int = 0) -> NDArray[np.uint16]:
    """The picture, (768, 768) uint16 with 12 bits, brighter where more is absorbed, PHANTOM burned in. Same seed,
    same bytes.
    """
    rng = np.random.default_rng(seed)
    absorbed = _attenuation(lesions, rng)
    return _label(_expose(absorbed, rng))


def _attenuation(lesions: Sequence[Lesion], rng: np.random.Generator) -> Grid:
    """∫ μ dz along each ray, (SIDE, SIDE)."""
    from scipy.ndimage import gaussian_filter

    x, y = anatomy.plane()
    body = anatomy.torso(x, y)
    heart_size = 1.0 + max((0.36 * item.size for item in lesions if item.kind == "cardiomegaly"), default=0.0)
    heart = ellipsoid(x, y, (17 * heart_size, 42, 25), (66 * heart_size, 50 * heart_size**0.5, 50), tilt=0.62)
    middle = Chord(np.full(x.shape, 0.0), 42 * np.sqrt(np.clip(1 - (np.abs(x - 4) / _waist(y)) ** 4, 0, None)))
    arch = ellipsoid(x, y, (24, -62, -10), (17, 19, 26))
    domes = {-1: anatomy.dome(x, y, -76, 76), 1: anatomy.dome(x, y, 84, 86)}
    absorbed = _SOFT * body.length
    tissue = _texture(rng)
    for side in (-1, 1):
        lung = anatomy.lung(x, y, side)
        taken = sum(lung.overlap(b) for b in (heart, middle, arch, domes[side]))
        air = np.clip(np.minimum(lung.length, body.length) - taken, 0, None)
        air = gaussian_filter(air, 1.6)
        reached = np.clip(air / 30, 0, 1)
        density = np.full(x.shape, _AIRED) * (1 + 0.10 * tissue)
        own = [item for item in lesions if item.side == ("right" if side < 0 else "left")]
        trees = np.zeros_like(x)
        for radius, lines in anatomy.vessels(rng, side).items():
            trees += anatomy.tubes(lines, radius)
        added = 1.1 * _SOFT * trees * reached
        for item in own:
            density, added = _place(item, x, y, side, lung, air, density, added, rng)
        absorbed += -_SOFT * (1 - density) * air + added
        back, front = anatomy.ribs(side)
        for lines, share in ((back, 1.0), (front, 0.6)):
            shell = anatomy.tubes(lines, 6.0) - 0.72 * anatomy.tubes(lines, 4.6)
            absorbed += share * _BONE * 0.95 * shell * np.clip(body.length / 60, 0, 1)
        turn = np.linspace(0, 1, 30)
        clavicle = [(side * (14 + 118 * t), -112 - 26 * t + 7 * np.sin(2 * np.pi * t)) for t in turn]
        absorbed += _BONE * (anatomy.tubes([clavicle], 6.5) - 0.6 * anatomy.tubes([clavicle], 4.8))
    discs = 1 + 0.16 * np.cos(2 * np.pi * (y + 6) / 25)
    spine = 30 * np.sqrt(np.clip(1 - (np.abs(x) / 19) ** 3, 0, None)) * discs
    absorbed += _BONE * 0.42 * gaussian_filter(spine, 2)
    windpipe = 16 * np.sqrt(np.clip(1 - ((x + 3) / 9) ** 2, 0, None)) * (y < -48)
    bubble = ellipsoid(x, y, (70, 122, 20), (26, 13, 22)).length
    return np.clip(
        absorbed - 0.8 * _SOFT * gaussian_filter(windpipe, 2) - 0.8 * _SOFT * gaussian_filter(bubble, 2), 0, None
    )


def _waist(y: Grid) -> Grid:
    """Half width (mm) of the mediastinum at a height."""
    return np.interp(y, [-192, -120, -70, -20, 40, 192], [34, 31, 29, 30, 34, 40])


def _texture(rng: np.random.Generator) -> Grid:
    """Smooth random lung texture, mean 0, spread 1."""
    from scipy.ndimage import gaussian_filter

    noise = sum(gaussian_filter(rng.standard_normal((anatomy.SIDE, anatomy.SIDE)), s) * s for s in (2, 5, 12))
    return np.asarray(noise / noise.std())


def _place(
    item: Lesion,
    x: Grid,
    y: Grid,
    side: int,
    lung: Chord,
    air: Grid,
    density: Grid,
    added: Grid,
    rng: np.random.Generator,
) -> tuple[Grid, Grid]:
    """One lesion of this side → the lung's changed density and the attenuation added to it."""
    from scipy.ndimage import gaussian_filter

    cx, cy = side * 84.0, _ZONES[item.zone]
    if item.kind == "consolidation":
        cloud = np.zeros_like(x)
        for _ in range(26):
            dx, dy = rng.normal(0, (17, 15)) * item.size
            r = float(rng.uniform(9, 19)) * item.size
            cloud = cloud + np.exp(-(((x - cx - dx) ** 2 + (y - cy - dy) ** 2) / (2 * (0.55 * r) ** 2)))
        share = 0.8 * (1 - np.exp(-0.75 * cloud)) * (1 + 0.12 * _texture(rng))
        return density + np.clip(share, 0, 0.92) * (0.9 - density), added
    if item.kind == "effusion":
        # the meniscus rises towards the chest wall
        outer = np.clip((side * x - 28) / 112, 0, 1.2)
        surface = 96 - 34 * item.size - 52 * item.size * outer**3
        share = 1 / (1 + np.exp(-(y - surface) / 3.5))
        return density + share * (1.0 - density), added * (1 - 0.9 * share)
    if item.kind in ("nodule", "mass"):
        radius = (9.0 if item.kind == "nodule" else 24.0) * item.size
        ball = ellipsoid(x, y, (cx, cy, 0), (radius, radius * 0.94, radius))
        return density, added + _SOFT * (1 - _AIRED) * gaussian_filter(ball.overlap(lung), 1.2) * (air > 0)
    if item.kind == "pneumothorax":
        shrunk = ellipsoid(x, y, (side * 56, 20, 0), (62 - 10 * item.size, 132 - 14 * item.size, 1), tilt=side * 0.08)
        free = 1 - np.clip(shrunk.half * 12, 0, 1)
        edge = np.exp(-((shrunk.half - 0.12) ** 2) / 0.003) * (air > 40)
        return density * (1 - free) + 0.01 * free + 0.05 * density * (1 - free), added * (1 - free) + 0.05 * edge
    return density, added


def _expose(absorbed: Grid, rng: np.random.Generator) -> NDArray[np.float64]:
    """Transmission, scatter, photon noise, then the film: (SIDE, SIDE) in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    primary = np.exp(-absorbed)
    scattered = gaussian_filter(primary, 42)
    received = gaussian_filter(primary + 0.22 * scattered, 0.7)
    counted = rng.poisson(received * _PHOTONS) / _PHOTONS
    signal = -np.log(np.clip(counted, 1e-4, None))
    low, high = np.percentile(signal, (3, 97))
    level = np.clip((signal - low) / (high - low), -0.2, 1.2)
    film = 1 / (1 + np.exp(-4.2 * (level - 0.52)))
    sharpened = film + 0.5 * (film - gaussian_filter(film, 6))
    bottom, top = np.percentile(sharpened, (0.2, 99.8))
    return np.asarray(np.clip((sharpened - bottom) / (top - bottom), 0, 1))


def _label(film: NDArray[np.float64]) -> NDArray[np.uint16]:
    from PIL import Image, ImageDraw, ImageFont

    plate = Image.new("L", (anatomy.SIDE, anatomy.SIDE), 0)
    draw = ImageDraw.Draw(plate)
    draw.text((14, anatomy.SIDE - 30), "PHANTOM", fill=255, font=ImageFont.load_default(size=20))
    draw.text((anatomy.SIDE - 40, 16), "L", fill=255, font=ImageFont.load_default(size=26))
    text = np.asarray(plate, dtype=np.float64) / 255
    return np.rint(np.maximum(film, 0.95 * text) * 4095).astype(np.uint16)


def write_phantom(path: Path | str, lesions: Sequence[Lesion] = DEFAULT_LESIONS, seed: int = 0) -> Path:
    """Write the phantom as a DICOM DX file; the same lesions and seed give the same bytes. Returns the path.

    Raises InputError when the file cannot be written.
    """
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    path = Path(path)
    pixels = radiograph(lesions, seed)
    identity = f"whydx phantom {seed} {tuple(lesions)!r}"

    def uid(part: str) -> UID:
        return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{identity} {part}').int}")

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = uid("image")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = uid("study"), uid("series")
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = "PHANTOM", "PHANTOM", "", "O"
    data.StudyDate = data.StudyTime = data.AccessionNumber = data.ReferringPhysicianName = data.StudyID = ""
    data.ContentDate, data.ContentTime = "20260101", "000000"
    data.SeriesNumber, data.InstanceNumber, data.Modality, data.Manufacturer = 1, 1, "DX", "whydx phantom"
    data.PresentationIntentType = "FOR PRESENTATION"
    data.ImageType = ["DERIVED", "PRIMARY"]
    data.ImageComments = COMMENT
    data.BodyPartExamined, data.ViewPosition, data.ImageLaterality = "CHEST", "PA", "U"
    data.PatientOrientation = ["L", "F"]
    data.AnatomicRegionSequence = [_code("51185008", "Chest")]
    view = _code("399348003", "Postero-anterior")
    view.ViewModifierCodeSequence = []
    data.ViewCodeSequence = [view]
    data.AcquisitionContextSequence = []
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelIntensityRelationship, data.PixelIntensityRelationshipSign = "LOG", 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "US"
    data.WindowCenter, data.WindowWidth, data.PresentationLUTShape = 2048, 4096, "IDENTITY"
    data.ImagerPixelSpacing = [anatomy.PIXEL_MM, anatomy.PIXEL_MM]
    data.DetectorType, data.LossyImageCompression, data.BurnedInAnnotation = "DIRECT", "00", "YES"
    data.PixelData = pixels.astype("<u2").tobytes()
    beside = path.with_name(f".{path.name}.new")
    try:
        data.save_as(beside, enforce_file_format=True)
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(
            f"cannot write the phantom ({error.strerror})", value=path, expected="a writable place"
        ) from error
    return path


def _code(value: str, meaning: str):  # type: ignore[no-untyped-def]  # pydicom is imported only when a file is written
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code
