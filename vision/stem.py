"""The convolutional stem: EfficientNet-Lite0 without its classifier, for one grey channel.

The parameter names match the published ``efficientnet-lite0`` checkpoint (``_conv_stem``, ``_bn0``, ``_blocks.N.…``),
so its ImageNet weights load by name. TensorFlow's "same" padding is kept (asymmetric at stride 2), because the weights
were trained with it. Tan and Le 2019 (arXiv 1905.11946); the "lite" variant has no squeeze-and-excitation and uses
ReLU6.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

# repeats, kernel, stride, expansion, channels out
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LAST_EARLY = 2
_LAST_AT_STRIDE_16 = 10
EARLY = ("_conv_stem.", "_bn0.", "_blocks.0.", "_blocks.1.", "_blocks.2.")
"""How the parameters that ``EfficientNetLite0.early`` uses begin. Their filters are never trained."""

MIDDLE_CHANNELS, DEEP_CHANNELS = 112, 320
_NORMED = (
    ("_conv_stem", "_bn0"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)


def _pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    if stride == 1:
        return x
    height, width = x.shape[-2:]
    down = max(kernel - (stride if height % stride == 0 else height % stride), 0)
    across = max(kernel - (stride if width % stride == 0 else width % stride), 0)
    return F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))


class _Block(nn.Module):
    """An inverted residual block."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = channels_in * expansion
        self.kernel, self.stride, self.expands = kernel, stride, expansion > 1
        if self.expands:
            self._expand_conv = nn.Conv2d(channels_in, middle, 1, bias=False)
            self._bn0 = _batch_norm(middle)
        padding = kernel // 2 if stride == 1 else 0
        self._depthwise_conv = nn.Conv2d(middle, middle, kernel, stride, padding, groups=middle, bias=False)
        self._bn1 = _batch_norm(middle)
        self._project_conv = nn.Conv2d(middle, channels_out, 1, bias=False)
        self._bn2 = _batch_norm(channels_out)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(_pad_same(y, self.kernel, self.stride))))
        y = self._bn2(self._project_conv(y))
        return cast(Tensor, x + y if self.residual else y)


class EfficientNetLite0(nn.Module):
    """Grey image (B, 1, S, S) → features at stride 16 (B, 112, S/16, S/16) and at stride 32 (B, 320, S/32, S/32)."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(1, 32, 3, 2, bias=False)
        self._bn0 = _batch_norm(32)
        blocks: list[nn.Module] = []
        channels = 32
        for repeats, kernel, stride, expansion, out in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(channels, out, kernel, stride if i == 0 else 1, expansion))
                channels = out
        self._blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.late(self.early(x))

    def early(self, x: Tensor) -> Tensor:
        """The filters down to a quarter of the resolution, (B, 24, S/4, S/4): half of the work."""
        x = F.relu6(self._bn0(self._conv_stem(_pad_same(x, 3, 2))))  # (B, 32, S/2, S/2)
        for block in self._blocks[: _LAST_EARLY + 1]:
            x = block(x)
        return x

    def late(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The rest, from what ``early`` gives."""
        middle = x
        for i, block in enumerate(self._blocks[_LAST_EARLY + 1 :], _LAST_EARLY + 1):
            x = block(x)
            if i == _LAST_AT_STRIDE_16:
                middle = x
        return middle, x

    def merge_norms(self) -> None:
        """Multiply each batch norm into the convolution before it, in place; for evaluation only."""
        for owner in (self, *self._blocks):
            for convolution, norm in _NORMED:
                if hasattr(owner, convolution) and isinstance(getattr(owner, norm), nn.BatchNorm2d):
                    merged = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
                    setattr(owner, convolution, merged)
                    setattr(owner, norm, nn.Identity())


class Patches(nn.Module):
    """Bare patches, as the original vision transformer has them, in the place of the convolutional stem: each 16 × 16
    and each 32 × 32 patch through one linear layer. Same shapes as EfficientNetLite0."""

    def __init__(self) -> None:
        super().__init__()
        self.middle = nn.Conv2d(1, MIDDLE_CHANNELS, 16, 16)
        self.deep = nn.Conv2d(1, DEEP_CHANNELS, 32, 32)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.middle(x), self.deep(x)


def load_imagenet(stem: EfficientNetLite0, path: Path) -> None:
    """Copy ImageNet weights by name from the published checkpoint; the three colour filters are added into one grey
    filter.

    Raises ValueError when a name or a shape does not match. The checkpoint is a torch archive, read with
    weights_only=True.
    """
    source = torch.load(path, map_location="cpu", weights_only=True)
    own = stem.state_dict()
    source["_conv_stem.weight"] = source["_conv_stem.weight"].sum(1, keepdim=True)
    missing = [k for k in own if k not in source or source[k].shape != own[k].shape]
    if missing:
        raise ValueError(f"the stem checkpoint lacks or misshapes {len(missing)} tensors, first {missing[0]}")
    stem.load_state_dict({k: source[k] for k in own})
