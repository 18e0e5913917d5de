"""What the page's template is given: one documented value, so that what can be on the page is read in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

from fusion.diagnosis import DiagnosticReport
from fusion.why.answer import WhatIf, WhyNot
from fusion.why.answers import LookedFor
from fusion.why.working import Working
from reports.page.picture import Picture
from retrieval.document import SearchHit
from vision.finding import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding of the report; ``fact`` numbers those that can be confirmed or denied, None for the others."""

    finding: Finding
    fact: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedAnew:
    """A ranking that was worked out beforehand: ``key`` says of which facts ("2:absent 5:present", by number)."""

    key: str
    title: str
    ranking: WhatIf


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a finding, or age or sex, does to each diagnosis shown (weights in their order, None: nothing)."""

    text: str
    weights: Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarCase:
    """A similar case; ``why`` are the parts of its likeness in words, ``shared`` the findings it has in common."""

    hit: SearchHit
    why: Sequence[str]
    shared: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePart:
    """A stretch of the note; ``read`` is false for a phrase that was not understood."""

    text: str
    read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """Each field is a variable of the template, with what it holds; docs/page.md lists them from here."""

    style: Annotated[str, "The style sheet, as it stands in the page."]
    style_digest: Annotated[str, "Its SHA-256 (base64), for the page's policy."]
    script: Annotated[str, "The script, as it stands in the page."]
    script_digest: Annotated[str, "Its SHA-256 (base64), for the page's policy."]
    disclaimer: Annotated[str, "That a physician decides."]
    report: Annotated[DiagnosticReport, "The report, without control characters."]
    warnings: Annotated[Sequence[str], "Lines for the reader: of the report, then of the answers."]
    findings: Annotated[Sequence[FindingRow], "The findings: of the image by probability, then the others by name."]
    understanding: Annotated[str, "How much of the note was understood; empty without a note."]
    note: Annotated[Sequence[NotePart], "The note in parts, understood or not; empty unless it was asked for."]
    pictures: Annotated[Sequence[Picture], "The films with their layers; empty unless they were asked for."]
    effects: Annotated[Sequence[Effect], "What each finding does to each diagnosis, the heaviest first."]
    anew: Annotated[Sequence[RankedAnew], "Rankings with facts confirmed or denied; empty without answers."]
    looked_for: Annotated[
        Sequence[LookedFor], "Findings to look for, with the ranking either way; empty without answers."
    ]
    why_nots: Annotated[Sequence[WhyNot], "Why the other diagnoses are not the first; empty without answers."]
    working: Annotated[Working | None, "The clinician's own differential beside ours, or None."]
    cases: Annotated[Sequence[SimilarCase], "Similar cases with what makes them alike."]

    def variables(self) -> dict[str, Any]:
        """Name → value, as the template takes them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def documentation() -> str:
    """The table of docs/page.md: each variable and what it holds."""
    hints = get_type_hints(PageContext, include_extras=True)
    rows = [f"| `{each.name}` | {hints[each.name].__metadata__[0]} |" for each in fields(PageContext)]
    return "\n".join(["| variable | what it holds |", "|---|---|", *rows]) + "\n"
