"""Papers and similar cases that bear on the candidates, as branches."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion.branch import DISEASE_ANCHOR, Branch
from fusion.workup import MAX_CASES, MAX_PAPERS, Case
from kg.graph import KnowledgeGraph
from retrieval.document import SearchHit

if TYPE_CHECKING:
    import numpy as np

    from retrieval.cases import Cases
    from retrieval.literature import Literature

_POOL = 50
_QUERY_FINDINGS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What a search for one case found: similar cases in order of rank, and for each disease the branches of the papers
    and cases that speak of it."""

    cases: tuple[SearchHit, ...]
    paper_branches: dict[str, list[Branch]]
    case_branches: dict[str, list[Branch]]


class EvidenceSearch:
    """Searches with a case's findings, and sorts what is found by the candidate it speaks of.

    A document speaks of a candidate when it mentions the disease or a kind of it as present.
    """

    def __init__(self, graph: KnowledgeGraph, literature: Literature, cases: Cases) -> None:
        self.graph, self.literature, self.cases = graph, literature, cases
        self._ancestors = functools.lru_cache(maxsize=100_000)(graph.ancestors)
        self._known_kinds: dict[str, frozenset[str]] = {}

    def query(self, case: Case) -> str:
        """The present findings, the most informative first, then the note."""
        present = [o for o in case.observed if o.presence == "present"]
        present.sort(key=lambda o: (-self.graph.information_content(o.curie), o.curie))
        names = [self.graph.name(self.graph.node(o.curie)) for o in present[:_QUERY_FINDINGS]]
        return ". ".join(filter(None, (", ".join(names), case.note)))

    def search(
        self, case: Case, diseases: Sequence[str], *, embedding: np.ndarray | None = None, leave_out: Sequence[str] = ()
    ) -> Retrieved:
        """Papers and cases for one case. ``leave_out``: ids of documents that must not be found (a training case's
        own).

        With nothing to search by, nothing is found.
        """
        text = self.query(case)
        present = tuple(sorted(o.curie for o in case.observed if o.presence == "present"))
        similar: tuple[SearchHit, ...] = ()
        if text or embedding is not None:
            similar = self.cases.search(
                text=text or None, image_embedding=embedding, concepts=present, k=_POOL, exclude=leave_out
            )
        paper_branches: dict[str, list[Branch]] = {}
        case_branches: dict[str, list[Branch]] = {}
        for disease in diseases:
            name = self.graph.name(self.graph.node(disease))
            about = self.literature.search(
                text or name, k=MAX_PAPERS, concepts=(disease, *present), about=disease, retracted=False
            )
            paper_branches[disease] = [
                paper_branch(h, self.literature.best_sentence(h.document, f"{name}. {text}")) for h in about
            ]
            case_branches[disease] = [case_branch(h) for h in similar if disease in self._kinds(h)][:MAX_CASES]
        return Retrieved(cases=similar, paper_branches=paper_branches, case_branches=case_branches)

    def papers(self, case: Case, diseases: Sequence[str], k: int) -> tuple[SearchHit, ...]:
        """The ``k`` papers that speak best of the case and of these diseases together; () with nothing to search by."""
        names = [self.graph.name(self.graph.node(d)) for d in diseases]
        text = ". ".join(filter(None, (", ".join(names), self.query(case))))
        present = (o.curie for o in case.observed if o.presence == "present")
        wanted = sorted({*diseases, *present})
        return self.literature.search(text, k=k, concepts=wanted, retracted=False) if text else ()

    def _kinds(self, hit: SearchHit) -> frozenset[str]:
        """The document's concepts with everything they are kinds of."""
        document = hit.document
        if document.doc_id not in self._known_kinds:
            known = (c for c in document.concepts if c in self.graph)
            self._known_kinds[document.doc_id] = frozenset().union(*map(self._ancestors, known))
        return self._known_kinds[document.doc_id]


def paper_branch(hit: SearchHit, sentence: str) -> Branch:
    """A sentence of a paper, hung on the candidate."""
    document = hit.document
    return Branch(
        kind="literature",
        anchor=DISEASE_ANCHOR,
        reference=document.source_curie,
        shown=f"{document.title} — {sentence}",
        text=sentence,
    )


def case_branch(hit: SearchHit) -> Branch:
    """A similar case in one line, hung on the candidate."""
    document = hit.document
    line = " ".join(document.metadata.get("impression", "").split()) or " ".join(document.text.split())
    return Branch(
        kind="case",
        anchor=DISEASE_ANCHOR,
        reference=document.doc_id,
        shown=f"{document.title}: {line[:160]}",
        text=f"similar case: {line}",
    )
