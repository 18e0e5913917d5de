"""Walks over random graphs, against every simple path that networkx lists."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, cast

import networkx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.graph import KnowledgeGraph
from kg.walks import WalkSearch
from ontologies.merging.knowledge import PREDICATES

EDGES = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 8), st.sampled_from([None, 0.2, 0.9])),
    max_size=24,
    unique=True,
)


def stored(edges: Sequence[tuple[int, int, int, float | None]], n: int = 9) -> KnowledgeGraph:
    """A graph of nothing but edges (subject, predicate, object, frequency), which must be sorted by subject."""
    subject = np.array([e[0] for e in edges], np.int64)
    obj = np.array([e[2] for e in edges], np.int32)
    order = np.argsort(obj, kind="stable").astype(np.int64)
    arrays: dict[str, np.ndarray] = {
        "information": np.zeros(n, np.float32),
        "out_indptr": np.searchsorted(subject, np.arange(n + 1)).astype(np.int64),
        "out_object": obj,
        "out_predicate": np.array([e[1] for e in edges], np.uint8),
        "out_frequency": np.array([np.nan if e[3] is None else e[3] for e in edges], np.float32),
        "in_indptr": np.searchsorted(obj[order], np.arange(n + 1)).astype(np.int64),
        "in_edge": order,
    }
    return KnowledgeGraph(cast(Any, None), cast(Any, {"predicate": PREDICATES}), arrays, cast(Any, None))


@settings(max_examples=150, deadline=None)
@given(EDGES, st.integers(1, 5))
def test_the_first_walk_is_the_cheapest_and_all_are_walks(edges: list[Any], max_hops: int) -> None:
    rows = sorted((e for e in edges if e[0] != e[2]), key=lambda e: (e[0], e[1], e[2], e[3] or 0))
    graph = stored(rows)
    search = WalkSearch(graph)
    ends = {i: (s, o) for i, (s, _, o, _) in enumerate(rows)}
    weight = search._edge_cost(np.arange(len(rows)))
    hub = search._hub_cost(np.arange(9))
    oracle: Any = networkx.MultiGraph()
    oracle.add_nodes_from(range(9))
    for i, (s, o) in ends.items():
        if np.isfinite(weight[i]):  # that a disease does not show a finding connects nothing
            oracle.add_edge(s, o, key=i)
    for start, goal in itertools.product((0, 3, 7), (1, 3, 8)):
        walks = search.walks(start, goal, 4, max_hops)
        simple = (
            []
            if start == goal
            else [
                round(sum(weight[e] for _, _, e in path) + sum(hub[v] for _, v, _ in path[:-1]), 6)
                for path in networkx.all_simple_edge_paths(oracle, start, goal, cutoff=max_hops)
            ]
        )
        assert bool(walks) == bool(simple)
        if walks:
            assert walks[0].cost == min(simple)
        for walk in walks:
            assert walk.nodes[0] == start
            assert walk.nodes[-1] == goal
            assert len(set(walk.nodes)) == len(walk.nodes) == len(walk.edges) + 1 <= max_hops + 1
            for edge, inverted, u, v in zip(walk.edges, walk.inverted, walk.nodes, walk.nodes[1:], strict=False):
                assert ends[edge] == ((v, u) if inverted else (u, v))
        assert len({w.nodes for w in walks}) == len(walks) <= 4
        assert walks == search.walks(start, goal, 4, max_hops)


def test_a_second_path_says_something_else() -> None:
    # 0 reaches 1 through 2, through 4 and then 2, and through 5 and 6
    ends = [(0, 2), (0, 4), (0, 5), (1, 2), (4, 2), (5, 6), (6, 1)]
    rows = [(s, PREDICATES.index("has_phenotype"), o, None) for s, o in ends]
    found = WalkSearch(stored(rows)).walks(0, 1, 2, 3)
    assert [w.nodes for w in found] == [(0, 2, 1), (0, 5, 6, 1)]


def test_hubs_are_gone_round() -> None:
    # 0 - 1 over the hub 2, which everything else points to, or over 3 and 4
    rows = [(0, 1, 2, None), (0, 1, 3, None), (1, 1, 2, None), (1, 1, 4, None), (3, 1, 4, None)]
    rows += [(i, 1, 2, None) for i in range(5, 400)]
    found = WalkSearch(stored(sorted(rows), 400)).walks(0, 1, 2, 3)
    assert [w.nodes for w in found] == [(0, 3, 4, 1), (0, 2, 1)]
