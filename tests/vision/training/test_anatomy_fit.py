"""Fitting the anatomy model on a miniature: reproducible, resumable, and what is written can be opened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from errors import InputError
from vision.anatomy.organs import SIDE
from vision.anatomy.outliner import Anatomy
from vision.datasets import outlines
from vision.training.anatomy_fit import train_anatomy
from vision.training.outlining import load, overlap, varied
from vision.training.outlining_fit import Settings, fit


@pytest.fixture(scope="module")
def outlined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten films of two dark boxes and a bright one, with their outlines."""
    folder = tmp_path_factory.mktemp("outlined")
    rng = np.random.default_rng(0)
    rows = []
    for i in range(10):
        mask = np.zeros((96, 96), np.uint8)
        shift = int(rng.integers(-6, 7))
        mask[20:80, 10 + shift : 40 + shift], mask[20:80, 56 + shift : 86 + shift] = 1, 2
        mask[50:80, 35 + shift : 65 + shift] = 3
        pixels = np.choose(mask, [160, 40, 40, 220]) + rng.integers(0, 30, mask.shape)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
        Image.fromarray(mask).save(folder / f"m{i}.png")
        rows.append({"image": f"{i}.png", "mask": f"m{i}.png", "patient_id": f"p{i}", "ctr": 30 / 76})
    (folder / "annotations.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


def test_outlines_are_read_in_order(outlined: Path, tmp_path: Path) -> None:
    films = outlines.read(outlined)
    assert [f.patient_id for f in films] == [f"p{i}" for i in range(10)]
    organs = films[0].organs()
    assert organs.shape == (3, 96, 96)
    assert organs[2].sum() == 30 * 30
    assert films[0].ratio == pytest.approx(30 / 76)
    with pytest.raises(InputError, match="outlined"):
        outlines.read(tmp_path)
    (tmp_path / "annotations.jsonl").write_text('{"image": "a.png", "patient_id": "1"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no outlined films"):
        outlines.read(tmp_path)


def test_a_varied_film_and_its_outlines_move_together(outlined: Path) -> None:
    pictures, organs = load(outlines.read(outlined))
    x, y = varied(pictures, organs, np.random.default_rng(0))
    assert x.shape == (10, 1, SIDE, SIDE)
    assert y.shape == (10, 3, SIDE, SIDE)
    assert x.abs().max() <= 1
    inside, outside = x[:, 0][y[:, 2] > 0.9], x[:, 0][(y[:, 0] > 0.9)]
    assert inside.mean() > outside.mean() + 0.3  # the heart stays bright, the lung dark
    again, _ = varied(pictures, organs, np.random.default_rng(0))
    assert torch.equal(x, again)


def test_the_loss_is_least_for_the_outlines_themselves() -> None:
    organs = torch.zeros(1, 3, 8, 8)
    organs[:, :, 2:6, 2:6] = 1
    right, wrong = (overlap(20 * sign * (2 * organs - 1), organs) for sign in (1, -1))
    assert float(right) < 0.05 < 1 < float(wrong)


def test_a_stopped_fit_goes_on_to_the_same_weights(outlined: Path, tmp_path: Path) -> None:
    films = outlines.read(outlined)

    def stop(_: str, epoch: int, __: int) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    settings = Settings(epochs=2, batch=4)
    whole = fit(films, tmp_path / "a", settings)
    with pytest.raises(KeyboardInterrupt):
        fit(films, tmp_path / "b", settings, progress=stop)
    resumed = fit(films, tmp_path / "b", settings)
    assert all(torch.allclose(whole[k], resumed[k], atol=1e-6) for k in whole)
    with pytest.raises(InputError, match="other settings"):
        fit(films, tmp_path / "b", Settings(epochs=3))
    with pytest.raises(InputError, match="no outlined films"):
        fit([], tmp_path / "c", settings)


def test_what_is_released_can_be_opened(outlined: Path, miniature: Path, tmp_path: Path) -> None:
    manifest = train_anatomy([outlined], [miniature], tmp_path, settings=Settings(epochs=1, batch=8))
    anatomy = Anatomy.open(tmp_path)
    assert manifest["films"] == {outlined.name: 10}
    assert len(anatomy.members) == 5
    (found,) = anatomy.outline([np.random.default_rng(0).random((90, 70)).astype(np.float32)])
    assert found.shares.min() >= 0
    assert found.shares.max() <= 1
    assert np.isfinite(found.distance)
