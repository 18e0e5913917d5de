"""Fitting the nodule network (``whydx train nodules``): a member without each fold of scans."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.ct.patches import FORMAT, NAME, SIDE, logits, networks
from vision.datasets.luna_patches import Patches, load
from vision.folds import FOLDS
from vision.training import checkpoint
from vision.weights_pair import write_pair

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[str, int, int], None]
SPECIFICITY = 0.95
_AVERAGED = 0.99
_SOFT = 0.02  # labels: readers disagree


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides a fit. ``share`` is that of nodules in an epoch; ``rate`` the largest learning rate, which rises and
    falls once.
    """

    epochs: int = 14
    batch: int = 64
    rate: float = 3e-3
    decay: float = 0.05
    share: float = 0.33
    seed: int = 0


def fit(
    patches: Patches, out: Path, settings: Settings, *, name: str = "member", progress: Progress | None = None
) -> dict[str, Tensor]:
    """Fit on ``patches`` and return the running average of the weights. The same seed, patches and thread count give
    the same weights, also when stopped and resumed from ``out``/checkpoint.

    Raises InputError without patches of both kinds, or for a checkpoint made with other settings.
    """
    import torch
    from torch.nn import functional as F

    from vision.ct.network import NodulePatch

    y = patches.nodule
    if y.all() or not y.any():
        raise InputError("nothing to tell apart", value=name, expected="patches with and without a nodule")
    torch.manual_seed(settings.seed)
    model = NodulePatch().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=settings.decay)
    state = checkpoint.load(out, model, average, optimiser)
    start = 0
    if state is not None:
        if state["settings"] != asdict(settings) or state["patches"] != len(y):
            raise InputError("the checkpoint was made with other settings", value=out, expected="an empty folder")
        start = int(state["epoch"])
    steps = max(1, len(y) // settings.batch)
    weight = np.where(y, settings.share / y.sum(), (1 - settings.share) / (~y).sum())
    for epoch in range(start, settings.epochs):
        rng = np.random.default_rng((settings.seed, epoch))
        torch.manual_seed(settings.seed * 1000 + epoch)  # of the dropout, so that a resumed run is the same
        model.train()
        for step in range(steps):
            done = (epoch * steps + step) / (settings.epochs * steps)
            for group in optimiser.param_groups:
                group["lr"] = settings.rate * _schedule(done)
            rows = rng.choice(len(y), settings.batch, p=weight)
            x = varied(patches.pixels[rows], rng).contiguous(memory_format=torch.channels_last)
            target = torch.from_numpy(y[rows].astype(np.float32) * (1 - 2 * _SOFT) + _SOFT)
            with torch.autocast("cpu", torch.bfloat16):  # half the time on processors that have it
                said = model(x)
            loss = F.binary_cross_entropy_with_logits(said.float(), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                for key, value in model.state_dict().items():
                    if value.is_floating_point():
                        average[key].lerp_(value, 1 - _AVERAGED)
                    else:
                        average[key].copy_(value)
        done_so_far = {"epoch": epoch + 1, "settings": asdict(settings), "patches": len(y)}
        checkpoint.save(out, model, average, optimiser, done_so_far)
        if progress:
            progress(name, epoch + 1, settings.epochs)
    return average


def _schedule(done: float) -> float:
    if done < 0.25:
        return 0.04 + 0.96 * done / 0.25
    return 0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * (done - 0.25) / 0.75))


def varied(pixels: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """(n, 50, 50) uint8 → (n, 1, 40, 40) in about [−1, 1]: each turned by any angle, mirrored or not, up to a fifth
    larger or smaller, moved by up to 2.5 pixels, of other brightness and contrast.
    """
    import torch
    from torch.nn import functional as F

    from vision.ct.network import READ

    n = len(pixels)
    angle, mirrored = rng.uniform(0, 2 * np.pi, n), rng.choice([-1.0, 1.0], n)
    size = READ / SIDE * np.exp(rng.uniform(-0.2, 0.2, n))
    turn = np.zeros((n, 2, 3), np.float32)
    turn[:, 0, 0], turn[:, 0, 1] = np.cos(angle) * size * mirrored, -np.sin(angle) * size
    turn[:, 1, 0], turn[:, 1, 1] = np.sin(angle) * size * mirrored, np.cos(angle) * size
    turn[:, :, 2] = rng.uniform(-2.5, 2.5, (n, 2)) / (SIDE / 2)
    grid = F.affine_grid(torch.from_numpy(turn), [n, 1, READ, READ], align_corners=False)
    given = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1)[:, None]
    x = F.grid_sample(given, grid, mode="bilinear", padding_mode="border", align_corners=False)
    gain, shift = rng.uniform(0.85, 1.15, (n, 1, 1, 1)), rng.uniform(-0.1, 0.1, (n, 1, 1, 1))
    return x * torch.from_numpy(gain.astype(np.float32)) + torch.from_numpy(shift.astype(np.float32))


def train_nodules(
    data: str,
    out: Path,
    *,
    settings: Settings | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit five members on ``data`` (``luna_patches.load``) and write nodules.safetensors (float16) and nodules.json
    into ``out``; returns the manifest. Calibration and cut-off are of patches judged by the member that was not fitted
    on their scan.

    Each member's checkpoint is in ``out``/fold_K; a run that was stopped goes on from there. Raises InputError for
    patches that cannot be read or a checkpoint made with other settings.
    """
    import torch
    from safetensors.torch import save

    if threads:
        torch.set_num_threads(threads)
    chosen = settings or Settings()
    patches = load(data, seed=chosen.seed, progress=progress)
    fold = patches.fold
    tensors: dict[str, Tensor] = {}
    for k in range(FOLDS):
        own, name = replace(chosen, seed=chosen.seed + k), f"fold_{k}"
        average = fit(patches.take(fold != k), out / name, own, name=name, progress=progress)
        tensors |= {f"{k}/{key}": (v.half() if v.is_floating_point() else v).contiguous() for key, v in average.items()}
    z = out_of_fold(tensors, patches)
    slope, offset = _calibrated(z, patches.nodule)
    p = 1 / (1 + np.exp(-(slope * z + offset)))
    payload = save(tensors)
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "members": FOLDS,
        "slope": slope,
        "offset": offset,
        "rate": round(float(patches.nodule.mean()), 4),
        "cut": round(float(np.quantile(p[~patches.nodule], SPECIFICITY)), 4),
        "patches": len(p),
        "nodules": int(patches.nodule.sum()),
        "settings": asdict(chosen),
    }
    write_pair(out, NAME, payload, manifest)
    return manifest


def out_of_fold(tensors: dict[str, Tensor], patches: Patches) -> NDArray[np.float64]:
    """(n,) logits, each of the one member that was not fitted on the patch's scan."""
    members, fold = networks(tensors, FOLDS), patches.fold
    z = np.zeros(len(fold))
    for k, member in enumerate(members):
        z[fold == k] = logits([member], patches.pixels[fold == k])
    return z


def _calibrated(z: NDArray[np.float64], y: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of a logistic regression (Platt 1999)."""
    from scipy.optimize import minimize

    def loss(x: NDArray[np.float64]) -> float:
        said = x[0] * z + x[1]
        return float((np.logaddexp(0, said) - y * said).mean() + 1e-4 * x[0] ** 2)

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="BFGS").x
    return round(float(slope), 4), round(float(offset), 4)
