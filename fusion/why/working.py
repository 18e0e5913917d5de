"""A clinician's own working differential beside the report's, and where the two part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from errors import InputError, UnknownConceptError
from fusion.diagnosis import Diagnosis, DiagnosticReport
from fusion.why.answer import WhyNot
from fusion.why.explainer import Explainer
from kg.graph import KnowledgeGraph
from ontologies.concept import Concept

Likeness = Literal["same", "kind of it", "wider"]
"""How ours stands to theirs: the same disease, a kind of theirs, or a wider name for theirs."""
_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A disease of the clinician's list, whose place on it is ``rank``: ``disease`` is None where the graph has no such
    name. ``ours``: the diagnosis of the report that it is, or else the first that is a kind of it or that it is a kind
    of, and how these stand (``likeness``). ``why_not``: what keeps it down; None where it is our first."""

    asked: str
    rank: int
    disease: Concept | None
    ours: Diagnosis | None = None
    likeness: Likeness | None = None
    why_not: WhyNot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """``own`` in the clinician's order. ``only_ours``: the diagnoses of the report that are none of them, nor a kind of
    one or a wider name for one, by rank. ``parts_at`` is the first place at which the two lists name different
    diseases, counted from 1; None where the shorter one is the beginning of the other."""

    own: tuple[Own, ...]
    only_ours: tuple[Diagnosis, ...]
    parts_at: int | None


def working(explainer: Explainer, report: DiagnosticReport, names: Sequence[str]) -> Working:
    """``names`` (CURIEs or names, likeliest first) beside the diagnoses of ``report``, whose case ``explainer``
    explains. A name that the graph does not know is an answer, not an error. Raises InputError for more than twelve
    names, for the same disease twice, and for a name that means several."""
    graph = explainer.graph
    if len(names) > _MOST:
        raise InputError("too many diagnoses", value=len(names), expected=f"at most {_MOST} of your own")
    own: list[Own] = []
    for rank, name in enumerate(names, 1):
        if (disease := _known(graph, name)) is None:
            own.append(Own(asked=name, rank=rank, disease=None, why_not=explainer.why_not(name)))
            continue
        if any(o.disease is not None and o.disease.curie == disease.curie for o in own):
            raise InputError("the same disease twice", value=name, expected="each diagnosis once")
        ours, likeness = _met(graph, disease, report.diagnoses)
        first = likeness == "same" and ours is not None and ours.rank == 1
        why_not = None if first else explainer.why_not(disease.curie)
        own.append(Own(asked=name, rank=rank, disease=disease, ours=ours, likeness=likeness, why_not=why_not))
    listed = [o.disease for o in own if o.disease is not None]
    parts_at = None
    for theirs, ours in zip(own, report.diagnoses, strict=False):
        if theirs.disease is None or _likeness(graph, theirs.disease, ours.concept) is None:
            parts_at = theirs.rank
            break
    return Working(
        own=tuple(own),
        only_ours=tuple(
            d for d in report.diagnoses if not any(_likeness(graph, theirs, d.concept) for theirs in listed)
        ),
        parts_at=parts_at,
    )


def _known(graph: KnowledgeGraph, name: str) -> Concept | None:
    try:
        return graph.concept(graph.find(name))
    except UnknownConceptError:
        return None


def _met(
    graph: KnowledgeGraph, disease: Concept, diagnoses: Sequence[Diagnosis]
) -> tuple[Diagnosis | None, Likeness | None]:
    alike = [(d, _likeness(graph, disease, d.concept)) for d in diagnoses]
    for wanted in (("same",), ("kind of it", "wider")):
        for diagnosis, likeness in alike:
            if likeness in wanted:
                return diagnosis, likeness
    return None, None


def _likeness(graph: KnowledgeGraph, theirs: Concept, ours: Concept) -> Likeness | None:
    if ours.curie not in graph:
        return None
    own = graph.resolve(ours.curie)
    if own == theirs.curie:
        return "same"
    if theirs.curie in graph.ancestors(own):
        return "kind of it"
    return "wider" if own in graph.ancestors(theirs.curie) else None
