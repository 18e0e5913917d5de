"""The smallest change of findings that changes the first diagnosis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from fusion.scorer import Question
from fusion.why.answer import Counterfactual, WhatIf
from fusion.why.explainer import Explainer
from fusion.workup import observations
from ontologies.concept import Presence

_RUNNERS_UP = 3
_BEST_SINGLES = 6
_MOST_FLIPS = 3


def smallest_change(explainer: Explainer) -> Counterfactual:
    """Single findings are tried, then pairs of the six that bring it nearest.

    Tried are: each finding of the case taken out, or turned over; what the runners-up typically show and the case
    does not have, found present; what the first typically shows and the case does not have, found absent. A change
    counts when the whole run confirms it, with its own shortlist and search.
    """
    singles = _possible_changes(explainer)
    margins = _margins(explainer, [dict([change]) for change in singles])
    order = sorted(range(len(singles)), key=lambda i: (-margins[i], singles[i]))
    tried = len(singles)
    flips = _confirmed(explainer, [dict([singles[i]]) for i in order if margins[i] > 0])
    if not flips:
        best = [singles[i] for i in order[:_BEST_SINGLES]]
        pairs = [dict(pair) for pair in itertools.combinations(best, 2) if pair[0][0] != pair[1][0]]
        margins = _margins(explainer, pairs)
        tried += len(pairs)
        order = sorted(range(len(pairs)), key=lambda i: (-margins[i], sorted(pairs[i].items())))
        flips = _confirmed(explainer, [pairs[i] for i in order if margins[i] > 0])
    first = explainer.graph.concept(explainer.now.curie(0))
    return Counterfactual(first=first, flips=flips, tried=tried, warnings=explainer.warnings)


def _possible_changes(explainer: Explainer) -> list[tuple[str, Presence]]:
    found: dict[tuple[str, Presence], None] = {}
    has = {o.curie for o in explainer.case.observed}
    for observed in explainer.case.observed:
        turned: Presence = "absent" if observed.presence == "present" else "present"
        found |= {(observed.curie, "not assessed"): None, (observed.curie, turned): None}
    runners_up = [explainer.now.curie(r) for r in range(1, min(_RUNNERS_UP + 1, len(explainer.now.ranked)))]
    for disease in runners_up:
        found |= {(t.object, "present"): None for t in explainer.expected(disease) if t.object not in has}
    found |= {(t.object, "absent"): None for t in explainer.expected(explainer.now.curie(0)) if t.object not in has}
    return sorted(found)


def _margins(explainer: Explainer, changes: Sequence[Mapping[str, Presence]]) -> np.ndarray:
    """float64: by how much the best runner-up would pass the first, with the papers and cases already found;
    negative when it would not, -inf when nothing would be left."""
    several = [explainer.now.curie(r) for r in range(min(_RUNNERS_UP + 1, len(explainer.now.ranked)))]
    if len(several) < 2:
        return np.full(len(changes), -np.inf)
    cases = [explainer.changed(c) for c in changes]
    questions = []
    for case in cases:
        workup = explainer.lay_out(case, several)
        questions += [Question(workup=workup, candidate=c) for c in workup.candidates[:-1]]
    scores = explainer.pipeline.scorer.scores(questions).reshape(-1, len(several))
    told = np.array([bool(observations(case)) for case in cases])
    return np.where(told, scores[:, 1:].max(1) - scores[:, 0], -np.inf)


def _confirmed(explainer: Explainer, changes: Sequence[Mapping[str, Presence]]) -> tuple[WhatIf, ...]:
    """Those that a whole run confirms, at most three, by falling probability of the new first."""
    found = []
    for change in changes[: 2 * _MOST_FLIPS]:
        answer = explainer.what_if(change)
        if answer.shifts[0].rank_before != 1:
            found.append(answer)
        if len(found) == _MOST_FLIPS:
            break
    return tuple(sorted(found, key=lambda a: (-a.shifts[0].probability_after, a.changes[0].finding.curie)))
