"""A report as one page that needs nothing else: no request leaves it; by keyboard, screen reader and printer too."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence
from fusion.why.answer import Comparison
from fusion.why.answers import Answers
from fusion.why.working import Working
from ontologies.linking.unread import Span
from reports.cleaning import without_controls
from reports.explanation import STATUS, changes
from reports.page.context import Effect, FindingRow, NotePart, PageContext, RankedAnew, SimilarCase
from reports.page.drawing import BOX_WIDTH, drawing
from reports.page.pdf import printed
from reports.page.picture import Picture
from reports.table import (
    DISCLAIMER,
    KINDS,
    MOVES_SHOWN,
    NOT_WHY,
    SIGNS,
    codes,
    moves,
    percent,
    scores,
    short,
    understanding,
    weight,
)
from vision.finding import in_words

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).parent / "page"
_PUBMED = "https://pubmed.ncbi.nlm.nih.gov/"
_MOST_EFFECTS, _MOST_COMPARED = 16, 10
_ALIKE = {
    "image": "the images look alike (cosine {:.2f})",
    "dense": "the words mean alike (cosine {:.2f})",
    "bm25": "words in common (BM25 {:.1f})",
    "concepts": "findings in common (simGIC {:.2f})",
}


class HtmlReporter:
    """The page. Its policy (CSP) allows its own style sheet and script, by hash, and images that stand in it; nothing
    else. ``pictures`` and ``note`` can identify a patient, so that they are in it only when they are given."""

    def __init__(
        self,
        *,
        pictures: Sequence[Picture] = (),
        answers: Answers | None = None,
        working: Working | None = None,
        note: str | None = None,
    ) -> None:
        self.pictures, self.answers, self.working, self.note = tuple(pictures), answers, working, note

    def render(self, report: DiagnosticReport) -> str:
        """The page of ``report``; all that the report says is escaped, whatever it holds."""
        return template().render(self.context(report).variables())

    def context(self, report: DiagnosticReport) -> PageContext:
        """All that the template is given."""
        note = () if self.note is None else note_parts(self.note, report.unread)
        report, answers = without_controls(report), without_controls(self.answers)
        style, script = (_asset(name) for name in ("report.css", "report.js"))
        facts = [] if answers is None else [f.concept.curie for f in answers.facts if f.concept is not None]
        said = (*report.warnings, *(answers.warnings if answers else ()))
        return PageContext(
            style=style,
            style_digest=_digest(style),
            script=script,
            script_digest=_digest(script),
            disclaimer=DISCLAIMER,
            report=report,
            warnings=tuple(dict.fromkeys(said)),
            findings=_rows(report, facts),
            understanding=understanding(report),
            note=without_controls(tuple(note)),
            pictures=without_controls(self.pictures),
            effects=_effects(report.diagnoses),
            anew=() if answers is None else _anew(answers, facts),
            looked_for=() if answers is None else answers.looked_for,
            why_nots=() if answers is None else answers.why_nots,
            working=without_controls(self.working),
            cases=[_case(hit, report) for hit in report.cases],
        )


class PdfReporter(HtmlReporter):
    """The page, printed to PDF by the Chromium of this machine."""

    def render(self, report: DiagnosticReport) -> bytes:  # type: ignore[override]
        """The file's bytes, with the day it was made in them. Raises DependencyError without a Chromium."""
        return printed(super().render(report))


