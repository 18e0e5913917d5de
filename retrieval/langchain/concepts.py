"""A LangChain document transformer (`langchain_core.documents.BaseDocumentTransformer`) that says which concepts a
document mentions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document

from ontologies.linking.linker import ConceptMatch, Linker

KEY, PRESENT = "concepts", "concepts_present"


class ConceptTransformer(BaseDocumentTransformer):
    """Adds concepts to documents' metadata: ``ConceptTransformer(whydx.open().linker).transform_documents(documents)``.

    ``metadata["concepts"]`` lists the mentions by their place, each {"curie", "name", "codes" (system → codes),
    "mention", "start", "end", "presence", "score"}, empty when there are none; ``metadata["concepts_present"]`` the
    CURIEs of those that are there, sorted, for a filter. Plain values, which a store can keep. Documents are copied.
    ``systems`` and ``note`` as in `Linker.link`.
    """

    def __init__(self, linker: Linker, *, systems: Collection[str] | None = None, note: bool = False) -> None:
        self._linker, self._systems, self._note = linker, systems, note

    def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> Sequence[Document]:
        """The documents in their order. Raises InputError when no concept has a code in ``systems``."""
        texts = [document.page_content for document in documents]
        found = self._linker.link_all(texts, systems=self._systems, note=self._note)
        return [_with(document, matches) for document, matches in zip(documents, found, strict=True)]


def _with(document: Document, matches: Sequence[ConceptMatch]) -> Document:
    present = sorted({match.concept.curie for match in matches if match.presence == "present"})
    said = {KEY: [_plain(match) for match in matches], PRESENT: present}
    return document.model_copy(update={"metadata": {**document.metadata, **said}})


def _plain(match: ConceptMatch) -> dict[str, Any]:
    return {
        "curie": match.concept.curie,
        "name": match.concept.name,
        "codes": {system: list(codes) for system, codes in match.concept.codes.items()},
        "mention": match.mention,
        "start": match.start,
        "end": match.end,
        "presence": match.presence,
        "score": match.score,
    }
