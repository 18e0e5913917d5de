"""The few paths through the graph that best explain how a finding points to a disease.

A path climbs from the finding to a concept it shares with an annotation of the disease, descends to that annotation,
and crosses to the disease; the annotation may belong to a kind of the disease or to what the disease is a kind of:

    finding ─is_a→ … → shared ←is_a─ … ← annotation ←has_phenotype─ disease ─is_a→ …

Its cost is the information lost on the way up and down (Jiang and Conrath's distance, 1997: IC(finding) +
IC(annotation)
- 2 IC(shared)), plus -ln of the annotation's frequency, plus a fixed cost for each edge. Least cost first.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from kg.annotations import UNSTATED_FREQUENCY
from kg.graph import KnowledgeGraph
from kg.triple import KGPath, Triple

_EDGE_COST = 0.1
_DISEASE_EDGE_COST = 1.0
# Below this information content a shared ancestor ("abnormality of the respiratory system") explains nothing.
_LEAST_SHARED_INFORMATION = 3.0

_FREQUENCY_WORDS = ((0.99, "always"), (0.8, "very often"), (0.3, "often"), (0.05, "sometimes"), (0.0, "rarely"))


def frequency_words(frequency: float | None) -> str:
    """How often, in words that follow HPO's frequency classes (HP:0040279); "" when it is not stated."""
    return "" if frequency is None else next(word for least, word in _FREQUENCY_WORDS if frequency >= least)


def _climb(graph: KnowledgeGraph, start: int, goal: int) -> list[int]:
    """Edge numbers of a shortest is_a chain from ``start`` up to ``goal`` (an ancestor of it); ties by node number."""
    allowed = set(graph.ancestor_nodes(start).tolist())
    queue: list[tuple[int, int, tuple[int, ...]]] = [(0, start, ())]
    visited = set()
    while queue:
        length, node, edges = heapq.heappop(queue)
        if node == goal:
            return list(edges)
        if node in visited:
            continue
        visited.add(node)
        for edge in graph.edges(node, "is_a"):
            parent = int(graph.object_of(edge))
            if parent in allowed:
                heapq.heappush(queue, (length + 1, parent, (*edges, int(edge))))
    return []


@dataclass(frozen=True, slots=True)
class _Annotations:
    """The has_phenotype edges that count for a disease, with the ancestors of their terms laid end to end."""

    edge: np.ndarray  # int64 (A,)
    term: np.ndarray  # int64 (A,)
    annotator: np.ndarray  # int64 (A,): the disease, or one above or just below it
    base_cost: np.ndarray  # float64 (A,): frequency and disease edges
    ancestors: np.ndarray  # int32, all terms' ancestors
    starts: np.ndarray  # int64 (A,): where each term's ancestors begin
    chains: dict[int, tuple[tuple[int, bool], ...]]  # annotator → steps on to the disease


def _phrase(triple: Triple, inverted: bool) -> str:
    if triple.predicate == "is_a":
        return f"has the kind {triple.subject_name}" if inverted else f"is a kind of {triple.object_name}"
    often = frequency_words(triple.frequency)
    return f"is {often} seen in {triple.subject_name}" if often else f"is seen in {triple.subject_name}"


def path_text(start: str, triples: tuple[Triple, ...], inverted: tuple[bool, ...]) -> str:
    """The path as a reader would say it: "Kerley B lines is a kind of … is often seen in heart failure"."""
    return ", which ".join([f"{start} {_phrase(triples[0], inverted[0])}", *map(_phrase, triples[1:], inverted[1:])])


