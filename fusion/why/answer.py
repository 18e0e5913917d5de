"""The answers to why, why not and what if.

Every weight and score is the candidate's own (its logit), as in ``fusion.diagnosis.Evidence``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fusion.diagnosis import Diagnosis
from kg.triple import Triple
from ontologies.chest.table import FindingKind
from ontologies.concept import Concept, Presence

Status = Literal["ranked", "low", "excluded", "not annotated", "not in the graph"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """Two pieces of evidence that together weigh other than the sum of each alone: more (they stand in for each
    other) or less (each needs the other). Weights as in ``Evidence``."""

    first: str
    second: str
    together: float
    apart: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """A diagnosis with its evidence, the evidence summed by kind, and interactions by falling difference."""

    diagnosis: Diagnosis
    by_kind: Mapping[str, float]
    interactions: tuple[Interaction, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What one finding of the case does to the disease asked about and to the first diagnosis (weights)."""

    finding: str
    presence: Presence
    weight: float
    weight_for_first: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyNot:
    """Why a disease is not the answer.

    ``status``: "ranked" (on the reasoner's shortlist), "low" (annotated, but the graph's score leaves it below the
    shortlist), "excluded" (the case shows what the disease's annotations say it never shows), "not annotated" (a
    concept of the graph that no source gives findings for, so it cannot be a candidate), "not in the graph" (no
    concept has the name). For the last two ``suggestions`` are diseases of like name that can be candidates.
    ``rank`` is the rank among the ``candidates`` annotated diseases by the graph's score, ``shortlist_rank`` the
    reasoner's among its shortlist and this disease. ``comparisons`` by rising (weight - weight_for_first): what
    demotes it most comes first. ``expected``: findings typical of the disease that the case does not have.
    ``excluding``: the annotations that speak against it. ``sources``: what the graph was built from, by name and
    version.
    """

    asked: str
    status: Status
    disease: Concept | None = None
    first: Concept | None = None
    rank: int | None = None
    candidates: int = 0
    shortlist_rank: int | None = None
    probability: float | None = None
    score_gap: float | None = None
    comparisons: tuple[Comparison, ...] = ()
    expected: tuple[Triple, ...] = ()
    excluding: tuple[Triple, ...] = ()
    suggestions: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding of the case as it is and as it would be; "not assessed" where the case does not have it."""

    finding: Concept
    before: Presence
    after: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A disease before and after: rank on the shortlist (None: not on it) and calibrated probability (0 off it)."""

    disease: Concept
    rank_before: int | None
    rank_after: int | None
    probability_before: float
    probability_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The case with some findings changed; ``shifts`` by rank after, then before."""

    changes: tuple[Change, ...]
    shifts: tuple[Shift, ...]
    none_before: float
    none_after: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """The smallest changes of findings that change the first diagnosis: ``flips`` all of one size (1 or 2), by
    falling probability of the new first; () when no change of up to two findings does among the ``tried``."""

    first: Concept
    flips: tuple[WhatIf, ...]
    tried: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Informative:
    """A finding that nobody has told of, and what it would tell: ``gain`` is the expected information in bits
    (`fusion.why.information`), ``chance`` the probability that it is there. ``kind``: how it comes to be known, None
    outside the chest layer. ``raises``: the disease whose probability its presence would raise most. ``frequency``:
    name of a disease → share of its patients who show it, by the annotations alone, of the first disease, of that one,
    and of the one that its presence would lower most."""

    finding: Concept
    kind: FindingKind | None
    gain: float
    chance: float
    raises: Concept
    frequency: Mapping[str, float]
