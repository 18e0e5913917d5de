"""The curated graph with edges of a layer beside it: a graph of its own, which a home uses while the layer is on.

HOME/extracted/state.json says whether it is ("off", "review" or "on"), HOME/extracted/graph is the joined graph. The
curated graph's files are linked, never written to; switching off is one line in one file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from errors import ArtifactError
from indexes import manifest
from kg.graph import KnowledgeGraph
from kg.graph_writer import KIND, VERSION, write_hierarchy
from kg.string_table import StringTable
from kg.variant import EDGE_FILES, link_unchanged

State = Literal["off", "review", "on"]
STATES: tuple[State, ...] = get_args(State)
AGAIN = "whydx ontology review --layer on"
_OFF = "whydx ontology review --layer off"
_CURATED = "curated graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An edge to add between nodes of the graph; ``frequency`` None: not stated."""

    subject: int
    predicate: Literal["has_phenotype", "excludes_phenotype"]
    object: int
    source: str
    reference: str
    frequency: float | None = None


def folder(home: Path) -> Path:
    """Where a home keeps what was extracted."""
    return home / "extracted"


def state(home: Path) -> State:
    """Whether the layer takes part in diagnoses; "off" where nothing was said. Raises ArtifactError for a damaged
    record."""
    said: State = _recorded(home).get("state", "off")
    if said not in STATES:
        raise ArtifactError("no state of the layer", value=said, expected=", ".join(STATES), run=AGAIN)
    return said


def least(home: Path, default: float) -> float:
    """The least score of edges that take part though nobody looked at them, as it was said last."""
    return float(_recorded(home).get("least", default))


def _recorded(home: Path) -> dict[str, Any]:
    path = folder(home) / "state.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not isinstance(found.get("least", 0.0), int | float):
            raise ValueError(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ArtifactError("the state of the layer is damaged", value=path, run=_OFF) from error
    return found


def switch(home: Path, said: State, lowest: float | None = None) -> None:
    """Record the state, and the least score where one is given."""
    folder(home).mkdir(parents=True, exist_ok=True)
    path = folder(home) / "state.json"
    record: dict[str, Any] = {"state": said} if lowest is None else {"state": said, "least": lowest}
    part = path.with_name("state.json.part")
    part.write_text(json.dumps(record) + "\n", encoding="utf-8")
    part.replace(path)


def open_in_use(home: Path) -> KnowledgeGraph:
    """The graph that diagnoses are made with: the curated one, or the one joined to it.

    Raises ArtifactError when it is missing or damaged, or was joined to another curated graph.
    """
    if state(home) == "off":
        return KnowledgeGraph.open(home / "graph")
    curated = manifest.read(home / "graph", kind=KIND, version=VERSION, verify="size")
    path = folder(home) / "graph"
    record = manifest.read(path, kind=KIND, version=VERSION, verify="size", run=AGAIN)
    if record.inputs.get(_CURATED) != curated.sha256:
        raise ArtifactError("the extracted layer is joined to another graph", value=path, run=AGAIN)
    return KnowledgeGraph.open(path)


def join(graph: KnowledgeGraph, edges: Iterable[Joined], path: Path) -> KnowledgeGraph:
    """Write ``graph`` with ``edges`` to the folder ``path``, in place of what is there, and open it. Pairs that are
    curated already must not be among them: the frequencies of one pair are pooled."""
    added = sorted(edges, key=lambda e: (e.subject, graph.predicates.index(e.predicate), e.object, e.source))
    columns = {name: np.load(graph.path / f"{name}.npy") for name in EDGE_FILES}
    subject = graph.subject_of(np.arange(len(columns["out_object"])))
    tables = {name: list(StringTable.open(graph.path / name)) for name in ("source", "reference")}
    numbers = {name: {text: i for i, text in enumerate(table)} for name, table in tables.items()}

    def number(name: str, text: str) -> int:
        if text not in numbers[name]:
            numbers[name][text] = len(tables[name])
            tables[name].append(text)
        return numbers[name][text]

    new = {
        "out_object": [e.object for e in added],
        "out_predicate": [graph.predicates.index(e.predicate) for e in added],
        "out_source": [number("source", e.source) for e in added],
        "out_reference": [number("reference", e.reference) for e in added],
        "out_frequency": [np.nan if e.frequency is None else e.frequency for e in added],
    }
    subject = np.concatenate([subject, np.array([e.subject for e in added], subject.dtype)])
    columns = {name: np.concatenate([column, np.array(new[name], column.dtype)]) for name, column in columns.items()}
    order = np.lexsort((columns["out_source"], columns["out_object"], columns["out_predicate"], subject))
    with manifest.atomic_directory(path) as beside:
        link_unchanged(graph.path, beside, ("source", "reference"))
        for name, column in columns.items():
            np.save(beside / f"{name}.npy", column[order])
        for name, table in tables.items():
            StringTable.write(beside / name, table)
        write_hierarchy(beside, len(graph), subject[order])
        manifest.write(
            beside,
            kind=KIND,
            version=VERSION,
            inputs={_CURATED: graph.manifest.sha256},
            settings={**graph.manifest.settings, "joined": len(added)},
        )
    return KnowledgeGraph.open(path)