@cache
def template() -> Template:
    """The page's template."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "changes": changes,
        "codes": lambda concept: codes(concept) if concept else "",
        "drawing": drawing,
        "in_words": in_words,
        "measure": lambda value, unit: f"{value:.0f}{unit}" if unit else f"{value:.2f}",
        "kind": KINDS.__getitem__,
        "moves": moves,
        "middle": lambda box: box.x + BOX_WIDTH // 2,
        "percent": percent,
        "pubmed": pubmed,
        "scores": scores,
        "short": short,
        "sign": lambda presence: SIGNS[presence][0],
        "stance": _stance,
        "status": STATUS.__getitem__,
        "heaviest": _heaviest,
        "weight": weight,
        "telling": _telling,
        "width": lambda probability: f"{100 * min(max(probability, 0.0), 1.0):.1f}",
    }
    environment.filters.update(filters)
    environment.globals |= {"box_width": BOX_WIDTH, "not_why": NOT_WHY, "moves_shown": MOVES_SHOWN}
    return environment.get_template("report.html.jinja")


def pubmed(reference: str) -> str | None:
    """The address of a paper in PubMed, None when ``reference`` is no PMID: nothing else becomes a link."""
    return f"{_PUBMED}{reference[5:]}/" if re.fullmatch(r"PMID:[0-9]{1,9}", reference) else None


def note_parts(note: str, unread: Sequence[Span]) -> list[NotePart]:
    """The note cut at the phrases that were not understood; joined again it is the note."""
    parts, at = [], 0
    for span in sorted(unread, key=lambda s: (s.start, s.end)):
        if at <= span.start < span.end <= len(note):
            parts += [NotePart(text=note[at : span.start], read=True), NotePart(text=span.of(note), read=False)]
            at = span.end
    return [part for part in (*parts, NotePart(text=note[at:], read=True)) if part.text]


@cache
def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _rows(report: DiagnosticReport, facts: Sequence[str]) -> list[FindingRow]:
    """A concept that several findings have is asked about once, where it was said last, which is what counts."""
    ordered = sorted(report.findings, key=lambda f: (f.origin != "image", -(f.probability or 0.0), f.label))
    last = {f.concept.curie: id(f) for f in report.findings if f.concept is not None}
    number = {curie: n for n, curie in enumerate(facts, 1)}
    return [
        FindingRow(
            finding=f,
            fact=number.get(f.concept.curie) if f.concept is not None and last[f.concept.curie] == id(f) else None,
        )
        for f in ordered
    ]


def _anew(answers: Answers, facts: Sequence[str]) -> list[RankedAnew]:
    number = {curie: n for n, curie in enumerate(facts, 1)}
    names = {f.concept.curie: in_words(f.label) for f in answers.facts if f.concept is not None}
    verbs = {"present": "confirmed", "absent": "denied"}
    return [
        RankedAnew(
            key=" ".join(f"{number[c]}:{p}" for c, p in sorted(r.said.items(), key=lambda item: number[item[0]])),
            title=" and ".join(f"{names[c]} {verbs[p]}" for c, p in r.said.items()),
            ranking=r.ranking,
        )
        for r in answers.revisions
    ]


def _effects(diagnoses: Sequence[Diagnosis]) -> list[Effect]:
    """Findings, age, sex and words, which are the patient's own; not papers, cases and paths."""
    rows: dict[tuple[str, str], dict[int, float]] = {}
    for place, diagnosis in enumerate(diagnoses):
        for piece in diagnosis.evidence:
            if piece.kind in ("finding", "person", "words"):
                # A passage is worded after the diagnosis it weighs for; its place in the note is the same.
                own = rows.setdefault((piece.kind, piece.reference), {})
                own[place] = own.get(place, 0.0) + piece.weight
    texts: Mapping[tuple[str, str], str] = {
        (p.kind, p.reference): p.text for d in reversed(diagnoses) for p in d.evidence
    }
    ordered = sorted(rows, key=lambda key: (-max(map(abs, rows[key].values())), key))
    return [
        Effect(text=texts[key], weights=[rows[key].get(place) for place in range(len(diagnoses))])
        for key in ordered[:_MOST_EFFECTS]
    ]


def _case(hit: Any, report: DiagnosticReport) -> SimilarCase:
    why = [
        _ALIKE[name].format(value) if name in _ALIKE else f"{name} {value:.3g}"
        for name, value in sorted(hit.explanation.items())
    ]
    own = {f.concept.curie: f.concept.name for f in report.findings if f.concept and f.presence == "present"}
    return SimilarCase(hit=hit, why=why, shared=[own[c] for c in hit.document.concepts if c in own])


def _stance(diagnosis: Diagnosis, stance: str) -> list[Evidence]:
    pieces = [piece for piece in diagnosis.why if piece.stance == stance]
    return sorted(pieces, key=lambda e: (-abs(e.weight), e.kind, e.reference))


def _telling(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Those that part two diseases most, in their order."""
    apart = sorted(comparisons, key=lambda c: (-abs(c.weight - c.weight_for_first), c.finding))[:_MOST_COMPARED]
    return [c for c in comparisons if c in apart and c.weight != c.weight_for_first]


def _heaviest(pieces: Sequence[Evidence]) -> float:
    """The largest weight, which the bars of a diagnosis are measured by; 1 for none."""
    return max((abs(piece.weight) for piece in pieces), default=1.0)
