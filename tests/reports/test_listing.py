"""The smaller tables: what they must say, and that nothing found is said in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from fusion.diagnosis import DiagnosticReport
from reports import listing


def drawn(draw: Callable[[Any, Console], None], value: Any) -> str:
    text = StringIO()
    draw(value, Console(file=text, width=120, color_system=None, highlight=False))
    return text.getvalue()


def test_detections(report: DiagnosticReport) -> None:
    text = drawn(
        listing.detections,
        [
            {
                "image": "a.png",
                "refused": None,
                "warnings": ("PHANTOM",),
                "no_finding": 0.125,
                "findings": report.findings[:3],
            }
        ],
    )
    first, second = (next(line for line in text.splitlines() if name in line) for name in ("Consolidation", "Hernia"))
    assert first.startswith("+")
    assert "0.812" in first
    assert "right" in first
    assert "! PHANTOM" in text
    assert "0.125" in text
    assert "10 20 100 80" in first
    assert not second.startswith("+")


def test_a_refused_image_says_why() -> None:
    assert "refused: not a radiograph" in drawn(
        listing.detections,
        [{"image": "a.png", "refused": "not a radiograph", "warnings": (), "no_finding": 1.0, "findings": ()}],
    )


def test_hits(report: DiagnosticReport) -> None:
    text = drawn(listing.hits, report.literature)
    assert "PMID:31573350" in text
    assert "bm25 12.3 · dense 0.61" in text
    assert "2019" in text


def test_a_case_says_what_was_found(report: DiagnosticReport) -> None:
    document = replace(
        report.cases[0].document, title="51-year-old man", metadata={"impression": "Pneumonia " * 40, "journal": ""}
    )
    text = " ".join(drawn(listing.hits, (replace(report.cases[0], document=document),)).split())
    assert "51-year-old man: Pneumonia Pneumonia" in text
    assert "…" in text


def test_walks(report: DiagnosticReport) -> None:
    path = report.diagnoses[0].evidence[1].path
    text = drawn(listing.walks, (path,))
    assert "Lung consolidation ← has phenotype – Bacterial pneumonia" in text
    assert "[chest 1, in 90 %, PMID:31573350]" in text


def test_metrics_are_flattened() -> None:
    text = drawn(listing.metrics, {"auroc": {"Mass": 0.71239, "mean": None}, "n": 3})
    assert "auroc.Mass" in text
    assert "0.7124" in text


def test_concept(report: DiagnosticReport) -> None:
    path = report.diagnoses[0].evidence[1].path
    assert path is not None
    value = {"concept": report.findings[0].concept, "information_content": 5.25, "triples": path.triples}
    text = drawn(listing.concept, value)
    assert "95436008" in text
    assert "has_phenotype" in text
    assert "90 %" in text


def test_sources_say_licence_and_citation() -> None:
    from ontologies.sources.store import SOURCES, SourceStatus

    source = SOURCES[0]
    status = SourceStatus(
        name=source.name,
        version=source.version,
        package=source.package,
        licence=source.licence,
        citation=source.citation,
        sha256=source.sha256,
        state="damaged",
        detail="not all files are there",
    )
    text = " ".join(drawn(listing.sources, (status,)).split())
    for words in (
        source.version,
        source.licence,
        source.citation,
        "damaged",
        "not all files are there",
        source.sha256[:12],
    ):
        assert words in text


@pytest.mark.parametrize("draw", [listing.hits, listing.walks, listing.matches, listing.records])
def test_nothing_found(draw: Callable[[Any, Console], None]) -> None:
    assert drawn(draw, ()).strip() == listing.NOTHING
