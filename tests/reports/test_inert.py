"""What a note, a name, a title, a file's name or a DICOM tag holds does nothing in any output: sixty payloads."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pydicom
import pytest

from errors import InputError
from fusion.diagnosis import DiagnosticReport, Evidence
from kg.triple import KGPath, Triple
from ontologies.concept import Concept
from ontologies.linking.unread import Span
from reports.cohort import table_file
from reports.dicom.archive import archive
from reports.dicom.source import read_source
from reports.json import dumps, loads
from reports.listing import hits
from reports.report import Report
from reports.reporter import reporter
from reports.table import render
from reports.text import as_text, console
from tests.reports.test_dicom_archive import looked
from tests.reports.test_dicom_sr import of_image
from vision.finding import Finding

BENIGN = "harmless"
PAYLOADS = [
    # HTML and script
    "<script>alert(1)</script>", "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>", "' onmouseover='alert(1)", "<iframe src=javascript:alert(1)>", "</style><style>*{}",
    "javascript:alert(1)", "<a href=\"data:text/html,x\">x</a>", "<!-- comment", "--><b>", "<![CDATA[<b>]]>",
    "&lt;script&gt;", "<base href=//evil>", "<meta http-equiv=refresh content=0>", "</title><b>", "</pre></table><b>",
    # escapes of a terminal, and what a terminal takes for one
    "\x1b[31mred", "\x1b]0;title\x07", "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "\x9b31m", "\x1bc",
    "\x07\x08\x08",
    "\x1b[2J\x1b[H", "\x7f", "\x00", "\r overwrites", "[bold red]markup[/]", "[link=http://evil]x[/link]", "\\[escaped",
    # lines that are none, and letters that turn or hide
    "one\nTwo: 99 %", "one\u2028two\u2029three", "\u202egnp.exe", "\u2066isolate\u2069", "\u200blike\u200bnothing",
    "a\u0300" * 40, "\ufeffmark", "\ud7ff\ue000",
    # templates and formats
    "{{ 7*7 }}", "{% for x in y %}", "${7*7}", "#{7*7}", "%s%n%d", "{0.__class__}", "<%= 7*7 %>", "$(id)", "`id`",
    # formulas of a spreadsheet
    "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "＝1+1", ' =HYPERLINK("http://evil")', 'a","=1+1',
    # delimiters of DICOM, XML, paths
    "a\\b\\c", "Last^First^^Dr=ideographic", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "../../../etc/passwd", "C:\\Windows\\..\\x", "file:///etc/passwd", "|ls", "; rm -rf /",
]  # fmt: skip


def poisoned(report: DiagnosticReport, text: str) -> DiagnosticReport:
    """``report`` with ``text`` wherever a report holds words that somebody else wrote."""
    concept = Concept(curie="CHEST:poisoned", name=text, codes={"ICD10CM": ("J15",)}, definition=text)
    triple = Triple(
        subject="CHEST:poisoned",
        predicate="has_phenotype",
        object="CHEST:other",
        subject_name=text,
        object_name=text,
        source=text,
        frequency=0.5,
        reference=text,
    )
    path = KGPath(triples=(triple,), inverted=(True,), score=-0.1, text=text)
    evidence = (
        Evidence(kind="finding", reference="CHEST:poisoned", text=text, stance="supports", weight=0.5),
        Evidence(kind="kg_path", reference=text, text=text, stance="supports", weight=0.25, path=path),
        Evidence(kind="literature", reference=text, text=text, stance="contradicts", weight=-0.125),
    )
    seen, *rest = of_image(report).findings
    first, second = report.diagnoses
    paper = replace(
        report.literature[0].document,
        title=text,
        text=text,
        source_curie=text,
        metadata={"journal": text, "year": text},
    )
    case = replace(report.cases[0].document, title=text, text=text, metadata={"impression": text, "ward": text})
    return replace(
        report,
        findings=(
            replace(seen, concept=concept),
            *rest,
            Finding(label=text, presence="present", origin="note", concept=concept),
            Finding(label=text, presence="absent", origin="user"),
        ),
        diagnoses=(replace(first, concept=concept, evidence=evidence), second),
        literature=(replace(report.literature[0], document=paper),),
        cases=(replace(report.cases[0], document=case),),
        next_steps=(replace(report.next_steps[0], disease=text, text=text, reference=text),),
        left_out=(replace(report.left_out[0], disease=text, text=text, because=text, reference=text),),
        abstention=text,
        warnings=(text,),
        provenance={"whydx": "0.1.0", "setting": text},
        understood=0.5,
        unread=(Span(start=0, end=3),),
    )


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes, and every address and handler in them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Any] = []
        self.addresses: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "text":  # a line of a name in a drawing: long names have more
            self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.addresses += [v or "" for n, v in attrs if n in ("href", "src", "action", "srcdoc") or n.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        if tag != "text":
            self.elements.append(tag)

    def handle_comment(self, data: str) -> None:
        self.elements.append("comment")


def shown(report: DiagnosticReport, *, terminal: bool) -> str:
    text = io.StringIO()
    render(report, console(file=text, width=110, force_terminal=terminal, color_system="truecolor"))
    return text.getvalue()


ADDRESS = re.compile(r"(#|https://pubmed\.ncbi\.nlm\.nih\.gov/\d+/$|data:image/(png|jpeg);base64,)")
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(params=PAYLOADS, ids=range(len(PAYLOADS)))
def hostile(request: pytest.FixtureRequest, report: DiagnosticReport) -> DiagnosticReport:
    return poisoned(report, request.param)


def test_there_are_sixty() -> None:
    assert len(set(PAYLOADS)) >= 60


def test_a_terminal_is_not_steered(hostile: DiagnosticReport, report: DiagnosticReport) -> None:
    assert not STEERS.search(as_text(hostile, render).replace("\r", ""))
    own = re.compile(r"\x1b\[[0-9;]*m")  # what rich itself writes
    coloured = own.sub("", shown(hostile, terminal=True))
    assert not STEERS.search(coloured.replace("\r", ""))
    assert "\r" not in coloured
    as_hits = as_text(hostile.literature, hits)
    assert not STEERS.search(as_hits)


def test_a_line_of_the_table_cannot_be_faked(report: DiagnosticReport) -> None:
    fake = "x\n 2  Healthy  99 %"
    text = as_text(poisoned(report, fake), render)
    assert not any(line.startswith(" 2  Healthy") for line in text.splitlines())
    plain = reporter("plain").render(poisoned(report, fake))
    assert not any(line.startswith(" 2  Healthy") for line in str(plain).splitlines())


def test_a_page_has_the_elements_of_a_harmless_one(hostile: DiagnosticReport, report: DiagnosticReport) -> None:
    page, harmless = (Skeleton(str(reporter("html").render(r))) for r in (hostile, poisoned(report, BENIGN)))
    assert page.elements == harmless.elements
    for address in page.addresses:
        assert ADDRESS.match(address), address
    notebook = Skeleton(Report.of(hostile)._repr_html_())
    named = {element for element in notebook.elements if isinstance(element, tuple)}
    assert named <= {(tag, ("style",)) for tag in ("pre", "span", "code")}


def test_json_reads_back_and_steers_nothing(hostile: DiagnosticReport) -> None:
    text = dumps(hostile)
    assert dumps(loads(text)) == text
    assert json.loads(text)["warnings"] == list(hostile.warnings)
    assert not STEERS.search(text)


def test_fhir_reads_back_and_says_it_as_text(hostile: DiagnosticReport) -> None:
    module = pytest.importorskip("fhir.resources.R4B.bundle")
    text = str(reporter("fhir").render(hostile))
    module.Bundle.model_validate_json(text)
    assert not STEERS.search(text)
    kinds = [entry["resource"]["resourceType"] for entry in json.loads(text)["entry"]]
    assert kinds.count("RiskAssessment") == 1
    assert "div" not in {key for entry in json.loads(text)["entry"] for key in entry["resource"]}


def test_a_spreadsheet_runs_nothing(hostile: DiagnosticReport) -> None:
    for text in (str(reporter("csv").render(hostile)), table_file(hostile.cases, "csv").decode("utf-8")):
        header, *rows = csv.reader(io.StringIO(text))
        assert all(len(row) == len(header) for row in rows)
        for cell in (cell for row in [header, *rows] for cell in row):
            number = re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", cell)
            assert number or not cell.strip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")), cell


def test_plain_words_are_lines_and_nothing_else(hostile: DiagnosticReport, report: DiagnosticReport) -> None:
    text, harmless = (str(reporter("plain").render(r)) for r in (hostile, poisoned(report, BENIGN)))
    assert not STEERS.search(text)
    assert len(text.split("\n")) == len(harmless.split("\n"))


def elements(dataset: Any) -> Iterator[Any]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from elements(item)
        else:
            yield element


def counted(found: list[Any]) -> Counter[tuple[str, int]]:
    """How often each element stands with so many values; a code over 16 letters, or like a URL, is an element of
    another name."""
    return Counter((e.keyword.removeprefix("Long").removeprefix("URN"), e.VM) for e in found)


# An SR takes a third of a second; every payload has its turn in ``make slow``.
@pytest.mark.parametrize(
    "number",
    [n if n % 16 == 1 else pytest.param(n, marks=pytest.mark.slow) for n in range(len(PAYLOADS))],
)
def test_dicom_values_stay_one_value_and_valid(
    report: DiagnosticReport, dicom_image: Callable[..., Path], number: int
) -> None:
    hostile, harmless = poisoned(report, PAYLOADS[number]), poisoned(report, BENIGN)
    sources = [read_source(dicom_image())]
    made, expected = (archive(r, sources, looked).files for r in (hostile, harmless))
    assert set(made) == set(expected)
    for name, data in made.items():
        own, other = (list(elements(pydicom.dcmread(io.BytesIO(d)))) for d in (data, expected[name]))
        # No more elements, each with as many values: nothing was split. What is left of escapes alone may be nothing.
        assert not counted(own) - counted(other), name
        for element in own:
            if element.VR in ("LO", "SH", "UT", "ST", "LT", "PN", "CS"):
                assert not STEERS.search(str(element.value)), element
            if element.VR == "LO":
                assert len(str(element.value)) <= 64


HEADER_TEXTS = (
    *("PatientName", "PatientID", "PatientAge", "InstitutionName", "ImageComments", "StudyDescription", "ViewPosition"),
    *("SeriesDescription", "ProtocolName", "BodyPartExamined", "OperatorsName", "StationName", "AccessionNumber"),
)


@pytest.mark.parametrize("number", range(0, len(PAYLOADS), 13))
def test_tags_of_the_image_reach_no_output(
    report: DiagnosticReport, dicom_image: Callable[..., Path], number: int
) -> None:
    """What they hold is in no document, nor in what the reader of images says of it."""
    from vision.image import load_image

    payload = PAYLOADS[number]
    ascii_alone = {"PatientAge", "ViewPosition", "BodyPartExamined"}
    tags = {name: payload for name in HEADER_TEXTS if payload.isascii() or name not in ascii_alone}
    image = dicom_image(**tags, SpecificCharacterSet="ISO_IR 192")
    said = " ".join(load_image(image).warnings)
    assert payload not in said
    made = archive(of_image(report), [read_source(image)], looked).files
    words = payload.encode("utf-8", "surrogatepass").strip()
    if len(words) > 5:
        assert not [name for name, data in made.items() if words in data]


def test_a_header_field_of_an_age_is_not_repeated(dicom_image: Callable[..., Path]) -> None:
    """A date of birth is often where an age belongs."""
    from vision.image import load_image

    (line,) = load_image(dicom_image(PatientAge="19430502")).warnings
    assert "1943" not in line
    assert "--age" in line


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "/" not in p and "\0" not in p])
def test_file_names_are_repeated_as_one_harmless_line(payload: str, tmp_path: Path) -> None:
    from vision.image import load_image

    path = tmp_path / payload.encode("utf-8", "replace").decode("utf-8")[:100]
    path.write_bytes(b"nothing")
    with pytest.raises(InputError) as refused:
        load_image(path)
    assert len(str(refused.value).splitlines()) == 1
    assert not STEERS.search(str(refused.value))
