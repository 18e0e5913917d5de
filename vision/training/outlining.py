"""What the anatomy network is shown in training: outlined films as another hospital, machine or patient might give
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vision.anatomy.organs import SIDE
from vision.datasets.outlines import Outlined
from vision.intensity import resize, standardise

if TYPE_CHECKING:
    from torch import Tensor

KEPT_SIDE = 192
_ARE_ZOOMED_OUT = 0.5
_LEAST_SCALE, _MOST_SCALE = 0.75, 1.35


def load(films: Sequence[Outlined]) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 192, 192) in [0, 1] and outlines (n, 3, 192, 192) in [0, 1], both float32."""
    import torch

    pictures, outlines = [], []
    for film in films:
        pictures.append(resize(film.pixels(), KEPT_SIDE)[None])
        outlines.append(np.stack([resize(organ.astype(np.float32), KEPT_SIDE) for organ in film.organs()]))
    return torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(outlines))


def plain(pictures: Tensor) -> Tensor:
    """The network's input for images as they are: (n, 1, S, S) → (n, 1, 128, 128)."""
    import torch

    small = [standardise(resize(p[0].numpy(), SIDE)) for p in pictures]
    return torch.from_numpy(np.stack(small))[:, None]


def varied(pictures: Tensor, outlines: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One varied copy of each: (n, 1, 192, 192), (n, 3, 192, 192) → (n, 1, 128, 128) standardised, (n, 3, 128, 128).

    Turned by some degrees, stretched, cut closer or set in a border, moved; opacities laid over; exposure, sharpness
    and noise changed; writing. Never mirrored or inverted: these are told by ``vision.frontal``.
    """
    import torch
    from torch.nn import functional as F

    n = len(pictures)
    matrix = torch.from_numpy(np.stack([_affine(rng) for _ in range(n)]))
    grid = F.affine_grid(matrix, [n, 1, SIDE, SIDE], align_corners=False)
    inside = F.grid_sample(torch.ones_like(pictures), grid, align_corners=False)
    image = F.grid_sample(pictures, grid, align_corners=False)
    organs = F.grid_sample(outlines, grid, align_corners=False)
    shades = torch.from_numpy(rng.choice([0, 0, 0.2, 0.5, 1.0], n).astype(np.float32))[:, None, None, None]
    image = image + (1 - inside) * shades
    changed = [_exposed(p[0].numpy(), rng) for p in image]
    return torch.from_numpy(np.stack(changed))[:, None], organs


def _affine(rng: np.random.Generator) -> NDArray[np.float32]:
    """(2, 3): from the place in the copy to that in the film, both from −1 to 1."""
    turn = rng.normal(0, 6) * np.pi / 180
    scale = np.exp(rng.uniform(np.log(_LEAST_SCALE), np.log(_MOST_SCALE)))
    stretch = np.exp(rng.normal(0, 0.1))
    across, down = scale * stretch, scale / stretch
    shift = rng.normal(0, 0.08, 2)
    return np.array(
        [
            [across * np.cos(turn), -across * np.sin(turn), shift[0]],
            [down * np.sin(turn), down * np.cos(turn), shift[1]],
        ],
        np.float32,
    )


def _exposed(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """(S, S) in [0, 1] → the network's input."""
    x = picture
    for _ in range(int(rng.integers(0, 4)) if rng.random() < 0.5 else 0):
        x = _opacity(x, rng)
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.uniform(-0.7, 0.7)))
    if rng.random() < 0.4:
        low, high = np.percentile(x, (rng.uniform(0, 10), rng.uniform(85, 100)))
        x = np.clip((x - low) / max(high - low, 0.1), 0, 1)
    if rng.random() < 0.4:
        x = resize(resize(x, int(rng.integers(40, SIDE))), SIDE)
    if rng.random() < 0.4:
        x = x + rng.normal(0, rng.uniform(0, 0.05), x.shape)
    if rng.random() < 0.2:
        x = _written(x, rng)
    return standardise(np.asarray(x, np.float32))


def _opacity(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A soft bright (seldom dark) patch: consolidation, fluid, or a bulla hides the edge of an organ."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    cy, cx = rng.uniform(0.15, 0.95, 2)
    height, width = rng.uniform(0.04, 0.22, 2)
    blob = np.exp(-(((rows - cy) / height) ** 2) - ((columns - cx) / width) ** 2)
    strength = rng.uniform(0.15, 0.6) * (1 if rng.random() < 0.8 else -0.5)
    return np.asarray(x + strength * blob * (1 - x), np.float32)


def _written(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    from PIL import Image, ImageDraw, ImageFont

    sheet: Image.Image = Image.fromarray((np.clip(x, 0, 1) * 255).astype(np.uint8))
    text = "".join(chr(65 + int(c)) for c in rng.integers(0, 26, int(rng.integers(1, 8))))
    font = ImageFont.load_default(size=int(rng.integers(7, 15)))
    ImageDraw.Draw(sheet).text((float(rng.uniform(0, 100)), float(rng.uniform(0, 115))), text, 255, font=font)
    return np.asarray(sheet, np.float32) / 255


def overlap(logits: Tensor, organs: Tensor) -> Tensor:
    """The loss: cross entropy of each pixel and one minus the soft Dice of each organ (Milletari 2016), a film at a
    time.
    """
    from torch.nn import functional as F

    crossed = F.binary_cross_entropy_with_logits(logits, organs)
    share = logits.sigmoid()
    both = (share * organs).sum((2, 3))
    dice = (2 * both + 1) / (share.sum((2, 3)) + organs.sum((2, 3)) + 1)
    return crossed + (1 - dice).mean()
