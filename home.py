"""A home: the folder of the fetched sources, the graph, the linker's dictionary and the indexes.

Where it lies, what is in it, how it is built (what is up to date is left alone) and how its parts are opened. What a
function needs is imported inside it, so that the command line can ask for the folder at once.

    sources/              the open sources as fetched       ontologies/sources/store.py
    ontologies/           which ontologies the user added   ontologies/merging/registry.py
    graph/                Part.graph
    linker/               Part.linker, the compiled dictionary
    indexes/literature    Part.literature
    indexes/cases         Part.cases
    indexes/images        Part.images
    readings/             what of texts a change of the dictionary leaves as it was   retrieval/readings.py
    readings/sources      what the sources said when they were read   ontologies/merging/kept.py
    collections/NAME      the user's own papers and cases   retrieval/collection/catalogue.py
    built.json            part → digest of what it was built from
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ArtifactError, InputError

if TYPE_CHECKING:
    from indexes.manifest import Manifest, Verify
    from kg.graph import KnowledgeGraph
    from ontologies.linking.linker import Linker
    from retrieval.collection.build import Built, Reader
    from retrieval.collection.build import Eyes as Looks
    from retrieval.collection.record import Kind
    from retrieval.encoder import Encoder

_RECORD = "built.json"
Progress = Callable[[str, int, int], None]


class Part(StrEnum):
    """What is built, in the order in which one needs the other."""

    graph = "graph"
    linker = "linker"
    literature = "literature"
    cases = "cases"
    images = "images"


PARTS = tuple(Part)


def home_folder(given: Path | None = None) -> Path:
    """``given``, else what WHYDX_HOME says, else the platform's data folder for whydx; ``~`` is the user's folder. It
    need not be there yet."""
    named = given or os.environ.get("WHYDX_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_dir

    return Path(user_data_dir("whydx"))


def part_folder(home: Path, part: Part) -> Path:
    """Where a home keeps a part."""
    return home / part.value if part in (Part.graph, Part.linker) else home / "indexes" / part.value


# --- opening


def open_graph(home: Path) -> KnowledgeGraph:
    """The home's graph. Raises ArtifactError when it is missing, damaged, or of another version."""
    from kg.graph import KnowledgeGraph

    return KnowledgeGraph.open(part_folder(home, Part.graph))


def open_linker(home: Path) -> Linker:
    """The home's linker. Raises ArtifactError when it is missing, damaged, or compiled by other rules or from another
    graph."""
    from ontologies.linking.linker import Linker

    return Linker.open(part_folder(home, Part.linker))


def manifests(home: Path, verify: Verify = "size") -> Iterator[tuple[Part, Manifest]]:
    """The parts in their order, each with its manifest; files are checked as ``verify`` says. Raises ArtifactError
    when one is missing or damaged."""
    from indexes.manifest import FileEntry, Manifest, read
    from ontologies.linking.dictionary import open_index

    for part in Part:
        folder = part_folder(home, part)
        if part is Part.linker:  # ontologies may not import indexes, so its manifest is its own
            record = dict(open_index(folder).manifest)
            files = {name: FileEntry(**entry) for name, entry in record.pop("files").items()}
            kind, version = record.pop("kind"), record.pop("version")
            yield part, Manifest(kind=kind, version=version, files=files, settings=record)
        else:
            yield part, read(folder, kind=_kind(part), verify=verify)


def _readings(home: Path, part: Part) -> Path:
    """Where a home keeps what was read and linked for a part."""
    return home / "readings" / part.value


def _kind(part: Part) -> str:
    """What the manifest of a part other than the linker says it is."""
    from retrieval import cases, literature

    kinds = {Part.literature: literature.KIND, Part.cases: cases.REPORTS, Part.images: cases.IMAGES}
    return kinds.get(part, part.value)


# --- building


