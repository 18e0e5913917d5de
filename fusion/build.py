"""Building a home: sources → graph → linker → indexes; what is up to date is left alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from errors import ArtifactError, InputError
from fusion.prior import NORMAL
from indexes import manifest
from kg.graph import KnowledgeGraph
from kg.graph_build import build_graph
from kg.graph_writer import VERSION as GRAPH_VERSION
from ontologies import chest, registry, sources
from ontologies.knowledge import Saved
from ontologies.linker import Linker
from ontologies.linker_index import VERSION as LINKER_VERSION
from ontologies.staging import MEMORY
from retrieval import cases, literature
from retrieval.document import Document
from retrieval.encoder import PACKAGED_SHA256
from vision import training_cases
from vision.detector import Detector
from vision.finding import LABEL_CURIES

PARTS = ("graph", "linker", "literature", "cases", "images")
_RECORD = "built.json"
Progress = Callable[[str, int, int], None]


def chest_concepts(graph: KnowledgeGraph) -> frozenset[str]:
    """Canonical CURIEs of the chest layer's diseases and imaging findings: what a paper must speak of to be indexed."""
    layer = chest.load()
    rows = [*layer.diseases, *(f for f in layer.findings if f.kind == "imaging")]
    return frozenset(graph.resolve(row.id) for row in rows)


def _inputs(home: Path) -> dict[str, str]:
    """Name → hash of everything the graph is made from."""
    found = {s.name: s.sha256 for s in sources.SOURCES}
    found |= {f"chest:{p.name}": manifest.file_sha256(p) for p in sorted(chest.DATA.glob("*.tsv"))}
    return found | {f"user:{e.name}": e.sha256 for e in registry.entries(home)}


def _detector_inputs() -> dict[str, str]:
    """Name → hash of the shipped files that the image index is made from."""
    files = (training_cases.PATH, training_cases.PATH.with_name("detector.json"))
    for path in files:
        if not path.is_file():
            raise ArtifactError("the detector's files are missing", value=path.name, run="whydx train detector")
    return {path.name: manifest.file_sha256(path) for path in files}


def _digest(inputs: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()


def build(
    home: Path, parts: Sequence[str] = PARTS, *, memory: str = MEMORY, progress: Progress | None = None
) -> tuple[str, ...]:
    """Build the named parts, and whatever they need that is missing or out of date; returns the parts that were built.

    ``memory`` limits what merging the ontologies takes ("4GB"); beyond it, it goes to disk.

    A part is up to date when the hashes of its inputs are those it was built from and it opens, whole and in this
    version's layout. Raises SourceError when a source is not fetched, InputError for an unknown part.
    """
    for part in parts:
        if part not in PARTS:
            raise InputError("unknown part", value=part, expected=", ".join(PARTS))
    home.mkdir(parents=True, exist_ok=True)
    built: list[str] = []
    graph_inputs = _inputs(home) | {"layout": str(GRAPH_VERSION)}
    graph_digest = _digest(graph_inputs)
    folders = {"graph": home / "graph", "linker": home / "linker"}
    folders |= {part: home / "indexes" / part for part in ("literature", "cases", "images")}
    linker_digest = _digest({"graph": graph_digest, "layout": str(LINKER_VERSION)})
    digests = {
        "graph": graph_digest,
        "linker": linker_digest,
        "literature": _digest({"linker": linker_digest, "encoder": PACKAGED_SHA256, "layout": str(literature.VERSION)}),
        "cases": _digest({"linker": linker_digest, "encoder": PACKAGED_SHA256, "layout": str(cases.VERSION)}),
        "images": _digest({"graph": graph_digest, **_detector_inputs()}) if "images" in parts else "",
    }
    needed = [p for p in PARTS if p in parts or p in ("graph", "linker")]
    stale = [p for p in needed if _recorded(home).get(p) != digests[p] or not _opens(home, p)]
    for part in stale:
        if part == "graph":
            stage = partial(registry.stage, home, progress=progress)
            build_graph(folders[part], stage, inputs=graph_inputs, memory=memory, progress=progress)
        elif part == "linker":
            known = Saved(folders["graph"])
            relations = known.relations()
            Linker.build(
                known.concepts(),
                known.terms(),
                folders[part],
                relations=relations,
                source=graph_digest,
                progress=progress,
            )
        elif part == "literature":
            graph = KnowledgeGraph.open(folders["graph"])
            linker = Linker.open(folders["linker"])
            literature.build(home, linker, chest_concepts(graph), ancestors=_ancestors(graph), progress=progress)
        elif part == "cases":
            graph = KnowledgeGraph.open(folders["graph"])
            cases.build(home, Linker.open(folders["linker"]), ancestors=_ancestors(graph), progress=progress)
        else:
            graph = KnowledgeGraph.open(folders["graph"])
            images = training_cases.read()
            documents = [image_document(graph, row) for row in images.rows]
            detector = Detector.open().fingerprint
            cases.build_images(
                home, images.embedding, documents, detector=detector, ancestors=_ancestors(graph), progress=progress
            )
        _record(home, {**_recorded(home), part: digests[part]})
        built.append(part)
    return tuple(built)


def _opens(home: Path, part: str) -> bool:
    """Whether a part is there, undamaged, and of the layout and rules of this version."""
    try:
        if part == "graph":
            KnowledgeGraph.open(home / part)
        elif part == "linker":
            Linker.open(home / part)
        else:
            kind = {"literature": literature.KIND, "cases": cases.REPORTS, "images": cases.IMAGES}[part]
            manifest.read(home / "indexes" / part, kind=kind, version=cases.VERSION)
    except ArtifactError:
        return False
    return True


def _ancestors(graph: KnowledgeGraph) -> Callable[[str], frozenset[str]]:
    """Strict ancestors of a CURIE; none of one that the graph does not know."""
    return lambda curie: graph.ancestors(curie) - {graph.resolve(curie)} if curie in graph else frozenset()


def image_document(graph: KnowledgeGraph, row: training_cases.TrainingCase) -> Document:
    """A training image as a case: its labels are its text, and its concepts; an image without any is a normal chest."""
    labels = [label for label in row.labels if label in LABEL_CURIES]
    found = [graph.concept(LABEL_CURIES[label]) for label in labels] or [graph.concept(NORMAL)]
    names = [concept.name for concept in found]
    who = {"F": "woman", "M": "man"}.get(row.sex or "", "patient")
    known = {"age": f"{row.age:g}" if row.age is not None else "", "sex": row.sex or "", "view": row.view or ""}
    return Document(
        doc_id=row.case_id,
        kind="case",
        title=f"{row.age:g}-year-old {who}" if row.age is not None else who,
        text=", ".join(names),
        source_curie=row.case_id,
        concepts=tuple(sorted(concept.curie for concept in found)),
        metadata={k: v for k, v in known.items() if v}
        | {"findings": "; ".join(names), "impression": ", ".join(names), "collection": "NIH ChestX-ray14"},
    )


def _recorded(home: Path) -> dict[str, str]:
    try:
        return dict(json.loads((home / _RECORD).read_text()))
    except (FileNotFoundError, json.JSONDecodeError, TypeError, ValueError):
        return {}


def _record(home: Path, digests: Mapping[str, str]) -> None:
    part = home / f"{_RECORD}.part"
    part.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n")
    part.replace(home / _RECORD)
