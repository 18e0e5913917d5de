"""The document transformer: what it adds, and that it leaves the rest alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.documents import BaseDocumentTransformer, Document

from errors import InputError
from ontologies.concept import FINDING, Concept, Term
from ontologies.linking.linker import Linker
from retrieval.langchain.concepts import ConceptTransformer

NAMES = {"HP:0002202": "Pleural effusion", "HP:0002107": "Pneumothorax"}


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    concepts = [
        Concept(curie=curie, name=name, semantic_types=(FINDING,), codes={"HP": (curie[3:],)})
        for curie, name in NAMES.items()
    ]
    terms = [Term(curie=c, text=n, kind="preferred") for c, n in NAMES.items()]
    return Linker.build(concepts, terms, tmp_path_factory.mktemp("home") / "linker")


def test_concepts_stand_in_the_metadata(linker: Linker) -> None:
    documents = [
        Document("Small pleural effusion, no pneumothorax.", id="7", metadata={"source": "a"}),
        Document(""),
        Document("Nothing."),
    ]
    transformer = ConceptTransformer(linker, systems=("HP",))
    assert isinstance(transformer, BaseDocumentTransformer)
    first, *others = transformer.transform_documents(documents)
    assert (first.id, first.page_content, first.metadata["source"]) == ("7", documents[0].page_content, "a")
    effusion, pneumothorax = first.metadata["concepts"]
    assert effusion == {
        "curie": "HP:0002202",
        "name": "Pleural effusion",
        "codes": {"HP": ["0002202"]},
        "mention": "pleural effusion",
        "start": 6,
        "end": 22,
        "presence": "present",
        "score": 1.0,
    }
    assert pneumothorax["presence"] == "absent"
    assert first.metadata["concepts_present"] == ["HP:0002202"]
    assert json.loads(json.dumps(first.metadata)) == first.metadata
    assert [d.metadata for d in others] == [{"concepts": [], "concepts_present": []}] * 2
    assert documents[0].metadata == {"source": "a"}


def test_no_documents_and_no_such_system(linker: Linker) -> None:
    assert list(ConceptTransformer(linker).transform_documents([])) == []
    with pytest.raises(InputError, match="no concept"):
        ConceptTransformer(linker, systems=("LOINC",)).transform_documents([Document("fever")])


async def test_asynchronous(linker: Linker) -> None:
    (document,) = await ConceptTransformer(linker).atransform_documents([Document("pneumothorax")])
    assert document.metadata["concepts_present"] == ["HP:0002107"]


def test_in_a_store_with_a_filter(linker: Linker, tmp_path: Path) -> None:
    from langchain_core.embeddings import DeterministicFakeEmbedding

    from retrieval.langchain.store import FolderVectorStore

    store = FolderVectorStore(tmp_path / "store", DeterministicFakeEmbedding(size=8))
    documents = [Document("No pneumothorax.", id="a"), Document("Pneumothorax.", id="b")]
    store.add_documents(list(ConceptTransformer(linker).transform_documents(documents)))
    found = store.similarity_search("air", k=2, filter=lambda d: "HP:0002107" in d.metadata["concepts_present"])
    assert [document.id for document in found] == ["b"]
