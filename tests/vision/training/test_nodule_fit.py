"""Fitting the nodule network on miniatures: a table of patches, and a tree as LUNA16 is distributed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError
from vision.ct.patches import SIDE, Nodules, logits, networks
from vision.datasets.luna_patches import load, read
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
        load(f"patches:{tmp_path}")
    with pytest.raises(InputError, match="no such layout"):
        load(str(folder))
    shutil.copy(folder / "train.npy", tmp_path / "train.npy")
    (tmp_path / "train.jsonl").write_text('{"scan_block": 1, "nodule": true}\n', encoding="utf-8")
    with pytest.raises(InputError, match="do not fit"):
        load(f"patches:{tmp_path}")


def test_variation_keeps_the_middle_and_is_of_the_seed(folder: Path) -> None:
    patches = read(folder, "train")
    first, again = (varied(patches.pixels, np.random.default_rng(3)).numpy() for _ in range(2))
    assert np.array_equal(first, again)
    assert first.shape == (120, 1, 40, 40)
    centre = first[:, 0, 18:23, 18:23].mean((1, 2))
    assert centre[patches.nodule].min() > centre[~patches.nodule].max()


def test_a_fit_tells_discs_and_goes_on_where_it_stopped(folder: Path, tmp_path: Path) -> None:
    patches = read(folder, "train")
    settings = Settings(epochs=3, batch=24, decay=0.0)

    def stopped(name: str, done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    whole = fit(patches, tmp_path / "a", settings)
    with pytest.raises(KeyboardInterrupt):
        fit(patches, tmp_path / "b", settings, progress=stopped)
    resumed = fit(patches, tmp_path / "b", settings)
    assert all(np.allclose(whole[k].numpy(), resumed[k].numpy()) for k in whole)
    with pytest.raises(InputError, match="other settings"):
        fit(patches, tmp_path / "b", Settings(epochs=4, batch=24, decay=0.0))
    with pytest.raises(InputError, match="nothing to tell apart"):
        fit(patches.take(patches.nodule), tmp_path / "c", settings)


def tree(root: Path, scans: int = 6) -> Path:
    """Scans of 8 × 60 × 60 voxels in two subsets, each with a bright ball that is the nodule; two other candidates."""
    lines = ["seriesuid,coordX,coordY,coordZ,class"]
    z, y, x = np.ogrid[:8, :60, :60]
    for i in range(scans):
        place = root / f"subset{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        row, column = 20 + 3 * i, 40 - 3 * i
        ball = (z - 4) ** 2 + (y - row) ** 2 + (x - column) ** 2 <= 16
        np.where(ball, 40, -850).astype("<i2").tofile(place / f"1.{i}.raw")
        header = "NDims = 3\nDimSize = 60 60 8\nElementSpacing = 0.7 0.7 1.25\nOffset = -20 -20 100\n"
        header += f"ElementType = MET_SHORT\nElementDataFile = 1.{i}.raw\n"
        (place / f"1.{i}.mhd").write_text(header)
        for r, c, nodule in ((row, column, 1), (10, 10, 0), (50, 50, 0)):
            lines.append(f"1.{i},{-20 + 0.7 * c:.2f},{-20 + 0.7 * r:.2f},{100 + 1.25 * 4},{nodule}")
    (root / "candidates.csv").write_text("\n".join(lines) + "\n")
    (root / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    return root


def test_patches_are_cut_from_the_official_tree(tmp_path: Path) -> None:
    found = load(f"luna:{tree(tmp_path)}")
    assert found.nodule.tolist() == [True, False, False] * 6
    assert len(np.unique(found.block)) == 6
    middle = found.pixels[:, SIDE // 2, SIDE // 2]
    assert middle[found.nodule].min() > 180
    assert middle[~found.nodule].max() < 40
    (tmp_path / "candidates.csv").unlink()
    with pytest.raises(InputError, match="no candidates here"):
        load(f"luna:{tmp_path}")


def test_training_from_the_official_tree_writes_what_can_be_opened(tmp_path: Path) -> None:
    data, out = tree(tmp_path / "luna"), tmp_path / "out"
    manifest = train_nodules(f"luna:{data}", out, settings=Settings(epochs=2, batch=8))
    assert (manifest["patches"], manifest["nodules"], manifest["members"]) == (18, 6, 5)
    p = Nodules.open(out).probabilities(load(f"luna:{data}").pixels)
    assert p.shape == (18,)
    assert ((p >= 0) & (p <= 1)).all()
    (out / "nodules.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="train nodules"):
        Nodules.open(out)


def test_a_rarer_nodule_is_less_likely(folder: Path) -> None:
    import torch

    from vision.ct.network import NodulePatch

    torch.manual_seed(0)
    own = {f"0/{k}": v for k, v in NodulePatch().state_dict().items()}
    model = Nodules(networks(own, 1), {"slope": 1.0, "offset": 0.0, "rate": 0.2})
    pixels = read(folder, "train").pixels[:5]
    as_they_come, rare = model.probabilities(pixels), model.probabilities(pixels, 0.01)
    assert (rare < as_they_come).all()
    odds = (rare / (1 - rare)) / (as_they_come / (1 - as_they_come))
    assert odds == pytest.approx((0.01 / 0.99) / (0.2 / 0.8))
    assert logits(model.members, pixels[:0]).shape == (0,)
