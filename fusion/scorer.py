"""Runs the reasoner over workups: scores, and what they become when a branch is masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fusion.branch import Candidate, Patient
from fusion.visible_matrix import Batch, Encoded, Tokenize, Trunk, collate, encode, mask_branches, read_trunk
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


@dataclass(frozen=True, slots=True)
class Parts:
    """What the scores of Q questions are made of, float64 (Q,) each: the graph's score, and the network's correction
    of it."""

    base: np.ndarray
    correction: np.ndarray


class Scorer:
    """The reasoner with its tokenizer. Scores depend on nothing but the question (to about 1e-6: sequences share
    batches).

    ``gate`` is the share of the network's correction that counts (``fusion.calibration.Calibration``).
    """

    def __init__(self, reasoner: Reasoner, tokenize: Tokenize, *, gate: float = 1.0) -> None:
        self.reasoner, self.tokenize, self.gate = reasoner.eval(), tokenize, gate

    def encode(self, trunk: Trunk, question: Question) -> Encoded:
        candidate = question.candidate
        encoded = encode(trunk, candidate.name, candidate.branches, self.tokenize)
        return mask_branches(encoded, question.removed) if question.removed else encoded

    def scores(self, questions: Sequence[Question]) -> np.ndarray:
        """float64 (Q,), in the order of the questions."""
        parts = self.parts(questions)
        return parts.base + self.gate * parts.correction

    def parts(self, questions: Sequence[Question]) -> Parts:
        """The scores taken apart, in the order of the questions."""
        import torch

        by_patient: dict[Patient, list[int]] = {}
        for i, question in enumerate(questions):
            by_patient.setdefault(question.workup.patient, []).append(i)
        base, correction = np.zeros(len(questions)), np.zeros(len(questions))
        with torch.inference_mode():
            for patient, asked in by_patient.items():
                trunk = read_trunk(patient, self.tokenize)
                encoded = {i: self.encode(trunk, questions[i]) for i in asked}
                order = sorted(asked, key=lambda i: (len(encoded[i].ids), i))
                context = None
                while order:
                    taken = max(1, _TOKENS_PER_BATCH // len(encoded[order[-1]].ids))
                    part, order = order[-taken:], order[:-taken]
                    batch = collate(trunk, [encoded[i] for i in part], self.reasoner.config.region_dim)
                    if context is None:
                        context = self.reasoner.read_trunk(torch.from_numpy(batch.trunk))
                    correction[part] = corrections(self.reasoner, batch, context).numpy()
        for i, question in enumerate(questions):
            base[i] = self.reasoner.base(question.candidate.features, none_features(question))
        return Parts(base, correction)


def questions(workup: Workup, condition: str = "on") -> list[Question]:
    """One question a candidate, in their order: with its evidence ("on"), without any ("off"), or with the evidence of
    the next disease ("shuffled"): knowledge that is about something else. "None of these" keeps its own."""
    asked = [Question(workup=workup, candidate=c) for c in workup.candidates]
    if condition == "off":
        return [replace(q, candidate=replace(q.candidate, branches=())) for q in asked]
    if condition == "shuffled":
        last = len(asked) - 1
        return [
            replace(q, candidate=replace(q.candidate, branches=asked[(i + 1) % last].candidate.branches))
            if i < last
            else q
            for i, q in enumerate(asked)
        ]
    return asked


def none_features(question: Question) -> np.ndarray:
    """float32 (4,): for "none of these", (1, total information / 10 nats) in the first two when the candidates are
    scored by the likelihood and in the last two when by the ranker; zeros for a disease."""
    out = np.zeros(4, np.float32)
    if not question.candidate.curie:
        at = 2 if question.workup.ranked else 0
        out[at : at + 2] = 1.0, question.workup.information / _INFORMATION_SCALE
    return out


def corrections(reasoner: Reasoner, batch: Batch, context: list[Tensor]) -> Tensor:
    """The network on one batch: float32 (B,). ``context``: the trunk as `Reasoner.read_trunk` has it."""
    import torch

    arrays = (batch.ids, batch.positions, batch.visible, batch.candidate, batch.region_at, batch.regions)
    return reasoner(context, *(torch.from_numpy(x) for x in arrays))
