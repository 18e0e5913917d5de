"""LangChain's own standard tests (langchain-tests) of what whydx offers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langchain_tests", reason="langchain-tests is not installed (extra dev)")

from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from ontologies.linking.linker import Linker
from retrieval.cases import Cases
from retrieval.langchain.retrievers import CaseRetriever, LiteratureRetriever
from retrieval.langchain.store import FolderVectorStore
from retrieval.langchain.tools import CasesTool, ConceptsTool, PapersTool
from retrieval.literature import Literature


class TestPapersRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _at(self, small_home: Path) -> None:
        self.papers = Literature.open(small_home)

    @property
    def retriever_constructor(self) -> Any:
        return LiteratureRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"literature": self.papers}

    @property
    def retriever_query_example(self) -> str:
        return "fever"


class TestPapersTool(ToolsUnitTests):
    @pytest.fixture(autouse=True)
    def _at(self, small_home: Path) -> None:
        self.papers = Literature.open(small_home)

    @property
    def tool_constructor(self) -> Any:
        return PapersTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"literature": self.papers}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "pleural effusion"}


class TestCasesTool(ToolsUnitTests):
    @pytest.fixture(autouse=True)
    def _at(self, small_home: Path) -> None:
        self.held = Cases.open(small_home)

    @property
    def tool_constructor(self) -> Any:
        return CasesTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"cases": self.held}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"description": "pleural effusion", "where": "age>60"}


class TestConceptsTool(ToolsUnitTests):
    @pytest.fixture(autouse=True)
    def _at(self, home: Path) -> None:
        self.linker = Linker.open(home / "linker")

    @property
    def tool_constructor(self) -> Any:
        return ConceptsTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"linker": self.linker}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"text": "no pleural effusion"}


class TestFolderVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> VectorStore:  # type: ignore[override]
        return FolderVectorStore(tmp_path / "store", self.get_embeddings())


def test_retrieves_cases(small_home: Path) -> None:
    found = CaseRetriever(cases=Cases.open(small_home), k=1).invoke("pneumonia", k=2)
    assert [document.id for document in found] == ["PMID:2", "PMID:1"]


def test_a_store_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    embedding = DeterministicFakeEmbedding(size=8)
    texts = [f"text {number}" for number in range(30)]
    store = FolderVectorStore.from_texts(
        texts, embedding, [{"even": number % 2 == 0} for number in range(30)], ids=texts, folder=tmp_path / "store"
    )
    store.delete(["text 7", "unknown"])
    again = FolderVectorStore(tmp_path / "store", embedding)
    found = again.similarity_search_with_score("text 3", k=29)
    assert found[0][0].page_content == "text 3"
    assert found[0][1] == pytest.approx(1, abs=1e-5)
    assert sorted(document.id or "" for document, _ in found) == sorted(set(texts) - {"text 7"})
    even = again.similarity_search("text 3", k=50, filter=lambda document: bool(document.metadata["even"]))
    assert len(even) == 15
    unlike = again.max_marginal_relevance_search("text 3", k=3, fetch_k=10, lambda_mult=0.1)
    assert unlike[0].id == "text 3"
    assert {document.id for document in unlike} != {document.id for document in again.similarity_search("text 3", k=3)}
    assert again.similarity_search_with_relevance_scores("text 3", k=1)[0][1] == pytest.approx(1, abs=1e-5)


def test_a_tool_says_what_it_could_not_read_and_when_there_is_nothing(small_home: Path) -> None:
    tool = CasesTool(cases=Cases.open(small_home))
    assert "size" in tool.invoke({"description": "pneumonia", "where": "size>1"})
    papers = PapersTool(literature=Literature.open(small_home))
    assert papers.invoke({"query": "zzyzx qwrtp"}) == "nothing matched"
    assert papers.invoke({"query": "pleural effusion"}).startswith("[PMID:1] 2020 ")
