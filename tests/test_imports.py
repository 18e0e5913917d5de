"""Imports go one way, from stage to stage and inside a stage from room to room (benchmarks/architecture.py), and never
in a circle; no folder and no file grows too large to be seen at once."""

from __future__ import annotations

import ast
from pathlib import Path

import networkx
import pytest

from benchmarks.architecture import LEVEL, REPOSITORY, ROOM_LEVEL, files, imported, may_import, module_of, room_of

HEAVY = {"torch", "transformers", "sentence_transformers", "faiss", "spacy", "scispacy", "pandas", "langchain"}
MOST_FILES, MOST_LINES = 20, 400


def wrong_imports(module: str, source: str) -> list[str]:
    """What in a file goes against the direction."""
    room = room_of(module)
    return [
        f"line {line}: {room} imports {name}"
        for line, name in imported(source)
        if name == "." or not may_import(room, room_of(name))
    ]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_one_way(path: Path) -> None:
    assert wrong_imports(module_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "import ontologies.concept"),
        ("ontologies.concept", "from kg.graph import KnowledgeGraph"),
        ("ontologies.concept", "from indexes.manifest import read"),
        ("indexes.manifest", "import ontologies"),
        ("kg.paths", "def f():\n    from retrieval.cases import Cases"),
        ("vision.image", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fusion.diagnosis import Case"),
        ("fusion.pipeline", "import importlib\nimportlib.import_module('reports.json')"),
        ("fusion.pipeline", "from home import open_graph"),
        ("reports.json", "import cli"),
        ("reports.json", "from home import home_folder"),
        ("home", "from commands import terminal"),
        ("whydx", "from commands.terminal import write"),
        ("commands.daily", "from cli import app"),
        ("kg.paths", "from . import graph"),
        ("fusion.pipeline", "from fusion.training.simulator import PatientSimulator"),
        ("fusion.pipeline", "from fusion.why.explainer import Explainer"),
        ("fusion.why.explainer", "from fusion.training.fit import train_reasoner"),
        ("vision.detector", "from vision.training import fit"),
        ("vision.detector", "from vision.evaluate import evaluate_detect"),
        ("vision.datasets.folder", "from vision.phantom.radiograph import radiograph"),
        ("ontologies.linking.context.assertion", "from ontologies.linking import words"),
        ("ontologies.linking.linker", "from ontologies.merging.merge import merge"),
        ("ontologies.merging.merge", "from ontologies.linking import linker"),
        ("ontologies.chest.layer", "def f():\n    from ontologies.linking.normalize import light"),
        ("ontologies.readers.obo", "from ontologies.chest import layer"),
        ("ontologies.staging", "import ontologies.readers.obo"),
        ("ontologies.sources.archive", "from ontologies.concept import Concept"),
    ],
)
def test_an_import_turned_round_is_found(module: str, source: str) -> None:
    assert len(wrong_imports(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("fusion.pipeline", "import json\nfrom kg.graph import KnowledgeGraph\nfrom fusion.diagnosis import Evidence"),
        ("fusion.training.fit", "from fusion.pipeline import Pipeline"),
        ("ontologies.linking.radiology", "from ontologies.chest import layer"),
        ("ontologies.problem", "from ontologies.sources.archive import Member"),
    ],
)
def test_the_right_direction_passes(module: str, source: str) -> None:
    assert wrong_imports(module, source) == []


def test_every_room_is_checked() -> None:
    found = {room_of(module_of(path)) for path in files()}
    assert found == {*LEVEL, *ROOM_LEVEL}
    folders = {module_of(path) for path in files() if path.name == "__init__.py"}
    assert folders <= {*LEVEL, *ROOM_LEVEL}  # a new folder gets its level


def test_no_file_is_imported_in_a_circle() -> None:
    modules = {module_of(path) for path in files()}
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for path in files():
        for _, name in imported(path.read_text(encoding="utf-8")):
            target = name if name in modules else name.rpartition(".")[0]
            graph.add_edge(module_of(path), target)
    assert [circle for circle in networkx.strongly_connected_components(graph) if len(circle) > 1] == []


def test_no_folder_and_no_file_is_too_large() -> None:
    sources = [*files(), *(REPOSITORY / "benchmarks").rglob("*.py"), *(REPOSITORY / "tests").rglob("*.py")]
    long = {path.name: n for path in sources if (n := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES}
    assert long == {}
    folders = {path.parent for path in sources} - {REPOSITORY}
    full = {folder.name: n for folder in folders if (n := sum(p.is_file() for p in folder.iterdir())) > MOST_FILES}
    assert full == {}


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
NETWORKS = {
    "vision/anatomy/network.py",
    "vision/backbone.py",
    "vision/ct/network.py",
    "vision/vit.py",
    "vision/stem.py",
    "fusion/bert.py",
    "fusion/reasoner.py",
}


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
