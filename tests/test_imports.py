"""Imports go one way: cli → reports → fusion → {vision, retrieval, kg} → {indexes, ontologies} → errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
STAGES = ("cli", "reports", "fusion", "vision", "retrieval", "kg", "indexes", "ontologies", "errors")
LEVEL = {
    "cli": 0,
    "reports": 1,
    "fusion": 2,
    "vision": 3,
    "retrieval": 3,
    "kg": 3,
    "indexes": 4,
    "ontologies": 4,
    "errors": 5,
}
HEAVY = {"torch", "transformers", "sentence_transformers", "faiss", "spacy", "scispacy", "pandas", "langchain"}


def stages_imported(source: str) -> Iterator[tuple[int, str]]:
    """(line, stage) of every import of a stage, wherever it stands: at the top, in a function, for type checking only,
    by ``import_module`` with a literal."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if node.level == 0 else ["a relative import"]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            names = [node.args[0].value] if isinstance(node.args[0], ast.Constant) else []
        for name in names:
            stage = name.split(".")[0]
            if stage in LEVEL or stage == "a relative import":
                yield node.lineno, stage


def wrong_imports(stage: str, source: str) -> list[str]:
    """What in a file of ``stage`` goes against the direction: another stage of the same level, or one above."""
    wrong = []
    for line, imported in stages_imported(source):
        if imported not in LEVEL:
            wrong.append(f"line {line}: {imported}")
        elif imported != stage and LEVEL[imported] <= LEVEL[stage]:
            wrong.append(f"line {line}: {stage} imports {imported}")
    return wrong


def files() -> list[Path]:
    found = [REPOSITORY / "errors.py"]
    for stage in STAGES[:-1]:
        found += sorted((REPOSITORY / stage).rglob("*.py"))
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_one_way(path: Path) -> None:
    stage = path.relative_to(REPOSITORY).parts[0].removesuffix(".py")
    assert wrong_imports(stage, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("stage", "source"),
    [
        ("errors", "import ontologies.concept"),
        ("ontologies", "from kg.graph import KnowledgeGraph"),
        ("ontologies", "from indexes.manifest import read"),
        ("indexes", "import ontologies"),
        ("kg", "def f():\n    from retrieval.cases import Cases"),
        ("vision", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fusion.diagnosis import Evidence"),
        ("fusion", "import importlib\nimportlib.import_module('reports.json')"),
        ("reports", "import cli"),
        ("kg", "from . import graph"),
    ],
)
def test_an_import_turned_round_is_found(stage: str, source: str) -> None:
    assert len(wrong_imports(stage, source)) == 1


def test_the_right_direction_passes() -> None:
    assert (
        wrong_imports(
            "fusion", "import json\nfrom kg.graph import KnowledgeGraph\nfrom fusion.diagnosis import Evidence"
        )
        == []
    )


def test_every_stage_is_checked() -> None:
    assert {path.relative_to(REPOSITORY).parts[0].removesuffix(".py") for path in files()} == set(STAGES)


def heavy_imports(source: str) -> set[str]:
    """Top-level imports (those that run when the module is imported) of packages that are slow to import."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found & HEAVY


# their classes derive from torch.nn.Module
NETWORKS = {"vision/backbone.py", "vision/vit.py", "vision/stem.py", "fusion/bert.py", "fusion/reasoner.py"}


@pytest.mark.parametrize(
    "path",
    [p for p in files() if str(p.relative_to(REPOSITORY)) not in NETWORKS],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_heavy_packages_are_imported_inside_functions(path: Path) -> None:
    assert heavy_imports(path.read_text(encoding="utf-8")) == set()


def test_a_heavy_import_at_the_top_is_found() -> None:
    assert heavy_imports("import torch.nn as nn\nfrom transformers import BertModel") == {"torch", "transformers"}
    assert heavy_imports("def f():\n    import torch") == set()
