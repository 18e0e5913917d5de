"""The detector's network: a hybrid vision transformer with finding maps. It touches no file and no network.

A convolutional stem (Dosovitskiy et al. 2021, arXiv 2010.11929, "hybrid") gives a patch grid at stride 16; pre-norm
self-attention works over it; each patch gets one logit per label; log-sum-exp pooling (multiple-instance learning,
Pinheiro and Collobert 2015) turns the patch logits into image logits, so that the map explains the whole of the
probability. Letters in the shape comments: B images, S input side, G = S/16 grid side, N = G² patches, C = 192 width, L
labels, D = 256.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vision.stem import DEEP_CHANNELS, MIDDLE_CHANNELS, EfficientNetLite0

STRIDE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What the network says: ``logits`` (B, L), ``maps`` patch logits (B, L, G, G), ``tokens`` (B, N, C), ``embedding``
    (B, D), unit length, and ``auxiliary`` (B, L), the logits read from the embedding alone (used in training)."""

    logits: Tensor
    maps: Tensor
    tokens: Tensor
    embedding: Tensor
    auxiliary: Tensor


def position_embedding(grid: int, width: int) -> Tensor:
    """2-D sine-cosine embedding of the patch centres in [0, 1]², (grid², width): any grid size, nothing to
    interpolate.
    """
    quarter = width // 4
    frequencies = torch.exp(torch.linspace(math.log(math.pi), math.log(32 * math.pi), quarter))  # (width/4,)
    centres = (torch.arange(grid) + 0.5) / grid
    angles = centres[:, None] * frequencies  # (G, width/4)
    line = torch.cat((angles.sin(), angles.cos()), 1)  # (G, width/2)
    rows = line[:, None, :].expand(grid, grid, -1)
    columns = line[None, :, :].expand(grid, grid, -1)
    return torch.cat((rows, columns), 2).reshape(grid * grid, width)


class Block(nn.Module):
    """Pre-norm self-attention and MLP, (B, N, C) → (B, N, C)."""

    def __init__(self, width: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c)  # (B, N, C)
        x = x + self.dropout(self.out(attended))
        return cast(Tensor, x + self.dropout(self.down(F.gelu(self.up(self.norm2(x))))))


class HybridViT(nn.Module):
    """Grey standardised image (B, 1, S, S), S a multiple of 32, → Output."""

    def __init__(
        self,
        labels: int,
        *,
        width: int = 192,
        depth: int = 2,
        heads: int = 6,
        expansion: int = 3,
        embedding: int = 256,
        dropout: float = 0.1,
        stem: nn.Module | None = None,
        channels: tuple[int, int] = (MIDDLE_CHANNELS, DEEP_CHANNELS),
    ) -> None:
        super().__init__()
        self.width = width
        self.stem = stem or EfficientNetLite0()
        self.embed = nn.Conv2d(sum(channels), width, 1)
        self.embed_norm = nn.LayerNorm(width)
        self.position_scale = nn.Parameter(torch.tensor(0.3))
        self.blocks = nn.ModuleList(Block(width, heads, expansion, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.patch_head = nn.Linear(width, labels)
        self.sharpness = nn.Parameter(torch.full((labels,), 0.5))
        self.query = nn.Parameter(torch.zeros(width))
        self.project = nn.Linear(width, embedding)
        self.auxiliary = nn.Linear(embedding, labels)
        nn.init.trunc_normal_(self.patch_head.weight, std=0.02)

    def forward(self, image: Tensor) -> Output:
        return self.attend(*self.stem(image))

    def attend(self, middle: Tensor, deep: Tensor) -> Output:
        """From what the stem gives, in its ``channels``: (B, 112, G, G) and (B, 320, G/2, G/2) of the convolutional
        one.
        """
        b, _, g, _ = middle.shape
        deep = F.interpolate(deep, size=(g, g), mode="bilinear", align_corners=False)  # (B, 320, G, G)
        x = self.embed(torch.cat((middle, deep), 1)).flatten(2).transpose(1, 2)  # (B, N, C)
        x = self.embed_norm(x) + self.position_scale * position_embedding(g, self.width).to(x.device)
        for block in self.blocks:
            x = block(x)
        tokens = self.norm(x)  # (B, N, C)
        patch = self.patch_head(tokens).transpose(1, 2).float()  # (B, L, N)
        logits = self.pool(patch)  # (B, L)
        weights = (tokens @ self.query / math.sqrt(self.width)).softmax(1)  # (B, N)
        embedding = self.embed_region(tokens, weights)  # (B, D)
        auxiliary = self.auxiliary(embedding * 8.0)  # unit vectors need a temperature
        return Output(
            logits=logits,
            maps=patch.view(b, -1, g, g),
            tokens=tokens,
            embedding=embedding,
            auxiliary=auxiliary.float(),
        )

    def pool(self, patch: Tensor) -> Tensor:
        """Patch logits (B, L, N) → image logits (B, L): (1/r) log mean exp(r z), with a learned sharpness r > 0 per
        label.
        """
        r = F.softplus(self.sharpness)[None, :, None] + 0.05  # (1, L, 1)
        return (torch.logsumexp(r * patch, 2) - math.log(patch.shape[2])) / r[:, :, 0]

    def embed_region(self, tokens: Tensor, weights: Tensor) -> Tensor:
        """Tokens (B, N, C) averaged with weights (B, N) that sum to 1, projected to unit vectors (B, D)."""
        pooled = (weights[:, :, None] * tokens).sum(1)  # (B, C)
        return F.normalize(self.project(pooled).float(), dim=1)


def networks(
    tensors: Mapping[str, Tensor], members: int, outputs: int, backbone: Mapping[str, Any] | None = None
) -> list[HybridViT]:
    """The members of ``tensors`` ("shared/…" for what they have in common, "0/…", "1/…" for each one's own), for
    evaluation. Raises RuntimeError when names or shapes do not fit.
    """
    from vision.backbone import of_config

    full = {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}
    found = []
    for i in range(members):
        if backbone is None:
            member = HybridViT(outputs)
        else:
            tower = of_config(backbone)
            member = HybridViT(outputs, stem=tower, channels=tower.channels)
        own = {k.partition("/")[2]: t for k, t in full.items() if k.startswith((f"{i}/", "shared/"))}
        member.load_state_dict(own)
        member.eval()
        if isinstance(member.stem, EfficientNetLite0):
            member.stem.merge_norms()
        found.append(member)
    return found
