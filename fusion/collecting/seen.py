"""Images as the detector sees them, in the concepts of the graph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from retrieval.collection.build import Seen
from retrieval.collection.record import person
from retrieval.document import Document

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from ontologies.concept import Concept
    from vision.training_cases import TrainingCase


class Eyes:
    """The detector as `retrieval.collection.build.Eyes`."""

    def __init__(self, graph: KnowledgeGraph, device: str) -> None:
        from vision.detector import Detector

        self._graph, self._detector = graph, Detector.open(device=device)
        self.fingerprint = self._detector.fingerprint

    def look_all(self, paths: Iterable[Path]) -> Iterator[Seen]:
        """What is seen of each image, in their order."""
        return map(self.look, paths)

    def look(self, path: Path) -> Seen:
        """What is seen of an image, to the last bit the same on any number of cores; refused when it cannot be read."""
        from vision.image import load_image

        try:
            with _one_thread():
                seen = self._detector.detect(load_image(path))
        except InputError:
            return Seen(embedding=None, findings={}, refused="unreadable")
        if seen.refused:
            return Seen(embedding=None, findings={}, refused=seen.refused)
        found = _findings(self._graph, [finding.label for finding in seen.findings if finding.presence == "present"])
        return Seen(embedding=seen.embedding, findings={concept.curie: concept.name for concept in found})


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """How a convolution is shared out decides the last bits of its sums, and an index keeps them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def image_document(graph: KnowledgeGraph, row: TrainingCase) -> Document:
    """A training image as a case: its labels are its text, and its concepts; an image without any is a normal chest."""
    found = _findings(graph, row.labels)
    names = [concept.name for concept in found]
    known = {"age": f"{row.age:g}" if row.age is not None else "", "sex": row.sex or "", "view": row.view or ""}
    return Document(
        doc_id=row.case_id,
        kind="case",
        title=person(known["age"], known["sex"]),
        text=", ".join(names),
        source_curie=row.case_id,
        concepts=tuple(sorted(concept.curie for concept in found)),
        metadata={k: v for k, v in known.items() if v}
        | {"findings": "; ".join(names), "impression": ", ".join(names), "collection": "NIH ChestX-ray14"},
    )


def _findings(graph: KnowledgeGraph, labels: Sequence[str]) -> list[Concept]:
    """The concepts of the labels of an image; a normal chest when it has none."""
    from fusion.prior import NORMAL
    from vision.finding import LABEL_CURIES

    return [graph.concept(LABEL_CURIES[label]) for label in labels if label in LABEL_CURIES] or [graph.concept(NORMAL)]
