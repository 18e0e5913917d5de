"""What the page's template is given: one documented value, so that what can be on the page is read in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

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


def _of(help_text: str) -> Any:
    return field(metadata={"help": help_text})


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """Each field is a variable of the template, with what it holds; docs/page.md lists them from here."""

    style: str = _of("The style sheet, as it stands in the page.")
    style_digest: str = _of("Its SHA-256 (base64), for the page's policy.")
    script: str = _of("The script, as it stands in the page.")
    script_digest: str = _of("Its SHA-256 (base64), for the page's policy.")
    disclaimer: str = _of("That a physician decides.")
    report: DiagnosticReport = _of("The report, without control characters.")
    warnings: Sequence[str] = _of("Lines for the reader: of the report, then of the answers.")
    findings: Sequence[FindingRow] = _of("The findings: of the image by probability, then the others by name.")
    understanding: str = _of("How much of the note was understood; empty without a note.")
    note: Sequence[NotePart] = _of("The note in parts, understood or not; empty unless it was asked for.")
    pictures: Sequence[Picture] = _of("The films with their layers; empty unless they were asked for.")
    effects: Sequence[Effect] = _of("What each finding does to each diagnosis, the heaviest first.")
    anew: Sequence[RankedAnew] = _of("Rankings with facts confirmed or denied; empty without answers.")
    looked_for: Sequence[LookedFor] = _of("Findings to look for, with the ranking either way; empty without answers.")
    why_nots: Sequence[WhyNot] = _of("Why the other diagnoses are not the first; empty without answers.")
    working: Working | None = _of("The clinician's own differential beside ours, or None.")
    cases: Sequence[SimilarCase] = _of("Similar cases with what makes them alike.")

    def variables(self) -> dict[str, Any]:
        """Name → value, as the template takes them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def documentation() -> str:
    """The table of docs/page.md: each variable with its type and what it holds."""
    rows = [f"| `{each.name}` | `{str(each.type).replace('|', 'or')}` | {each.metadata['help']} |" for each in fields(PageContext)]
    return "\n".join(["| variable | type | what it holds |", "|---|---|---|", *rows]) + "\n"
