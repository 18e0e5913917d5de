"""The house as the code's own imports draw it: ``python -m benchmarks.architecture docs/architecture.svg``.

A room is a stage (a top-level folder or module), or a folder inside one. ``STAGES`` and ``ROOMS`` say which may import
which; ``tests/test_imports.py`` holds that against the code. The figure shows every room with its files; each stage
names those it imports from, and the arrows are what remains of these when all that follows from others is left out.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import networkx

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPOSITORY = Path(__file__).resolve().parent.parent

# From the top down: a stage may import those of later rows, not its neighbours.
STAGES: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("commands",),
    ("whydx",),
    ("reports", "home"),
    ("learning", "extraction"),
    ("records",),
    ("fusion",),
    ("vision", "retrieval", "kg"),
    ("ontologies", "indexes", "tracking"),
    ("errors",),
)
# Inside a stage, the same; the stage's own name stands for the files that are in no room of it.
ROOMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "commands": (("commands.learning",), ("commands",), ("commands.serve",)),
    "kg": (("kg.export",), ("kg",)),
    "reports": (("reports.dicom", "reports.learning"), ("reports",), ("reports.page",)),
    "fusion": (
        ("fusion.dialogue",),
        ("fusion.collecting", "fusion.evaluation", "fusion.training", "fusion.why"),
        ("fusion",),
    ),
    "vision": (
        ("vision.training",),
        ("vision.films",),
        ("vision.evaluate",),
        ("vision.datasets", "vision.phantom"),
        ("vision.ct",),
        ("vision",),
        ("vision.anatomy",),
        ("vision.intake", "vision.intensity", "vision.weights_pair"),
    ),
    "retrieval": (("retrieval.collection", "retrieval.evaluation", "retrieval.langchain"), ("retrieval",)),
    "ontologies": (
        ("ontologies.linking", "ontologies.merging"),
        ("ontologies.linking.context",),
        ("ontologies.linking.values",),
        ("ontologies.chest",),
        ("ontologies.readers",),
        ("ontologies",),
        ("ontologies.sources",),
    ),
}
LEVEL = {stage: level for level, row in enumerate(STAGES) for stage in row}
ROOM_LEVEL = {room: level for rows in ROOMS.values() for level, row in enumerate(rows) for room in row}


def files() -> list[Path]:
    """Every Python file of the stages, sorted."""
    found: list[Path] = []
    for stage in LEVEL:
        folder = REPOSITORY / stage
        found += folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    return sorted(found)


def module_of(path: Path) -> str:
    """The dotted name of a file of the repository ("kg.graph", "kg" for its ``__init__``)."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    """The room that a module stands in: the longest name in ROOMS that holds it, else its stage."""
    parts = module.split(".")
    names = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in names if name in ROOM_LEVEL), parts[0])


def imported(source: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of our own, wherever it stands: at the top, in a function, for type checking
    only, by ``import_module`` with a literal. ``from ontologies.chest import layer`` is "ontologies.chest.layer". A
    relative import comes as "."."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["."] if node.level else [f"{node.module}.{alias.name}" for alias in node.names]
        elif ast.unparse(node.func).endswith("import_module") and node.args:
            names = [str(node.args[0].value)] if isinstance(node.args[0], ast.Constant) else []
        for name in dict.fromkeys(names):
            if name == "." or name.split(".")[0] in LEVEL:
                yield node.lineno, name


def may_import(room: str, other: str) -> bool:
    """Whether a file of ``room`` may import from ``other``: a room below it in the same stage, or a stage below."""
    stage, target = room.split(".")[0], other.split(".")[0]
    if room == other:
        return True
    if stage == target:
        return ROOM_LEVEL[room] < ROOM_LEVEL[other]
    return LEVEL[stage] < LEVEL[target]


def stages_imported() -> dict[str, set[str]]:
    """Stage → the other stages that its files import from."""
    found: dict[str, set[str]] = {stage: set() for stage in LEVEL}
    for path in files():
        stage = module_of(path).split(".")[0]
        found[stage] |= {name.split(".")[0] for _, name in imported(path.read_text(encoding="utf-8"))} - {stage}
    return found


def rooms() -> dict[str, list[str]]:
    """Room → the names of its files, sorted; of a stage that is one file, its own."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in files():
        module = module_of(path)
        if path.name != "__init__.py":
            found[room_of(module)].append(module.rpartition(".")[2])
    return {room: sorted(names) for room, names in found.items()}


# Sizes of the figure, in hundredths of an inch.
_WIDTH, _MARGIN, _GAP, _LINE, _PAD = 1400.0, 20.0, 46.0, 13.0, 8.0
_LETTER = 5.6  # of the file names
_INK, _PAPER, _ROOM = "#1f2933", "#eef2f6", "#ffffff"
Box = tuple[float, float, float, float]  # left, top, width, height; top grows downwards


