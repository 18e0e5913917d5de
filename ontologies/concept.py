"""Concepts, terms and relations: what every ontology reader yields.

A CURIE is ``PREFIX:local``. Prefixes in use: HP, UMLS, SNOMEDCT, ICD10CM, OMIM, ORPHA, DECIPHER, MONDO, DOID, MESH,
CHEST.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from errors import InputError

Presence = Literal["present", "absent", "uncertain", "not assessed"]
TermKind = Literal["preferred", "exact", "broad", "narrow", "related", "abbreviation", "layperson"]

FINDING = "Finding"
DISEASE = "Disease or Syndrome"


def parse_curie(curie: str) -> tuple[str, str]:
    """Split ``PREFIX:local`` into (prefix, local). Raises InputError when it is not a CURIE."""
    prefix, colon, local = curie.partition(":")
    if not (prefix and colon and local) or any(c.isspace() for c in curie):
        raise InputError("not a CURIE", value=curie, expected="PREFIX:code, for example HP:0002202")
    return prefix, local


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Concept:
    """One meaning, whatever vocabularies name it.

    ``codes`` maps a code system (CURIE prefix, e.g. "SNOMEDCT") to its codes without prefix, sorted; the concept's
    own CURIE
    is included. Two concepts are equal when their CURIEs are, and hash accordingly.
    """

    curie: str
    name: str
    semantic_types: tuple[str, ...] = ()
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    definition: str = ""

    def __post_init__(self) -> None:
        parse_curie(self.curie)

    def __eq__(self, other: object) -> bool:
        return self.curie == other.curie if isinstance(other, Concept) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.curie)

    def code(self, system: str) -> str | None:
        """The first code in ``system`` (a CURIE prefix), or None."""
        codes = self.codes.get(system, ())
        return codes[0] if codes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A name of a concept, as its source writes it."""

    curie: str
    text: str
    kind: TermKind = "exact"
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A directed edge between two CURIEs.

    ``predicate`` is one of "is_a", "has_phenotype", "excludes_phenotype", "xref" (exact cross-reference; identity
    when one
    to one), "alias" (the subject is an old or alternative id of the object; never left after a merge), "related_to".
    ``frequency`` is the share of patients with the subject who show the object, in [0, 1], or None when the source
    does not
    say; ``count`` is (patients who show it, patients examined) when the source counts them. ``source`` names the
    source and
    its version; ``reference`` is the citation (PMID CURIEs or named guidelines, several joined by ";").
    """

    subject: str
    predicate: str
    object: str
    source: str
    frequency: float | None = None
    reference: str = ""
    count: tuple[int, int] | None = None


Statement = Concept | Term | Relation
