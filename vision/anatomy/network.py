"""The segmentation network: a small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) for grey images of 128 px.

Most of its work is at half the resolution and below; at full resolution there is one thin layer at either end, so that
five members cost less than a tenth of the detector.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision.anatomy.organs import ORGANS

CHANNELS = (8, 20, 40, 48, 56)


def _layer(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inward, outward, 3, stride, 1, bias=False), nn.BatchNorm2d(outward), nn.ReLU(inplace=True)
    )


class Outliner(nn.Module):
    """(B, 1, 128, 128) in [−1, 1] (see intensity.standardise) → logits (B, 3, 128, 128), in ORGANS order, each
    channel asked apart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _layer(1, CHANNELS[0])
        self.down = nn.ModuleList(nn.Sequential(_layer(a, b, 2), _layer(b, b)) for a, b in pairwise(CHANNELS))
        self.narrow = nn.ModuleList(nn.Conv2d(a, min(a, b), 1) for b, a in pairwise(CHANNELS))
        self.up = nn.ModuleList(_layer(b + min(a, b), b) for b, a in pairwise(CHANNELS))
        self.head = nn.Conv2d(CHANNELS[0], len(ORGANS), 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.stem(x)]
        for step in self.down:
            levels.append(step(levels[-1]))
        y = levels[-1]
        for i in reversed(range(len(self.up))):
            y = F.interpolate(self.narrow[i](y), scale_factor=2, mode="bilinear", align_corners=False)
            y = self.up[i](torch.cat((levels[i], y), 1))
        return cast(Tensor, self.head(y))
