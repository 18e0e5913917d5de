"""Where a finding comes from: heat maps by three methods, and a figure that says how far to believe them.

- ``patch``: the label's patch logits. They are what the image's logit is pooled from, so this is the default.
- ``rollout``: the same patches followed back through the attention layers (Abnar and Zuidema 2020, arXiv 2005.00928).
- ``gradient``: Grad-CAM at the patch embedding (Selvaraju et al. 2017, arXiv 1610.02391).

Faithfulness is measured on the image itself (Petsiuk et al. 2018, arXiv 1806.07421): patches are blurred away in the
order of the map (deletion: a good map makes the probability fall early), or brought back into the blurred image
(insertion: it rises early). A map that does not beat random orders in both is not to be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from vision.finding import LABELS

if TYPE_CHECKING:
    from torch import Tensor

    from vision.detector import Detector
    from vision.image import ImageInstance
    from vision.vit import Block, HybridViT

Method = Literal["patch", "rollout", "gradient"]
METHODS: tuple[Method, ...] = ("patch", "rollout", "gradient")
_STEPS = 8
_RANDOM_ORDERS = 2
_BLUR = 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Faithfulness:
    """Areas under the deletion and insertion curves of a label's probability, in [0, 1], for the map and for random
    orders of the patches (mean).
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float

    @property
    def passes(self) -> bool:
        """Whether the map beats chance both ways."""
        return self.deletion < self.random_deletion and self.insertion > self.random_insertion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """A label's heat map, (g, g) float32 in [0, 1] (1 is the strongest patch), lying as the image is stored, and how
    faithful it is."""

    label: str
    method: Method
    heatmap: NDArray[np.float32]
    faithfulness: Faithfulness


def explain(
    detector: Detector, image: ImageInstance, labels: Sequence[str], method: Method = "patch"
) -> tuple[Explanation, ...]:
    """An explanation for each label, in order. The image is taken as read: ``Detector.detect`` says what is refused."""
    prepared = detector.prepare(image)
    maps = {label: heatmap(detector.members[0], prepared, LABELS.index(label), method) for label in labels}
    measured = faithfulness(detector, prepared, maps)
    stored = {label: np.ascontiguousarray(image.orientation.as_stored(heat)) for label, heat in maps.items()}
    return tuple(
        Explanation(label=label, method=method, heatmap=stored[label], faithfulness=measured[label]) for label in labels
    )


def heatmap(model: HybridViT, prepared: NDArray[np.float32], index: int, method: Method) -> NDArray[np.float32]:
    """The map of one label on a prepared image (S, S), scaled to [0, 1]; a flat map is zeros."""
    import torch

    x = torch.from_numpy(prepared)[None, None].to(model.query.device)
    if method == "gradient":
        heat = _gradient(model, x, index)
    else:
        with torch.inference_mode():
            heat = _rollout(model, x, index) if method == "rollout" else model(x).maps[0, index]
    values = heat.detach().cpu().numpy().astype(np.float32)
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _rollout(model: HybridViT, x: Tensor, index: int) -> Tensor:
    """The label's patch shares (N,) times the rolled-out attention (N, N), averaged over heads, half of it identity for
    the residual path, as (G, G).
    """
    import torch

    inputs: list[Tensor] = []
    hooks = [block.register_forward_pre_hook(lambda _, given: inputs.append(given[0])) for block in model.blocks]
    try:
        out = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    grid = out.maps.shape[-1]
    rolled = torch.eye(grid * grid, device=x.device)
    blocks = cast("list[Block]", list(model.blocks))
    for block, tokens in zip(blocks, inputs, strict=True):
        _, n, c = tokens.shape
        q, k, _ = block.qkv(block.norm1(tokens)).view(n, 3, block.heads, c // block.heads).permute(1, 2, 0, 3)
        attention = (q @ k.transpose(1, 2) * (c // block.heads) ** -0.5).softmax(2).mean(0)  # (N, N)
        rolled = (attention + torch.eye(n, device=x.device)) / 2 @ rolled
    share = out.maps[0, index].flatten().softmax(0)
    return (share @ rolled).view(grid, grid)


def _gradient(model: HybridViT, x: Tensor, index: int) -> Tensor:
    """Σ over channels of activation × mean gradient, negative parts cut, (G, G)."""
    import torch

    kept: list[Tensor] = []

    def keep(_: object, __: object, out: Tensor) -> None:
        out.retain_grad()
        kept.append(out)

    hook = model.embed.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            model(x.requires_grad_(True)).logits[0, index].backward()
    finally:
        hook.remove()
        model.zero_grad(set_to_none=True)
    (activation,) = kept
    gradient = activation.grad
    if gradient is None:
        return torch.zeros(activation.shape[-2:])
    return (activation * gradient.mean((2, 3), keepdim=True)).sum(1)[0].clamp(min=0).detach()


def faithfulness(
    detector: Detector, prepared: NDArray[np.float32], maps: Mapping[str, NDArray[np.float32]]
) -> dict[str, Faithfulness]:
    """Deletion and insertion of each label's map (g, g) on a prepared image, in 8 equal steps, beside two random orders
    that are the same for every image. The probabilities are those of the detector's first network, calibrated, since
    the maps are that network's.
    """
    from scipy.ndimage import gaussian_filter

    if not maps:
        return {}
    grid = next(iter(maps.values())).shape
    size = grid[0] * grid[1]
    blurred = gaussian_filter(prepared, _BLUR * len(prepared) / 256).astype(np.float32)
    rng = np.random.default_rng(0)
    orders = [np.argsort(-heat, axis=None, kind="stable") for heat in maps.values()]
    orders += [rng.permutation(size) for _ in range(_RANDOM_ORDERS)]
    pictures = [prepared, blurred]
    for order in orders:
        for step in range(1, _STEPS):
            gone = np.zeros(size, bool)
            gone[order[: size * step // _STEPS]] = True
            mask = _enlarged(gone.reshape(grid), len(prepared))
            pictures += [np.where(mask, blurred, prepared), np.where(mask, prepared, blurred)]
    p = _probabilities(detector, pictures)
    ends = (p[0] + p[1]) / 2  # a curve's two ends, which all curves share, count half each
    areas = (p[2:].reshape(len(orders), _STEPS - 1, 2, -1).sum(1) + ends) / _STEPS  # (orders, 2, labels), trapezoids
    chance = areas[len(maps) :].mean(0)
    found = {}
    for area, label in zip(areas, maps, strict=False):
        index = LABELS.index(label)
        found[label] = Faithfulness(
            deletion=round(float(area[0, index]), 4),
            insertion=round(float(area[1, index]), 4),
            random_deletion=round(float(chance[0, index]), 4),
            random_insertion=round(float(chance[1, index]), 4),
        )
    return found


def _probabilities(detector: Detector, pictures: Sequence[NDArray[np.float32]], batch: int = 8) -> NDArray[np.float64]:
    """(n, 15) of the first network alone."""
    import torch

    model = detector.members[0]
    rows = []
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            x = torch.from_numpy(np.stack(pictures[start : start + batch]))[:, None]
            x = x.to(model.query.device, memory_format=torch.channels_last)
            rows.append(model(x).logits.cpu().numpy())
    return detector.probabilities(np.concatenate(rows))


def _enlarged(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """(g, g) → (side, side), by the patch that a pixel lies in."""
    at = np.arange(side) * mask.shape[0] // side
    return mask[np.ix_(at, at)]
