"""Documents and search hits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A paper or a case. ``source_curie`` is "PMID:…" for a paper and the collection's id for a case; ``concepts``
    are the canonical CURIEs it mentions as present."""

    doc_id: str
    kind: Literal["literature", "case"]
    title: str
    text: str
    source_curie: str
    concepts: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A document found. ``rank`` starts at 1; ``score`` is the fused score, higher is better, comparable within one
    search only; ``explanation`` gives the parts by name ("bm25", "dense", "image", "concepts", and "id" for a document
    that the query names), each with its own meaning."""

    document: Document
    score: float
    rank: int
    explanation: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHit(SearchHit):
    """A case found by what is known of another. Of the concepts asked for, by name: those that it has, itself or a kind
    of them (``shares``), and those that it does not state (``lacks``)."""

    shares: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
