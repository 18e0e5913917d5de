from __future__ import annotations

from pathlib import Path

import pytest

from errors import ArtifactError
from retrieval.document import Document
from retrieval.document_store import DocumentStore


def document(number: int) -> Document:
    return Document(
        doc_id=f"d{number}",
        kind="literature",
        title="naïve\ntitle\u2028" * number,
        text="text",
        source_curie=f"PMID:{number}",
        concepts=("A:1", "A:2")[:number],
        metadata={"year": str(number)},
    )


def test_round_trip_in_any_order(tmp_path: Path) -> None:
    documents = [document(number) for number in range(4)]
    store = DocumentStore.build(documents, tmp_path / "documents")
    assert [store[row] for row in (3, 0, 2, 1)] == [documents[row] for row in (3, 0, 2, 1)]
    assert list(store) == documents
    assert len(store) == 4
    assert store.rows(lambda d: d.metadata["year"] in "13").tolist() == [1, 3]
    for row in (-1, 4):
        with pytest.raises(IndexError):
            store[row]


def test_none(tmp_path: Path) -> None:
    assert list(DocumentStore.build([], tmp_path / "documents")) == []


def test_damage_is_refused(tmp_path: Path) -> None:
    DocumentStore.build([document(1)], tmp_path / "documents")
    path = tmp_path / "documents" / "documents.jsonl"
    path.write_bytes(path.read_bytes().replace(b"text", b"tent"))
    with pytest.raises(ArtifactError, match=r"documents\.jsonl"):
        DocumentStore.open(tmp_path / "documents")
