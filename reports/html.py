"""A report as one page that needs nothing else: no script, no request; by keyboard, screen reader and printer too."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence
from reports.cleaning import without_controls
from reports.drawing import BOX_WIDTH, drawing
from reports.table import DISCLAIMER, KINDS, SIGNS, codes, percent, scores, short, understanding, weight
from vision.finding import in_words

if TYPE_CHECKING:
    from jinja2 import Template

_FOLDER = Path(__file__).parent / "page"
_PUBMED = "https://pubmed.ncbi.nlm.nih.gov/"


class HtmlReporter:
    """The page. Its policy (CSP) allows its own style sheet, by hash, and nothing else."""

    def render(self, report: DiagnosticReport) -> str:
        """The page of ``report``; all that the report says is escaped, whatever it holds."""
        report = without_controls(report)
        style = (_FOLDER / "report.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
        return _template().render(
            report=report,
            style=style,
            digest=digest,
            disclaimer=DISCLAIMER,
            findings=sorted(report.findings, key=lambda f: (f.origin != "image", -(f.probability or 0.0), f.label)),
            understanding=understanding(report),
            box_width=BOX_WIDTH,
        )


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "codes": lambda concept: codes(concept) if concept else "",
        "drawing": drawing,
        "in_words": in_words,
        "measure": lambda value, unit: f"{value:.0f}{unit}" if unit else f"{value:.2f}",
        "kind": KINDS.__getitem__,
        "percent": percent,
        "pubmed": pubmed,
        "scores": scores,
        "short": short,
        "sign": lambda presence: SIGNS[presence][0],
        "stance": _stance,
        "heaviest": _heaviest,
        "weight": weight,
        "width": lambda probability: f"{100 * min(max(probability, 0.0), 1.0):.1f}",
    }
    environment.filters.update(filters)
    return environment.get_template("report.html.jinja")


def pubmed(reference: str) -> str | None:
    """The address of a paper in PubMed, None when ``reference`` is no PMID: nothing else becomes a link."""
    return f"{_PUBMED}{reference[5:]}/" if re.fullmatch(r"PMID:[0-9]{1,9}", reference) else None


def _stance(diagnosis: Diagnosis, stance: str) -> list[Evidence]:
    pieces = [piece for piece in diagnosis.evidence if piece.stance == stance]
    return sorted(pieces, key=lambda e: (-abs(e.weight), e.kind, e.reference))


def _heaviest(pieces: Sequence[Evidence]) -> float:
    """The largest weight, which the bars of a diagnosis are measured by; 1 for none."""
    return max((abs(piece.weight) for piece in pieces), default=1.0)
