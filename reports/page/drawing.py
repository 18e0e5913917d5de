"""The paths of a diagnosis as one graph: the places of its boxes and edges, for the page to draw as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from fusion.diagnosis import Diagnosis, Evidence
from fusion.why.figures import percent, weight
from kg.triple import KGPath

_LINE, _CHARACTERS, _MOST_LINES = 15, 24, 4
BOX_WIDTH, _GAP, _ROW_GAP, _MARGIN = 180, 200, 14, 6
_LABEL_AT = 0.4  # of the way from the left box to the right one, where edges to one disease still lie apart
_THINNEST, _THICKEST = 1.2, 4.0


@dataclass(frozen=True, slots=True)
class Box:
    """A concept: its left and upper edge, its height, and its name cut to lines of (y of the baseline, text). ``style``
    is "finding", "disease" or "between"."""

    x: int
    y: int
    height: int
    lines: tuple[tuple[int, str], ...]
    style: str


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of the graph as a curve of the SVG, its arrow as the corners of a triangle at the end that is pointed to.
    ``label`` stands above the curve at (x, y), in the middle; ``stance`` is "for" or "against", by the heaviest path
    that goes over it, and ``width`` grows with that one's weight."""

    curve: str
    arrow: str
    x: int
    y: int
    label: str
    stance: str
    width: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """All in units of the SVG's view box: findings on the left, the disease on the right. ``title`` names the graph
    for those who do not see it."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    title: str


def drawing(diagnosis: Diagnosis) -> Drawing | None:
    """The paths among the evidence of a diagnosis, the heaviest at the top; an arrow points as its edge is stated.
    None where no path is among it."""
    pieces = sorted(
        (piece for piece in diagnosis.evidence if piece.path is not None and piece.path.triples),
        key=lambda e: (-abs(e.weight), e.reference),
    )
    if not pieces:
        return None
    walks = [_walk(piece.path) for piece in pieces if piece.path is not None]
    column: dict[str, int] = {}  # steps away from the disease: the longest way decides
    names: dict[str, str] = {}
    for walk in walks:
        for away, (curie, name) in enumerate(reversed(walk)):
            column[curie] = max(column.get(curie, 0), away)
            names[curie] = name
    weights: dict[str, list[str]] = {}
    for walk, piece in zip(walks, pieces, strict=True):
        weights.setdefault(walk[0][0], []).append(weight(piece.weight))
    places = _places(column, {curie: names[curie] for walk in walks for curie, _ in walk}, weights)
    heights = [box.y + box.height for box in places.values()]
    heaviest = max(abs(piece.weight) for piece in pieces)
    edges: dict[tuple[str, str, str], Edge] = {}
    for piece, walk in zip(pieces, walks, strict=True):
        assert piece.path is not None
        for i, (triple, inverted) in enumerate(zip(piece.path.triples, piece.path.inverted, strict=True)):
            key = (walk[i][0], walk[i + 1][0], triple.predicate)
            if key not in edges:  # a shared edge is drawn as its heaviest path has it
                label = triple.predicate.replace("_", " ")
                label += "" if triple.frequency is None else f", in {percent(triple.frequency)}"
                ends = places[walk[i][0]], places[walk[i + 1][0]]
                width = _THINNEST + (_THICKEST - _THINNEST) * abs(piece.weight) / heaviest
                edges[key] = _edge(*ends, inverted, label, piece, round(width, 1))
    said = "; ".join(f"{piece.text}, weight {weight(piece.weight)}" for piece in pieces)
    return Drawing(
        width=(BOX_WIDTH + _GAP) * max(column.values()) + BOX_WIDTH + 2 * _MARGIN,
        height=max(heights) + _MARGIN,
        boxes=tuple(places.values()),
        edges=tuple(edges.values()),
        title=f"Paths to {diagnosis.concept.name}: {said}",
    )


def _walk(path: KGPath) -> list[tuple[str, str]]:
    """(CURIE, name) of each concept that a path goes over, from the finding to the disease."""
    walk: list[tuple[str, str]] = []
    for triple, inverted in zip(path.triples, path.inverted, strict=True):
        ends = [(triple.subject, triple.subject_name), (triple.object, triple.object_name)]
        walk += ends[::-1] if inverted else ends
    return [walk[0], *walk[1::2]]


def _places(
    column: Mapping[str, int], names: Mapping[str, str], weights: Mapping[str, Sequence[str]]
) -> dict[str, Box]:
    """CURIE → its box: a column for each number of steps to the disease, each in the order of ``names`` and centred.
    Under a finding's name stand the ``weights`` of its paths."""
    last = max(column.values())
    columns = {away: [curie for curie in names if column[curie] == away] for away in range(last + 1)}
    cut: dict[str, list[str]] = {}
    for curie, name in names.items():
        cut[curie] = wrap(name, _CHARACTERS, max_lines=_MOST_LINES, placeholder=" …") or [""]
        if curie in weights:
            cut[curie].append(", ".join(weights[curie]))
    heights = {curie: _LINE * len(cut[curie]) + 14 for curie in names}
    tallest = max(sum(heights[c] + _ROW_GAP for c in own) - _ROW_GAP for own in columns.values() if own)
    boxes: dict[str, Box] = {}
    for away, own in columns.items():
        y = _MARGIN + (tallest - sum(heights[c] + _ROW_GAP for c in own) + _ROW_GAP) // 2
        for curie in own:
            style = "disease" if away == 0 else "finding" if curie in weights else "between"
            lines = tuple((y + _LINE * (i + 1) + 4, line) for i, line in enumerate(cut[curie]))
            x = _MARGIN + (last - away) * (BOX_WIDTH + _GAP)
            boxes[curie] = Box(x, y, heights[curie], lines, style)
            y += heights[curie] + _ROW_GAP
    return boxes


def _edge(left: Box, right: Box, inverted: bool, label: str, piece: Evidence, width: float) -> Edge:
    """From the right edge of one box to the left edge of another; its arrow at the right one unless ``inverted``."""
    y, end = left.y + left.height // 2, right.y + right.height // 2
    head = 9
    x = left.x + BOX_WIDTH + (head if inverted else 0)
    to = right.x - (0 if inverted else head)
    tip, back, at = (x - head, x, y) if inverted else (to + head, to, end)
    middle, near = (x + to) // 2, _LABEL_AT
    return Edge(
        curve=f"M{x},{y} C{middle},{y} {middle},{end} {to},{end}",
        arrow=f"{tip},{at} {back},{at - 5} {back},{at + 5}",
        x=round(x + (to - x) * near),
        y=round(y + (end - y) * (3 * near**2 - 2 * near**3)) - 5,
        label=label,
        stance="for" if piece.weight > 0 else "against",
        width=width,
    )
