"""The page: it says what the report says, needs nothing else, and runs nothing that the report holds."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

from lxml import html

from fusion.diagnosis import DiagnosticReport, Evidence
from ontologies.linking.unread import Span
from reports.html import HtmlReporter, pubmed


def page(report: DiagnosticReport) -> html.HtmlElement:
    return html.fromstring(HtmlReporter().render(report))


def words(element: html.HtmlElement) -> str:
    return " ".join(" ".join(element.itertext()).split())


def test_each_diagnosis_opens_to_its_evidence_on_two_sides(report: DiagnosticReport) -> None:
    shown = page(report).xpath("//details[@class='diagnosis']")
    assert [words(d.xpath("summary")[0]).split(" (")[0] for d in shown] == [
        "1. Bacterial pneumonia 62 %",
        "2. Pulmonary embolism <1 %",
    ]
    assert [d.get("open") is not None for d in shown] == [True, False]
    supports, against = shown[0].xpath(".//section")
    assert [li.xpath("strong/text()")[0] for li in supports.xpath("ul/li")] == ["+0.84", "+0.41"]
    assert words(against) == "Speaks against it nothing"
    assert "cannot be ruled out" in words(shown[0])
    assert "cannot be ruled out" not in words(shown[1])
    (bar,) = shown[0].xpath("summary//*[@class='value']")
    assert bar.get("width") == "62.0"


def test_papers_and_cases_are_to_read_more_in_with_what_they_move(report: DiagnosticReport) -> None:
    unlisted = Evidence(kind="literature", reference="PMID:7", text="Not asked for", stance="contradicts", weight=-0.5)
    first = replace(report.diagnoses[0], evidence=(*report.diagnoses[0].evidence, unlisted))
    root = page(replace(report, diagnoses=(first, *report.diagnoses[1:])))
    (papers,), (cases,) = (root.xpath(f"//section[@aria-labelledby='{name}']") for name in ("papers", "cases"))
    assert "moves Bacterial pneumonia by +0.031" in words(papers.xpath("ol/li")[0])
    assert words(papers.xpath("ul/li")[0]) == "Not asked for PMID:7 · moves Bacterial pneumonia by −0.50"
    assert "moves Bacterial pneumonia by −0.22" in words(cases.xpath("ol/li")[0])
    assert not cases.xpath("ul")
    assert "moves" not in words(root.xpath("//details[@class='diagnosis']")[0])


def test_paths_are_drawn_with_their_weights_and_named_for_a_screen_reader(report: DiagnosticReport) -> None:
    (drawn,) = page(report).xpath("//details[1]//*[@class='path']")
    said = "Lung consolidation ← has phenotype – Bacterial pneumonia, weight +0.41"
    assert drawn.get("aria-label") == f"Paths to Bacterial pneumonia: {said}"
    assert drawn.xpath(".//text/text()") == [
        "has phenotype, in 90 %",
        "Bacterial pneumonia",
        "Lung consolidation",
        "+0.41",
    ]


def test_findings_papers_cases_steps_warnings_and_provenance_are_read(report: DiagnosticReport) -> None:
    root = page(report)
    (table,) = root.xpath("//section[@aria-labelledby='findings']//tbody")
    rows = {words(row.xpath("th")[0]): words(row) for row in table.xpath("tr")}
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
    assert "Read more" not in text


def test_the_page_needs_nothing_else_and_its_policy_allows_its_style_and_script_alone(report: DiagnosticReport) -> None:
    root = page(report)
    assert not root.xpath("//link | //iframe | //img | //object | //form | //@src | //@style")
    assert not [name for name in root.xpath("//@*") if name.attrname.startswith("on")]
    (policy,) = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (style,), (script,) = root.xpath("//style/text()"), root.xpath("//script/text()")
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in (style, script)
    ]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}';")
    assert "unsafe" not in policy
    assert not re.search(r"@import|url\(", style)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|fetch|XMLHttp|import\(", script)


def test_what_each_finding_does_to_each_diagnosis_stands_in_one_table(report: DiagnosticReport) -> None:
    weights = [("UMLS:C0521530", -0.3), ("age", 0.2)]
    pieces = [
        Evidence(
            kind="person" if name == "age" else "finding",
            reference=name,
            text=name,
            stance="supports" if value > 0 else "contradicts",
            weight=value,
        )
        for name, value in weights
    ]
    both = replace(report, diagnoses=(report.diagnoses[0], replace(report.diagnoses[1], evidence=tuple(pieces))))
    (table,) = page(both).xpath("//*[@id='effects']/following-sibling::div[1]/table")
    rows = [[words(cell) for cell in row] for row in table.xpath("tbody/tr")]
    assert rows == [["Consolidation on the image", "+0.84", "−0.30"], ["age", "", "+0.20"]]


def test_a_similar_case_says_why_it_is_one(report: DiagnosticReport) -> None:
    document = replace(report.cases[0].document, concepts=("UMLS:C0015967", "X:1"))
    hit = replace(report.cases[0], document=document)
    text = words(page(replace(report, cases=(hit,))).xpath("//section[@aria-labelledby='cases']")[0])
    assert "Why: the images look alike (cosine 0.82); text 0.4; both have Fever." in text


def test_the_note_is_shown_only_when_asked_for_with_what_was_not_understood(report: DiagnosticReport) -> None:
    note = "fever, blorbing <b>toe</b> & cough"
    partly = replace(
        report, understood=0.7, unread=(Span(start=7, end=15), Span(start=12, end=14), Span(start=90, end=95))
    )
    assert "blorbing" not in HtmlReporter().render(partly)
    root = html.fromstring(HtmlReporter(note=note).render(partly))
    (shown,) = root.xpath("//p[@class='note']")
    assert shown.text_content() == note
    assert root.xpath("//mark/text()") == ["blorbing"]


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
