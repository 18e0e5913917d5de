"""Pictures of path sets: everything is on them, in its place, and the same each time."""

from __future__ import annotations

import re
from itertools import combinations

from lxml import etree

from kg.export.picture import _places, draw
from kg.graph import KnowledgeGraph
from kg.paths import PathFinder

ENDS = ("OMIM:1", "OMIM:2")


def words(svg: bytes) -> str:
    """All text of a picture, lines of one label joined."""
    elements = etree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return " ".join(" ".join(element.itertext()).strip() for element in elements)


def test_a_picture_says_what_the_paths_say(small_graph: KnowledgeGraph) -> None:
    paths = PathFinder(small_graph).find(*ENDS, k=5)
    assert paths
    svg = draw(small_graph, paths, *ENDS, "svg")
    said = re.sub(r"\s+", " ", words(svg))
    for path in paths:
        for t in path.triples:
            assert {name for name in (t.subject_name, t.object_name, t.subject, t.object) if name not in said} == set()
            assert f"({t.frequency:.0%})" in said
            assert f"{t.source}, {t.reference}" in said
    assert "finding" in said
    assert "disease" in said


def test_the_same_paths_are_the_same_picture(small_graph: KnowledgeGraph) -> None:
    paths = PathFinder(small_graph).find(*ENDS)
    png = draw(small_graph, paths, *ENDS)
    assert png.startswith(b"\x89PNG\r\n")
    assert png == draw(small_graph, paths, *ENDS)
    assert draw(small_graph, paths, *ENDS, "svg") == draw(small_graph, paths, *ENDS, "svg")


def test_no_two_concepts_lie_on_each_other(small_graph: KnowledgeGraph) -> None:
    pairs = combinations([small_graph.curie(n) for n in range(len(small_graph))], 2)
    for start, goal in pairs:
        places = _places(PathFinder(small_graph).find(start, goal, k=5), start, goal)
        assert len(set(places.values())) == len(places)
        assert places[start][0] == 0
        assert places[goal][0] == max(column for column, _ in places.values())


def test_without_paths_the_two_ends_stand_alone(small_graph: KnowledgeGraph) -> None:
    said = words(draw(small_graph, (), "HP:6", "OMIM:1", "svg"))
    assert "Big heart" in said
    assert "Alpha disease" in said
    assert "shows" not in said
