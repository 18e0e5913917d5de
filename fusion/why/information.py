"""Which finding would tell most about the diagnosis, if it were looked for.

The expected information of a finding q about the disease D, whose current probabilities are P(d), is (Lindley 1956)

    I(D; q) = Σ_o P(o) KL(P(D | o) ‖ P(D)) = H(D) - Σ_o P(o) H(D | o)      o: present, absent

with P(present) = Σ_d P(d) p(q | d) and P(d | o) by Bayes' rule: the expected fall of the differential's entropy, in
bits; a finding that is there or not tells at most one. p(q | d) is the graph's frequency as the ranking uses it
(`kg.weight_of_evidence`), for "none of these" the background b(q). Nothing but the graph is asked; what an answer would
do to the ranking itself is measured by `Explainer.what_if`.

Between two diseases at even odds the same formula is the Jensen–Shannon divergence of q (Lin 1991).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from errors import InputError
from fusion.why.answer import Informative
from fusion.why.explainer import Explainer
from ontologies.chest import layer as chest
from ontologies.chest.table import FindingKind

_LEAST = 1e-4  # bits


def most_informative(
    explainer: Explainer, *, kinds: Collection[FindingKind] = (), k: int = 5
) -> tuple[Informative, ...]:
    """The ``k`` findings not yet known that would tell most about the current differential, best first, ties by CURIE.

    ``kinds``: only findings that are known in this way (a symptom is asked for, a sign looked for); none: any. Of a
    finding and a wider one only the better is named.
    """
    standing = explainer.standings
    diseases = sorted(standing, key=lambda c: (standing[c][0] or 0, c))
    chances = np.array([standing[c][1] for c in diseases] + [explainer.none_of_these])
    return _best(explainer, diseases, chances, kinds, k)


def telling_apart(explainer: Explainer, one: str, other: str, k: int = 5) -> tuple[Informative, ...]:
    """The ``k`` findings not yet known that tell two annotated diseases (canonical CURIEs) apart best, at even odds.

    Raises InputError when one of them is annotated with nothing.
    """
    for disease in (one, other):
        if not explainer.annotated(disease):
            raise InputError("no source says what this disease looks like", value=explainer.graph.concept(disease).name)
    return _best(explainer, [one, other], np.array([0.5, 0.5]), (), k)


def expected_information(chances: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """float64 (Q,), bits: I(D; q) of findings that the candidates, with probabilities ``chances`` (C,), show with
    ``frequency`` (Q, C)."""
    prior = chances / chances.sum()
    total = np.zeros(len(frequency))
    for shown in (frequency, 1 - frequency):
        joint = shown * prior
        chance = joint.sum(1, keepdims=True)
        after = np.divide(joint, chance, out=np.zeros_like(joint), where=chance > 0)
        ratio = np.divide(after, prior, out=np.ones_like(after), where=(after > 0) & (prior > 0))
        total += chance[:, 0] * (after * np.log2(ratio)).sum(1)
    return total


def _best(
    explainer: Explainer, diseases: Sequence[str], chances: np.ndarray, kinds: Collection[FindingKind], k: int
) -> tuple[Informative, ...]:
    graph, evidence, known = explainer.graph, explainer.evidence, finding_kinds(explainer)
    nodes = [q for q in _unknown(explainer, diseases) if not kinds or known.get(graph.curie(q)) in kinds]
    if not nodes:
        return ()
    rows = np.searchsorted(evidence.annotations.disease, [graph.node(d) for d in diseases])
    frequency = np.empty((len(nodes), len(chances)))
    for i, node in enumerate(nodes):
        frequency[i, : len(rows)] = evidence.frequency(node)[rows]
        frequency[i, len(rows) :] = min(evidence.background(node), 1.0)
    gains, odds = expected_information(chances, frequency), frequency @ (chances / chances.sum())
    first = int(np.argmax(chances[: len(rows)]))
    found: list[Informative] = []
    taken: set[int] = set()
    for i in sorted(range(len(nodes)), key=lambda i: (-gains[i], nodes[i])):
        above = set(graph.ancestor_nodes(nodes[i]).tolist())
        if len(found) == k or gains[i] < _LEAST:
            break
        if above & taken or any(nodes[i] in set(graph.ancestor_nodes(t).tolist()) for t in taken):
            continue
        taken.add(nodes[i])
        curie = graph.curie(nodes[i])
        # What its presence would raise most and lower most, beside the first.
        moved = chances[: len(rows)] * (frequency[i, : len(rows)] / odds[i] - 1)
        raised, shown = int(np.argmax(moved)), dict.fromkeys([first, int(np.argmax(moved)), int(np.argmin(moved))])
        stated = {diseases[j]: evidence.annotations.frequency_of(int(rows[j]), nodes[i]) for j in shown}
        found.append(
            Informative(
                finding=graph.concept(curie),
                kind=known.get(curie),
                gain=float(gains[i]),
                chance=float(odds[i]),
                raises=graph.concept(diseases[raised]),
                frequency={graph.concept(d).name: value for d, value in stated.items()},
            )
        )
    return tuple(found)


def _unknown(explainer: Explainer, diseases: Sequence[str]) -> list[int]:
    """Nodes, ascending, of what the diseases are annotated with and nobody has told of: neither known, nor implied by
    what is known, nor one of the candidates or a wider name of one."""
    graph, annotations = explainer.graph, explainer.evidence.annotations
    told = [(graph.node(o.curie), o.presence) for o in explainer.case.observed if o.curie in graph]
    there = {int(a) for node, presence in told if presence == "present" for a in graph.ancestor_nodes(node)}
    gone = {node for node, presence in told if presence == "absent"}
    asked = {int(a) for d in [*explainer.standings, *diseases] for a in graph.ancestor_nodes(graph.node(d))}
    found: set[int] = set()
    for disease in diseases:
        row = int(np.searchsorted(annotations.disease, graph.node(disease)))
        part = slice(annotations.direct_indptr[row], annotations.direct_indptr[row + 1])
        found |= set(annotations.direct_term[part].tolist())
    return sorted(q for q in found - there - asked if not gone & set(graph.ancestor_nodes(q).tolist()))


def finding_kinds(explainer: Explainer) -> Mapping[str, FindingKind]:
    """Canonical CURIE → how a finding of the chest layer comes to be known."""
    graph = explainer.graph
    return {graph.resolve(f.id): f.kind for f in chest.load().findings if f.kind and f.id in graph}
