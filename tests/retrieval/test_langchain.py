from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from retrieval import cases
from retrieval.cases import Cases
from retrieval.document import Document
from retrieval.hybrid import HybridIndex
from retrieval.literature import KIND, Literature, folder

TEXTS = {"PMID:1": "pleural effusion in heart failure", "PMID:2": "cough and fever in pneumonia"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")

    def documents(kind: Any) -> list[Document]:
        return [
            Document(
                doc_id=name,
                kind=kind,
                title=name,
                text=text,
                source_curie=name,
                concepts=("T:x",),
                metadata={"year": "2020", "age": "70"} if name.endswith("1") else {"year": "2021"},
            )
            for name, text in TEXTS.items()
        ]

    HybridIndex.build(documents("literature"), folder(home), kind=KIND, grams=True)
    HybridIndex.build(documents("case"), cases.folder(home, cases.REPORTS), kind=cases.REPORTS)
    return home


def test_papers_as_langchain_documents(home: Path) -> None:
    from langchain_core.retrievers import BaseRetriever

    from retrieval.langchain import LiteratureRetriever

    literature = Literature.open(home)
    retriever = LiteratureRetriever(literature=literature, k=1, concepts=("T:x",))
    assert isinstance(retriever, BaseRetriever)
    (document,) = retriever.invoke("effusion and heart failure")
    hit = literature.search("effusion and heart failure", k=1, concepts=("T:x",))[0]
    assert document.id == "PMID:1"
    assert document.page_content == TEXTS["PMID:1"]
    assert document.metadata["score"] == hit.score
    assert document.metadata["rank"] == 1
    assert document.metadata["source"] == "PMID:1"
    assert document.metadata["year"] == "2020"
    assert set(hit.explanation) == {"bm25", "grams", "dense", "concepts"}
    assert {name: document.metadata[f"score_{name}"] for name in hit.explanation} == hit.explanation


def test_cases_are_filtered(home: Path) -> None:
    from retrieval.langchain import CaseRetriever

    retriever = CaseRetriever(cases=Cases.open(home), where="age>60")
    assert [document.id for document in retriever.invoke("pneumonia")] == ["PMID:1"]
    with pytest.raises(InputError):
        CaseRetriever(cases=Cases.open(home), where="size>1").invoke("pneumonia")
