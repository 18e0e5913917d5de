from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from retrieval.cases import Cases
from retrieval.literature import Literature

TEXTS = {"PMID:1": "pleural effusion in heart failure"}


def test_papers_as_langchain_documents(small_home: Path) -> None:
    from langchain_core.retrievers import BaseRetriever

    from retrieval.langchain.retrievers import LiteratureRetriever

    literature = Literature.open(small_home)
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


def test_cases_are_filtered(small_home: Path) -> None:
    from retrieval.langchain.retrievers import CaseRetriever

    retriever = CaseRetriever(cases=Cases.open(small_home), where="age>60")
    assert [document.id for document in retriever.invoke("pneumonia")] == ["PMID:1"]
    with pytest.raises(InputError):
        CaseRetriever(cases=Cases.open(small_home), where="size>1").invoke("pneumonia")
