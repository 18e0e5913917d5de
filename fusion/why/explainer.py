"""Why a diagnosis, why not another, and what if a finding were different: answers measured by scoring again.

Of a saved report, every run does without the note's words and the image regions unless they are given again
(``fusion.intake.Intake.recall``), and the answer says so.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from errors import InputError, UnknownConceptError
from fusion.calibration import Calibration
from fusion.diagnosis import Diagnosis, Evidence
from fusion.evidence_search import Retrieved
from fusion.intake import Recalled
from fusion.pipeline import SHORTLIST, Pipeline
from fusion.scorer import Question
from fusion.weighing import LEAST_WEIGHT
from fusion.why.answer import Change, Comparison, Interaction, Shift, WhatIf, Why, WhyNot
from fusion.workup import Case, Observed, Workup, observations
from kg.triple import Triple
from kg.weight_of_evidence import WeightOfEvidence
from ontologies.concept import Presence
from ontologies.sources.pinned import SOURCES

# Pieces whose joint removal is tried for interactions, and what share of their sum counts as one.
_PAIRED = 4
_INTERACTION = 0.1
# A finding is typical of a disease from this frequency on (HPO's "frequent" starts at 30 %).
_TYPICAL = 0.3
_MOST_EXPECTED = 6
# Two names are alike from this share of letters in common on (difflib's ratio).
_SIMILAR = 0.75
_MOST_SIMILAR = 3
_MOST_SHIFTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """A case laid out and scored. ``ranked``: positions of the candidates by falling score, ties by CURIE."""

    workup: Workup
    found: Retrieved
    calibration: Calibration
    scores: np.ndarray
    probabilities: np.ndarray
    ranked: tuple[int, ...]

    def curie(self, rank: int) -> str:
        return self.workup.candidates[self.ranked[rank]].curie

    def standings(self) -> dict[str, tuple[int | None, float]]:
        """Disease → (rank, probability)."""
        candidates = self.workup.candidates
        return {candidates[i].curie: (r, float(self.probabilities[i])) for r, i in enumerate(self.ranked, 1)}

    def place(self, disease: str) -> int | None:
        """Position of a disease among the candidates, or None."""
        return next((i for i, c in enumerate(self.workup.candidates) if c.curie == disease), None)


class Explainer:
    """Explains the diagnoses of one case.

    ``warnings`` of ``recalled`` are repeated in every answer. Raises InputError when the case says nothing to reason
    from.
    """

    def __init__(self, pipeline: Pipeline, recalled: Recalled) -> None:
        case = recalled.case
        if not observations(case):
            raise InputError("the case has no finding to reason from", expected="a finding that is present or absent")
        self.pipeline, self.graph, self.case = pipeline, pipeline.graph, case
        self.embedding, self.warnings = recalled.embedding, recalled.warnings
        self.now = self._score(case)

    @property
    def standings(self) -> Mapping[str, tuple[int | None, float]]:
        """Disease of the shortlist (canonical CURIE) → (rank, probability)."""
        return self.now.standings()

    @property
    def none_of_these(self) -> float:
        """Probability of "none of these"."""
        return float(self.now.probabilities[-1])

    @property
    def evidence(self) -> WeightOfEvidence:
        """What the graph's frequencies weigh in front of a patient."""
        judge = self.pipeline.room.evidence
        if judge is None:
            raise RuntimeError("a patient is weighed by the graph's frequencies, and this room has none")
        return judge

    def annotated(self, curie: str) -> bool:
        """Whether a source says what the disease (canonical CURIE) looks like, so that it can be a candidate."""
        diseases, node = self.pipeline.room.disease, self.graph.node(curie)
        at = int(np.searchsorted(diseases, node))
        return at < len(diseases) and int(diseases[at]) == node

    def compared(self, one: str, other: str) -> tuple[Comparison, ...]:
        """What each finding of the case weighs for ``one`` and, as ``weight_for_first``, for ``other`` (canonical
        CURIEs of annotated diseases), by falling difference: what speaks most for ``one`` comes first."""
        names = list(dict.fromkeys([*self.standings, one, other]))
        found = self.pipeline.search.search(self.case, names, embedding=self.embedding)
        scored = self._scored(self.lay_out(self.case, names, found), found)
        place, second = scored.place(one), scored.place(other)
        if place is None or second is None:
            raise RuntimeError(f"{one} and {other} were laid out and are not among the candidates")
        return tuple(reversed(self._comparisons(scored, place, second)))

    # --- why

    def why(self, disease: str | None = None) -> Why:
        """The evidence of a diagnosis (a CURIE or name; None: the first) and its interactions.

        Raises InputError when the disease is unknown or not on the shortlist (``why_not`` answers then).
        """
        now = self.now
        place = now.ranked[0] if disease is None else now.place(self.graph.find(disease))
        if place is None:
            run = f'whydx why-not CASE "{disease}"'
            raise InputError("not among the diagnoses", value=disease, expected="one on the shortlist", run=run)
        evidence = self.pipeline.scales.weigh(now.workup, now.found, [place], now.scores)[place]
        by_kind: dict[str, float] = {}
        for piece in evidence:
            by_kind[piece.kind] = by_kind.get(piece.kind, 0.0) + piece.weight
        diagnosis = Diagnosis(
            concept=self.graph.concept(now.workup.candidates[place].curie),
            probability=float(now.probabilities[place]),
            rank=now.ranked.index(place) + 1,
            score=float(now.scores[place]),
            evidence=evidence,
            conformal_member=bool(now.probabilities[place] >= now.calibration.conformal_threshold),
            with_kinds=self.pipeline.with_kinds(now.workup, now.probabilities, place),
        )
        return Why(
            diagnosis=diagnosis,
            by_kind=by_kind,
            interactions=self._interactions(diagnosis),
            warnings=self.warnings,
        )

    def _interactions(self, diagnosis: Diagnosis) -> tuple[Interaction, ...]:
        pairs = list(itertools.combinations(diagnosis.why[:_PAIRED], 2))
        without = self.pipeline.scorer.scores([self.without(diagnosis.concept.curie, pair) for pair in pairs])
        found = []
        for (one, two), score in zip(pairs, without, strict=True):
            together, apart = diagnosis.score - float(score), one.weight + two.weight
            if abs(together - apart) > max(LEAST_WEIGHT, _INTERACTION * (abs(one.weight) + abs(two.weight))):
                found.append(Interaction(first=one.text, second=two.text, together=together, apart=apart))
        return tuple(sorted(found, key=lambda i: (-abs(i.together - i.apart), i.first, i.second)))

    def without(self, disease: str, pieces: Sequence[Evidence]) -> Question:
        """The disease (canonical CURIE) without several pieces of its evidence at once."""
        case = self.case
        for piece in pieces:
            case = case.without(piece.reference) if piece.kind in ("finding", "person", "words") else case
        workup = self.lay_out(case, [disease])
        candidate = workup.candidates[0]
        gone = {(p.kind, p.reference) for p in pieces}
        removed = tuple(n for n, b in enumerate(candidate.branches) if (b.kind, b.reference) in gone)
        return Question(workup=workup, candidate=candidate, removed=removed)

    # --- why not

    def why_not(self, disease: str) -> WhyNot:
        """Why ``disease`` (a CURIE or name) is not the first diagnosis; an unknown name is an answer, not an error."""
        first = self.graph.concept(self.now.curie(0))
        built_from = {s.name: s.version for s in SOURCES}
        try:
            curie = self.graph.find(disease)
        except UnknownConceptError:
            return WhyNot(
                asked=disease,
                status="not in the graph",
                first=first,
                suggestions=self._similar(disease),
                sources=built_from,
                warnings=self.warnings,
            )
        concept, room = self.graph.concept(curie), self.pipeline.room
        everyone = room.disease[room.order(self.case)[0]]
        at = np.flatnonzero(everyone == self.graph.node(curie))
        if not len(at):
            return WhyNot(
                asked=disease,
                status="not annotated",
                disease=concept,
                first=first,
                candidates=len(everyone),
                suggestions=self._similar(disease),
                sources=built_from,
                warnings=self.warnings,
            )
        now = self.now if self.now.place(curie) is not None else self._score(self.case, also=curie)
        place, best = now.place(curie), now.ranked[0]
        if place is None:
            raise RuntimeError(f"{curie} was laid out and is not among the candidates")
        excluding = self._excluding(curie)
        return WhyNot(
            asked=disease,
            status="excluded" if excluding else "ranked" if now is self.now else "low",
            disease=concept,
            first=first,
            rank=int(at[0]) + 1,
            candidates=len(everyone),
            shortlist_rank=now.ranked.index(place) + 1,
            probability=float(now.probabilities[place]),
            score_gap=float(now.scores[best] - now.scores[place]),
            comparisons=self._comparisons(now, place, best),
            expected=self.expected(curie),
            excluding=excluding,
            sources=built_from,
            warnings=self.warnings,
        )

    def _comparisons(self, now: _Scored, place: int, best: int) -> tuple[Comparison, ...]:
        diseases = [now.workup.candidates[place].curie, now.workup.candidates[best].curie]
        told = [o for o in self.case.observed if o.presence != "uncertain" or o.odds_ratio not in (None, 1.0)]
        questions = []
        for observed in told:
            workup = self.lay_out(self.case.without(observed.curie), diseases)
            questions += [Question(workup=workup, candidate=c) for c in workup.candidates[:-1]]
        changed = self.pipeline.scorer.scores(questions).reshape(-1, 2)
        rows = [
            Comparison(
                finding=self._name(observed.curie),
                presence=observed.presence,
                weight=float(now.scores[place] - without[0]),
                weight_for_first=float(now.scores[best] - without[1]),
            )
            for observed, without in zip(told, changed, strict=True)
        ]
        return tuple(sorted(rows, key=lambda r: (r.weight - r.weight_for_first, r.finding)))

    def _similar(self, name: str) -> tuple[str, ...]:
        """Names of annotated diseases that hold ``name`` (the shortest first), else those spelt much like it (the
        nearest first); at most three, () when there is none."""
        wanted = name.casefold()
        names = {self.graph.name(int(n)).casefold(): int(n) for n in self.pipeline.room.disease}
        near = sorted((n for n in names if wanted in n), key=lambda n: (len(n), n))
        near = near or difflib.get_close_matches(wanted, sorted(names), n=_MOST_SIMILAR, cutoff=_SIMILAR)
        return tuple(self.graph.name(names[n]) for n in near[:_MOST_SIMILAR])

    def _excluding(self, disease: str) -> tuple[Triple, ...]:
        """Annotations that say the disease never shows what the case has (or something above it)."""
        present = [o.curie for o in self.case.observed if o.presence == "present"]
        shown = set().union(*(self.graph.ancestors(c) for c in present))
        return tuple(t for t in self.graph.triples(disease, "excludes_phenotype") if t.object in shown)

    def expected(self, disease: str) -> tuple[Triple, ...]:
        """What the disease typically shows and the case does not have: absent, or never looked for."""
        present = [o.curie for o in self.case.observed if o.presence == "present"]
        shown = set().union(*(self.graph.ancestors(c) for c in present))
        typical = [
            t
            for t in self.graph.triples(disease, "has_phenotype")
            if (t.frequency or 0.0) >= _TYPICAL and t.object not in shown
        ]
        typical.sort(key=lambda t: (-(t.frequency or 0.0), t.object_name, t.source))
        most_often: dict[str, Triple] = {}
        for triple in typical:
            most_often.setdefault(triple.object, triple)
        return tuple(most_often.values())[:_MOST_EXPECTED]

    # --- what if

    def finding(self, name: str) -> str:
        """The canonical CURIE of a finding: the one of the case whose name holds ``name``, else a CURIE or name of the
        graph. Raises UnknownConceptError or InputError as ``KnowledgeGraph.find`` does."""
        named = {o.curie: self._name(o.curie).casefold() for o in self.case.observed}
        held = [curie for curie, full in named.items() if name.casefold() in full]
        return held[0] if len(held) == 1 else self.graph.find(name)

    def changes(
        self, present: Sequence[str] = (), absent: Sequence[str] = (), unknown: Sequence[str] = ()
    ) -> dict[str, Presence]:
        """What ``what_if`` takes, of findings by name. Raises InputError when one is given as two things."""
        named: tuple[tuple[Sequence[str], Presence], ...] = (
            (present, "present"),
            (absent, "absent"),
            (unknown, "not assessed"),
        )
        found: dict[str, Presence] = {}
        for names, presence in named:
            for name in names:
                curie = self.finding(name)
                if found.setdefault(curie, presence) != presence:
                    raise InputError("a finding cannot be two things", value=name, expected="--present or --absent")
        return found

    def what_if(self, changes: Mapping[str, Presence], *, age: float | None = None, sex: str | None = None) -> WhatIf:
        """The case with findings (canonical CURIE → presence; "not assessed" takes one out), age or sex changed.

        Raises InputError when nothing changes, or nothing is left to reason from.
        """
        case = self.changed(changes)
        case = replace(case, age=case.age if age is None else age, sex=sex or case.sex)
        if case == self.case:
            raise InputError("nothing would change", expected="a finding that the case does not have, or has otherwise")
        if not observations(case):
            raise InputError("nothing would be left to reason from", expected="a finding that stays")
        now = {o.curie: o.presence for o in self.case.observed}
        return self.beside(
            case,
            tuple(
                Change(finding=self.graph.concept(c), before=now.get(c, "not assessed"), after=p)
                for c, p in sorted(changes.items())
                if now.get(c, "not assessed") != p
            ),
        )

    def beside(self, case: Case, changes: tuple[Change, ...]) -> WhatIf:
        """Another case than this one, in which ``changes`` are different: each disease here and there."""
        after = self._score(case)
        before, later = self.now.standings(), after.standings()
        shifts = []
        for curie in sorted({*before, *later}):
            was, becomes = before.get(curie, (None, 0.0)), later.get(curie, (None, 0.0))
            shifts.append(
                Shift(
                    disease=self.graph.concept(curie),
                    rank_before=was[0],
                    rank_after=becomes[0],
                    probability_before=was[1],
                    probability_after=becomes[1],
                )
            )
        far = len(shifts) + 1
        shifts.sort(key=lambda s: (s.rank_after or far, s.rank_before or far))
        kept = [s for s in shifts if min(s.rank_before or far, s.rank_after or far) <= _MOST_SHIFTS]
        return WhatIf(
            changes=changes,
            shifts=tuple(kept),
            none_before=float(self.now.probabilities[-1]),
            none_after=float(after.probabilities[-1]),
            warnings=self.warnings,
        )

    # --- shared

    def changed(self, changes: Mapping[str, Presence]) -> Case:
        kept = [o for o in self.case.observed if changes.get(o.curie, o.presence) == o.presence]
        known = {o.curie for o in kept}
        added = [Observed(curie=c, presence=p) for c, p in changes.items() if c not in known and p != "not assessed"]
        return replace(self.case, observed=tuple(sorted((*kept, *added), key=lambda o: o.curie)))

    def lay_out(self, case: Case, diseases: Sequence[str], found: Retrieved | None = None) -> Workup:
        found = found or self.now.found
        features = self.pipeline.room.features(case, diseases)
        listed = list(zip(diseases, features, strict=True))
        return self.pipeline.room.lay_out(case, listed, papers=found.paper_branches, cases=found.case_branches)

    def _score(self, case: Case, also: str | None = None) -> _Scored:
        """The case's shortlist, with the disease ``also`` when it is not on it."""
        if also is None:
            workup, found = self.pipeline.lay_out(case, self.embedding)
        else:
            names = [c for c, _ in self.pipeline.room.shortlist(case, SHORTLIST)] + [also]
            found = self.pipeline.search.search(case, names, embedding=self.embedding)
            workup = self.lay_out(case, names, found)
        return self._scored(workup, found)

    def _scored(self, workup: Workup, found: Retrieved) -> _Scored:
        scores = self.pipeline.scorer.scores([Question(workup=workup, candidate=c) for c in workup.candidates])
        order = sorted(range(len(scores) - 1), key=lambda i: (-scores[i], workup.candidates[i].curie))
        calibration = self.pipeline.calibrations.of(workup.case.worded, workup.case.imaged)
        known = self.pipeline.room.known(workup.case, [c.curie for c in workup.candidates[:-1]])
        return _Scored(
            workup=workup,
            found=found,
            calibration=calibration,
            scores=scores,
            probabilities=calibration.probabilities(scores, known),
            ranked=tuple(order),
        )

    def _name(self, curie: str) -> str:
        return self.graph.name(self.graph.node(curie))
