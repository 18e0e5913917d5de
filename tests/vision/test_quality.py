"""Refusals and cautions: stable codes, from the header, the grey levels and the look."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw, ImageFont

from errors import InputError
from vision.datasets.folder import read
from vision.detector import Detector
from vision.image import load_image
from vision.quality import REFUSALS, cautions, refusal

NOISE = np.random.default_rng(0).random((256, 256))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, None),
        ({"modality": "DX", "body_part": "CHEST", "view_position": "PA"}, None),
        ({"modality": "CR", "body_part": "PORT CHEST", "view_position": "AP"}, None),
        ({"modality": "CT"}, "wrong_modality"),
        ({"modality": "MR"}, "wrong_modality"),
        ({"modality": "US"}, "wrong_modality"),
        ({"modality": "DX", "body_part": "KNEE"}, "wrong_body_part"),
        ({"modality": "DX", "view_position": "LL"}, "lateral_view"),
        ({"modality": "DX", "view_position": "LATERAL"}, "lateral_view"),
    ],
)
def test_the_header_decides(make_image, header: dict[str, str], code: str | None) -> None:  # type: ignore[no-untyped-def]
    assert refusal(make_image(NOISE, **header)) == code
    assert code is None or code in REFUSALS


def test_blank_images(make_image) -> None:  # type: ignore[no-untyped-def]
    assert refusal(make_image(np.full((64, 64), 0.5))) == "blank"
    assert refusal(make_image(NOISE * 0.01)) == "blank"
    assert refusal(make_image((NOISE > 0.5) * 1.0)) == "blank"


@pytest.mark.parametrize(("age", "said"), [(4.0, True), (15.9, True), (16.0, False), (None, False)])
def test_a_child_is_a_caution(make_image, age: float | None, said: bool) -> None:  # type: ignore[no-untyped-def]
    lines = cautions(make_image(NOISE, patient_age_y=age))
    assert any("children" in line for line in lines) == said


def test_cautions(make_image) -> None:  # type: ignore[no-untyped-def]
    lines = cautions(make_image(NOISE[:64, :64], is_phantom=True))
    assert any("PHANTOM" in x for x in lines)
    assert any("low resolution" in x for x in lines)
    assert cautions(make_image(NOISE, view_position="PA")) == ()


def not_radiographs() -> list[np.ndarray]:
    """Noise, gradients, waves, text pages, shapes."""
    rng = np.random.default_rng(1)
    x, y = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(-1, 1, 256))
    pictures = [rng.random((256, 256)), (x + 1) / 2, (y + 1) / 2, x**2 + y**2, (np.sin(30 * x) + 1) / 2]
    pictures += [(np.sin(k * x * y) + np.cos(k * y) + 2) / 4 for k in (3, 9, 27)]
    font = ImageFont.load_default(size=14)
    for k in range(4):
        page = Image.new("L", (256, 256), 245)
        draw = ImageDraw.Draw(page)
        for row in range(14):
            draw.text(
                (8, 8 + 17 * row), "".join(chr(97 + int(c)) for c in rng.integers(0, 26, 30 - k)), fill=20, font=font
            )
        pictures.append(np.asarray(page) / 255 * (0.97 + 0.03 * rng.random((256, 256))))
    for _ in range(4):
        sheet = Image.new("L", (256, 256), 30)
        draw = ImageDraw.Draw(sheet)
        for _ in range(25):
            a, b, c, d = (int(v) for v in rng.integers(0, 256, 4))
            draw.ellipse((min(a, b), min(c, d), max(a, b), max(c, d)), fill=int(rng.integers(0, 255)))
        pictures.append(np.asarray(sheet) / 255)
    return pictures


def test_pictures_that_are_not_radiographs_are_refused(make_image, detector: Detector) -> None:  # type: ignore[no-untyped-def]
    found = detector.detect_batch([make_image(p) for p in not_radiographs()])
    refused = [d.refused is not None for d in found]
    assert np.mean(refused) >= 0.95
    assert all(d.findings == () and not d.embedding.any() for d in found if d.refused)


def test_the_dicom_samples_of_other_modalities_are_refused(detector: Detector) -> None:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".dcm"):
            continue
        try:
            image = load_image(folder / name)
        except InputError:
            continue
        assert detector.detect(image).refused, name


def test_real_radiographs_are_read(detector: Detector, shared_data: Path) -> None:
    records = [r for n in ("nih_cxr", "nih_cxr_64px") for r in read(shared_data / n, split="val")[::12]]
    found = detector.detect_batch([load_image(r.path) for r in records])
    assert sum(d.refused is not None for d in found) <= 1
