"""What whydx answers: diagnoses with the evidence that moved them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kg.triple import KGPath
from ontologies.concept import Concept
from ontologies.linking.unread import Span
from retrieval.document import SearchHit
from vision.anatomy.measures import Measurement
from vision.finding import Finding

EvidenceKind = Literal["finding", "person", "words", "kg_path", "literature", "case", "image_region"]
Stance = Literal["supports", "contradicts"]
READ_MORE: tuple[EvidenceKind, ...] = ("literature", "case")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence with its measured effect.

    ``weight`` is the diagnosis's score (its logit) with everything, minus its score with this one piece removed;
    positive supports. It is never zero, and ``stance`` is its sign: what changes nothing is not evidence. Of the kinds
    "literature" and "case" it is measured, too, but they hardly move a diagnosis (docs/reasoning.md): to read more in.
    ``reference`` identifies the piece: a concept CURIE, "age" or "sex" of the person, "note:START-END" of a sentence's
    words, a path as text, a PMID, a case id, "label@image".
    """

    kind: EvidenceKind
    reference: str
    text: str
    stance: Stance
    weight: float
    path: KGPath | None = None

    def __post_init__(self) -> None:
        if self.weight == 0 or (self.weight > 0) != (self.stance == "supports"):
            raise ValueError(f"evidence {self.reference!r}: stance {self.stance} with weight {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A candidate disease: ``rank`` starts at 1; ``probability`` is calibrated over the candidates and "none of
    these"; ``with_kinds`` is the probability that it is this disease or any kind of it among the candidates, None when
    no candidate is."""

    concept: Concept
    probability: float
    rank: int
    score: float
    evidence: tuple[Evidence, ...] = ()
    conformal_member: bool = False
    with_kinds: float | None = None

    @property
    def why(self) -> tuple[Evidence, ...]:
        """The evidence without papers and similar cases, in its order."""
        return tuple(piece for piece in self.evidence if piece.kind not in READ_MORE)

    @property
    def read_more(self) -> tuple[Evidence, ...]:
        """The papers and similar cases that the network read beside it, in the order of the evidence."""
        return tuple(piece for piece in self.evidence if piece.kind in READ_MORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A suggested next step from the curated chest layer, with the guideline it comes from."""

    disease: str
    text: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A step of the layer that is not suggested to this patient: which ``treatment`` in its ``text`` (several: with
    commas) something known of him speaks against, ``because`` of what, and who says so."""

    disease: str
    text: str
    treatment: str
    because: str
    reference: str

    @property
    def objection(self) -> str:
        """The step and what is against it, as a reader is told."""
        return f"{self.text} ({self.treatment}: {self.because})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticReport:
    """Everything one ``diagnose`` call found. Tuples are in order of rank; empty when nothing was found.

    ``abstention`` says in words why no diagnosis is named, or is None. ``provenance`` holds versions and hashes of the
    models, graph and indexes that were used. ``warnings`` are lines for the reader (a phantom, a low resolution).
    ``age`` (years) and ``sex`` ("F" or "M") are what the diagnoses took into account, None when not known.
    ``set_size`` counts all candidates that cannot be ruled out at 90 % coverage, "none of these" among them; None in
    reports of before 23 November 2026. ``understood`` is the share of the note's words with a meaning that lie in
    mentions, None without a note; ``unread`` are the places of the phrases that do not. ``left_out`` are steps that the
    patient's age or findings speak against. ``measurements`` are of the first image, empty where its outlines are not
    to be trusted.
    """

    findings: tuple[Finding, ...]
    diagnoses: tuple[Diagnosis, ...]
    none_of_these: float
    set_size: int | None = None
    understood: float | None = None
    unread: tuple[Span, ...] = ()
    age: float | None = None
    sex: str | None = None
    literature: tuple[SearchHit, ...] = ()
    cases: tuple[SearchHit, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    abstention: str | None = None
    warnings: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
