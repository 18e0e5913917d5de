"""The terminal report: golden outputs, and the words for numbers."""

from __future__ import annotations

import os
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from fusion.diagnosis import DiagnosticReport, Evidence
from ontologies.linking.unread import Span
from reports.html import HtmlReporter
from reports.json import dumps, loads
from reports.report import Report
from reports.table import bar, percent, render, short, weight
from vision.anatomy.measures import Measurement
from vision.finding import Finding

GOLDEN = Path(__file__).parent / "golden"


def drawn(report: DiagnosticReport, width: int) -> str:
    text = StringIO()
    render(report, Console(file=text, width=width, color_system=None, highlight=False, legacy_windows=False))
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def check(text: str, name: str) -> None:
    """Compare with the golden file; WHYDX_GOLDEN=write rewrites it, for a reader to look at."""
    path = GOLDEN / name
    if os.environ.get("WHYDX_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [80, 110])
def test_report(report: DiagnosticReport, width: int) -> None:
    text = drawn(report, width)
    assert max(map(len, text.splitlines())) <= width
    check(text, f"report_{width}.txt")


def test_abstention(report: DiagnosticReport) -> None:
    report = replace(
        report,
        diagnoses=(),
        literature=(),
        cases=(),
        next_steps=(),
        none_of_these=1.0,
        abstention="nothing was found",
        warnings=(),
    )
    check(drawn(report, 80), "abstention_80.txt")


def test_what_was_not_understood_is_shown_where_the_note_is_at_hand(report: DiagnosticReport) -> None:
    note = "fever since he polished crowns, hums while ironing"
    spans = (Span(start=15, end=30), Span(start=32, end=50))
    report = replace(report, understood=0.2, unread=spans)
    saved, own = drawn(report, 110), drawn(Report.of(report, note=note), 110)
    assert "Of the note's words 20 % were understood; 2 phrases were not" in saved
    assert "Not understood: polished crowns, hums while ironing" in own
    many = Report.of(replace(report, unread=spans * 10), note=note)
    assert "… and 8 more" in " ".join(drawn(many, 110).split())
    assert "polished" not in many.to_json(), "words of the note can identify a patient"
    assert loads(report_json := dumps(report)).unread == spans, report_json


def test_nothing_known() -> None:
    text = drawn(DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0), 80)
    assert "Findings  none" in text
    assert "Read more" not in text


def test_what_the_network_read_and_no_search_found_is_shown_the_heaviest_first(report: DiagnosticReport) -> None:
    read = tuple(
        Evidence(kind="literature", reference=f"PMID:{n}", text=f"Sentence {n}", stance="supports", weight=n / 100)
        for n in range(1, 9)
    )
    first = replace(report.diagnoses[0], evidence=read)
    shown = drawn(replace(report, diagnoses=(first,)), 110)
    before, _, more = shown.partition("Read more")
    assert "no single piece changes its score" in before, "papers are not why"
    assert [line.split()[1] for line in more.splitlines() if line.startswith("·  PMID")] == [
        "PMID:8", "PMID:7", "PMID:6", "PMID:5", "PMID:4",
    ]  # fmt: skip
    assert "Sentence 8  moves Bacterial pneumonia by +0.08" in more


def test_markup_in_the_input_is_shown_as_it_is(report: DiagnosticReport) -> None:
    evidence = Evidence(kind="case", reference="x:1", text="[bold red]not markup[/]", stance="supports", weight=1.0)
    report = replace(report, diagnoses=(replace(report.diagnoses[0], evidence=(evidence,)),), warnings=("[blink]!",))
    text = drawn(report, 110)
    assert "[bold red]not markup[/]" in text
    assert "! [blink]!" in text


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0 %"), (0.004, "<1 %"), (0.005, "0 %"), (0.07, "7 %"), (0.994, "99 %"), (0.996, ">99 %"), (1.0, "100 %")],
)
def test_percent(probability: float, text: str) -> None:
    assert percent(probability) == text


@pytest.mark.parametrize(
    ("probability", "text"), [(0.0, "    "), (0.125, "╸   "), (0.5, "━━  "), (1.0, "━━━━"), (7.0, "━━━━")]
)
def test_bar(probability: float, text: str) -> None:
    assert bar(probability, 4) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0.844, "+0.84"), (12.3, "+12.30"), (0.0312, "+0.031"), (-0.22, "−0.22"), (-1e-6, "−1e-06"), (0.0, "0")],
)
def test_weight(size: float, text: str) -> None:
    assert weight(size) == text


def test_hashes_are_shortened() -> None:
    assert short("sha256:" + "0a" * 32) == "0a0a0a0a"
    assert short("2025-01-16") == "2025-01-16"


def test_a_path_stands_under_the_finding_it_carries(report: DiagnosticReport) -> None:
    def piece(kind: Literal["finding", "kg_path"], reference: str, weight_: float) -> Evidence:
        return Evidence(kind=kind, reference=reference, text=f"<{reference}>", stance="supports", weight=weight_)

    pieces = (
        piece("kg_path", "HP:1 → D:1", 2.1),
        piece("finding", "HP:1", 2.0),
        piece("finding", "HP:2", 1.0),
        piece("kg_path", "HP:3 → D:1", 0.5),
        piece("kg_path", "HP:2 → HP:9 → D:1", 0.4),
    )
    diagnosis = replace(report.diagnoses[0], evidence=pieces)
    lines = [line for line in drawn(replace(report, diagnoses=(diagnosis,)), 110).splitlines() if "<" in line]
    found = [(line.split()[1], line[line.index("<") + 1 : line.index(">")]) for line in lines]
    assert found == [
        ("finding", "HP:1"),
        ("↳", "HP:1 → D:1"),
        ("finding", "HP:2"),
        ("↳", "HP:2 → HP:9 → D:1"),
        ("knowledge", "HP:3 → D:1"),
    ]


def test_what_is_not_assessed_and_what_is_measured_are_said(report: DiagnosticReport) -> None:
    unseen = Finding(label="Nodule", presence="not assessed", reason="not told better than by chance: AUROC .46")
    odd = Measurement(name="costophrenic angle, right", value=80.0, low=20.0, high=55.0, basis="films", unit="°")
    usual = Measurement(name="cardiothoracic ratio", value=0.44, high=0.5, basis="PA films")
    text = drawn(replace(report, findings=(*report.findings, unseen), measurements=(odd, usual)), 200)
    assert "Not assessed on the image: Nodule (not told better than by chance: AUROC .46)" in text
    assert "Nodule (not assessed)" not in text
    assert "! costophrenic angle, right 80° (usual: 20° to 55°, films)" in text
    assert "Measured, as usual: cardiothoracic ratio 0.44" in text
    page = HtmlReporter().render(replace(report, findings=(unseen,), measurements=(odd, usual)))
    assert "not told better than by chance" in page
    assert "1 of 2 not as usual" in page
    assert "<strong>80°</strong>" in page
