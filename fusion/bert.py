"""BERT's encoder (Devlin et al. 2018, arXiv 1810.04805) in plain torch, with the parameter names of Hugging Face
checkpoints.

The reasoner gives embeddings, positions and a mask of its own, and needs nothing else of a BERT. transformers' module
computes the same (a test compares them), but importing it takes longer than the whole diagnosis. Letters in the shape
comments: B sequences, L tokens, P tokens of a shared context, H hidden width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Embeddings(nn.Module):
    """Word vectors plus position and segment vectors."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        hidden = config["hidden_size"]
        self.word_embeddings = nn.Embedding(config["vocab_size"], hidden)
        self.position_embeddings = nn.Embedding(config["max_position_embeddings"], hidden)
        self.token_type_embeddings = nn.Embedding(config["type_vocab_size"], hidden)
        self.LayerNorm = nn.LayerNorm(hidden, config["layer_norm_eps"])

    def forward(self, words: Tensor, positions: Tensor, segments: Tensor) -> Tensor:
        summed = words + self.position_embeddings(positions) + self.token_type_embeddings(segments)
        return self.LayerNorm(summed)  # (B, L, H)


class SelfAttention(nn.Module):
    """Multi-head attention of ``x`` (B, L, H) over ``context`` (1, P, H), which every sequence shares, and itself;
    ``mask`` (B, 1, L, P + L) is added to the logits."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        hidden, self.heads = config["hidden_size"], config["num_attention_heads"]
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor, context: Tensor | None) -> Tensor:
        b, n, h = x.shape
        q, k, v = (self.split(f(x)) for f in (self.query, self.key, self.value))
        if context is not None:
            k, v = (
                torch.cat([self.split(f(context)).expand(b, -1, -1, -1), own], 2)
                for f, own in ((self.key, k), (self.value, v))
            )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))  # (B, heads, L, H / heads)
        return attended.transpose(1, 2).reshape(b, n, h)

    def split(self, x: Tensor) -> Tensor:
        """(B, L, H) → (B, heads, L, H / heads)"""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class AddAndNorm(nn.Module):
    """A linear layer whose output is added to the residual and normalised."""

    def __init__(self, inside: int, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.dense = nn.Linear(inside, config["hidden_size"])
        self.LayerNorm = nn.LayerNorm(config["hidden_size"], config["layer_norm_eps"])

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + residual)


class Layer(nn.Module):
    """Attention and feed-forward, post-norm, (B, L, H) → (B, L, H)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        hidden, inside = config["hidden_size"], config["intermediate_size"]
        self.attention = nn.ModuleDict({"self": SelfAttention(config), "output": AddAndNorm(hidden, config)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(hidden, inside)})
        self.output = AddAndNorm(inside, config)

    def forward(self, x: Tensor, mask: Tensor, context: Tensor | None) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, mask, context), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class Bert(nn.Module):
    """Embeddings and layers; no pooler. ``config`` is a Hugging Face BERT's config.json."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        if config.get("hidden_act") != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
            raise ValueError("only BERTs with GELU and absolute positions are supported")
        self.hidden_size: int = config["hidden_size"]
        self.embeddings = Embeddings(config)
        layers = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(
        self,
        words: Tensor,
        positions: Tensor,
        segments: Tensor,
        visible: Tensor,
        context: Sequence[Tensor] | None = None,
    ) -> list[Tensor]:
        """What enters each layer, and what leaves the last, (B, L, H) each, of word vectors (B, L, H).

        ``visible`` (B, L, P + L) bool says who sees whom. ``context``: the same list for a sequence of P tokens that
        was read before and that all B sequences may look back at; it does not look at them.
        """
        mask = torch.zeros(visible.shape, dtype=words.dtype).masked_fill(~visible, torch.finfo(words.dtype).min)
        states = [self.embeddings(words, positions, segments)]
        for i, layer in enumerate(cast(nn.ModuleList, self.encoder["layer"])):
            states.append(layer(states[-1], mask[:, None], None if context is None else context[i]))
        return states
