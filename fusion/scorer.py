"""Runs the reasoner over workups: scores, and what they become when a branch is masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fusion.branch import Candidate
from fusion.visible_matrix import Batch, Encoded, Tokenize, collate, encode, mask_branches
from fusion.workup import Workup

if TYPE_CHECKING:
    from torch import Tensor

    from fusion.reasoner import Reasoner

_TOKENS_PER_BATCH = 4096
# The findings' total information is tens of nats; the weight that meets it starts at the scale of the others.
_INFORMATION_SCALE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One score to compute: a candidate of a workup, without the branches numbered in ``removed``."""

    workup: Workup
    candidate: Candidate
    removed: tuple[int, ...] = ()


class Scorer:
    """The reasoner with its tokenizer. Scores depend on nothing but the question (to about 1e-6: sequences share
    batches)."""

    def __init__(self, reasoner: Reasoner, tokenize: Tokenize) -> None:
        self.reasoner, self.tokenize = reasoner.eval(), tokenize

    def encode(self, question: Question) -> Encoded:
        candidate = question.candidate
        encoded = encode(question.workup.patient, candidate.name, candidate.branches, self.tokenize)
        return mask_branches(encoded, question.removed) if question.removed else encoded

    def scores(self, questions: Sequence[Question]) -> np.ndarray:
        """float64 (Q,), in the order of the questions."""
        import torch

        encoded = [self.encode(q) for q in questions]
        out = np.zeros(len(questions))
        order = sorted(range(len(questions)), key=lambda i: (len(encoded[i].ids), i))
        with torch.inference_mode():
            while order:
                taken = max(1, _TOKENS_PER_BATCH // len(encoded[order[-1]].ids))
                part, order = order[-taken:], order[:-taken]
                batch = collate([encoded[i] for i in part], self.reasoner.config.region_dim)
                features = np.stack([questions[i].candidate.features for i in part])
                none = np.stack([none_features(questions[i]) for i in part])
                out[part] = forward(self.reasoner, batch, features, none).numpy()
        return out


def none_features(question: Question) -> np.ndarray:
    """float32 (2,): (1, total information / 10 nats) for "none of these", else zeros."""
    if question.candidate.curie:
        return np.zeros(2, np.float32)
    return np.array([1.0, question.workup.information / _INFORMATION_SCALE], np.float32)


def forward(reasoner: Reasoner, batch: Batch, features: np.ndarray, none: np.ndarray) -> Tensor:
    """The network on one batch: scores (B,), float32."""
    import torch

    tensors = [
        torch.from_numpy(x)
        for x in (
            batch.ids,
            batch.positions,
            batch.segments,
            batch.visible,
            batch.candidate,
            batch.region_at,
            batch.regions,
            features,
            none,
        )
    ]
    return reasoner(*tensors)
