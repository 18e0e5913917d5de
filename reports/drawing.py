"""A path through the graph as the places of its boxes and arrows, for the page to draw as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from kg.triple import KGPath
from reports.table import percent

_LINE, _CHARACTERS, _MOST_LINES = 16, 24, 4
BOX_WIDTH, _GAP, _MARGIN = 180, 150, 4


@dataclass(frozen=True, slots=True)
class Box:
    """A concept: its left edge, and its name cut to lines of (y of the baseline, text)."""

    x: int
    lines: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge of the graph from ``tail`` to ``head`` (x), with what it says above and how often below."""

    tail: int
    head: int
    middle: int
    label: str
    note: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All in units of the SVG's view box; boxes stand from left to right in the order of the walk, all as high."""

    width: int
    height: int
    middle: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def drawing(path: KGPath) -> Drawing:
    """The walk from the finding on the left to the disease on the right; an arrow points as its edge is stated."""
    names: list[str] = []
    for triple, inverted in zip(path.triples, path.inverted, strict=True):
        ends = (triple.object_name, triple.subject_name) if inverted else (triple.subject_name, triple.object_name)
        names += ends if not names else ends[1:]
    cut = [wrap(name, _CHARACTERS, max_lines=_MOST_LINES, placeholder=" …") or [""] for name in names]
    height = _LINE * max(map(len, cut), default=1) + 4 * _MARGIN
    step = BOX_WIDTH + _GAP
    boxes = tuple(
        Box(step * i + _MARGIN, tuple((_baseline(height, len(lines), j), line) for j, line in enumerate(lines)))
        for i, lines in enumerate(cut)
    )
    arrows = []
    for i, (triple, inverted) in enumerate(zip(path.triples, path.inverted, strict=True)):
        left, right = step * i + _MARGIN + BOX_WIDTH, step * (i + 1) + _MARGIN
        tail, head = (right, left) if inverted else (left, right)
        note = "" if triple.frequency is None else f"in {percent(triple.frequency)}"
        arrows.append(Arrow(tail, head, (left + right) // 2, triple.predicate.replace("_", " "), note))
    width = step * len(names) - _GAP + 2 * _MARGIN if names else 0
    return Drawing(width, height + 2 * _MARGIN, height // 2 + _MARGIN, boxes, tuple(arrows))


def _baseline(height: int, lines: int, line: int) -> int:
    return _MARGIN + (height - _LINE * lines) // 2 + _LINE * line + 12
