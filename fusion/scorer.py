"""Runs the reasoner over workups: scores, and what they become when a branch is masked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fusion.branch import BRANCH_KINDS, Candidate, Patient
from fusion.calibration import Calibrations
from fusion.visible_matrix import Batch, Encoded, Tokenize, Trunk, collate, encode, mask_branches, read_trunk
from fusion.workup import Case, Workup

if TYPE_CHECKING:
    from torch import Tensor

    from fusion.reasoner import Reasoner

_TOKENS_PER_BATCH = 4096
# The findings' total information is tens of nats; the weight that meets it starts at the scale of the others.
_INFORMATION_SCALE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One score to compute: a candidate of a workup, without the branches numbered in ``removed`` and what rests on
    them."""

    workup: Workup
    candidate: Candidate
    removed: tuple[int, ...] = ()

    @property
    def features(self) -> np.ndarray:
        """float64 (F,): the candidate's features less the shares of the removed branches."""
        branches = self.candidate.branches
        gone = [share for n in self.removed if (share := branches[n].share) is not None]
        return self.candidate.features - np.sum(gone, axis=0, dtype=np.float64, initial=0.0)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the scores of Q questions are made of, float64 (Q,) each: the graph's score, and the network's correction
    of it."""

    base: np.ndarray
    correction: np.ndarray


class Scorer:
    """The reasoner with its tokenizer. Scores depend on nothing but the question (to about 1e-6: sequences share
    batches).

    ``calibrations`` hold the share of the network's correction that counts.
    """

    def __init__(self, reasoner: Reasoner, tokenize: Tokenize, *, calibrations: Calibrations | None = None) -> None:
        self.reasoner, self.tokenize, self.calibrations = reasoner.eval(), tokenize, calibrations or Calibrations()

    def encode(self, trunk: Trunk, question: Question) -> Encoded:
        candidate = question.candidate
        features = self.reasoner.config.features
        encoded = encode(trunk, candidate.name, candidate.branches, self.tokenize, features)
        return mask_branches(encoded, question.removed) if question.removed else encoded

    def scores(self, questions: Sequence[Question]) -> np.ndarray:
        """float64 (Q,), in the order of the questions."""
        parts = self.parts(questions)
        return parts.base + np.array([self.gate(q.workup.case) for q in questions]) * parts.correction

    def parts(self, questions: Sequence[Question]) -> Parts:
        """The scores taken apart, in the order of the questions. The network is asked only where its gate lets it
        through."""
        base = np.array([self.reasoner.base(q.features, none_features(q)) for q in questions], np.float64)
        return Parts(base, self._corrections(questions))

    def gate(self, case: Case) -> float:
        """The share of the network's correction that counts; at 0 nothing but the candidates' features does."""
        return self.calibrations.of(case.worded, case.imaged).gate

    def _corrections(self, questions: Sequence[Question]) -> np.ndarray:
        import torch

        by_patient: dict[Patient, list[int]] = {}
        for i, question in enumerate(questions):
            if self.gate(question.workup.case):
                by_patient.setdefault(question.workup.patient, []).append(i)
        correction = np.zeros(len(questions))
        with torch.inference_mode():
            for patient, asked in by_patient.items():
                trunk = read_trunk(patient, self.tokenize)
                # Questions that differ in the graph's score alone look the same to the network.
                same: dict[tuple[object, ...], int] = {}
                first = {i: same.setdefault(_seen(questions[i]), i) for i in asked}
                encoded = {i: self.encode(trunk, questions[i]) for i in same.values()}
                order = sorted(encoded, key=lambda i: (len(encoded[i].ids), i))
                context = None
                while order:
                    taken = max(1, _TOKENS_PER_BATCH // len(encoded[order[-1]].ids))
                    part, order = order[-taken:], order[:-taken]
                    batch = collate(trunk, [encoded[i] for i in part], self.reasoner.config.region_dim)
                    if context is None:
                        context = self.reasoner.read_trunk(torch.from_numpy(batch.trunk))
                    correction[part] = corrections(self.reasoner, batch, context).numpy()
                correction[asked] = correction[[first[i] for i in asked]]
        return correction


def _seen(question: Question) -> tuple[object, ...]:
    """What the network sees of a question beside its patient."""
    return question.candidate.curie, id(question.candidate.branches), question.removed


def questions(workup: Workup, condition: str = "on") -> list[Question]:
    """One question a candidate, in their order: with its evidence ("on"), without any ("off"), or with the evidence of
    the next disease ("shuffled"): knowledge that is about something else. "None of these" keeps its own."""
    candidates = workup.candidates
    if condition == "off":
        candidates = tuple(bare(c) for c in candidates)
    if condition == "shuffled":
        candidates = exchanged(candidates)
    return [Question(workup=workup, candidate=c) for c in candidates]


def bare(candidate: Candidate, kinds: Collection[str] = BRANCH_KINDS) -> Candidate:
    """The candidate without its branches of these kinds and without what rests on them."""
    gone = [b.share for b in candidate.branches if b.kind in kinds and b.share is not None]
    left = candidate.features - np.sum(gone, axis=0, dtype=np.float64, initial=0.0)
    return replace(candidate, features=left, branches=tuple(b for b in candidate.branches if b.kind not in kinds))


def exchanged(candidates: Sequence[Candidate], kinds: Collection[str] = BRANCH_KINDS) -> tuple[Candidate, ...]:
    """Each disease with the branches of these kinds of the next one, and what rests on them; "none of these", the last,
    keeps its own."""
    last = len(candidates) - 1
    out = []
    for i, candidate in enumerate(candidates[:last]):
        other = tuple(b for b in candidates[(i + 1) % last].branches if b.kind in kinds)
        lent = [b.share for b in other if b.share is not None]
        own = bare(candidate, kinds)
        features = own.features + np.sum(lent, axis=0, dtype=np.float64, initial=0.0)
        out.append(replace(own, features=features, branches=(*other, *own.branches)))
    return (*out, *candidates[last:])


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

    arrays = (
        batch.ids,
        batch.positions,
        batch.visible,
        batch.candidate,
        batch.region_at,
        batch.regions,
        batch.branch,
        batch.shares,
    )
    return reasoner(context, *(torch.from_numpy(x) for x in arrays))
