"""A Hugging Face ViT or DINOv2 as backbone: trained with the same heads, saved, opened without its source."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from errors import InputError
from vision import backbone
from vision.datasets.folder import read
from vision.detector import Detector
from vision.explanation import METHODS, heatmap
from vision.image import load_image
from vision.training.fit import Settings
from vision.training.train import train_detector

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
TINY = Settings(epochs=1, batch=6, side=64, small_side=64)


def save(kind: str, folder: Path) -> Path:
    """A tiny network with random weights, as Hugging Face stores one."""
    from transformers import BertConfig, BertModel, Dinov2Config, Dinov2Model, ViTConfig, ViTModel

    torch.manual_seed(0)
    if kind == "vit":
        model = ViTModel(ViTConfig(**SMALL, image_size=32, patch_size=16))
    elif kind == "dinov2":
        model = Dinov2Model(Dinov2Config(**SMALL, image_size=28, patch_size=14))
    else:
        model = BertModel(BertConfig(**SMALL, vocab_size=30))
    model.save_pretrained(folder / kind)
    return folder / kind


@pytest.mark.parametrize(("kind", "grid"), [("vit", 4), ("dinov2", 4)])
def test_a_backbone_is_trained_saved_and_opened_without_its_folder(
    miniature: Path, tmp_path: Path, kind: str, grid: int
) -> None:
    source = save(kind, tmp_path)
    tower = backbone.load(str(source))
    patches, context = tower(torch.rand(2, 1, 64, 64))
    assert patches.shape == (2, 32, grid, grid)
    assert context.shape == (2, 32, 1, 1)
    train_detector(
        [miniature], tmp_path / "out", epochs=1, limit=12, members=1, settings=TINY, side=64, backbone=str(source)
    )
    shutil.rmtree(source)
    manifest = (tmp_path / "out" / "detector.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in manifest
    assert json.loads(manifest)["backbone"]["model_type"] == kind
    detector = Detector.open(tmp_path / "out")
    image = load_image(read(miniature)[1].path)
    (raw,) = detector.raw(detector.prepare(image)[None])
    assert raw.maps.shape == (15, grid, grid)
    assert np.isfinite(raw.logits).all()
    assert raw.embedding.shape == (256,)
    for method in METHODS:
        assert heatmap(detector.members[0], detector.prepare(image), 0, method).shape == (grid, grid)


def test_tokens_are_laid_out_in_reading_order(tmp_path: Path) -> None:
    """A bright patch must move the token of its own place most."""
    tower = backbone.load(str(save("vit", tmp_path))).eval()
    plain, lit = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    lit[..., 16:32, 48:64] = 1.0
    with torch.inference_mode():
        change = (tower(lit)[0] - tower(plain)[0]).norm(dim=1)[0]
    assert divmod(int(change.argmax()), 4) == (1, 3)


def test_what_is_no_vision_transformer_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another kind"):
        backbone.load(str(save("bert", tmp_path)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot be loaded"):
        backbone.load(str(tmp_path / "empty"))