class PathFinder:
    """Explains findings by diseases over one graph; what it works out about a disease is kept for the next question."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self._diseases: dict[int, _Annotations] = {}

    def _chain(self, annotator: int, disease: int) -> tuple[tuple[int, bool], ...]:
        if annotator == disease:
            return ()
        if annotator in self.graph.ancestor_nodes(disease):
            return tuple((e, True) for e in reversed(_climb(self.graph, disease, annotator)))
        return tuple((e, False) for e in _climb(self.graph, annotator, disease))

    def _annotations(self, disease: int) -> _Annotations:
        if disease in self._diseases:
            return self._diseases[disease]
        graph = self.graph
        related = {disease, *graph.ancestor_nodes(disease).tolist()}
        related.update(graph.neighbours(disease, "is_a", inverse=True).tolist())
        by_annotator = {a: graph.edges(a, "has_phenotype") for a in sorted(related)}
        by_annotator = {a: edges for a, edges in by_annotator.items() if len(edges)}
        chains = {a: self._chain(a, disease) for a in by_annotator}
        edge = np.concatenate([np.zeros(0, np.int64), *by_annotator.values()])
        annotator = np.repeat(np.array(list(by_annotator), np.int64), [len(e) for e in by_annotator.values()])
        term = graph.object_of(edge).astype(np.int64)
        frequency = graph.frequency_of(edge).astype(np.float64)
        frequency = np.maximum(np.where(np.isnan(frequency), UNSTATED_FREQUENCY, frequency), 0.01)
        away = np.array([len(chains[a]) for a in annotator.tolist()], np.float64)
        above = [graph.ancestor_nodes(t) for t in term.tolist()]
        starts = np.cumsum([0, *(len(x) for x in above)])[:-1].astype(np.int64)
        kept = _Annotations(
            edge, term, annotator, _DISEASE_EDGE_COST * away - np.log(frequency),
            np.concatenate([np.zeros(0, np.int32), *above]), starts, chains,
        )  # fmt: skip
        self._diseases[disease] = kept
        return kept

    def explain(self, finding: str, disease: str, k: int = 5) -> tuple[KGPath, ...]:
        """The ``k`` cheapest paths from ``finding`` to ``disease`` (any CURIEs), each over another annotation; ties
        by CURIE.

        () when the two share nothing informative. A path's ``score`` is minus its cost. Raises InputError for an
        unknown CURIE.
        """
        graph, information = self.graph, self.graph.information
        start, goal = graph.node(finding), graph.node(disease)
        annotations = self._annotations(goal)
        if not len(annotations.edge):
            return ()
        above_start = graph.ancestor_nodes(start)
        # The shared ancestor with the most information; of several, the first node.
        worth = np.where(np.isin(annotations.ancestors, above_start), information[annotations.ancestors], -1.0)
        best = np.maximum.reduceat(worth, annotations.starts)
        term = annotations.term
        cost = annotations.base_cost + information[start] + information[term] - 2 * best
        direct = term == start
        cost = np.round(cost + _EDGE_COST * (1 + 2 * ~direct), 6)
        usable = (best >= _LEAST_SHARED_INFORMATION) | direct
        usable &= ~((annotations.annotator == start) & (start != goal))
        order = np.lexsort((annotations.edge, annotations.annotator, term, cost))
        paths: list[KGPath] = []
        used: set[int] = set()
        for i in order[usable[order]].tolist():
            if int(term[i]) in used:
                continue
            used.add(int(term[i]))
            shared = np.intersect1d(above_start, graph.ancestor_nodes(int(term[i])), assume_unique=True)
            # What nobody else is annotated with is as informative as what lies below it: the nearer one wins.
            near = (shared == start) | (shared == int(term[i]))
            meet = int(shared[np.lexsort((shared, ~near, -information[shared]))[0]])
            paths.append(
                self._path(
                    start,
                    int(term[i]),
                    meet,
                    int(annotations.edge[i]),
                    annotations.chains[int(annotations.annotator[i])],
                    -float(cost[i]),
                )
            )
            if len(paths) == k:
                break
        return tuple(paths)

    def _path(
        self, start: int, term: int, meet: int, edge: int, chain: tuple[tuple[int, bool], ...], score: float
    ) -> KGPath:
        graph = self.graph
        steps = [(e, False) for e in _climb(graph, start, meet)]
        steps += [(e, True) for e in reversed(_climb(graph, term, meet))]
        steps += [(edge, True), *chain]
        triples = tuple(graph.triple(e) for e, _ in steps)
        inverted = tuple(i for _, i in steps)
        return KGPath(
            triples=triples, inverted=inverted, score=score, text=path_text(graph.name(start), triples, inverted)
        )


def explain(graph: KnowledgeGraph, finding: str, disease: str, k: int = 5) -> tuple[KGPath, ...]:
    """``PathFinder(graph).explain(finding, disease, k)``, for a single question."""
    return PathFinder(graph).explain(finding, disease, k)
