"""The cheapest walks between any two concepts, over every predicate of the graph, read from its mapped arrays.

A walk costs what its edges cost (a vague predicate more than a telling one, a rare finding more than a frequent one)
and, for every concept it passes through, the logarithm of that concept's degree: a hub explains nothing (the
degree-weighted path counts of Himmelstein and Baranzini 2015). Search goes from both ends and meets in the middle. It
is exact as long as no layer holds more than ``LAYER`` edges; past that, the cheapest concepts of a layer are expanded
first and the rest are left, as are hubs. That keeps a query to milliseconds where degrees have heavy tails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kg.annotations import UNSTATED_FREQUENCY
from kg.graph import KnowledgeGraph

# Edges looked at when a layer is expanded; one that is expanded may not have more than HUB of its own.
LAYER = 40_000
HUB = 4_000
_HUB_WEIGHT = 0.3
# A concept that an earlier path has passed through costs this much more: five paths are to say five things.
_REUSE = 1.0
# Meeting points that are worked out to the end, cheapest first, for each of the k paths.
_TRIED = 40
_PREDICATE_COST = {
    "has_phenotype": 0.1,
    "is_a": 0.5,
    "xref": 0.3,
    "associated_with": 1.2,
    "related_to": 1.5,
    "excludes_phenotype": np.inf,
}
_OTHER_COST = 0.8


@dataclass(frozen=True, slots=True)
class Walk:
    """Edges in the order walked, ``inverted[i]`` when edge i is walked from its object to its subject."""

    cost: float
    nodes: tuple[int, ...]
    edges: tuple[int, ...]
    inverted: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    """Walks of one length from one end: the last step of each. W entries, by node, then cost."""

    node: np.ndarray  # int64 (W,)
    cost: np.ndarray  # float64 (W,): without what the node itself costs
    edge: np.ndarray  # int64 (W,)
    against: np.ndarray  # bool (W,): the edge points back to where the walk comes from
    parent: np.ndarray  # int64 (W,): entry of the layer before


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The integers of [start, start + length) for each pair, end to end."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


class WalkSearch:
    """Finds walks over one graph."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self._cost = np.array([_PREDICATE_COST.get(p, _OTHER_COST) for p in graph.predicates])
        self._shows = graph.predicates.index("has_phenotype") if "has_phenotype" in graph.predicates else -1

    def walks(self, start: int, goal: int, k: int = 5, max_hops: int = 4) -> list[Walk]:
        """The ``k`` best walks of at most ``max_hops`` edges from node to node, cheapest first (ties by nodes), none
        through a concept twice; what repeats concepts of a better one comes later. [] when there is none."""
        if start == goal or k < 1 or max_hops < 1:
            return []
        degree = self.graph.degree(np.array([start, goal]))
        ahead = 0 if degree[0] > HUB >= degree[1] else max_hops // 2 + (degree[0] <= degree[1]) * (max_hops % 2)
        if degree[1] > HUB >= degree[0]:
            ahead = max_hops
        forward = self._layers(start, goal, ahead)
        backward = self._layers(goal, start, max_hops - ahead)
        found: list[Walk] = []
        for length in range(1, max_hops + 1):
            i = min(max(length - len(backward) + 1, (length + 1) // 2), length, len(forward) - 1)
            if length - i < len(backward):
                found += self._joined(forward[: i + 1], backward[: length - i + 1], k)
        found.sort(key=lambda w: (w.cost, w.nodes, w.edges))
        return _diverse(found, k)

    def _layers(self, root: int, other: int, depth: int) -> list[_Layer]:
        none = np.zeros(1, np.int64)
        layers = [_Layer(np.array([root]), np.zeros(1), none, np.zeros(1, bool), none)]
        for _ in range(depth):
            layers.append(self._expanded(layers[-1], root, other))
        return layers

    def _hub_cost(self, nodes: np.ndarray) -> np.ndarray:
        return _HUB_WEIGHT * np.log1p(self.graph.degree(nodes))

    def _expanded(self, layer: _Layer, root: int, other: int) -> _Layer:
        """One step on from the layer's cheapest entries; never through ``other``, never back to ``root``."""
        at_root = len(layer.node) == 1 and layer.node[0] == root
        cost = layer.cost if at_root else layer.cost + self._hub_cost(layer.node)
        degree = self.graph.degree(layer.node)
        chosen = np.flatnonzero((layer.node != other) & ((degree <= HUB) | at_root))
        chosen = chosen[np.lexsort((layer.node[chosen], cost[chosen]))]
        if not at_root:
            chosen = chosen[np.cumsum(degree[chosen]) <= LAYER]
        edge, node, against, which = self.graph.steps(layer.node[chosen])
        parent = chosen[which]
        total = cost[parent] + self._edge_cost(edge)
        keep = (node != root) & np.isfinite(total)
        edge, node, against, parent, total = edge[keep], node[keep], against[keep], parent[keep], total[keep]
        order = np.lexsort((edge, total, node))
        # Three ways to a concept are kept: the cheapest may be closed to a walk that has been there already.
        firsts = np.flatnonzero(np.diff(node[order], prepend=-1))
        rank = np.arange(len(order)) - np.repeat(firsts, np.diff(np.append(firsts, len(order))))
        order = order[rank < 3]
        return _Layer(node[order], total[order], edge[order], against[order], parent[order])

    def _edge_cost(self, edges: np.ndarray) -> np.ndarray:
        predicate, frequency = self.graph.predicate_of(edges), self.graph.frequency_of(edges).astype(np.float64)
        unstated = np.where(predicate == self._shows, UNSTATED_FREQUENCY, 1.0)
        frequency = np.where(np.isnan(frequency), unstated, np.maximum(frequency, 0.01))
        return self._cost[predicate] - np.log(frequency)

    def _joined(self, forward: list[_Layer], backward: list[_Layer], k: int) -> Iterator[Walk]:
        """The walks where the last layers meet, cheapest first; for each meeting point its best few."""
        ahead, behind = forward[-1], backward[-1]
        low = np.searchsorted(behind.node, ahead.node, side="left")
        many = np.searchsorted(behind.node, ahead.node, side="right") - low
        left = np.repeat(np.arange(len(ahead.node)), many)
        right = _ranges(low, many)
        meeting = ahead.node[left]
        cost = ahead.cost[left] + behind.cost[right]
        if len(forward) > 1 and len(backward) > 1:
            cost = cost + self._hub_cost(meeting)
        cost = np.round(cost, 6)
        order = np.lexsort((right, left, cost))[: _TRIED * k]
        for x in order.tolist():
            steps = [(n, e, b) for n, e, b in _back(forward, int(left[x]))]
            rest = [(n, e, b) for n, e, b in _back(backward, int(right[x]))]
            nodes = (*(n for n, _, _ in reversed(steps)), *(n for n, _, _ in rest[1:]))
            if len(set(nodes)) < len(nodes):
                continue
            walked = [(e, b) for _, e, b in reversed(steps[:-1])] + [(e, not b) for _, e, b in rest[:-1]]
            yield Walk(float(cost[x]), nodes, tuple(e for e, _ in walked), tuple(b for _, b in walked))


def _back(layers: list[_Layer], entry: int) -> Iterator[tuple[int, int, bool]]:
    """(node, edge by which it was reached, that edge walked against its direction), from the last layer to the root."""
    for layer in reversed(layers):
        yield int(layer.node[entry]), int(layer.edge[entry]), bool(layer.against[entry])
        entry = int(layer.parent[entry])


def _diverse(found: list[Walk], k: int) -> list[Walk]:
    """The cheapest walk, then each time the one that is cheapest after paying for the concepts already passed."""
    chosen: list[Walk] = []
    used: set[int] = set()
    left = {w.nodes: w for w in reversed(found)}  # of parallel edges the cheapest
    while left and len(chosen) < k:
        best = min(left.values(), key=lambda w: (w.cost + _REUSE * len(used & set(w.nodes[1:-1])), w.nodes))
        chosen.append(best)
        used |= set(best.nodes[1:-1])
        del left[best.nodes]
    return chosen
