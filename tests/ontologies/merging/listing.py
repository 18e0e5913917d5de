"""Merged knowledge as tuples in memory, to be compared."""

from __future__ import annotations

from collections.abc import Iterable

from ontologies.concept import Statement
from ontologies.merging.merge import merge as merge_staged
from ontologies.staging import Staging

from .merge_oracle import Merged


def merge(statements: Iterable[Statement]) -> Merged:
    """Stage and merge ``statements`` as a build does, and list the result."""
    with Staging.of(statements) as staging:
        merged = merge_staged(staging)
        return Merged(
            concepts=tuple(merged.concepts()),
            terms=tuple(merged.terms()),
            relations=tuple(merged.relations()),
            alias=merged.canonical(),
            conflicts=tuple(merged.conflicts()),
        )
