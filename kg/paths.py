"""The few paths through the graph that best explain how a finding points to a disease, or any concept to any other.

Between a finding and an annotated disease a path climbs from the finding to a concept it shares with an annotation of
the disease, descends to that annotation, and crosses to the disease; the annotation may belong to a kind of the disease
or to what the disease is a kind of:

    finding ─is_a→ … → shared ←is_a─ … ← annotation ←has_phenotype─ disease ─is_a→ …

Its cost is the information lost on the way up and down (Jiang and Conrath's distance, 1997: IC(finding) +
IC(annotation) - 2 IC(shared)), plus -ln of the annotation's frequency, plus a fixed cost for each edge. What a source
says of the two themselves comes first, then the least cost. Where there is no such path, ``kg.walks`` finds walks over
any predicate.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np

from errors import InputError
from kg.annotations import UNSTATED_FREQUENCY
from kg.graph import KnowledgeGraph
from kg.triple import KGPath, Triple
from kg.walks import Walk, WalkSearch

_EDGE_COST = 0.1
_DISEASE_EDGE_COST = 1.0
# Below this information content a shared ancestor ("abnormality of the respiratory system") explains nothing.
_LEAST_SHARED_INFORMATION = 3.0
# A further path that climbs and comes down again meets at a concept nearly as telling as its two ends, and at one where
# no other path does; what is rarely seen is no further path.
_LEAST_SHARED_SHARE = 0.9
_RARE = 0.05
MAX_HOPS = 4

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
    frequency: np.ndarray  # float64 (A,)
    base_cost: np.ndarray  # float64 (A,): frequency and disease edges
    ancestors: np.ndarray  # int32, all terms' ancestors
    starts: np.ndarray  # int64 (A,): where each term's ancestors begin
    chains: dict[int, tuple[tuple[int, bool], ...]]  # annotator → steps on to the disease


def _phrase(triple: Triple, inverted: bool) -> str:
    often = frequency_words(triple.frequency)
    if triple.predicate == "is_a":
        return f"has the kind {triple.subject_name}" if inverted else f"is a kind of {triple.object_name}"
    if inverted:
        return f"is {often} seen in {triple.subject_name}" if often else f"is seen in {triple.subject_name}"
    return f"{often} shows {triple.object_name}" if often else f"shows {triple.object_name}"


def predicate_words(predicate: str) -> str:
    """A predicate as words: "has_finding_site" → "has finding site"."""
    return predicate.replace("_", " ").strip().lower()


def path_text(start: str, triples: tuple[Triple, ...], inverted: tuple[bool, ...]) -> str:
    """The path as a reader would say it: "Kerley B lines is a kind of … is often seen in heart failure"; over other
    predicates than these two with arrows: "Pneumonia → finding site of → Lung ← part of ← Lobe"."""
    if all(t.predicate in ("is_a", "has_phenotype") for t in triples):
        phrases = [_phrase(t, i) for t, i in zip(triples, inverted, strict=True)]
        return ", which ".join([f"{start} {phrases[0]}", *phrases[1:]])
    words = [start]
    for triple, against in zip(triples, inverted, strict=True):
        arrow, name = ("←", triple.subject_name) if against else ("→", triple.object_name)
        words.append(f"{arrow} {predicate_words(triple.predicate)} {arrow} {name}")
    return " ".join(words)


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
        below = graph.neighbours(disease, "is_a", inverse=True)
        related = np.unique(np.concatenate([[disease], graph.ancestor_nodes(disease), below])).astype(np.int64)
        edge, which = graph.edges_from(related, "has_phenotype")
        annotator = related[which]
        chains = {a: self._chain(a, disease) for a in np.unique(annotator).tolist()}
        term = graph.object_of(edge).astype(np.int64)
        frequency = graph.frequency_of(edge).astype(np.float64)
        frequency = np.maximum(np.where(np.isnan(frequency), UNSTATED_FREQUENCY, frequency), 0.01)
        away = np.array([len(chains[a]) for a in annotator.tolist()], np.float64)
        above = [graph.ancestor_nodes(t) for t in term.tolist()]
        starts = np.cumsum([0, *(len(x) for x in above)])[:-1].astype(np.int64)
        kept = _Annotations(
            edge, term, annotator, frequency, _DISEASE_EDGE_COST * away - np.log(frequency),
            np.concatenate([np.zeros(0, np.int32), *above]), starts, chains,
        )  # fmt: skip
        self._diseases[disease] = kept
        return kept

    def explain(self, finding: str, disease: str, k: int = 5, max_hops: int | None = None) -> tuple[KGPath, ...]:
        """The ``k`` best paths of at most ``max_hops`` edges (None: any) from ``finding`` to ``disease`` (any CURIEs),
        each over another annotation; what the disease itself is annotated with the finding first, then the cheapest,
        ties by CURIE.

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
        order = np.lexsort((annotations.edge, annotations.annotator, term, cost, ~(direct & self._own(goal))))
        paths: list[KGPath] = []
        used: set[int] = set()
        for i in order[usable[order]].tolist():
            if int(term[i]) in used:
                continue
            shared = np.intersect1d(above_start, graph.ancestor_nodes(int(term[i])), assume_unique=True)
            # What nobody else is annotated with is as informative as what lies below it: the nearer one wins.
            near = (shared == start) | (shared == int(term[i]))
            meet = int(shared[np.lexsort((shared, ~near, -information[shared]))[0]])
            if paths and annotations.frequency[i] < _RARE:
                continue
            if paths and meet not in (start, int(term[i])):
                if meet in used or information[meet] < _LEAST_SHARED_SHARE * max(information[[start, int(term[i])]]):
                    continue
                used.add(meet)
            chain = annotations.chains[int(annotations.annotator[i])]
            path = self._path(start, int(term[i]), meet, int(annotations.edge[i]), chain, -float(cost[i]))
            if max_hops is not None and len(path.triples) > max_hops:
                continue
            used.add(int(term[i]))
            paths.append(path)
            if len(paths) == k:
                break
        return tuple(paths)

    def _own(self, disease: int) -> np.ndarray:
        """bool (A,): the annotation is the disease's own."""
        return self._annotations(disease).annotator == disease

    def find(self, start: str, goal: str, k: int = 5, max_hops: int = MAX_HOPS) -> tuple[KGPath, ...]:
        """The ``k`` best paths of at most ``max_hops`` edges between any two concepts: ``explain``, from either end,
        and where it has nothing to say, walks over any predicate. () when nothing connects them."""
        if k < 1 or max_hops < 1:
            raise InputError("no such paths", value=f"k={k}, max_hops={max_hops}", expected="both at least 1")
        found = self.explain(start, goal, k, max_hops)
        if not found:
            found = tuple(self._turned(path) for path in self.explain(goal, start, k, max_hops))
        if not found:
            nodes = self.graph.node(start), self.graph.node(goal)
            found = tuple(self._walked(walk) for walk in WalkSearch(self.graph).walks(*nodes, k, max_hops))
        return found

    def _turned(self, path: KGPath) -> KGPath:
        triples, inverted = path.triples[::-1], tuple(not i for i in reversed(path.inverted))
        start = triples[0].object_name if inverted[0] else triples[0].subject_name
        return replace(path, triples=triples, inverted=inverted, text=path_text(start, triples, inverted))

    def _walked(self, walk: Walk) -> KGPath:
        triples = tuple(self.graph.triple(e) for e in walk.edges)
        text = path_text(self.graph.name(walk.nodes[0]), triples, walk.inverted)
        return KGPath(triples=triples, inverted=walk.inverted, score=-walk.cost, text=text)

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
