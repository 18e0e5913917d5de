"""Nodule patches: reading, fitting on a miniature, and the shipped network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nodules import figures, sensitivity
from errors import ArtifactError, InputError
from vision.datasets.luna_patches import SIDE, read
from vision.nodule.patches import WEIGHTS, Nodules
from vision.training.nodule_fit import Settings, fit, train_nodules, varied


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 patches of 20 blocks; every third has a bright disc in the middle."""
    place = tmp_path_factory.mktemp("patches")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (120, SIDE, SIDE)).astype(np.uint8)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] - SIDE // 2
    pixels[::3, np.hypot(rows, columns) < 7] = 200
    np.save(place / "train.npy", pixels)
    lines = [json.dumps({"candidate_index": i, "scan_block": i // 6, "nodule": i % 3 == 0}) for i in range(120)]
    (place / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place


def test_folds_keep_blocks_together(folder: Path) -> None:
    patches = read(folder, "train")
    assert patches.nodule.sum() == 40
    for block in np.unique(patches.block):
        assert len(np.unique(patches.fold[patches.block == block])) == 1
    assert len(np.unique(patches.fold)) == 5


def test_patches_that_do_not_fit_are_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read(tmp_path, "train")
    shutil.copy(folder / "train.npy", tmp_path / "train.npy")
    (tmp_path / "train.jsonl").write_text('{"scan_block": 1, "nodule": true}\n', encoding="utf-8")
    with pytest.raises(InputError, match="do not fit"):
        read(tmp_path, "train")


def test_variation_keeps_the_middle_and_is_of_the_seed(folder: Path) -> None:
    patches = read(folder, "train")
    first, again = (varied(patches.pixels, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    centre = first[:, SIDE // 2 - 2 : SIDE // 2 + 3, SIDE // 2 - 2 : SIDE // 2 + 3].mean((1, 2))
    assert centre[patches.nodule].min() > centre[~patches.nodule].max()


def test_a_fit_tells_discs_and_repeats_itself(folder: Path) -> None:
    patches = read(folder, "train")
    settings = Settings(epochs=3, batch=24)
    first, second = (Nodules(fit(patches, settings), {}).probabilities(patches.pixels) for _ in range(2))
    assert np.allclose(first, second)
    assert figures(patches, first)["auroc"][0] > 0.95


def test_what_is_trained_can_be_opened(folder: Path, tmp_path: Path) -> None:
    manifest = train_nodules(folder, tmp_path, settings=Settings(epochs=1, batch=60))
    assert (manifest["patches"], manifest["nodules"]) == (120, 40)
    p = Nodules.open(tmp_path).probabilities(read(folder, "train").pixels)
    assert p.shape == (120,)
    assert ((p >= 0) & (p <= 1)).all()
    (tmp_path / "nodules.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="train nodules"):
        Nodules.open(tmp_path)


def test_sensitivity_by_hand() -> None:
    p = np.concatenate((np.arange(100) / 100, [0.5, 0.93, 0.96, 0.99]))
    nodule = np.arange(104) >= 100
    assert sensitivity(p, nodule) == pytest.approx(0.5)  # the cut is .9405


def test_the_shipped_network_on_scans_it_never_saw(shared_data: Path) -> None:
    assert (WEIGHTS / "nodules.safetensors").stat().st_size < 3_000_000
    unseen = read(shared_data / "luna16_patches", "val")
    model = Nodules.open()
    found = figures(unseen, model.probabilities(unseen.pixels), model.manifest["cut"])
    assert found["auroc"][0] > 0.85
    assert model.probabilities(unseen.pixels[:0]).shape == (0,)
