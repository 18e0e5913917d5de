"""The network: a BERT that reads a patient once, then each candidate with its branches, and corrects the graph's score.

    score(candidate) = (features / scale) · w  +  gate × [ head(c)  +  Σ_b tanh(trust(c, h_b)) (share_b / scale) · w ]

c is what BERT makes of the patient and the candidate ([CLS], mean of the candidate's tokens), h_b of a branch (mean of
its tokens). share_b is the part of the features that rests on branch b: the network decides how far a piece of the
graph's evidence is to be trusted here, from not at all to twice. The graph's score enters as it is: w is fitted before
and stays. The last layers start at zero, so that an untrained reasoner ranks exactly as the graph does, and BERT earns
its place only by improving on it. No file and no network here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fusion.bert import Bert

# Typical spreads of the features (fusion.workup.FEATURES) among the candidates of a case, so that one ridge suits all
# their weights. The ranker's score is in log odds.
FEATURE_SCALE = (10.0, 2.0, 5.0, 2.0, 10.0, 1.0, 2.0, 1.0)
LORA_TARGETS = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonerConfig:
    """``features``: number of the candidates' features; ``region_dim``: width of the detector's region embeddings;
    ``layers``: how many of BERT's layers are used, from below."""

    features: int = 8
    region_dim: int = 256
    layers: int = 4
    rank: int = 16
    alpha: int = 32
    scale: tuple[float, ...] = FEATURE_SCALE


class Reasoner(nn.Module):
    """Corrects candidates' scores. "None of these" is a candidate with zero features and a score of its own."""

    def __init__(self, bert: Bert, config: ReasonerConfig) -> None:
        super().__init__()
        hidden = bert.hidden_size
        self.bert, self.config = bert, config
        self.region = nn.Sequential(nn.LayerNorm(config.region_dim), nn.Linear(config.region_dim, hidden))
        self.weight: Tensor
        self.none: Tensor
        self.register_buffer("weight", torch.zeros(config.features))
        self.register_buffer("none", torch.zeros(4))  # fusion.scorer.none_features
        self.head = _from_zero(2 * hidden, hidden)
        self.trust = _from_zero(3 * hidden, hidden // 2)

    def base(self, features: np.ndarray, none: np.ndarray) -> float:
        """The graph's score of a candidate: features (F,), none (4,)."""
        scaled = np.asarray(features, np.float64) / np.array(self.config.scale)
        return float(scaled @ self.weight.double().numpy() + none.astype(np.float64) @ self.none.double().numpy())

    def read_trunk(self, ids: Tensor) -> list[Tensor]:
        """What enters each layer, and what leaves the last, (1, P, H) each, of the patient's tokens (P,)."""
        n = len(ids)
        words = self.bert.embeddings.word_embeddings(ids[None])
        return self.bert(words, torch.arange(n)[None], torch.zeros(1, n, dtype=torch.long), torch.ones(1, n, n).bool())

    def forward(
        self,
        context: list[Tensor],  # of read_trunk
        ids: Tensor,  # (B, L)
        positions: Tensor,  # (B, L)
        visible: Tensor,  # (B, L, P + L) bool
        candidate: Tensor,  # (B, L) bool
        region_at: Tensor,  # (R, 2)
        regions: Tensor,  # (R, D)
        branch: Tensor,  # (B, L)
        shares: Tensor,  # (B, N, F)
    ) -> Tensor:
        """Corrections, float32 (B,)."""
        words = self.bert.embeddings.word_embeddings(ids)  # (B, L, H)
        if len(regions):
            words = words.index_put((region_at[:, 0], region_at[:, 1]), self.region(regions))
        segments = torch.ones_like(ids) * candidate  # BERT's second segment is the candidate's name
        hidden = self.bert(words, positions, segments, visible, context)[-1]  # (B, L, H)
        inside = candidate[:, :, None].to(hidden.dtype)
        mean = (hidden * inside).sum(1) / inside.sum(1)  # (B, H)
        patient = context[-1][:, 0].expand_as(mean)  # (B, H)
        whole = torch.cat([patient, mean], dim=1)  # (B, 2 H)
        correction: Tensor = self.head(whole)[:, 0]
        if not shares.shape[1]:
            return correction
        of = (branch[:, None] == torch.arange(shares.shape[1])[None, :, None]).to(hidden.dtype)  # (B, N, L)
        pieces = of @ hidden / of.sum(2, keepdim=True).clamp(min=1)  # (B, N, H)
        told = torch.cat([whole[:, None].expand(-1, shares.shape[1], -1), pieces], dim=2)
        trusted = torch.tanh(self.trust(told)[..., 0])  # (B, N)
        worth = shares @ (self.weight / shares.new_tensor(self.config.scale))  # (B, N)
        return correction + (trusted * worth).sum(1)


def _from_zero(inner: int, hidden: int) -> nn.Sequential:
    """A head of one hidden layer whose output starts at zero."""
    last = nn.Linear(hidden, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.LayerNorm(inner), nn.Linear(inner, hidden), nn.GELU(), last)


def build(bert_config: Mapping[str, Any], bert_state: Mapping[str, Tensor], config: ReasonerConfig) -> Reasoner:
    """A reasoner on the lower layers of plain BERT weights."""
    bert = Bert({**bert_config, "num_hidden_layers": config.layers})
    bert.load_state_dict({k: bert_state[k] for k in bert.state_dict()})
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
