"""A set of paths drawn from left to right: what is asked about, what lies between, what it leads to."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kg.graph import KnowledgeGraph
from kg.paths import frequency_words, predicate_words
from kg.triple import KGPath, Triple
from ontologies.concept import DISEASE, FINDING

Format = Literal["png", "svg"]
FORMATS: tuple[Format, ...] = ("png", "svg")

_WIDTH, _HEIGHT = 2.3, 0.95  # inches: a node, and the room it has below it
_PITCH = 1.3  # inches from row to row
_BETWEEN = 2.4  # inches between columns, for the words on an edge
_MARGIN = 0.35
_TURN = 0.32  # share of an edge that curves
# Colours that stay apart for the colour-blind (Okabe and Ito 2008), light enough to write on; fill and edge.
_KINDS = {
    "finding": ("#d6ecf8", "#0072b2"),
    "disease": ("#fde3d0", "#d55e00"),
    "other": ("#ececec", "#6b6b6b"),
}
_LINES = {"is_a": "#6b6b6b", "has_phenotype": "#0b6e4f"}
_OTHER_LINE = "#7a4a9e"


@dataclass(frozen=True, slots=True)
class _Node:
    curie: str
    name: str
    kind: str


def draw(graph: KnowledgeGraph, paths: Sequence[KGPath], start: str, goal: str, layout: Format = "png") -> bytes:
    """PNG or SVG bytes of the paths from ``start`` to ``goal`` (CURIEs), the same for the same paths.

    A concept that several paths pass is one box. An arrow points from an edge's subject to its object; beside it stand
    the predicate, the frequency and the source. ``paths`` may be empty: the two ends alone.
    """
    ends = graph.resolve(start), graph.resolve(goal)
    places = _places(paths, *ends)
    nodes = {curie: _node(graph, curie) for curie in places}
    triples = list(dict.fromkeys(t for path in paths for t in path.triples))
    return _render(nodes, places, triples, ends, layout)


def _node(graph: KnowledgeGraph, curie: str) -> _Node:
    concept = graph.concept(curie)
    shows = bool(len(graph.edges(graph.node(curie), "has_phenotype")))
    kind = "disease" if shows or (DISEASE in concept.semantic_types and FINDING not in concept.semantic_types) else ""
    kind = kind or ("finding" if FINDING in concept.semantic_types else "other")
    return _Node(curie, concept.name, kind)


def _places(paths: Sequence[KGPath], start: str, goal: str) -> dict[str, tuple[float, float]]:
    """Column and row of every concept. A concept stands as far right as it comes on any path, in the row of the first
    path that passes it; the two ends stand in the middle, in a row that only the direct path has."""
    walks = [_visited(path, start) for path in paths] or [[start, goal]]
    column: dict[str, int] = {}
    for walk in walks:
        for position, curie in enumerate(walk):
            column[curie] = max(column.get(curie, 0), position)
    column[goal] = max(1, *column.values())
    owner: dict[str, int] = {}
    for number, walk in enumerate(walks):
        for curie in walk[1:-1]:
            owner.setdefault(curie, number)
    # The first path next to the middle, the others above and below in turn.
    owners = sorted(set(owner.values()))
    direct = any(len(walk) == 2 for walk in walks)
    turns = [(-1) ** i * ((i + 2) // 2 if direct else (i + 1) // 2) for i in range(len(owners))]
    top = min(turns, default=0)
    row = {number: turn - top for number, turn in zip(owners, turns, strict=True)}
    places = {c: (float(column[c]), float(row[owner[c]])) for c in owner}
    places |= {c: (float(column[c]), float(-top)) for c in (start, goal)}
    return dict(sorted(places.items(), key=lambda item: (item[1], item[0])))


def _visited(path: KGPath, start: str) -> list[str]:
    return [
        start,
        *(t.subject if against else t.object for t, against in zip(path.triples, path.inverted, strict=True)),
    ]


def _label(triple: Triple) -> tuple[str, str]:
    """What stands on an edge: predicate and frequency; source and reference."""
    words = {"is_a": "is a", "has_phenotype": "shows"}.get(triple.predicate) or predicate_words(triple.predicate)
    if triple.frequency is not None:
        words += f" {frequency_words(triple.frequency)} ({triple.frequency:.0%})"
    source = triple.source + (f", {triple.reference}" if triple.reference else "")
    return words, "\n".join(textwrap.wrap(textwrap.shorten(source, 64, placeholder=" …"), 33))


def _render(
    nodes: Mapping[str, _Node],
    places: Mapping[str, tuple[float, float]],
    triples: Sequence[Triple],
    ends: tuple[str, str],
    layout: Format,
) -> bytes:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(c for c, _ in places.values()) + 1
    rows = max(r for _, r in places.values()) + 1
    width = columns * _WIDTH + (columns - 1) * _BETWEEN + 2 * _MARGIN
    height = rows * _PITCH + 2 * _MARGIN
    # Text as text in SVG, and nothing in the file that changes from run to run.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "whydx", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(width, height), facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(0, height))
        axes.axis("off")
        at = {
            curie: (
                _MARGIN + _WIDTH / 2 + column * (_WIDTH + _BETWEEN),
                height - _MARGIN / 2 - (row + 0.5) * _PITCH,
            )
            for curie, (column, row) in places.items()
        }
        for triple in triples:
            _edge(axes, triple, at, ends)
        for curie, node in nodes.items():
            _box(axes, node, at[curie], bold=curie in ends)
        _legend(axes, {node.kind for node in nodes.values()})
        out = io.BytesIO()
        known = {"Date": None} if layout == "svg" else {"Software": None}
        figure.savefig(out, format=layout, dpi=150, metadata=known)
        return out.getvalue()


def _box(axes: Any, node: _Node, at: tuple[float, float], bold: bool) -> None:
    from matplotlib.patches import FancyBboxPatch

    fill, line = _KINDS[node.kind]
    x, y = at
    corner = (x - _WIDTH / 2, y - _HEIGHT / 2 + 0.06)
    shape = "round,pad=0,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch(corner, _WIDTH, _HEIGHT - 0.12, shape, fc=fill, ec=line, lw=2 if bold else 1.1, zorder=3)
    )
    name = "\n".join(textwrap.wrap(textwrap.shorten(node.name, 66, placeholder=" …"), 24))
    axes.text(x, y + 0.07, name, ha="center", va="center", fontsize=9, fontweight="bold" if bold else None, zorder=4)
    axes.text(x, y - _HEIGHT / 2 + 0.14, node.curie, ha="center", va="center", fontsize=6.5, color="#555555", zorder=4)


def _edge(axes: Any, triple: Triple, at: Mapping[str, tuple[float, float]], ends: tuple[str, str]) -> None:
    """A line that leaves the two ends in a curve and is level where its words stand, so that words keep clear of other
    lines."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    colour = _LINES.get(triple.predicate, _OTHER_LINE)
    (x1, y1), (x2, y2) = at[triple.subject], at[triple.object]
    right = 1 if x2 > x1 else -1
    tail, head = (x1 + right * _WIDTH / 2, y1), (x2 - right * _WIDTH / 2, y2)
    if x1 == x2:
        down = 1 if y2 < y1 else -1
        tail, head = (x1, y1 - down * _HEIGHT / 2), (x2, y2 + down * _HEIGHT / 2)
    # Level towards the subject when the object is one of the two ends; else towards the concept further right.
    subject_level = triple.object in ends if (triple.subject in ends) != (triple.object in ends) else right < 0
    fan, level = (head, tail) if subject_level else (tail, head)
    turn = fan[0] + _TURN * (level[0] - fan[0])
    half = (fan[0] + turn) / 2
    points = [fan, (half, fan[1]), (half, level[1]), (turn, level[1]), level]
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO]
    if subject_level:
        points, codes = points[::-1], [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    curve = Path(points, codes)
    dashed = (0, (4, 2)) if triple.predicate == "is_a" else "-"
    axes.add_patch(
        FancyArrowPatch(path=curve, arrowstyle="-|>", mutation_scale=13, lw=1.4, color=colour, ls=dashed, zorder=2)
    )
    x, y = (turn + level[0]) / 2, level[1]
    words, source = _label(triple)
    halo = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.9}
    axes.text(x, y + 0.06, words, ha="center", va="bottom", fontsize=8, color=colour, bbox=halo, zorder=5)
    axes.text(x, y - 0.06, source, ha="center", va="top", fontsize=6, color="#555555", bbox=halo, zorder=5)


def _legend(axes: Any, kinds: set[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(fc=fill, ec=line, label=kind) for kind, (fill, line) in _KINDS.items() if kind in kinds]
    axes.legend(handles=handles, loc="lower left", ncols=3, fontsize=7, frameon=False, borderaxespad=0.3)
