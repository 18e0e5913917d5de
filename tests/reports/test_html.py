"""The page: it says what the report says, needs nothing else, and runs nothing that the report holds."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

from lxml import html

from fusion.diagnosis import DiagnosticReport, Evidence
from reports.html import HtmlReporter, pubmed


def page(report: DiagnosticReport) -> html.HtmlElement:
    return html.fromstring(HtmlReporter().render(report))


def words(element: html.HtmlElement) -> str:
    return " ".join(" ".join(element.itertext()).split())


def test_each_diagnosis_opens_to_its_evidence_on_two_sides(report: DiagnosticReport) -> None:
    shown = page(report).xpath("//details")
    assert [words(d.xpath("summary")[0]).split(" (")[0] for d in shown] == [
        "1. Bacterial pneumonia 62 %",
        "2. Pulmonary embolism <1 %",
    ]
    assert [d.get("open") is not None for d in shown] == [True, False]
    supports, against = shown[0].xpath(".//section")
    assert [li.xpath("strong/text()")[0] for li in supports.xpath("ul/li")] == ["+0.84", "+0.41", "+0.031"]
    assert "A similar case without pneumonia" in words(against)
    assert "cannot be ruled out" in words(shown[0])
    assert "cannot be ruled out" not in words(shown[1])
    (bar,) = shown[0].xpath("summary//*[@class='value']")
    assert bar.get("width") == "62.0"


def test_a_path_is_drawn_with_its_weight_and_named_for_a_screen_reader(report: DiagnosticReport) -> None:
    (drawn,) = page(report).xpath("//*[@class='path']")
    assert drawn.get("aria-label") == "Lung consolidation ← has phenotype – Bacterial pneumonia, weight +0.41"
    assert drawn.xpath(".//text/text()") == [
        "Lung consolidation",
        "Bacterial pneumonia",
        "has phenotype",
        "in 90 %",
    ]
    (line,) = drawn.xpath(".//line")
    assert int(line.get("x1")) > int(line.get("x2"))  # the edge is stated of the disease, on the right


def test_findings_papers_cases_steps_warnings_and_provenance_are_read(report: DiagnosticReport) -> None:
    root = page(report)
    rows = {words(row.xpath("th")[0]): words(row) for row in root.xpath("//tbody/tr")}
    assert set(rows) == {"Consolidation", "Edema", "Hernia", "Fever"}
    assert "present 0.81 0.40 right image SNOMED CT 95436008" in rows["Consolidation"]
    text = words(root)
    for said in ("openi:17", "Sputum and blood cultures", "PHANTOM", "abababab", "None of these: 38 %"):
        assert said in text
    assert "https://pubmed.ncbi.nlm.nih.gov/31573350/" in root.xpath("//a/@href")


def test_words_of_the_note_are_evidence_like_findings(report: DiagnosticReport) -> None:
    piece = Evidence(kind="words", reference="note:3-20", text="coughs up rusty phlegm", stance="supports", weight=0.5)
    shown = page(replace(report, diagnoses=(replace(report.diagnoses[0], evidence=(piece,)),)))
    assert "+0.50 words coughs up rusty phlegm" in words(shown)


def test_an_abstention_and_an_empty_report_are_said_in_words() -> None:
    nothing = DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0, abstention="nothing was found")
    text = words(page(nothing))
    assert "No diagnosis is named: nothing was found" in text
    assert "Papers" not in text


def test_the_page_needs_nothing_else_and_its_policy_allows_its_style_alone(report: DiagnosticReport) -> None:
    root = page(report)
    assert not root.xpath("//script | //link | //iframe | //img | //object | //form | //@src | //@style")
    assert not [name for name in root.xpath("//@*") if name.attrname.startswith("on")]
    (policy,) = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (style,) = root.xpath("//style/text()")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not re.search(r"@import|url\(", style)


def test_a_reader_by_ear_or_keyboard_finds_the_way(report: DiagnosticReport) -> None:
    root = page(report)
    assert root.get("lang") == "en"
    ids = root.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert set(root.xpath("//@aria-labelledby")) <= set(ids)
    assert {href[1:] for href in root.xpath("//a/@href") if href.startswith("#")} <= set(ids)
    assert not root.xpath("//th[not(@scope)]")
    assert not root.xpath("//*[local-name()='svg'][not(@aria-label) and not(@aria-hidden)]")


def test_only_a_pmid_becomes_a_link() -> None:
    assert pubmed("PMID:1") == "https://pubmed.ncbi.nlm.nih.gov/1/"
    for other in ("javascript:alert(1)", "PMID:1/../x", "PMID:", "PMID:1\n", "openi:17"):
        assert pubmed(other) is None
