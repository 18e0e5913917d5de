"""Which diseases are most like a disease, and what tells them apart.

How far a patient of disease d speaks for d and against e is, on average over what d's patients show,

    D(d, e) = Σ_q f_d(q) [W(q, d) - W(q, e)]

with the frequency f_d of finding q and its weight of evidence W (`kg.weight_of_evidence`): a sum of expected log
likelihood ratios, in nats, after Kullback and Leibler (1951), over the findings that d itself is annotated with. The
rivals of d are the diseases with the smallest D.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kg.graph import KnowledgeGraph
from kg.weight_of_evidence import WeightOfEvidence
from ontologies.concept import Concept

_TOLD_BY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """A finding that tells two diseases apart: by how many nats its presence speaks for the one that has it more often,
    and how often each shows it."""

    finding: str
    name: str
    weight: float
    frequency: float
    frequency_in_rival: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A disease like the one in question: the ``distance`` D in nats, what speaks ``for_it`` (the disease in question,
    not the rival), and what speaks ``for_rival``; the most telling first, by weight times frequency."""

    concept: Concept
    distance: float
    for_it: tuple[Telling, ...]
    for_rival: tuple[Telling, ...]


def rivals(evidence: WeightOfEvidence, disease: str, others: Sequence[str], k: int = 5) -> tuple[Rival, ...]:
    """The ``k`` of ``others`` (canonical CURIEs of annotated diseases) hardest to tell from ``disease``, nearest
    first, ties by CURIE; neither the disease itself nor its kinds nor what it is a kind of. () when it has no findings.
    Raises InputError for a CURIE the graph does not know."""
    graph, annotations = evidence.graph, evidence.annotations
    above = graph.ancestors(disease)
    apart = sorted(o for o in set(others) if o not in above and disease not in graph.ancestors(o))
    rows = np.searchsorted(annotations.disease, [graph.node(o) for o in apart])
    own = int(np.searchsorted(annotations.disease, graph.node(disease)))
    terms, frequency = _direct(evidence, own)
    if not len(terms) or not apart:
        return ()
    weights = [np.log(evidence.frequency(int(q)) / evidence.background(int(q))) for q in terms]
    distance = sum(f * (w[own] - w[rows]) for f, w in zip(frequency, weights, strict=True))
    nearest = np.argsort(distance, kind="stable")[:k]
    return tuple(
        Rival(
            concept=graph.concept(apart[i]),
            distance=float(distance[i]),
            for_it=_telling(evidence, own, int(rows[i])),
            for_rival=_telling(evidence, int(rows[i]), own),
        )
        for i in nearest.tolist()
    )


def _direct(evidence: WeightOfEvidence, row: int) -> tuple[np.ndarray, np.ndarray]:
    annotations = evidence.annotations
    part = slice(annotations.direct_indptr[row], annotations.direct_indptr[row + 1])
    return annotations.direct_term[part], annotations.direct_frequency[part].astype(np.float64)


def _telling(evidence: WeightOfEvidence, row: int, other: int) -> tuple[Telling, ...]:
    """What the disease in ``row`` shows and that in ``other`` shows less often."""
    graph: KnowledgeGraph = evidence.graph
    found = []
    for node, frequency in zip(*_direct(evidence, row), strict=True):
        p = evidence.frequency(int(node))
        weight = float(np.log(p[row] / p[other]))
        if weight > 0:
            found.append(
                Telling(
                    finding=graph.curie(int(node)),
                    name=graph.name(int(node)),
                    weight=weight,
                    frequency=float(frequency),
                    frequency_in_rival=evidence.annotations.frequency_of(other, int(node)),
                )
            )
    found.sort(key=lambda t: (-t.weight * t.frequency, t.finding))
    return tuple(found[:_TOLD_BY])
