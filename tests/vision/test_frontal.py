"""The refusal model: what it tells apart, its artifact, its fitting on a miniature folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError
from vision.frontal import CLASSES, NAME, Frontal
from vision.image import load_image
from vision.phantom.radiograph import write_phantom
from vision.quality import REFUSALS
from vision.training.frontal_fit import altered, excerpt, fit_refusal
from vision.training.impostors import FAMILIES, impostors
from vision.weights_pair import WEIGHTS


@pytest.fixture(scope="module")
def model() -> Frontal:
    return Frontal.open()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return load_image(write_phantom(tmp_path_factory.mktemp("film") / "p.dcm")).pixels


def test_every_class_but_the_first_is_a_reason_code() -> None:
    assert set(CLASSES[1:]) <= set(REFUSALS)


def test_a_film_is_read_and_its_distortions_are_not(model: Frontal, film: np.ndarray) -> None:
    upside_down, negative = film[::-1, ::-1].copy(), 1 - film
    assert model.reasons([film]) == [None]
    found = model.reasons([negative, upside_down, film[100:300, 80:300]])
    assert all(found)
    assert found[0] == "inverted"
    assert model.reasons([]) == []


def test_pictures_of_other_things_are_refused(model: Frontal) -> None:
    pictures = impostors(2, seed=77)  # of the fitted families, but not the fitted pictures
    refused = [reason is not None for reason in model.reasons(pictures)]
    assert np.mean(refused) >= 0.95


def test_impostors_repeat_themselves() -> None:
    first, second = impostors(1, 3), impostors(1, 3)
    assert len(first) == len(FAMILIES)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(p.dtype == np.float32 and 0 <= p.min() <= p.max() <= 1 for p in first)


def test_alterations_keep_the_range(film: np.ndarray) -> None:
    small = film[::5, ::5].astype(np.float32)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        for picture in (altered(small, rng), excerpt(small, rng)):
            assert picture.shape == (128, 128)
            assert -1e-2 < picture.min() <= picture.max() < 1.01  # resampling may ring


def test_fitting_writes_an_artifact_that_opens(miniature: Path, tmp_path: Path) -> None:
    manifest = fit_refusal([f"nih:{miniature}"], tmp_path, each=2)
    assert str(miniature.parent) not in json.dumps(manifest)
    assert Frontal.open(tmp_path).manifest == manifest
    again = fit_refusal([miniature], tmp_path / "again", each=2)
    assert again["sha256"] == manifest["sha256"]
    assert again["least_margin"] == manifest["least_margin"]


def test_a_folder_without_training_images(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        fit_refusal([tmp_path], tmp_path / "out")


@pytest.mark.parametrize("damage", ["missing", "bytes", "format"])
def test_a_damaged_artifact_is_refused(tmp_path: Path, damage: str) -> None:
    for suffix in (".json", ".safetensors"):
        shutil.copy(WEIGHTS / f"{NAME}{suffix}", tmp_path)
    if damage == "missing":
        (tmp_path / f"{NAME}.safetensors").unlink()
    elif damage == "bytes":
        (tmp_path / f"{NAME}.safetensors").write_bytes(b"12345678")
    else:
        manifest = json.loads((tmp_path / f"{NAME}.json").read_text(encoding="utf-8"))
        (tmp_path / f"{NAME}.json").write_text(json.dumps(manifest | {"format": 99}), encoding="utf-8")
    with pytest.raises(ArtifactError):
        Frontal.open(tmp_path)
