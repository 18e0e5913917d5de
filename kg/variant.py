"""The same graph with one edge as it was before: for measuring what that edge does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from indexes import manifest
from kg.graph import KnowledgeGraph
from kg.graph_writer import KIND, VERSION, write_hierarchy

EDGE_FILES = ("out_object", "out_predicate", "out_source", "out_reference", "out_frequency")


def without_change(graph: KnowledgeGraph, edge: dict[str, Any], folder: Path) -> KnowledgeGraph:
    """Write ``graph`` with a changed edge (a row of ``kg.diff.changed_edges``) put back to ``folder``, and open it.

    An edge that was added is taken out, one that was removed comes back, one whose frequency changed has the old one;
    hierarchy, information and annotations are worked out again. Files that do not change are linked.
    """
    folder.mkdir(parents=True)
    rows = {name: np.load(graph.path / f"{name}.npy") for name in EDGE_FILES}
    subject = graph.subject_of(np.arange(len(rows["out_object"])))
    ends = graph.node(edge["subject"]), graph.predicates.index(edge["predicate"]), graph.node(edge["object"])
    found = (subject == ends[0]) & (rows["out_predicate"] == ends[1]) & (rows["out_object"] == ends[2])
    before = edge.get("old_frequency") if edge["change"] == "changed" else edge["frequency"]
    frequency = np.nan if before is None else before
    if edge["change"] == "added":
        subject = subject[~found]
        rows = {name: column[~found] for name, column in rows.items()}
    elif edge["change"] == "changed":
        rows["out_frequency"][found] = frequency
    else:
        at = int(np.searchsorted(subject, ends[0], side="right"))
        subject = np.insert(subject, at, ends[0])
        added = {"out_object": ends[2], "out_predicate": ends[1], "out_frequency": frequency}
        rows = {name: np.insert(column, at, added.get(name, 0)) for name, column in rows.items()}
    link_unchanged(graph.path, folder)
    for name, column in rows.items():
        np.save(folder / f"{name}.npy", column)
    write_hierarchy(folder, len(graph), subject)
    manifest.write(folder, kind=KIND, version=VERSION)
    return KnowledgeGraph.open(folder)


def link_unchanged(path: Path, folder: Path, tables: Collection[str] = ()) -> None:
    """Link a graph's files into ``folder``, but those that other edges change: columns of edges, what is worked out
    from them, which must not be written into the linked originals, and these string ``tables``."""
    for file in path.glob("*.npy"):
        derived = file.stem.startswith(("annotation_", "ancestor", "in_", "out_indptr", "information"))
        if not derived and file.stem not in EDGE_FILES and file.name.partition(".")[0] not in tables:
            _link(file, folder / file.name)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # another file system
        shutil.copyfile(path, target)
