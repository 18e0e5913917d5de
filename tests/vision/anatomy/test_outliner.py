"""The shipped outlines: on the phantom, on what is none, at any size, turned, and through the detector."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.anatomy import by_fold
from errors import ArtifactError
from vision.anatomy.measures import ratio
from vision.anatomy.outliner import WEIGHTS, Anatomy, Outlines, dice
from vision.datasets import outlines
from vision.detector import Detector
from vision.image import load_image
from vision.intake.header import Orientation
from vision.intensity import resize
from vision.phantom.radiograph import write_phantom


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return Anatomy.open()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "a.dcm"
    write_phantom(path)
    return path


def test_the_organs_are_in_their_places(anatomy: Anatomy, film: Path) -> None:
    (found,) = anatomy.outline([load_image(film).upright])
    assert found.shares.shape == (3, 128, 128)
    assert found.shares.dtype == np.float32
    places = np.arange(128)
    right, left, heart = ((s.sum(0) @ places / s.sum(), s.sum(1) @ places / s.sum()) for s in found.shares)
    assert right[0] < heart[0] < left[0]  # the patient's right is on the left
    assert heart[1] > (right[1] + left[1]) / 2


@pytest.mark.parametrize("side", [64, 200, 700])
def test_size_and_exposure_hardly_move_the_ratio(anatomy: Anatomy, film: Path, side: int) -> None:
    pixels = load_image(film).upright
    first, second = anatomy.outline([pixels, 0.2 + 0.6 * resize(pixels, side)])
    value, other = ratio(first.shares), ratio(second.shares)
    assert value is not None
    assert other == pytest.approx(value, abs=0.04)


def test_what_is_no_film_is_not_trusted(anatomy: Anatomy) -> None:
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-1, 1, 128), np.linspace(-1, 1, 128))
    pictures = [rng.random((128, 128)), (x + 1) / 2, np.zeros((128, 128)), (np.sin(9 * x * y) + 1) / 2, np.hypot(x, y)]
    found = anatomy.outline([p.astype(np.float32) for p in pictures])
    assert not any(o.trusted for o in found)
    limit = anatomy.manifest["refused_beyond"]  # the look refuses the others
    assert [anatomy.reason(o) for o in found] == [
        "not_a_chest_radiograph" if o.distance > limit else None for o in found
    ]
    assert any(anatomy.reason(o) for o in found)
    blank = np.zeros((128, 128), np.float32)
    assert all(anatomy.measurements(o, blank) == () for o in found)


def test_the_same_picture_gives_the_same_outlines_alone_and_among_others(anatomy: Anatomy, film: Path) -> None:
    pixels = load_image(film).upright
    alone, again = anatomy.outline([pixels])[0], anatomy.outline([pixels[:, ::-1], pixels])[1]
    assert np.allclose(alone.shares, again.shares, atol=1e-4)
    assert alone.distance == pytest.approx(again.distance, abs=1e-2)
    assert anatomy.outline([]) == []


def test_the_detector_measures_and_lays_outlines_as_the_film_is_stored(detector: Detector, film: Path) -> None:
    from dataclasses import replace

    image = load_image(film)
    mirrored = replace(
        image, pixels=np.ascontiguousarray(image.pixels[:, ::-1]), orientation=Orientation(mirrored=True)
    )
    plain, turned = detector.detect_batch([image, mirrored])
    assert [m.name for m in plain.measurements[:2]] == ["cardiothoracic ratio", "left lung share"]
    assert {m.unit for m in plain.measurements if "angle" in m.name} == {"°"}
    assert plain.measurements == turned.measurements
    assert set(plain.outlines) == {"right_lung", "left_lung", "heart"}
    for name, share in plain.outlines.items():
        assert np.allclose(share, turned.outlines[name][:, ::-1], atol=1e-4)


def test_untrusted_outlines_measure_nothing(anatomy: Anatomy, film: Path) -> None:
    (found,) = anatomy.outline([load_image(film).upright])
    doubtful = Outlines(shares=found.shares, distance=1.2)
    assert anatomy.measurements(doubtful, load_image(film).upright) == ()
    assert anatomy.reason(doubtful) is None  # measured nothing, and read all the same


def test_damaged_weights_are_an_error(tmp_path: Path) -> None:
    for name in ("anatomy.json", "anatomy.safetensors"):
        shutil.copy(WEIGHTS / name, tmp_path / name)
    Anatomy.open(tmp_path)
    manifest = json.loads((tmp_path / "anatomy.json").read_text())
    (tmp_path / "anatomy.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(ArtifactError, match="train anatomy"):
        Anatomy.open(tmp_path)
    with pytest.raises(ArtifactError):
        Anatomy.open(tmp_path / "none")


def test_dice_of_what_is_known() -> None:
    one, two = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    one[:2], two[1:3] = True, True
    assert dice(one, two) == pytest.approx(2 * 4 / 16)
    assert dice(one & False, two & False) == 1


def test_unseen_films_are_outlined_well(anatomy: Anatomy, shared_data: Path) -> None:
    films = [f for name in ("jsrt", "wingspan") for f in outlines.read(shared_data / "cxr_other" / name)[::4]]
    found = by_fold(anatomy, films)["all"]
    assert found["dice"]["lungs"][0] > 0.94
    assert found["dice"]["heart"][0] > 0.88
    assert found["ratio_error"][0] < 0.03
