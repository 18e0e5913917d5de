"""Which CURIEs are the same concept, and which is_a edges close a circle; over numbered CURIEs, as arrays.

CURIEs are numbered in their sorted order, so that an order of numbers is an order of CURIEs. Components of the graph of
one-to-one links come from SciPy; only where a component holds two CURIEs of one system, or a hierarchy a circle, are
links looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

# Links over these systems are accepted first, so that a conflict further down costs the less specific link.
_TRUST = ("UMLS", "HP", "SNOMEDCT", "MONDO", "DOID", "OMIM", "ORPHA", "MESH", "NCIT", "ICD10CM")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identities:
    """``label`` int64 (n,): two CURIEs are the same when their labels are. ``accepted`` bool (links,): the links inside
    a class that made it. ``refused``: (link, CURIE, CURIE), the one-to-one links that would have joined the two CURIEs
    of one system, in the order in which they were refused."""

    label: np.ndarray
    accepted: np.ndarray
    refused: tuple[tuple[int, int, int], ...]


def identities(one: np.ndarray, two: np.ndarray, system: np.ndarray, systems: Sequence[str]) -> Identities:
    """The classes that one-to-one links make; no class has two CURIEs of one system.

    ``one`` < ``two``, int (links,): distinct links; ``system`` int (n,): each CURIE's place in ``systems``. A link is
    one to one when its ends are of different systems and neither has another link into the other's system.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(system)
    exact = np.flatnonzero(_one_to_one(one, two, system, len(systems)))
    weights = np.ones(len(exact), np.uint8)
    links = coo_array((weights, (one[exact], two[exact])), shape=(n, n))
    label = connected_components(links, directed=False)[1].astype(np.int64)

    # Components that hold two CURIEs of one system are joined again, link by link.
    key = np.sort(label * len(systems) + system)
    mixed = np.zeros(n + 1, bool)
    mixed[key[1:][np.diff(key) == 0] // max(len(systems), 1)] = True
    accepted = np.zeros(len(one), bool)
    accepted[exact] = True
    doubtful = exact[mixed[label[one[exact]]]]
    rank = np.array([_TRUST.index(name) if name in _TRUST else len(_TRUST) for name in systems], np.int64)
    first, second = rank[system[one[doubtful]]], rank[system[two[doubtful]]]
    order = np.lexsort((two[doubtful], one[doubtful], np.minimum(first, second), np.maximum(first, second)))
    classes = _Classes()
    for link in doubtful[order].tolist():
        left, right = int(one[link]), int(two[link])
        accepted[link] = classes.join(link, (left, int(system[left])), (right, int(system[right])))
    inside = np.flatnonzero(mixed[label])
    label[inside] = n + np.array([classes.root(int(curie)) for curie in inside], np.int64)
    return Identities(label=label, accepted=accepted, refused=tuple(classes.refused))


def _one_to_one(one: np.ndarray, two: np.ndarray, system: np.ndarray, systems: int) -> np.ndarray:
    """bool (links,): between two systems, and neither end has another link into the other's system."""
    across = system[one] != system[two]
    left, right = one.astype(np.int64), two.astype(np.int64)
    into = np.concatenate([left * systems + system[two], right * systems + system[one]])
    into[~np.concatenate([across, across])] = -1
    _, inverse, counts = np.unique(into, return_inverse=True, return_counts=True)
    alone = counts[inverse] == 1
    return across & alone[: len(one)] & alone[len(one) :]


@dataclass(slots=True)
class _Classes:
    """Union-find over CURIEs that refuses to put two of one system into a class."""

    parent: dict[int, int] = field(default_factory=dict)
    by_system: dict[int, dict[int, int]] = field(default_factory=dict)
    refused: list[tuple[int, int, int]] = field(default_factory=list)

    def root(self, curie: int) -> int:
        while (above := self.parent.get(curie, curie)) != curie:
            self.parent[curie] = curie = self.parent.get(above, above)
        return curie

    def join(self, link: int, left: tuple[int, int], right: tuple[int, int]) -> bool:
        """Join two (CURIE, system); whether they are now the same."""
        one, two = self.root(left[0]), self.root(right[0])
        if one == two:
            return True
        first = self.by_system.setdefault(one, {left[1]: one})
        second = self.by_system.setdefault(two, {right[1]: two})
        if clash := first.keys() & second.keys():
            system = min(clash)
            self.refused.append((link, *sorted((first[system], second[system]))))  # type: ignore[arg-type]
            return False
        if len(first) < len(second):
            one, two, first, second = two, one, second, first
        first.update(second)
        self.parent[two] = one
        del self.by_system[two]
        return True


def circular(child: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """Positions (int64, ascending) of the is_a edges to drop so that no concept is above itself.

    The edges must be sorted by (child, parent). Only those inside a strongly connected part are looked at; there they
    are kept in order as long as they close no circle.
    """
    import networkx as nx
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = int(max(child.max(initial=-1), parent.max(initial=-1))) + 1
    edges = coo_array((np.ones(len(child), np.uint8), (child, parent)), shape=(n, n))
    part = connected_components(edges, directed=True, connection="strong")[1] if n else np.zeros(0, np.int32)
    inside = np.flatnonzero(part[child] == part[parent])
    kept = nx.DiGraph()
    dropped = []
    for edge, below, above in _triples(inside, child, parent):
        if below == above or (kept.has_node(above) and kept.has_node(below) and nx.has_path(kept, above, below)):
            dropped.append(edge)
        else:
            kept.add_edge(below, above)
    return np.array(dropped, np.int64)


def _triples(edges: np.ndarray, child: np.ndarray, parent: np.ndarray) -> Iterable[tuple[int, int, int]]:
    return zip(edges.tolist(), child[edges].tolist(), parent[edges].tolist(), strict=True)


def canonical(label: np.ndarray, system: np.ndarray, described: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """int64 (n,): the CURIE that each one's class goes by; -1 where no CURIE of the class is described.

    It is the first of the described ones by ``rank`` (of each system, 0 first), then by CURIE; one of the first system
    wins even when it is not described itself.
    """
    n = len(label)
    place = rank[system]
    place[~described & (place > 0)] = rank.max(initial=0) + 1
    order = np.lexsort((place, label))
    first = np.ones(n, bool)
    first[1:] = np.diff(label[order]) != 0
    best = np.empty(n, np.int64)
    best[order] = order[first][np.cumsum(first) - 1]
    alive = np.zeros(2 * n, bool)
    alive[label[described]] = True
    best[~alive[label]] = -1
    return best


def claim(
    one: np.ndarray, two: np.ndarray, system: np.ndarray, best: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give codes that no source describes to the only concept that links to them, unless it has that system already.

    ``best`` is what ``canonical`` returned; the result is (best with those codes, codes, claimants), the last two of
    codes that several claim, one row for each claim, by code and claimant.
    """
    n, systems = np.int64(len(best)), int(system.max(initial=0)) + 1
    left, right = best[one] >= 0, best[two] >= 0
    code = np.concatenate([two[left & ~right], one[right & ~left]]).astype(np.int64)
    claimant = np.concatenate([best[one[left & ~right]], best[two[right & ~left]]])
    claims = np.unique(code * n + claimant)
    code, claimant = claims // max(n, 1), claims % max(n, 1)
    _, inverse, counts = np.unique(code, return_inverse=True, return_counts=True)
    alone = counts[inverse] == 1
    members = np.flatnonzero(best >= 0)
    has = best[members] * systems + system[members]
    given = alone & ~np.isin(claimant * systems + system[code], has)
    best = best.copy()
    best[code[given]] = claimant[given]
    return best, code[~alone], claimant[~alone]
