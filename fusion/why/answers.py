"""The questions on a report that are likely to be asked, answered beforehand: for a page that cannot ask anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

from fusion.diagnosis import DiagnosticReport
from fusion.why.answer import Change, Informative, WhatIf, WhyNot
from fusion.why.explainer import Explainer
from fusion.why.information import most_informative
from fusion.why.review import facts, told
from ontologies.concept import Presence
from vision.finding import Finding

_MOST_FACTS = 16
_MOST_PAIRS = 6
_MOST_LOOKED_FOR = 5
_MOST_WHY_NOT = 9
Progress = Callable[[str, int, int], None]
Said = Mapping[str, Presence]
"""What the clinician says: CURIE of a fact → present (confirmed) or absent (denied)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The differential when the clinician confirms or denies some facts: what `fusion.why.review.review` would rank."""

    said: Said
    ranking: WhatIf


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedFor:
    """A finding that nobody has told of and that would tell much, and the differential were it there or not."""

    about: Informative
    present: WhatIf
    absent: WhatIf


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """``facts`` are the findings that can be confirmed or denied, in the report's order, at most 16. ``revisions``:
    each fact alone, confirmed and denied where that is news, then pairs of those whose change moves the first diagnosis
    most. ``looked_for``: the most informative findings, best first. ``why_nots``: the diagnoses after the first, then
    the next of the shortlist, in order of rank. ``warnings`` say what it was worked out without."""

    facts: tuple[Finding, ...]
    revisions: tuple[Revision, ...]
    looked_for: tuple[LookedFor, ...]
    why_nots: tuple[WhyNot, ...]
    warnings: tuple[str, ...] = ()


def answers(
    explainer: Explainer, report: DiagnosticReport, note: str | None = None, *, progress: Progress | None = None
) -> Answers:
    """Answers about ``report``, whose case ``explainer`` explains; ``note`` is the note it was made from, if at hand.
    Every one is a whole run, with its own shortlist, search and scores; thirty or forty of them take seconds."""
    graph, known = explainer.graph, facts(report)[:_MOST_FACTS]
    canonical = {f.concept.curie: graph.resolve(f.concept.curie) for f in known if f.concept is not None}
    now = {o.curie: o for o in explainer.case.observed}
    looked = most_informative(explainer, k=_MOST_LOOKED_FOR)
    others = [curie for curie, (rank, _) in _in_order(explainer) if rank != 1][:_MOST_WHY_NOT]
    news: list[tuple[str, Presence]] = [
        (own, presence)
        for own, curie in canonical.items()
        for presence in ("present", "absent")
        if curie in now and (now[curie].presence != presence or now[curie].odds_ratio not in (0.0, float("inf")))
    ]
    total, done = len(news) + 2 * len(looked) + len(others), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress("answers", done, total)

    def revision(said: Said) -> Revision:
        case = explainer.case
        for own, presence in said.items():
            case = told(case, canonical[own], presence, explainer.pipeline.intake, note)
        changes = tuple(
            Change(finding=graph.concept(canonical[own]), before=now[canonical[own]].presence, after=presence)
            for own, presence in said.items()
        )
        return Revision(said=said, ranking=explainer.beside(case, changes))

    single = []
    for own, presence in news:
        single.append(revision({own: presence}))
        step()
    turned = [r for r in single if r.ranking.changes[0].before != r.ranking.changes[0].after]
    turned.sort(key=lambda r: (-_moved(r.ranking), sorted(r.said.items())))
    pairs = [dict(a.said) | dict(b.said) for a, b in combinations(turned, 2) if not a.said.keys() & b.said.keys()]
    looked_for = []
    for about in looked:
        both = []
        for presence in ("present", "absent"):
            both.append(explainer.what_if({about.finding.curie: presence}))
            step()
        looked_for.append(LookedFor(about=about, present=both[0], absent=both[1]))
    why_nots = []
    for curie in others:
        why_nots.append(explainer.why_not(curie))
        step()
    return Answers(
        facts=known,
        revisions=(*single, *map(revision, pairs[:_MOST_PAIRS])),
        looked_for=tuple(looked_for),
        why_nots=tuple(why_nots),
        warnings=explainer.warnings,
    )


def _in_order(explainer: Explainer) -> list[tuple[str, tuple[int | None, float]]]:
    return sorted(explainer.standings.items(), key=lambda item: (item[1][0] or 0, item[0]))


def _moved(ranking: WhatIf) -> float:
    """How much the first diagnosis loses or gains."""
    return max(
        (abs(s.probability_after - s.probability_before) for s in ranking.shifts if s.rank_before == 1), default=0
    )
