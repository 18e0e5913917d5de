"""Fitting one member of the anatomy network, resumable after each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.datasets.outlines import Outlined
from vision.training import checkpoint
from vision.training.outlining import load, overlap, varied

if TYPE_CHECKING:
    from torch import Tensor

Progress = Callable[[str, int, int], None]
_WARM = 0.1
_AVERAGED = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides a fit. ``rate`` is the largest learning rate; it rises over a tenth of the steps and falls as a
    cosine.
    """

    epochs: int = 45
    batch: int = 16
    rate: float = 4e-3
    decay: float = 0.02
    seed: int = 0


def fit(
    films: Sequence[Outlined], out: Path, settings: Settings, *, name: str = "member", progress: Progress | None = None
) -> dict[str, Tensor]:
    """Fit on ``films`` and return the running average of the weights. Each set weighs alike in an epoch.

    The same seed, films and thread count give the same weights, also when stopped and resumed from ``out``/checkpoint.
    Raises InputError without films, ArtifactError for another network's checkpoint.
    """
    import torch

    from vision.anatomy.network import Outliner

    if not films:
        raise InputError("no outlined films to fit on", value=name, expected="films outside the fold")
    torch.manual_seed(settings.seed)
    model = Outliner().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = {k: v.clone() for k, v in model.state_dict().items()}
    groups = [[p for p in model.parameters() if p.ndim > 1], [p for p in model.parameters() if p.ndim <= 1]]
    optimiser = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": settings.decay}, {"params": groups[1], "weight_decay": 0.0}],
        lr=settings.rate,
    )
    state = checkpoint.load(out, model, average, optimiser)
    start = 0
    if state is not None:
        if state["settings"] != asdict(settings) or state["films"] != len(films):
            raise InputError("the checkpoint was made with other settings", value=out, expected="an empty folder")
        start = int(state["epoch"])
    pictures, outlines = load(films)
    weights = _by_set(films)
    steps = math.ceil(len(films) / settings.batch)
    for epoch in range(start, settings.epochs):
        rng = np.random.default_rng((settings.seed, epoch))
        order = rng.choice(len(films), len(films), p=weights, replace=True)
        model.train()
        total = 0.0
        for step, first in enumerate(range(0, len(order), settings.batch)):
            chosen = torch.from_numpy(order[first : first + settings.batch])
            done = (epoch * steps + step) / (settings.epochs * steps)
            for group in optimiser.param_groups:
                group["lr"] = settings.rate * _schedule(done)
            x, y = varied(pictures[chosen], outlines[chosen], rng)
            loss = overlap(model(x.contiguous(memory_format=torch.channels_last)), y)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            total += float(loss.detach())
            _update(average, model.state_dict())
        checkpoint.save(
            out,
            model,
            average,
            optimiser,
            {"epoch": epoch + 1, "settings": asdict(settings), "films": len(films), "loss": total / steps},
        )
        if progress:
            progress(name, epoch + 1, settings.epochs)
    return average


def _by_set(films: Sequence[Outlined]) -> NDArray[np.float64]:
    sets = [film.source for film in films]
    share = np.array([1 / sets.count(s) for s in sets])
    return share / share.sum()


def _schedule(done: float) -> float:
    if done < _WARM:
        return 0.02 + 0.98 * done / _WARM
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - _WARM) / (1 - _WARM)))


def _update(average: dict[str, Tensor], now: dict[str, Tensor]) -> None:
    import torch

    with torch.no_grad():
        for key, value in average.items():
            if value.is_floating_point():
                value.lerp_(now[key], 1 - _AVERAGED)
            else:
                value.copy_(now[key])
