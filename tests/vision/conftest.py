"""Fixtures of the vision tests: a miniature annotated folder and the shipped detector."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vision.detector import Detector
from vision.image import ImageInstance


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 little pictures of 40 patients; odd ones have a bright lower half and the label Effusion, some its box."""
    folder = tmp_path_factory.mktemp("nih_mini")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        pixels = rng.integers(0, 120, (64, 64)).astype(np.uint8)
        sick = i % 2 == 1
        if sick:
            pixels[32:] += 120
        Image.fromarray(pixels).save(folder / "images" / f"{i:02d}.png")
        rows.append(
            {
                "image": f"images/{i:02d}.png",
                "patient_id": str(i),
                "age": "50",
                "sex": "F" if i % 3 else "M",
                "view": "PA" if i % 4 else "AP",
                "labels": ["Effusion"] if sick else ["No Finding"],
                "boxes": [{"label": "Effusion", "bbox_xywh_512": [0, 32, 64, 32]}] if i % 4 == 1 else [],
            }
        )
    (folder / "annotations.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def detector() -> Detector:
    """The shipped detector."""
    return Detector.open()


@pytest.fixture
def make_image():  # type: ignore[no-untyped-def]
    """ImageInstance from pixels and header fields."""

    def make(pixels: np.ndarray, **header: object) -> ImageInstance:
        return ImageInstance(
            sop_instance_uid="2.25.1", study_instance_uid="2.25.2", pixels=pixels.astype(np.float32), **header
        )

    return make
