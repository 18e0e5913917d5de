"""Fitting the nodule-patch network (``whydx train nodules``)."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vision.datasets.luna_patches import FOLDS, Patches, read
from vision.nodule.patches import FORMAT, NAME, Nodules

if TYPE_CHECKING:
    from torch import Tensor

    from vision.nodule.network import NodulePatch

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides a fit."""

    epochs: int = 10
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.03
    seed: int = 0


def fit(
    patches: Patches, settings: Settings, *, name: str = "nodules", progress: Progress | None = None
) -> NodulePatch:
    """A network fitted on ``patches``, nodules and others as often as they come; turned, mirrored, moved, and of other
    brightness. The same seed and thread count give the same weights.
    """
    import torch
    from torch.nn import functional as F

    from vision.nodule.network import NodulePatch

    torch.manual_seed(settings.seed)
    model = NodulePatch().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=settings.decay)
    rng = np.random.default_rng(settings.seed)
    steps = math.ceil(len(patches.nodule) / settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.rate, total_steps=steps * settings.epochs)
    for epoch in range(settings.epochs):
        model.train()
        for rows in np.array_split(rng.permutation(len(patches.nodule)), steps):
            x = torch.from_numpy(varied(patches.pixels[rows], rng))[:, None]
            y = torch.from_numpy(patches.nodule[rows].astype(np.float32) * 0.98 + 0.01)
            loss = F.binary_cross_entropy_with_logits(model(x.contiguous(memory_format=torch.channels_last)), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        if progress:
            progress(name, epoch + 1, settings.epochs)
    return model.eval()


def varied(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, 50, 50) uint8 → as many in about [−1, 1], each one of the eight turns and mirrorings, moved by up to three
    pixels.
    """
    out = np.empty(pixels.shape, np.float32)
    for i, patch in enumerate(pixels):
        turned = np.rot90(patch, int(rng.integers(4)))
        turned = turned.T if rng.random() < 0.5 else turned
        down, across = rng.integers(0, 7, 2)
        moved = np.pad(turned, 3, mode="edge")[down : down + len(patch), across : across + len(patch)]
        out[i] = moved / np.float32(127.5) - 1
    n = (len(pixels), 1, 1)
    return (out * rng.uniform(0.85, 1.15, n) + rng.uniform(-0.1, 0.1, n)).astype(np.float32)


def out_of_fold(patches: Patches, settings: Settings, progress: Progress | None = None) -> NDArray[np.float64]:
    """(n,) probabilities, each by a network that was not fitted on the scan."""
    fold = patches.fold
    p = np.zeros(len(fold))
    for k in range(FOLDS):
        model = fit(patches.take(fold != k), settings, name=f"fold {k}", progress=progress)
        p[fold == k] = Nodules(model, {}).probabilities(patches.pixels[fold == k])
    return p


def train_nodules(
    folder: Path, out: Path, *, settings: Settings | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit on all patches of ``folder``/train and write nodules.safetensors (float16) and nodules.json into ``out``;
    returns the manifest. The cut-off is where 95 % of the other candidates are below, out of fold. Raises InputError
    for patches that cannot be read.
    """
    from safetensors.torch import save

    chosen = settings or Settings()
    patches = read(folder, "train")
    apart = out_of_fold(patches, chosen, progress)
    model = fit(patches, chosen, progress=progress)
    tensors: dict[str, Tensor] = {
        k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()
    }
    payload = save(tensors)
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "cut": round(float(np.quantile(apart[~patches.nodule], 0.95)), 4),
        "patches": len(patches.nodule),
        "nodules": int(patches.nodule.sum()),
        "settings": asdict(chosen),
    }
    out.mkdir(parents=True, exist_ok=True)
    for name, content in (
        (f"{NAME}.safetensors", payload),
        (f"{NAME}.json", (json.dumps(manifest, indent=1) + "\n").encode()),
    ):
        beside = out / f".{name}.new"
        beside.write_bytes(content)
        os.replace(beside, out / name)
    return manifest
