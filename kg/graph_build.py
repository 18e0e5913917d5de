"""Sources → staging → merge → graph, out of core, resumable.

A build keeps its staging file in the folder ``<graph>.part`` beside the graph until the graph is whole. The next run
goes on with a build that was killed, from its last finished source or step of the merge, if the inputs are still the
same; until then the old graph stays as it was.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from errors import ArtifactError
from kg.graph import KnowledgeGraph
from kg.graph_writer import CONTENTS, VERSION, Progress
from ontologies.merging.merge import merge
from ontologies.staging import MEMORY, Staging


def graph_inputs(home: Path) -> dict[str, str]:
    """Name → hash of everything the graph is made from: the pinned sources, the chest layer's tables of what
    becomes nodes and edges, the user's own ontologies. The linker's words are none of them."""
    from indexes.manifest import file_sha256
    from ontologies.chest import layer as chest
    from ontologies.merging import registry
    from ontologies.sources.pinned import SOURCES

    found = {source.name: source.sha256 for source in SOURCES}
    found |= {f"chest:{name}": file_sha256(chest.DATA / name) for name in chest.TABLES}
    found |= {f"user:{entry.name}": f"{entry.sha256} {registry.READERS}" for entry in registry.entries(home)}
    return found | {"layout": str(VERSION), "contents": str(CONTENTS)}


def build_graph(
    path: Path,
    stage: Callable[[Staging], None],
    *,
    inputs: Mapping[str, str],
    memory: str = MEMORY,
    progress: Progress | None = None,
) -> KnowledgeGraph:
    """Build the graph folder ``path`` from what ``stage`` stages (each source in a ``Staging.once``), and open it.

    ``inputs`` names everything that the graph depends on, with hashes. ``memory`` limits DuckDB ("4GB"). A second build
    of the same graph waits for the first. Raises ArtifactError when memory or disk do not suffice; what was finished is
    kept.
    """
    import duckdb
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with FileLock(path.with_name(f".{path.name}.lock")):
        digest = hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()
        staging = _staging(part / f"{digest}.duckdb", memory)
        try:
            with staging:
                stage(staging)
                merged = merge(staging, progress=progress)
                graph = KnowledgeGraph.build(merged, path, inputs=dict(inputs), progress=progress)
        except duckdb.OutOfMemoryException as error:
            more = "whydx index build --memory SIZE"
            raise ArtifactError("not enough memory to merge", value=memory, expected="more", run=more) from error
        except duckdb.IOException as error:
            raise ArtifactError("cannot write the staging file", value=error, expected="space on the disk") from error
        shutil.rmtree(part)
    return graph


def _staging(file: Path, memory: str) -> Staging:
    """The staging file of these inputs, without those of others; begun again when it is damaged."""
    if not file.is_file():
        shutil.rmtree(file.parent, ignore_errors=True)
    file.parent.mkdir(exist_ok=True)
    try:
        return Staging(file, memory=memory)
    except ArtifactError:
        shutil.rmtree(file.parent)
        file.parent.mkdir()
        return Staging(file, memory=memory)
