"""Identities by union-find, circles cut edge by edge: what ``ontologies/merging/identity.py`` must agree with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

# Links over these systems are accepted first, so that a conflict further down costs the less specific link.
_TRUST = ("UMLS", "HP", "SNOMEDCT", "MONDO", "DOID", "OMIM", "ORPHA", "MESH", "NCIT", "ICD10CM")

Pair = tuple[str, str]


def system_of_curie(curie: str) -> str:
    return curie.partition(":")[0]


class Identities:
    """The classes of CURIEs that one-to-one links make the same; no class has two CURIEs of one system.

    ``links`` are unordered pairs, each written (smaller, larger). ``accepted`` are the links inside a class that
    made it;
    ``refused`` are (link, curie, curie): the one-to-one links that would have joined the two curies of one system.
    """

    def __init__(self, links: Collection[Pair]) -> None:
        self._parent: dict[str, str] = {}
        self._by_system: dict[str, dict[str, str]] = {}
        self.accepted: set[Pair] = set()
        self.refused: list[tuple[Pair, str, str]] = []
        for pair in sorted(_one_to_one(links), key=_trust):
            self._join(pair)

    def members(self, curie: str) -> tuple[str, ...]:
        """The class of ``curie``, sorted; itself alone when nothing is the same."""
        root = self._root(curie)
        return tuple(sorted(self._by_system[root].values())) if root in self._by_system else (curie,)

    def _root(self, curie: str) -> str:
        while (above := self._parent.get(curie, curie)) != curie:
            self._parent[curie] = curie = self._parent.get(above, above)
        return curie

    def _join(self, pair: Pair) -> None:
        one, two = self._root(pair[0]), self._root(pair[1])
        if one != two:
            first = self._by_system.setdefault(one, {system_of_curie(one): one})
            second = self._by_system.setdefault(two, {system_of_curie(two): two})
            if clash := sorted(first.keys() & second.keys()):
                left, right = sorted((first[clash[0]], second[clash[0]]))
                self.refused.append((pair, left, right))
                return
            if len(first) < len(second):
                one, two, first, second = two, one, second, first
            first.update(second)
            self._parent[two] = one
            del self._by_system[two]
        self.accepted.add(pair)


def _trust(pair: Pair) -> tuple[int, int, Pair]:
    ranks = sorted(_TRUST.index(system) if system in _TRUST else len(_TRUST) for system in map(system_of_curie, pair))
    return ranks[1], ranks[0], pair


def _one_to_one(links: Iterable[Pair]) -> list[Pair]:
    """The links between two systems whose ends have no other link into each other's system."""
    into: dict[tuple[str, str], int] = defaultdict(int)  # (curie, other system) → links
    across = [pair for pair in links if system_of_curie(pair[0]) != system_of_curie(pair[1])]
    for left, right in across:
        into[left, system_of_curie(right)] += 1
        into[right, system_of_curie(left)] += 1
    return [
        (left, right)
        for left, right in across
        if into[left, system_of_curie(right)] == 1 and into[right, system_of_curie(left)] == 1
    ]


Key = tuple[str, str, str, str]


def circular(edges: Iterable[Key]) -> list[Key]:
    """The is_a edges (child, predicate, parent, source) to drop so that no concept is above itself; sorted.

    Only edges inside a strongly connected part are looked at; there they are kept in sorted order as long as they
    close no
    circle, so the result does not depend on the order of ``edges``.
    """
    import networkx as nx

    graph = nx.DiGraph()
    keys = sorted(edges)
    graph.add_edges_from((child, parent) for child, _, parent, _ in keys)
    part = {
        node: n for n, nodes in enumerate(nx.strongly_connected_components(graph)) if len(nodes) > 1 for node in nodes
    }
    kept = nx.DiGraph()
    dropped = []
    for key in keys:
        child, _, parent, _ = key
        if child in part and part[child] == part.get(parent):
            if kept.has_node(parent) and kept.has_node(child) and nx.has_path(kept, parent, child):
                dropped.append(key)
            else:
                kept.add_edge(child, parent)
    return dropped
