"""The papers, the cases and the linker as LangChain tools (`langchain_core.tools.BaseTool`), for an agent to call.

What a tool says to the model is text, one hit a line, each with the id that an answer should cite; the artifact of its
message has the hits themselves. A search that finds nothing says so.
"""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, Field

from errors import InputError
from ontologies.linking.linker import ConceptMatch, Linker
from retrieval.cases import Cases
from retrieval.langchain.retrievers import langchain_document
from retrieval.literature import Literature

_LONGEST = 400  # letters of a text that the model is shown
NOTHING = "nothing matched"

Answer = tuple[str, list[Any]]


class PapersQuery(BaseModel):
    """What `PapersTool` is asked."""

    query: str = Field(description="A question or its key words, in English.")


class CasesQuery(BaseModel):
    """What `CasesTool` is asked."""

    description: str = Field(description="Findings, as a radiology report would say them.")
    where: str | None = Field(None, description="A filter such as 'age>60 and finding:effusion', or nothing.")


class ConceptsQuery(BaseModel):
    """What `ConceptsTool` is asked."""

    text: str = Field(description="A sentence of a report or a note.")


class _Tool(BaseTool):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    # a question that cannot be read is an answer for the model, not the end of its conversation
    handle_tool_error: bool = True


class PapersTool(_Tool):
    """Finds papers: ``PapersTool(literature=Literature.open(home), k=5)``."""

    name: str = "search_papers"
    description: str = "Find papers on chest medicine. Gives PMID, year, title and the sentence that says most."
    args_schema: type[BaseModel] = PapersQuery
    literature: Literature
    k: int = 5

    def _run(self, query: str) -> Answer:
        try:
            hits = self.literature.search(query, k=self.k)
        except InputError as error:
            return str(error), []
        lines = [
            f"[{hit.document.source_curie}] {hit.document.metadata.get('year', '')} {hit.document.title} — "
            f"{self.literature.best_sentence(hit.document, query)}"
            for hit in hits
        ]
        return "\n".join(lines) or NOTHING, [langchain_document(hit) for hit in hits]


class CasesTool(_Tool):
    """Finds similar cases: ``CasesTool(cases=Cases.open(home), k=5)``."""

    name: str = "similar_cases"
    description: str = "Find earlier radiographs with similar findings. Gives an id, the findings and the report."
    args_schema: type[BaseModel] = CasesQuery
    cases: Cases
    k: int = 5

    def _run(self, description: str, where: str | None = None) -> Answer:
        try:
            hits = self.cases.search(text=description, where=where, k=self.k)
        except InputError as error:
            return str(error), []
        lines = [f"[{hit.document.doc_id}] {hit.document.title}: {hit.document.text[:_LONGEST]}" for hit in hits]
        return "\n".join(lines) or NOTHING, [langchain_document(hit) for hit in hits]


class ConceptsTool(_Tool):
    """Finds concepts in a text: ``ConceptsTool(linker=Linker.open(home / "linker"))``."""

    name: str = "find_concepts"
    description: str = "Find the medical concepts that a text names, and whether it says that they are there."
    args_schema: type[BaseModel] = ConceptsQuery
    linker: Linker

    def _run(self, text: str) -> Answer:
        found: list[ConceptMatch] = list(self.linker.link(text))
        lines = [
            f"[{match.concept.curie}] {match.concept.name}: {match.presence} ({match.mention!r})" for match in found
        ]
        return "\n".join(lines) or NOTHING, found
