"""What each piece of evidence weighs: the change in a diagnosis' score when that one piece is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from fusion.branch import Branch
from fusion.diagnosis import Evidence, Stance
from fusion.evidence_search import Retrieved
from fusion.scorer import Question, Scorer
from fusion.workup import Observed, Workup, WorkupRoom

# A change of score below this is within what batching does to the last bits; it is not evidence.
LEAST_WEIGHT = 1e-3
# How many pieces of each kind are shown for a diagnosis: the heaviest ones.
MOST_SHOWN = {"finding": 6, "kg_path": 4, "image_region": 2, "literature": 2, "case": 2}


class Scales:
    """Weighs the evidence of candidates by scoring them again without it."""

    def __init__(self, room: WorkupRoom, scorer: Scorer) -> None:
        self.room, self.scorer = room, scorer

    def weigh(
        self, workup: Workup, found: Retrieved, chosen: Sequence[int], scores: np.ndarray
    ) -> dict[int, tuple[Evidence, ...]]:
        """For each chosen candidate (its place in ``workup``), its pieces of evidence by falling absolute weight, ties
        by kind and reference; ``scores`` float (candidates,) are those with everything.

        A branch is masked; a finding is taken out of the case altogether, with its mention, its share of the
        likelihood and all branches that hang on it.
        """
        asked: list[tuple[int, Branch | Observed, Question]]
        asked = [*self._masked(workup, chosen), *self._taken_out(workup, found, chosen)]
        changed = self.scorer.scores([question for _, _, question in asked])
        out: dict[int, list[Evidence]] = {i: [] for i in chosen}
        for (i, piece, _), score in zip(asked, changed, strict=True):
            weight = float(scores[i] - score)
            if abs(weight) >= LEAST_WEIGHT:
                out[i].append(self._evidence(piece, weight))
        return {i: heaviest(e) for i, e in out.items()}

    def _masked(self, workup: Workup, chosen: Sequence[int]) -> Iterator[tuple[int, Branch, Question]]:
        for i in chosen:
            candidate = workup.candidates[i]
            for number, branch in enumerate(candidate.branches):
                yield i, branch, Question(workup=workup, candidate=candidate, removed=(number,))

    def _taken_out(
        self, workup: Workup, found: Retrieved, chosen: Sequence[int]
    ) -> Iterator[tuple[int, Observed, Question]]:
        diseases = [workup.candidates[i].curie for i in chosen]
        for observed in workup.case.observed:
            if observed.presence == "uncertain" and observed.odds_ratio in (None, 1.0):
                continue
            case = workup.case.without(observed.curie)
            features = self.room.features(case, diseases)
            without = self.room.lay_out(
                case, list(zip(diseases, features, strict=True)), papers=found.paper_branches, cases=found.case_branches
            )
            for i, candidate in zip(chosen, without.candidates[:-1], strict=True):
                yield i, observed, Question(workup=without, candidate=candidate)

    def _evidence(self, piece: Branch | Observed, weight: float) -> Evidence:
        stance: Stance = "supports" if weight > 0 else "contradicts"
        if isinstance(piece, Observed):
            name = self.room.graph.name(self.room.graph.node(piece.curie))
            return Evidence(
                kind="finding", reference=piece.curie, text=f"{name}: {piece.presence}", stance=stance, weight=weight
            )
        return Evidence(
            kind=piece.kind,
            reference=piece.reference,
            text=piece.shown,
            stance=stance,
            weight=weight,
            path=piece.path,
        )


def heaviest(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The pieces to show, by falling absolute weight, ties by kind and reference."""
    ordered = sorted(evidence, key=lambda e: (-abs(e.weight), e.kind, e.reference))
    kept = [e for kind, most in MOST_SHOWN.items() for e in [x for x in ordered if x.kind == kind][:most]]
    return tuple(e for e in ordered if e in kept)
