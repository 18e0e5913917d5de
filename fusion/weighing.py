"""What each piece of evidence weighs: the change in a diagnosis' score when that one piece is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from fusion.branch import Branch
from fusion.diagnosis import Evidence, Stance
from fusion.evidence_search import Retrieved
from fusion.scorer import Question, Scorer
from fusion.workup import WORDS, Case, Workup, WorkupRoom

# A change of score below this is within what batching does to the last bits; it is not evidence.
LEAST_WEIGHT = 1e-3
# How many pieces of each kind are shown for a diagnosis: the heaviest ones.
MOST_SHOWN = {"finding": 6, "person": 2, "words": 3, "kg_path": 4, "image_region": 2, "literature": 2, "case": 2}


_SEXES = {"F": "female", "M": "male"}
# Of a sentence's words, those that are shown: the ones that speak loudest its way.
_MOST_WORDS = 5


class Taken(NamedTuple):
    """A piece that is taken out of the case itself: a finding (its CURIE), "age" or "sex" of the person, or the words
    of a sentence."""

    kind: Literal["finding", "person", "words"]
    reference: str
    text: str


def age_words(years: float) -> str:
    """ "59 years", "5 months", "3 days"."""
    if years >= 2:
        return f"{years:.0f} years"
    if years >= 1 / 12:
        return f"{years * 12:.0f} months"
    days = round(years * 365.25)
    return f"{days} day{'' if days == 1 else 's'}"


class Scales:
    """Weighs the evidence of candidates by scoring them again without it."""

    def __init__(self, room: WorkupRoom, scorer: Scorer) -> None:
        self.room, self.scorer = room, scorer

    def weigh(
        self, workup: Workup, found: Retrieved, chosen: Sequence[int], scores: np.ndarray
    ) -> dict[int, tuple[Evidence, ...]]:
        """For each chosen candidate (its place in ``workup``), its pieces of evidence by falling absolute weight, ties
        by kind and reference; ``scores`` float (candidates,) are those with everything.

        A branch is masked; a finding is taken out of the case altogether, with its mention, its share of the graph's
        score and all branches that hang on it; so is the age or the sex. The words of a sentence are taken out of the
        graph's score; the network still reads the note.
        """
        asked: list[tuple[int, Branch | Taken, Question]]
        asked = [
            *self._masked(workup, chosen),
            *self._taken_out(workup, found, chosen),
            *self._unsaid(workup, chosen),
        ]
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
    ) -> Iterator[tuple[int, Taken, Question]]:
        diseases = [workup.candidates[i].curie for i in chosen]
        for piece in self._pieces(workup.case):
            case = workup.case.without(piece.reference)
            listed = list(zip(diseases, self.room.features(case, diseases), strict=True))
            if self.scorer.gate(case):
                papers, similar = found.paper_branches, found.case_branches
                without = self.room.lay_out(case, listed, papers=papers, cases=similar)
            else:  # the branches are not looked at
                without = self.room.bare(case, listed)
            for i, candidate in zip(chosen, without.candidates[:-1], strict=True):
                yield i, piece, Question(workup=without, candidate=candidate)

    def _unsaid(self, workup: Workup, chosen: Sequence[int]) -> Iterator[tuple[int, Taken, Question]]:
        """Each sentence with the question without its words, the words of the heaviest."""
        parts = self.room.words_of(workup.case, [workup.candidates[i].curie for i in chosen])
        for passage in workup.case.passages:
            for place, i in enumerate(chosen):
                candidate = workup.candidates[i]
                if not (part := parts[passage.reference][place]):
                    continue
                features = candidate.features.copy()
                features[WORDS] -= part
                words = self.room.words_for(candidate.curie, passage)
                shown = words[:_MOST_WORDS] if part > 0 else words[: -_MOST_WORDS - 1 : -1]
                piece = Taken("words", passage.reference, f"words of the note: {', '.join(shown)}")
                yield i, piece, Question(workup=workup, candidate=replace(candidate, features=features))

    def _pieces(self, case: Case) -> Iterator[Taken]:
        """What can be taken out of a case: its findings, its age, its sex."""
        for observed in case.observed:
            if observed.presence != "uncertain" or observed.odds_ratio not in (None, 1.0):
                name = self.room.graph.name(self.room.graph.node(observed.curie))
                yield Taken("finding", observed.curie, f"{name}: {observed.presence}")
        if case.age is not None:
            yield Taken("person", "age", f"age: {age_words(case.age)}")
        if case.sex in _SEXES:
            yield Taken("person", "sex", f"sex: {_SEXES[case.sex]}")

    @staticmethod
    def _evidence(piece: Branch | Taken, weight: float) -> Evidence:
        stance: Stance = "supports" if weight > 0 else "contradicts"
        if isinstance(piece, Taken):
            return Evidence(kind=piece.kind, reference=piece.reference, text=piece.text, stance=stance, weight=weight)
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
