"""All formats of a report say the same, and nothing that a report holds runs or leaves its place in any of them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import pytest
from lxml import html

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, LeftOut, NextStep
from ontologies.concept import Concept
from ontologies.linking.unread import Span
from reports.dicom.source import read_source
from reports.dicom.sr import DicomSrReporter
from reports.json import dumps, plain
from reports.reporter import FORMATS, reporter
from reports.table import percent, render
from reports.text import as_text
from retrieval.document import Document, SearchHit
from vision.finding import Finding

CASES = 50


def case(seed: int) -> DiagnosticReport:
    """A report of 0 to 8 diagnoses with codes and probabilities drawn at random."""
    draw = random.Random(seed)
    shares = sorted((draw.random() ** 3 for _ in range(draw.randint(0, 8))), reverse=True)
    total = sum(shares) + draw.random()
    diagnoses = []
    for rank, share in enumerate(shares, 1):
        number = f"C{draw.randint(0, 9_999_999):07}"
        codes = {"UMLS": (number,), "ICD10CM": (f"J{draw.randint(10, 99)}.{rank}",), "SNOMEDCT": (f"{seed}{rank}00",)}
        concept = Concept(curie=f"UMLS:{number}", name=f"Disease {seed} {rank}", codes=codes)
        diagnoses.append(
            Diagnosis(
                concept=concept, probability=share / total, rank=rank, score=share, conformal_member=draw.random() < 0.5
            )
        )
    fever = Concept(curie="UMLS:C0015967", name="Fever", codes={"UMLS": ("C0015967",)})
    found = Finding(label="Fever", presence="present", origin="note", concept=fever)
    none = 1 - sum(d.probability for d in diagnoses)
    return DiagnosticReport(findings=(found,), diagnoses=tuple(diagnoses), none_of_these=none, age=50.0, sex="M")


def structured_report(report: DiagnosticReport, image: Path) -> Any:
    """The report as a DICOM SR, read again by highdicom."""
    return highdicom.sr.srread(BytesIO(DicomSrReporter([read_source(image)]).render(report)))


def in_dicom(report: DiagnosticReport, image: Path) -> list[tuple[int, str, str, float, bool]]:
    """Rank, name, code, probability and membership of each diagnosis as a DICOM SR has them."""
    found = []
    for group in structured_report(report, image).content.get_image_measurement_groups():
        values = {
            item.name.meaning: item.value.meaning if item.ValueType == "CODE" else item.value
            for item in group[0].ContentSequence
            if item.ValueType in ("CODE", "TEXT")
        }
        if "Rank" in values:
            share = round(float(values["Probability"].removesuffix(" %")) / 100, 12)
            member = values["Cannot be ruled out at 90 % coverage"] == "Yes"
            code = group.finding_type
            assert code.scheme_designator == "SCT"
            found.append((int(values["Rank"]), code.meaning, code.value, share, member))
    return found


@pytest.mark.parametrize("seed", range(CASES))
def test_all_formats_have_the_same_codes_ranks_and_probabilities(seed: int, dicom_image: Callable[..., Path]) -> None:
    report = case(seed)
    expected = [(d.rank, d.concept.name, d.concept.code("UMLS"), percent(d.probability)) for d in report.diagnoses]
    members = {d.concept.name for d in report.diagnoses if d.conformal_member}

    saved = json.loads(dumps(report))["diagnoses"]
    assert [
        (d["rank"], d["concept"]["name"], d["concept"]["codes"]["UMLS"][0], percent(d["probability"])) for d in saved
    ] == expected

    page = html.fromstring(reporter("html").render(report)).xpath("//details[@class='diagnosis']")
    shown = []
    for part in page:
        rank, name, share = re.match(
            r"(\d+)\. (Disease \d+ \d+) (\S+ %)", " ".join(part.text_content().split())
        ).groups()
        shown.append((int(rank), name, re.search(r"UMLS (C\d{7})", part.text_content())[1], share))
    assert shown == expected
    marked = {part.xpath(".//*[@class='name']/text()")[0] for part in page if part.xpath(".//*[@class='set']")}
    assert marked == members

    entries = [entry["resource"] for entry in json.loads(reporter("fhir").render(report))["entry"]]
    predictions = [p for r in entries if r["resourceType"] == "RiskAssessment" for p in r["prediction"]]
    umls = [[c["code"] for c in p["outcome"].get("coding", ()) if c["system"].endswith("/umls")] for p in predictions]
    assert [
        (rank, p["outcome"]["text"], *code, percent(p["probabilityDecimal"] / 100))
        for rank, (p, code) in enumerate(zip(predictions[:-1], umls, strict=False), 1)
    ] == expected

    assert in_dicom(report, dicom_image()) == [
        (d.rank, d.concept.name, d.concept.code("SNOMEDCT"), round(plain(d.probability), 12), d.conformal_member)
        for d in report.diagnoses
    ]

    said = re.findall(
        r"^(\d+)\. (Disease \d+ \d+)\. The chance is (\S+ %)\. \[UMLS:(C\d{7})\]",
        reporter("plain").render(report),
        re.M,
    )
    assert [(int(rank), name, code, share) for rank, name, share, code in said] == expected

    table = as_text(report, render)
    for rank, name, code, share in expected:
        assert re.search(rf"^ *{rank} +{name}( ◂)? +{re.escape(share)}", table, re.M)
        assert str(code) in table


TAGS = ("script", "img", "svg", "iframe", "object", "embed", "style", "link", "base", "form", "math", "template")
PAYLOADS = (
    *(f"<{tag} src=x onerror=alert(1) onload=alert(1) href=javascript:alert(1)>alert(1)</{tag}>" for tag in TAGS),
    *(
        f"</{tag}><script>alert(1)</script>"
        for tag in ("title", "style", "summary", "details", "li", "textarea", "svg")
    ),
    *(f'{quote} {event}="alert(1)" x={quote}' for quote in "\"'" for event in ("onclick", "onfocus", "onmouseover")),
    *(f"{scheme}:alert(1)" for scheme in ("javascript", "JaVaScRiPt", "vbscript", "data:text/html,<script>")),
    *(f"{{{{ {code} }}}}" for code in ("7*7", "config", "''.__class__", "report.__init__.__globals__")),
    *(f"{{% {code} %}}" for code in ("raw", "include '/etc/passwd'", "for x in y", "endautoescape")),
    *("<!--", "-->", "]]>", "<![CDATA[<script>alert(1)</script>]]>", "<?xml version='1.0'?>", "<!DOCTYPE html>"),
    *("&lt;script&gt;", "&#60;script&#62;", "&#x3c;script>", "\\u003cscript\\u003e", "%3Cscript%3E", "<scr\0ipt>"),
    *("\x1b[2J", "\x1b]8;;http://evil.example\x07x\x1b]8;;\x07", "\x9b31m", "\r\nSet-Cookie: a=1", "\u202egnp.exe"),
    *('","resourceType":"Patient', "\\", "${alert(1)}", "`alert(1)`", "@import 'http://evil.example'", "\n# Heading"),
)


def poisoned(payload: str) -> DiagnosticReport:
    """A report that says ``payload`` wherever a text stands."""
    concept = Concept(curie="X:1", name=payload, codes={"X": ("1",), "UMLS": (payload,)}, definition=payload)
    piece = Evidence(kind="words", reference="note:0-9", text=payload, stance="supports", weight=1.0)
    paper = Evidence(kind="literature", reference=payload, text="a paper", stance="contradicts", weight=-1.0)
    document = Document(
        doc_id="1",
        kind="case",
        title=payload,
        text=payload,
        source_curie=payload,
        metadata={"journal": payload, "year": payload, "impression": payload},
    )
    hits = (SearchHit(document=document, score=1.0, rank=1, explanation={payload: 1.0}),)
    finding = Finding(label=payload, presence="present", origin="note", concept=concept)
    diagnosis = Diagnosis(concept=concept, probability=0.5, rank=1, score=1.0, evidence=(piece, paper))
    return DiagnosticReport(
        findings=(finding,),
        diagnoses=(diagnosis,),
        none_of_these=0.5,
        literature=hits,
        cases=hits,
        next_steps=(NextStep(disease=payload, text=payload, reference=payload),),
        left_out=(LeftOut(disease=payload, text=payload, treatment=payload, because=payload, reference=payload),),
        abstention=payload,
        warnings=(payload,),
        provenance={payload: payload},
    )


def skeleton(text: str) -> list[tuple[str, list[str]]]:
    """The elements of a page in order, each with the names of its attributes."""
    return [(str(e.tag), sorted(e.attrib)) for e in html.document_fromstring(text).iter()]


def shape(dataset: Any) -> list[tuple[str, int, Any]]:
    """The elements of a document in order, each with its number of values. A code is short or long by its length."""
    elements = dataset.iterall()
    return [
        (e.VR, e.VM, None if e.keyword in ("CodeValue", "LongCodeValue") else e.tag) for e in elements if e.VR != "UC"
    ]


def test_there_are_sixty_payloads() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 60


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_what_a_report_holds_is_text_in_every_format(payload: str, dicom_image: Callable[..., Path]) -> None:
    report, harmless = poisoned(payload), poisoned("harmless")
    sr, plain_sr = (structured_report(one, dicom_image()) for one in (report, harmless))
    assert shape(sr) == shape(plain_sr)
    assert not re.search("[\0\x07\x1b\x9b\u202e]", str(sr))
    page = reporter("html").render(report)
    assert skeleton(page) == skeleton(reporter("html").render(harmless))
    assert all(href.startswith("#") for href in html.document_fromstring(page).xpath("//@href"))

    entries = json.loads(reporter("fhir").render(report))["entry"]
    plain_entries = json.loads(reporter("fhir").render(harmless))["entry"]
    assert [e["resource"].keys() for e in entries] == [e["resource"].keys() for e in plain_entries]
    assert json.loads(dumps(report))["diagnoses"][0]["concept"]["name"] == payload

    text = reporter("plain").render(report)
    assert len(text.splitlines()) == len(reporter("plain").render(harmless).splitlines())
    fhir = reporter("fhir").render(report)
    for written in (page, text, as_text(report, render), fhir):
        assert not re.search("[\0\x07\x1b\x9b\u202e]|u001b|u0007|u0000", written)


def test_how_much_of_the_note_was_understood_is_said_without_its_words(report: DiagnosticReport) -> None:
    partly = replace(report, understood=0.75, unread=(Span(start=3, end=9), Span(start=12, end=20)))
    for name in set(FORMATS) - {"csv"}:  # a table of findings and diagnoses
        assert "75 % were understood; 2 phrases were not" in reporter(name).render(partly)
        assert "understood" not in reporter(name).render(report).replace("What we did not understand", "")