def build(
    home: Path,
    parts: Sequence[str] = PARTS,
    *,
    memory: str | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """Build the named parts, and whatever they need that is missing or out of date; returns the parts that were built.

    ``memory`` limits what merging the ontologies takes (None: "4GB"); beyond it, it goes to disk. While another process
    builds the same home it is waited for, ``tell`` is told who it is, and then only what is still out of date is built.
    ``stale`` says what is out of date. Raises SourceError when a source is not fetched, InputError for an unknown part.
    """
    from indexes.turn import only_one

    home.mkdir(parents=True, exist_ok=True)
    with only_one(home / ".build", tell):
        outdated, digests = stale(home, parts), _digests(home, parts)
        for part in outdated:
            match part:
                case Part.graph:
                    _build_graph(home, memory, progress)
                case Part.linker:
                    _build_linker(home, digests[Part.graph], progress)
                case Part.literature:
                    _build_literature(home, progress)
                case Part.cases:
                    _build_cases(home, progress)
                case Part.images:
                    _build_images(home, progress)
            _record(home, {**_recorded(home), part: digests[part]})
    return tuple(part.value for part in outdated)


def stale(home: Path, parts: Sequence[str] = PARTS) -> tuple[Part, ...]:
    """Those of the named parts, and of what they need, that `build` would build: missing, damaged, of another layout,
    or made from other inputs than those there now. Raises InputError for an unknown part."""
    for part in parts:
        if part not in PARTS:
            raise InputError("unknown part", value=part, expected=", ".join(PARTS))
    digests, recorded = _digests(home, parts), _recorded(home)
    return tuple(part for part in digests if recorded.get(part) != digests[part] or not _opens(home, part))


def _digests(home: Path, parts: Sequence[str]) -> dict[Part, str]:
    """Part → digest of its inputs, for the named parts and the graph and linker that they need, in their order."""
    from indexes.manifest import file_sha256
    from kg.graph_build import graph_inputs
    from ontologies.linking import dictionary
    from retrieval import cases, literature
    from retrieval.encoder import PACKAGED_SHA256

    graph = _digest(graph_inputs(home))
    # A document is linked with all of the linker's words, so the dictionary that it depends on does, too.
    words = {f"words:{path.name}": file_sha256(path) for path in sorted(dictionary.WORDS.glob("*.tsv"))}
    linker = _digest({"graph": graph, "layout": str(dictionary.VERSION), **words})
    documents = {"linker": linker, "encoder": PACKAGED_SHA256}
    digests = {Part.graph: graph, Part.linker: linker}
    if Part.literature in parts:
        digests[Part.literature] = _digest(
            {**documents, "layout": str(literature.VERSION), "contents": str(literature.CONTENTS)}
        )
    if Part.cases in parts:
        digests[Part.cases] = _digest({**documents, "layout": str(cases.VERSION)})
    if Part.images in parts:
        digests[Part.images] = _digest({"graph": graph, **_detector_inputs()})
    return digests


def _detector_inputs() -> dict[str, str]:
    """Name → hash of the shipped files that the image index is made from."""
    from indexes.manifest import file_sha256
    from vision import training_cases

    files = (training_cases.PATH, training_cases.PATH.with_name("detector.json"))
    for path in files:
        if not path.is_file():
            raise ArtifactError("the detector's files are missing", value=path.name, run="whydx train detector")
    return {path.name: file_sha256(path) for path in files}


def _digest(inputs: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()


def _build_graph(home: Path, memory: str | None, progress: Progress | None) -> None:
    from kg.graph_build import build_graph, graph_inputs
    from ontologies.merging import registry
    from ontologies.staging import MEMORY

    stage = partial(registry.stage, home, progress=progress)
    build_graph(
        part_folder(home, Part.graph), stage, inputs=graph_inputs(home), memory=memory or MEMORY, progress=progress
    )


def _build_linker(home: Path, graph_digest: str, progress: Progress | None) -> None:
    from ontologies.linking.linker import Linker
    from ontologies.merging.knowledge import Saved

    known = Saved(part_folder(home, Part.graph))
    Linker.build(
        known.concepts(),
        known.terms(),
        part_folder(home, Part.linker),
        relations=known.relations("is_a"),
        source=graph_digest,
        progress=progress,
    )


def _build_literature(home: Path, progress: Progress | None) -> None:
    from retrieval import literature

    graph = open_graph(home)
    known, linker, keep = chest_concepts(graph), open_linker(home), _readings(home, Part.literature)
    literature.build(home, linker, known, ancestors=_ancestors(graph), keep=keep, progress=progress)


def _build_cases(home: Path, progress: Progress | None) -> None:
    from retrieval import cases

    ancestors, keep = _ancestors(open_graph(home)), _readings(home, Part.cases)
    cases.build(home, open_linker(home), ancestors=ancestors, keep=keep, progress=progress)


def _build_images(home: Path, progress: Progress | None) -> None:
    from fusion.collecting.seen import image_document
    from retrieval import cases
    from vision import training_cases
    from vision.detector import Detector

    graph, images = open_graph(home), training_cases.read()
    cases.build_images(
        home,
        images.embedding,
        [image_document(graph, row) for row in images.rows],
        detector=Detector.open().fingerprint,
        ancestors=_ancestors(graph),
        progress=progress,
    )


def collect(
    home: Path,
    name: str,
    paths: Sequence[Path] = (),
    *,
    kind: Kind | None = None,
    columns: Mapping[str, str] | None = None,
    drop: Sequence[str] = (),
    anew: bool = False,
    device: str = "cpu",
    backend: str | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Built:
    """Make the collection ``name`` of the papers or cases in ``paths``, or add them to it; without paths, bring it up
    to date with what it was made from (`retrieval.collection.build`).

    ``kind`` ("papers" or "cases") is told by the files by default; ``columns`` (part of a case → column) and ``drop``
    are for tables. ``backend`` is where the vectors lie ("faiss", an address of Milvus; None: where they were). ``ray``
    is where Ray links, encodes and looks at images ("local", an address; None: this process). While another process
    builds or removes this collection it is waited for, and ``tell`` is told who it is. Raises InputError for
    what cannot be read, ArtifactError when graph or linker is not built or Milvus does not answer, SourceError when no
    Ray does, DependencyError when an extra is not installed.
    """
    from fusion.collecting.seen import Eyes
    from retrieval.collection import catalogue
    from retrieval.collection.build import build as build_collection
    from retrieval.collection.sources import extended

    if not (catalogue.folder(home, name).is_dir() or paths):
        catalogue.sources(home, name)  # raises, and leaves no lock behind
    graph, opened = open_graph(home), open_linker(home)
    linker: Reader = opened
    encoder: Encoder | None = None
    eyes: Callable[[], Looks] = partial(Eyes, graph, device)
    with contextlib.ExitStack() as stack:
        stack.enter_context(catalogue.turn(home, name, tell))
        there = catalogue.folder(home, name).is_dir()  # now that nobody else is at it
        known = catalogue.sources(home, name) if not paths or there else None
        roots = [path.expanduser().resolve() for path in paths]
        sources = extended(known, roots, kind, columns or {}, drop)
        if ray is not None:
            from fusion.collecting.fan_out import fanned_out

            folders = part_folder(home, Part.graph), part_folder(home, Part.linker)
            linker, encoder, eyes = stack.enter_context(fanned_out(ray, *folders, opened.fingerprint, device))
        return build_collection(
            home,
            name,
            sources,
            linker,
            eyes=eyes,
            ancestors=_ancestors(graph),
            encoder=encoder,
            anew=anew,
            backend=backend,
            device=device,
            progress=progress,
        )


def chest_concepts(graph: KnowledgeGraph) -> frozenset[str]:
    """Canonical CURIEs of the chest layer's diseases and imaging findings: what a paper must speak of to be indexed."""
    from ontologies.chest import layer as chest

    layer = chest.load()
    rows = [*layer.diseases, *(f for f in layer.findings if f.kind == "imaging")]
    return frozenset(graph.resolve(row.id) for row in rows)


def _opens(home: Path, part: Part) -> bool:
    """Whether a part is there, undamaged, and of the layout and rules of this version."""
    from indexes import manifest
    from retrieval import cases

    try:
        if part is Part.graph:
            open_graph(home)
        elif part is Part.linker:
            open_linker(home)
        else:
            manifest.read(part_folder(home, part), kind=_kind(part), version=cases.VERSION)
    except ArtifactError:
        return False
    return True


def _ancestors(graph: KnowledgeGraph) -> Callable[[str], frozenset[str]]:
    """Strict ancestors of a CURIE; none of one that the graph does not know."""
    return lambda curie: graph.ancestors(curie) - {graph.resolve(curie)} if curie in graph else frozenset()


def _recorded(home: Path) -> dict[str, str]:
    try:
        return dict(json.loads((home / _RECORD).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError, ValueError):
        return {}


def _record(home: Path, digests: Mapping[str, str]) -> None:
    part = home / f"{_RECORD}.part"
    part.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")
    part.replace(home / _RECORD)
