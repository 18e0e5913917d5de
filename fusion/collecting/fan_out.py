"""Linking, encoding and looking at images, fanned out by Ray; the answers are the same, byte for byte."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from indexes.spread import OnRay, Work
from retrieval.collection.build import Eyes, Reader, Seen
from retrieval.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np

    from ontologies.linking.linker import ConceptMatch

_TEXTS, _IMAGES = 64, 4  # of a chunk: about a second of work


class RayLinker:
    """The linker in ``folder`` as `retrieval.collection.build.Reader`; every worker opens it once."""

    def __init__(self, ray: OnRay, folder: Path, fingerprint: str) -> None:
        self._ray, self._folder, self.fingerprint = ray, folder, fingerprint

    def link_all(self, texts: Iterable[str]) -> Iterator[tuple[ConceptMatch, ...]]:
        """The matches of each text, in their order."""
        return self._ray.map(linking, (self._folder,), texts, chunk=_TEXTS)


class RayEncoder(Encoder):
    """The packaged encoder; ``each`` is fanned out, and every worker loads it once."""

    def __init__(self, ray: OnRay) -> None:
        here = Encoder.load()
        super().__init__(here.name, here.fingerprint, here.dimension, here._embed)
        self._ray = ray

    def each(self, texts: Iterable[str], *, longest: int | None = None) -> Iterator[np.ndarray]:
        """The vector of each text by itself, float32 (dimension,), in their order."""
        return self._ray.map(encoding, (longest,), texts, chunk=_TEXTS)


class RayEyes:
    """The detector as `retrieval.collection.build.Eyes`; every worker opens it once."""

    def __init__(self, ray: OnRay, graph: Path, device: str) -> None:
        from vision.detector import Detector

        self._ray, self._given = ray, (graph, device)
        self.fingerprint = Detector.open().fingerprint

    def look_all(self, paths: Iterable[Path]) -> Iterator[Seen]:
        """What is seen of each image, in their order."""
        return self._ray.map(looking, self._given, paths, chunk=_IMAGES)


@contextlib.contextmanager
def fanned_out(
    address: str, graph: Path, linker: Path, fingerprint: str, device: str
) -> Iterator[tuple[Reader, Encoder, Callable[[], Eyes]]]:
    """Linker, encoder and eyes that work on Ray at ``address`` (`indexes.spread.OnRay`), with the graph and the linker
    (whose ``fingerprint`` is told) of these folders. Raises as `OnRay` does."""
    ray = OnRay(address)
    try:
        yield RayLinker(ray, linker, fingerprint), RayEncoder(ray), partial(RayEyes, ray, graph, device)
    finally:
        ray.close()


def linking(folder: Path) -> Work:
    """Text → its matches, in a worker."""
    from ontologies.linking.linker import Linker

    linker = Linker.open(folder)
    return lambda text: next(iter(linker.link_all([text])))


def encoding(longest: int | None) -> Work:
    """Text → its vector, in a worker."""
    encoder = Encoder.load()
    return lambda text: next(encoder.each([text], longest=longest))


def looking(graph: Path, device: str) -> Work:
    """The path of an image → what is seen of it, in a worker."""
    from fusion.collecting.seen import Eyes as Detecting
    from kg.graph import KnowledgeGraph

    return Detecting(KnowledgeGraph.open(graph), device).look