def draw() -> str:
    """The figure as SVG; the same code gives the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    uses, inside = stages_imported(), rooms()
    boxes, bottom = _placed(inside)
    figure = Figure(figsize=(_WIDTH / 100, bottom / 100))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(bottom, 0))
    axes.axis("off")
    for stage, other in sorted(networkx.transitive_reduction(networkx.DiGraph(uses)).edges):
        _arrow(axes, boxes[stage], boxes[other])
    for stage, box in boxes.items():
        _stage(axes, stage, box, inside, uses[stage])
    text = StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "whydx"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _placed(inside: Mapping[str, list[str]]) -> tuple[dict[str, Box], float]:
    """Where each stage stands, row by row, each as wide as its files need; and where the last row ends."""
    boxes: dict[str, Box] = {}
    top = _MARGIN
    for row in STAGES:
        shares = [max(sum(len(n) + 3 for room in _rooms_of(stage) for n in inside[room]), 80) for stage in row]
        free = _WIDTH - 2 * _MARGIN - _GAP * (len(row) - 1)
        widths = [min(free * share / sum(shares), 6 * share) for share in shares]
        left = (_WIDTH - sum(widths) - _GAP * (len(row) - 1)) / 2
        height = max(_height(stage, width, inside) for stage, width in zip(row, widths, strict=True))
        for stage, width in zip(row, widths, strict=True):
            boxes[stage] = (left, top, width, height)
            left += width + _GAP
        top += height + _GAP
    return boxes, top


def _rooms_of(stage: str) -> list[str]:
    """The rooms of a stage from the top down."""
    return [room for row in ROOMS.get(stage, ((stage,),)) for room in row]


def _columns(stage: str, width: float, inside: Mapping[str, list[str]]) -> list[tuple[str, float, list[str]]]:
    """(room, width, lines of file names) of each room of a stage, side by side; none of a stage that is one file."""
    if inside[stage] == [stage]:
        return []
    names = _rooms_of(stage)
    longest = [_LETTER * max(map(len, [*inside[room], room.rpartition(".")[2]])) + 2 * _PAD for room in names]
    free = width - _PAD * (len(names) + 1) - sum(longest)
    shares = [sum(len(n) + 3 for n in inside[room]) for room in names]
    widths = [least + free * share / sum(shares) for least, share in zip(longest, shares, strict=True)]
    return [
        (room, w, wrap("  ".join(inside[room]), max(int((w - 2 * _PAD) / _LETTER), 8), break_long_words=False))
        for room, w in zip(names, widths, strict=True)
    ]


def _height(stage: str, width: float, inside: Mapping[str, list[str]]) -> float:
    lines = [len(lines) + (room != stage) for room, _, lines in _columns(stage, width, inside)]
    return 1.8 * _LINE + (2 * _PAD + _LINE * (max(lines) + 0.5) if lines else 0)


def _stage(axes: Axes, stage: str, box: Box, inside: Mapping[str, list[str]], uses: set[str]) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, top, width, height = box
    style = "round,pad=0,rounding_size=6"
    axes.add_patch(FancyBboxPatch((left, top), width, height, boxstyle=style, fc=_PAPER, ec=_INK, lw=1, zorder=2))
    axes.text(left + _PAD, top + 1.2 * _LINE, stage, size=10, weight="bold", color=_INK, zorder=4)
    below = f"imports {', '.join(sorted(uses, key=lambda s: (LEVEL[s], s)))}" if uses else ""
    axes.text(left + width - _PAD, top + 1.2 * _LINE, below, size=6.5, ha="right", color=_INK, zorder=4)
    at = left + _PAD
    for room, w, lines in _columns(stage, width, inside):
        up, own = top + 1.8 * _LINE, height - 1.8 * _LINE - _PAD
        axes.add_patch(FancyBboxPatch((at, up), w, own, boxstyle=style, fc=_ROOM, ec=_INK, lw=0.5, zorder=3))
        if room != stage:
            up += _LINE
            axes.text(at + _PAD, up + 0.2 * _LINE, room.rpartition(".")[2], size=8, weight="bold", color=_INK, zorder=4)
        for number, line in enumerate(lines, 1):
            axes.text(at + _PAD, up + (number + 0.3) * _LINE, line, size=7, family="monospace", color=_INK, zorder=4)
        at += w + _PAD


def _arrow(axes: Axes, box: Box, other: Box) -> None:
    """From the lower edge of one stage to the upper edge of another, each end as near the other as its edge allows."""
    ends = []
    for (left, _, width, _), (across, _, breadth, _) in ((box, other), (other, box)):
        ends.append(min(max(across + breadth / 2, left + 0.15 * width), left + 0.85 * width))
    axes.annotate(
        "",
        xy=(ends[1], other[1]),
        xytext=(ends[0], box[1] + box[3]),
        arrowprops={"arrowstyle": "-|>", "color": _INK, "lw": 1.1, "shrinkA": 0, "shrinkB": 0},
        zorder=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("svg", type=Path)
    path = parser.parse_args().svg
    path.write_text(draw(), encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
