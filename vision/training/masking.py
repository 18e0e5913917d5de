"""Self-supervised warm-up by masked image modelling (SimMIM, Xie et al. 2022, arXiv 2111.09886).

Half of the 32 × 32 blocks of a standardised image are replaced by a learned grey, and the network's tokens predict the
pixels of each 16 × 16 patch by one linear layer; the loss is the absolute error on the hidden pixels. No labels are
read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vision.vit import STRIDE, HybridViT

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 2 * STRIDE
HIDDEN = 0.5


def warm_up(
    model: HybridViT,
    draw: Callable[[np.random.Generator], NDArray[np.float32]],
    *,
    steps: int,
    rate: float = 5e-4,
    seed: int = 0,
) -> Sequence[float]:
    """Train ``model`` in place on ``steps`` batches (B, S, S) that ``draw`` gives, S a multiple of 32; returns the
    losses. Parameters that do not require a gradient stay as they are.
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    rng = np.random.default_rng((seed, 2))
    predict = nn.Linear(model.width, STRIDE * STRIDE)
    grey = nn.Parameter(torch.zeros(1))
    learned = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW([*learned, *predict.parameters(), grey], lr=rate, weight_decay=0.05)
    model.train()
    losses = []
    for step in range(steps):
        x = torch.from_numpy(draw(rng))[:, None]  # (B, 1, S, S)
        blocks = x.shape[2] // BLOCK
        hidden = torch.from_numpy(rng.random((len(x), 1, blocks, blocks)) < HIDDEN)
        hidden = hidden.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)  # (B, 1, S, S)
        seen = torch.where(hidden, grey, x).contiguous(memory_format=torch.channels_last)
        loss = _error(predict(model(seen).tokens), x, hidden)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, 10 * (step + 1) / steps) * (1 - 0.9 * step / steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def _error(patches: Tensor, x: Tensor, hidden: Tensor) -> Tensor:
    """Mean absolute error of predicted patches (B, N, 256) against x (B, 1, S, S) where hidden."""
    from torch.nn import functional as F

    truth = F.unfold(x, STRIDE, stride=STRIDE).transpose(1, 2)  # (B, N, 256)
    where = F.unfold(hidden.to(x.dtype), STRIDE, stride=STRIDE).transpose(1, 2)
    return ((patches - truth).abs() * where).sum() / where.sum().clamp(min=1)
