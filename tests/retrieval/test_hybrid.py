"""An index built anew keeps the vectors of texts that it has, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.document import Document
from retrieval.encoder import Encoder
from retrieval.hybrid import HybridIndex, searched_text


def paper(name: str, text: str) -> Document:
    return Document(doc_id=name, kind="literature", title=f"On {name}", text=text, source_curie=name)


class Counting:
    """An encoder that remembers what it was asked."""

    def __init__(self, fingerprint: str = "letters") -> None:
        self.asked: list[str] = []
        self.encoder = Encoder("letters", fingerprint, 3, self._embed)

    def _embed(self, texts: Sequence[str], longest: int | None, progress: Any) -> np.ndarray:
        self.asked += texts
        rows = np.array([[text.count(letter) + 0.1 for letter in "aeo"] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def build(folder: Path, documents: Sequence[Document], encoder: Encoder, longest: int = 9) -> HybridIndex:
    return HybridIndex.build(documents, folder, kind="literature", encoder=encoder, longest=longest)


def test_only_new_texts_are_encoded(tmp_path: Path) -> None:
    one, two, three = paper("a", "oaoa"), paper("b", "eee"), paper("c", "aoe aoe")
    build(tmp_path / "index", [one, two], Counting().encoder)
    changed = paper("b", "ooo")
    counting = Counting()
    index = build(tmp_path / "index", [three, changed, one], counting.encoder)
    assert sorted(counting.asked) == sorted(map(searched_text, [three, changed]))
    fresh = build(tmp_path / "fresh", [one, changed, three], Counting().encoder)
    np.testing.assert_allclose(index.dense.vectors, fresh.dense.vectors, atol=1e-6)


def test_vectors_of_another_encoder_or_length_are_not_kept(tmp_path: Path) -> None:
    documents = [paper("a", "oaoa"), paper("b", "eee")]
    build(tmp_path / "index", documents, Counting().encoder)
    for fingerprint, longest in (("other", 9), ("other", 5)):
        counting = Counting(fingerprint)
        build(tmp_path / "index", documents, counting.encoder, longest)
        assert len(counting.asked) == 2
