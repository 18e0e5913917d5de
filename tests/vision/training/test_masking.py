"""Masked image modelling: it lowers its own loss on pictures with structure, and leaves frozen parameters alone."""

from __future__ import annotations

import numpy as np
import torch

from vision.stem import Patches
from vision.training.masking import warm_up
from vision.vit import HybridViT


def stripes(rng: np.random.Generator) -> np.ndarray:
    phase = rng.uniform(0, 6, (8, 1, 1))
    line = np.sin(np.arange(64) / 5 + phase)
    return np.broadcast_to(line, (8, 64, 64)).astype(np.float32)


def test_the_hidden_pixels_are_learned() -> None:
    torch.manual_seed(0)
    model = HybridViT(15, depth=1, stem=Patches())
    model.stem.deep.weight.requires_grad_(False)
    before = model.stem.deep.weight.clone()
    losses = warm_up(model, stripes, steps=60, rate=2e-3)
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert torch.equal(model.stem.deep.weight, before)
    assert warm_up(HybridViT(15, depth=1, stem=Patches()), stripes, steps=0) == []
