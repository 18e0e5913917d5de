"""The house as the code's own imports draw it: ``python -m benchmarks.architecture docs/architecture.svg``.

A room is a stage (a top-level folder or module), or a folder inside one. ``STAGES`` and ``ROOMS`` say which may import
which; ``rooms_imported`` reads what does. The figure shows every room with its files and an arrow for every pair of
stages of which one imports the other; ``tests/test_imports.py`` holds the rules against the code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

# From the top down: a stage may import those of later rows, not its neighbours.
STAGES: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("commands",),
    ("whydx",),
    ("reports", "home"),
    ("fusion",),
    ("vision", "retrieval", "kg"),
    ("indexes", "ontologies"),
    ("errors",),
)
# Inside a stage, the same; the stage's own name stands for the files that are in no room of it.
ROOMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "fusion": (("fusion.training",), ("fusion",)),
    "vision": (("vision.training",), ("vision.evaluate",), ("vision.datasets", "vision.phantom"), ("vision",)),
    "ontologies": (
        ("ontologies.linking", "ontologies.merging"),
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
