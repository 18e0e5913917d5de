"""The network: a BERT that reads a trunk with its branches, and scores one candidate a sequence.

    score(candidate) = (features / scale) · w  +  head([CLS], mean of the candidate's tokens)

The knowledge graph's likelihood enters through the features, so BERT earns its place only by improving on it. The
last layer of the head starts at zero: an untrained reasoner ranks exactly as the likelihood does. No file and no
network here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.bert import Bert

# Typical spreads of the features among the candidates of a case, so that their weights learn at one rate.
FEATURE_SCALE = (20.0, 2.0, 10.0, 2.0, 0.2, 1.5, 1.0, 5.0)
LORA_TARGETS = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonerConfig:
    """``features``: number of likelihood features; ``region_dim``: width of the detector's region embeddings."""

    features: int = 8
    region_dim: int = 256
    rank: int = 16
    alpha: int = 32
    scale: tuple[float, ...] = FEATURE_SCALE


class Reasoner(nn.Module):
    """Scores candidates; a candidate "none of these" has zero features and its own bias."""

    def __init__(self, bert: Bert, config: ReasonerConfig) -> None:
        super().__init__()
        hidden = bert.hidden_size
        self.bert, self.config = bert, config
        self.region = nn.Sequential(nn.LayerNorm(config.region_dim), nn.Linear(config.region_dim, hidden))
        self.scale: Tensor
        self.register_buffer("scale", torch.tensor(config.scale), persistent=False)
        self.weight = nn.Parameter(torch.zeros(config.features))
        self.none = nn.Parameter(torch.zeros(2))  # bias, and weight of the findings' total information
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(nn.LayerNorm(2 * hidden), nn.Linear(2 * hidden, hidden), nn.GELU(), last)

    def forward(
        self,
        ids: Tensor,  # (B, L)
        positions: Tensor,  # (B, L)
        segments: Tensor,  # (B, L)
        visible: Tensor,  # (B, L, L) bool
        candidate: Tensor,  # (B, L) bool
        region_at: Tensor,  # (R, 2)
        regions: Tensor,  # (R, D)
        features: Tensor,  # (B, F)
        none: Tensor,  # (B, 2): (1, total information) for "none of these", else 0
    ) -> Tensor:
        """Scores, float32 (B,)."""
        words = self.bert.embeddings.word_embeddings(ids)  # (B, L, H)
        if len(regions):
            words = words.index_put((region_at[:, 0], region_at[:, 1]), self.region(regions).to(words.dtype))
        hidden = self.bert(words, positions, segments, visible)  # (B, L, H)
        inside = candidate[:, :, None].to(hidden.dtype)
        mean = (hidden * inside).sum(1) / inside.sum(1)  # (B, H)
        read = self.head(torch.cat([hidden[:, 0], mean], dim=1).float())[:, 0]  # (B,)
        # Elementwise, so that a caller's autocast leaves these few numbers in full precision.
        return read.float() + (features / self.scale * self.weight).sum(1) + (none * self.none).sum(1)


def build(bert_config: Mapping[str, Any], bert_state: Mapping[str, Tensor], config: ReasonerConfig) -> Reasoner:
    """A reasoner on plain BERT weights."""
    bert = Bert(bert_config)
    bert.load_state_dict(
        {k: v for k, v in bert_state.items() if not k.startswith("pooler") and "position_ids" not in k}
    )
    return Reasoner(bert, config)


def is_target(name: str) -> bool:
    """Whether the linear layer of this name in BERT's encoder is adapted."""
    return name.startswith("encoder.") and name.endswith(LORA_TARGETS)


def merge_adapters(reasoner: Reasoner, state: Mapping[str, Tensor]) -> None:
    """Add low-rank updates W += (alpha / rank) B A (LoRA, arXiv 2106.09685) in place, and load everything that is not
    BERT.

    ``state`` holds "lora.<layer>.A" (rank, in) and "lora.<layer>.B" (out, rank), and the reasoner's other parameters
    by name. Raises KeyError or RuntimeError when names or shapes do not match the network.
    """
    layers = {name: m for name, m in reasoner.bert.named_modules() if isinstance(m, nn.Linear) and is_target(name)}
    expected = {f"lora.{name}.{side}" for name in layers for side in "AB"}
    rest = {k: v.float() for k, v in state.items() if not k.startswith("lora.")}
    own = {k for k in reasoner.state_dict() if not k.startswith("bert.")}
    if wrong := (expected | own) ^ set(state):
        raise KeyError(f"{len(wrong)} tensors do not match, such as {min(wrong)}")
    with torch.no_grad():
        for name, layer in layers.items():
            a, b = state[f"lora.{name}.A"].float(), state[f"lora.{name}.B"].float()
            layer.weight += (reasoner.config.alpha / reasoner.config.rank) * (b @ a)
    missing, unexpected = reasoner.load_state_dict(rest, strict=False)
    if unexpected or any(not k.startswith("bert.") for k in missing):
        raise KeyError(f"tensors do not match: {sorted(unexpected)}")
