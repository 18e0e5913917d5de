"""The papers and the cases as LangChain retrievers (`langchain_core.retrievers.BaseRetriever`).

A document's metadata has "score", "rank" and one "score_<part>" for each part (higher is nearer, never a distance),
besides "doc_id", "source" (the CURIE) and the document's own metadata. Scores order one answer and mean nothing
between two.
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document as LangChainDocument
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict

from retrieval.cases import Cases
from retrieval.document import SearchHit
from retrieval.literature import Literature


class LiteratureRetriever(BaseRetriever):
    """Papers for a question: ``LiteratureRetriever(literature=Literature.open(home), k=5).invoke("…")``.

    ``concepts`` are canonical CURIEs that every question also asks for. Raises what `Literature.search` raises.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    literature: Literature
    k: int = 10
    concepts: tuple[str, ...] = ()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[LangChainDocument]:
        hits = self.literature.search(query, k=k or self.k, concepts=self.concepts)
        return [langchain_document(hit) for hit in hits]


class CaseRetriever(BaseRetriever):
    """Cases for a description; ``where`` filters them (`retrieval.where`). Raises what `Cases.search` raises."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    cases: Cases
    k: int = 10
    concepts: tuple[str, ...] = ()
    where: str | None = None

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[LangChainDocument]:
        hits = self.cases.search(text=query, k=k or self.k, concepts=self.concepts, where=self.where)
        return [langchain_document(hit) for hit in hits]


def langchain_document(hit: SearchHit) -> LangChainDocument:
    """A hit with its scores in the metadata."""
    document = hit.document
    metadata: dict[str, Any] = {
        **document.metadata,
        "title": document.title,
        "kind": document.kind,
        "doc_id": document.doc_id,
        "source": document.source_curie,
        "concepts": list(document.concepts),
        "rank": hit.rank,
        "score": hit.score,
        **{f"score_{name}": value for name, value in hit.explanation.items()},
    }
    return LangChainDocument(id=document.doc_id, page_content=document.text, metadata=metadata)
