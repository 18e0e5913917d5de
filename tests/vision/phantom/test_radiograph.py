"""The phantom: valid DICOM, repeatable, labelled, and each lesion changes the place it is put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from errors import InputError
from vision.image import load_image
from vision.phantom.radiograph import KINDS, Lesion, radiograph, write_phantom


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    return radiograph((), seed=0).astype(float)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    a = write_phantom(tmp_path / "a.dcm", seed=3).read_bytes()
    assert a == write_phantom(tmp_path / "b.dcm", seed=3).read_bytes()
    assert a != write_phantom(tmp_path / "c.dcm", seed=4).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.dcm", "b.dcm", "c.dcm"]


def test_the_file_is_a_digital_radiograph_that_says_phantom(tmp_path: Path) -> None:
    path = write_phantom(tmp_path / "p.dcm")
    data = pydicom.dcmread(path)
    assert data.SOPClassUID.name == "Digital X-Ray Image Storage - For Presentation"
    assert (data.Modality, data.BodyPartExamined, data.ViewPosition) == ("DX", "CHEST", "PA")
    assert (data.PhotometricInterpretation, data.BitsStored, data.BurnedInAnnotation) == ("MONOCHROME2", 12, "YES")
    assert str(data.PatientName) == str(data.PatientID) == "PHANTOM"
    image = load_image(path)
    assert image.is_phantom
    assert image.pixel_spacing_mm == (0.5, 0.5)


def test_lungs_are_darker_than_heart_and_abdomen(plain: np.ndarray) -> None:
    lung, heart, abdomen = plain[300:340, 180:220], plain[420:450, 400:430], plain[680:720, 300:340]
    assert lung.mean() < 0.6 * heart.mean()
    assert lung.mean() < 0.6 * abdomen.mean()


@pytest.mark.parametrize("kind", KINDS)
def test_a_lesion_changes_its_own_side(plain: np.ndarray, kind: str) -> None:
    # the exposure is stretched per picture, so compare the two halves of the difference
    change = np.abs(radiograph((Lesion(kind=kind, side="right"),), seed=0) - plain)  # type: ignore[arg-type]
    right, left = change[:, :384].mean(), change[:, 384:].mean()
    assert change.max() > 200
    if kind not in ("cardiomegaly", "nodule"):
        assert right > left


def test_wrong_lesions_and_places_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lesion"):
        Lesion(kind="gout")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="size"):
        Lesion(kind="mass", size=9)
    with pytest.raises(InputError, match="cannot write"):
        write_phantom(tmp_path / "no" / "such" / "p.dcm")
