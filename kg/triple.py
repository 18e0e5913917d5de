"""Triples and explanatory paths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Triple:
    """An edge of the graph between canonical CURIEs, with the names a reader needs and where the edge comes from."""

    subject: str
    predicate: str
    object: str
    subject_name: str
    object_name: str
    source: str
    frequency: float | None = None
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KGPath:
    """A walk over triples from a finding to a disease.

    ``inverted[i]`` is True when triple i is walked from its object to its subject. ``score`` is higher for better
    explanations (minus the summed cost of the edges). ``text`` is the walk as a reader would say it.
    """

    triples: tuple[Triple, ...]
    inverted: tuple[bool, ...]
    score: float
    text: str

    def __post_init__(self) -> None:
        if len(self.triples) != len(self.inverted):
            raise ValueError("a path needs one direction for each triple")
