"""A quick encoder, eyes that need no network, and a collection to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval.collection import build as building
from retrieval.collection.build import Built, Seen
from retrieval.collection.sources import Sources, extended
from retrieval.encoder import PACKAGED_SHA256, Encoder

Add = Callable[..., Built]


class Counted:
    """The texts that an encoder encoded and the images that eyes looked at."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.images: list[str] = []
        self.fingerprint = "eyes"

    def encoder(self, fingerprint: str = PACKAGED_SHA256) -> Encoder:
        def embed(texts: Sequence[str], longest: int | None, progress: Any) -> np.ndarray:
            self.texts += texts
            rows = [[text.lower().count(letter) + 0.1 for letter in "aeioustr"] for text in texts]
            vectors = np.array(rows, dtype=np.float32)
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

        return Encoder("letters", fingerprint, 8, embed)

    def look_all(self, paths: Iterable[Path]) -> Iterator[Seen]:
        return map(self.look, paths)

    def look(self, path: Path) -> Seen:
        self.images.append(path.name)
        content = path.read_bytes()
        if content == b"no chest":
            return Seen(embedding=None, findings={}, refused="not a chest")
        vector = np.array([len(content), *content[:2]], dtype=np.float32)
        return Seen(embedding=vector / np.linalg.norm(vector), findings={"T:effusion": "Effusion"})


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def add(tmp_path: Path, linker: Any, counted: Counted) -> Add:
    """``whydx index add`` and ``update`` (no paths) in the home ``tmp_path/home``."""
    from retrieval.collection import catalogue

    def run(
        name: str,
        *paths: Path,
        columns: Mapping[str, str] | None = None,
        drop: Sequence[str] = (),
        anew: bool = False,
        encoder: Encoder | None = None,
    ) -> Built:
        home = tmp_path / "home"
        known: Sources | None = None
        if catalogue.folder(home, name).is_dir():
            known = catalogue.sources(home, name)
        return building.build(
            home,
            name,
            extended(known, paths, None, columns or {}, drop),
            linker,
            eyes=lambda: counted,
            encoder=encoder or counted.encoder(),
            anew=anew,
        )

    return run
