"""A small residual network for one axial CT patch."""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

CHANNELS = (16, 32, 48, 64)
READ = 40
"""How much of a patch is read, in pixels each way: the middle."""


class _Block(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, arXiv 1512.03385), at half the resolution."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(inward, outward, 3, 2, 1, bias=False),
            nn.BatchNorm2d(outward),
            nn.ReLU(inplace=True),
            nn.Conv2d(outward, outward, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outward),
        )
        self.short = nn.Sequential(nn.Conv2d(inward, outward, 1, 2, bias=False), nn.BatchNorm2d(outward))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.path(x) + self.short(x))


class NodulePatch(nn.Module):
    """(B, 1, 40, 40) in [−1, 1] → logits (B,) that the middle holds a nodule: from the middle and the mean of the last
    map.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, CHANNELS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(CHANNELS[0]), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(_Block(a, b) for a, b in pairwise(CHANNELS)))
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(2 * CHANNELS[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.blocks(self.stem(x))  # (B, 64, 5, 5)
        middle = y.shape[-1] // 2
        pooled = torch.cat((y.mean((2, 3)), y[..., middle, middle]), 1)
        return cast(Tensor, self.head(self.drop(pooled))[:, 0])
