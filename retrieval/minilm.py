"""The forward pass of a MiniLM sentence encoder in plain torch.

The same arithmetic as `transformers.BertModel` followed by mean pooling (a test compares them), without importing
transformers, which takes longer than encoding a query does. Reference: Devlin et al., BERT (arXiv 1810.04805); Wang
et al., MiniLM (arXiv 2002.10957); mean pooling as in Reimers and Gurevych, Sentence-BERT (arXiv 1908.10084).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class MiniLM:
    """A BERT encoder over a flat mapping of weights, named as the Hugging Face checkpoint names them.

    ``layers`` and ``heads`` are counts. Everything is float32 and no gradient is kept: call it under
    ``torch.inference_mode``.
    """

    def __init__(self, weights: Mapping[str, Tensor], *, layers: int, heads: int, epsilon: float = 1e-12) -> None:
        self.weights, self.layers, self.heads, self.epsilon = weights, layers, heads, epsilon
        self.dimension = weights["embeddings.word_embeddings.weight"].shape[1]

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean-pooled, L2-normalised sentence vectors (n, dimension) of token ids and their mask, both int64 (n,
        length)."""
        import torch.nn.functional as F

        hidden = self._embed(ids)
        visible = mask[:, None, None, :].bool()
        for layer in range(self.layers):
            hidden = self._block(hidden, visible, f"encoder.layer.{layer}.")
        weight = mask[:, :, None].to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return F.normalize(pooled, p=2, dim=1)

    def _embed(self, ids: Tensor) -> Tensor:
        weights = self.weights
        hidden = weights["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        hidden = hidden + weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm(hidden, "embeddings.LayerNorm")

    def _block(self, hidden: Tensor, visible: Tensor, name: str) -> Tensor:
        import torch.nn.functional as F

        batch, length, width = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{name}attention.self.{part}").view(batch, length, self.heads, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=visible
        )  # (n, heads, length, width / heads)
        mixed = self._linear(mixed.transpose(1, 2).reshape(batch, length, width), f"{name}attention.output.dense")
        hidden = self._norm(mixed + hidden, f"{name}attention.output.LayerNorm")
        inner = F.gelu(self._linear(hidden, f"{name}intermediate.dense"))
        return self._norm(self._linear(inner, f"{name}output.dense") + hidden, f"{name}output.LayerNorm")

    def _linear(self, hidden: Tensor, name: str) -> Tensor:
        import torch.nn.functional as F

        return F.linear(hidden, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, hidden: Tensor, name: str) -> Tensor:
        import torch.nn.functional as F

        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(hidden, (self.dimension,), weight, bias, self.epsilon)
