"""Every format of one report says the same: codes, presence, sides, ranks, probabilities. Fifty cases, made."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest

from fusion.diagnosis import DiagnosticReport
from ontologies import coding
from reports.cohort import table_file
from reports.dicom import capture
from reports.dicom.coding import of_concept
from reports.dicom.placement import Placement
from reports.dicom.source import read_source
from reports.dicom.sr import DicomSrReporter
from reports.fhir import CURIES
from reports.json import dumps, loads, plain
from reports.reporter import FORMATS, reporter
from reports.table import percent, render
from reports.text import as_text
from tests.reports.cases import made_cases, made_concepts
from vision.finding import in_words

SCT = "http://snomed.info/sct"
CASES = made_cases(made_concepts())
SR = 6  # every one in ``make slow``: an SR takes a third of a second


@dataclass(frozen=True)
class Said:
    """What a format says, as far as all can say it: findings as (SNOMED CT code or CURIE, presence code, side code,
    probability), diagnoses as (rank, code, probability), and the probability of "none of these"."""

    findings: list[tuple[str, str, str | None, float | None]]
    diagnoses: list[tuple[int, str, float]]
    none: float


def truth(report: DiagnosticReport) -> Said:
    def code(concept: Any) -> str:
        return coding.snomed(concept.code("SNOMEDCT")) or concept.curie

    return Said(
        [
            (
                code(f.concept),
                coding.PRESENCES[f.presence][0],
                f.laterality and coding.SIDES[f.laterality][0],
                plain(f.probability),
            )
            for f in report.findings
        ],
        [(d.rank, code(d.concept), plain(d.probability)) for d in report.diagnoses],
        plain(report.none_of_these),
    )


def of_json(report: DiagnosticReport) -> Said:
    return truth(loads(dumps(report)))


def of_fhir(report: DiagnosticReport) -> Said:
    resources = [e["resource"] for e in json.loads(reporter("fhir").render(report))["entry"]]

    def code(concept: dict[str, Any]) -> str:
        known = {c["system"]: c["code"] for c in concept["coding"]}
        return known.get(SCT) or known[CURIES]

    def part(observation: dict[str, Any], name: str) -> Any:
        found = [c for c in observation["component"] if c["code"]["coding"][0]["code"] == name]
        if not found:
            return None
        return found[0].get("valueQuantity", {}).get("value", found[0].get("valueCodeableConcept"))

    findings = []
    for one in (r for r in resources if r["resourceType"] == "Observation" and "component" in r):
        value = one.get("valueCodeableConcept") or one["dataAbsentReason"]
        (presence,) = [c["code"] for c in value["coding"] if c["system"] == SCT]
        side = part(one, "272741003")
        findings.append((code(one["code"]), presence, side and side["coding"][0]["code"], part(one, "122157")))
    predictions = [r["prediction"] for r in resources if r["resourceType"] == "RiskAssessment"]
    *ranked, none = predictions[0] if predictions else [{"probabilityDecimal": 100 * plain(report.none_of_these)}]
    return Said(
        findings,
        [(n, code(p["outcome"]), p["probabilityDecimal"] / 100) for n, p in enumerate(ranked, 1)],
        none["probabilityDecimal"] / 100,
    )


def of_csv(report: DiagnosticReport) -> Said:
    rows = list(csv.DictReader(io.StringIO(reporter("csv").render(report))))
    findings = [
        (
            coding.snomed(r["snomedct"]) or r["curie"],
            coding.PRESENCES[r["presence"]][0],
            coding.SIDES[r["side"]][0] if r["side"] else None,
            float(r["probability"]) if r["probability"] else None,
        )
        for r in rows
        if r["row"] == "finding"
    ]
    ranked = [
        (int(r["rank"]), coding.snomed(r["snomedct"]) or r["curie"], float(r["probability"]))
        for r in rows
        if r["row"] == "diagnosis"
    ]
    return Said(findings, ranked, float(rows[-1]["probability"]))


def of_sr(report: DiagnosticReport, image: Path) -> Said:
    document = pydicom.dcmread(io.BytesIO(DicomSrReporter([read_source(image)]).render(report)))
    (measurements,) = [i for i in document.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010"]
    findings, ranked, none = [], [], None
    for group in measurements.ContentSequence:
        items: dict[str, Any] = {}
        for item in group.ContentSequence:
            items.setdefault(item.ConceptNameCodeSequence[0].CodeValue, item)
        concept = items["121071"].ConceptCodeSequence[0]
        category = items["276214006"].ConceptCodeSequence[0].CodeValue
        chance = items.get("122157")
        if chance is None:
            probability = None
        elif chance.ValueType == "NUM":
            probability = float(chance.MeasuredValueSequence[0].NumericValue) / 100
        else:
            probability = float(chance.TextValue.removesuffix(" %")) / 100
        if category == coding.CLINICAL_FINDING[0]:
            site = items.get("363698007")
            side = items.get("272741003") or (site and next(iter(site.get("ContentSequence", ())), None))
            code = side and side.ConceptCodeSequence[0].CodeValue
            findings.append((concept.CodeValue, items["705057003"].ConceptCodeSequence[0].CodeValue, code, probability))
        elif concept.CodeValue == "none-of-these":
            none = probability
        else:
            ranked.append((int(items["rank"].TextValue), concept.CodeValue, probability))
    assert none is not None
    return Said(findings, ranked, none)


def agree(one: Said, other: Said) -> None:
    for mine, its in ((one.findings, other.findings), (one.diagnoses, other.diagnoses)):
        assert [row[:-1] for row in mine] == [row[:-1] for row in its]
        chances, its_chances = ([-1.0 if row[-1] is None else row[-1] for row in rows] for rows in (mine, its))
        assert chances == pytest.approx(its_chances, rel=1e-6, abs=1e-12)
    assert one.none == pytest.approx(other.none, rel=1e-6)


def test_data_formats_say_what_the_report_says() -> None:
    assert len(CASES) == 50
    for report in CASES:
        for said in (of_json(report), of_fhir(report), of_csv(report)):
            agree(truth(report), said)


@pytest.mark.parametrize("part", [range(SR), pytest.param(range(SR, 50), marks=pytest.mark.slow)], ids=["6", "44"])
def test_the_sr_says_what_the_report_says(dicom_image: Callable[..., Path], part: range) -> None:
    image = dicom_image()
    for report in (CASES[n] for n in part):
        if all(f.origin != "image" for f in report.findings):
            continue  # such a report lies in no study
        agree(truth(report), of_sr(report, image))


def words(name: str, report: DiagnosticReport) -> str:
    """What a format for readers says, without its markup."""
    text = as_text(report, render) if name == "table" else str(reporter(name).render(report))
    if name == "html":
        from html import unescape

        text = re.sub(r"<(style|script)\b.*?</\1>", " ", text, flags=re.S)
        text = unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(text.split())


@pytest.mark.parametrize("name", ["table", "html", "plain"])
def test_what_people_read_has_the_same_ranks_and_probabilities(name: str) -> None:
    for report in CASES:
        text = words(name, report)
        for diagnosis in report.diagnoses:
            name_of = re.escape(diagnosis.concept.name)
            found = re.search(rf"{name_of}\b.{{0,400}}?{re.escape(percent(diagnosis.probability))}", text)
            assert found, (name, diagnosis.concept.name, diagnosis.probability)
        if name == "plain":
            places = [text.find(f"{d.rank}. {d.concept.name}") for d in report.diagnoses]
            assert places == sorted(places)
            assert -1 not in places
        if report.diagnoses:
            assert percent(report.none_of_these) in text
        for finding in report.findings:
            if name != "plain" and finding.origin != "image":
                assert in_words(finding.label) in text


def test_the_picture_has_the_same_ranks_and_probabilities() -> None:
    for report in CASES:
        told = [f for f in report.findings if f.presence in ("present", "uncertain")]
        lines = [text for text, _, _ in capture._lines(report, told)]
        ranked = [line for line in lines if re.match(r"\d+\. Thing", line)]
        expected = [f"{d.rank}. {d.concept.name} {percent(d.probability)}" for d in report.diagnoses]
        assert [line.removesuffix(" ◂") for line in ranked] == expected
        assert f"None of these {percent(report.none_of_these)}" in lines


def test_cases_as_csv_have_the_ranks_and_scores_of_the_report() -> None:
    for report in CASES:
        (row,) = csv.DictReader(io.StringIO(table_file(report.cases, "csv").decode("utf-8")))
        (hit,) = report.cases
        assert (row["rank"], row["id"], float(row["score"])) == ("1", hit.document.source_curie, plain(hit.score))


def test_every_format_is_compared() -> None:
    """A format that is new is entered above."""
    assert set(FORMATS) <= {"html", "fhir", "plain", "csv", "pdf"}


def test_a_disagreement_is_found() -> None:
    report = next(r for r in CASES if len(r.diagnoses) > 1)
    other = truth(report)
    for wrong in (
        Said(other.findings, other.diagnoses[::-1], other.none),
        Said(other.findings[1:], other.diagnoses, other.none),
        Said(other.findings, other.diagnoses, other.none + 1e-4),
    ):
        with pytest.raises(AssertionError):
            agree(other, wrong)


def test_codes_are_those_of_the_standards() -> None:
    """The one table both DICOM and FHIR use, beside pydicom's copy of PS3.16."""
    from pydicom.sr.codedict import codes

    assert coding.PRESENCES["present"][0] == codes.cid240.Present.value
    assert coding.PRESENCES["absent"][0] == codes.cid240.Absent.value
    assert coding.PRESENCES["uncertain"][0] == codes.cid240.Undetermined.value
    assert coding.SIDES["left"][0] == codes.cid244.Left.value
    assert coding.SIDES["right"][0] == codes.cid244.Right.value
    assert coding.SIDES["bilateral"][0] == codes.cid244.Bilateral.value
    for named, code in (
        (coding.LUNG, codes.SCT.Lung),
        (coding.PLEURA, codes.SCT.Pleura),
        (coding.HEART, codes.SCT.Heart),
        (coding.DIAPHRAGM, codes.SCT.Diaphragm),
        (coding.CHEST, codes.SCT.Chest),
        (coding.ANATOMY, codes.cid7150.AnatomicalStructure),
        (coding.ABNORMAL, codes.cid7150.MorphologicallyAbnormalStructure),
        (coding.ARTIFICIAL_INTELLIGENCE, codes.cid7162.ArtificialIntelligence),
        (coding.PROBABILITY, codes.DCM.Probability),
        (coding.YES, codes.cid231.Yes),
        (coding.NO, codes.cid231.No),
    ):
        assert named[0] == code.value, named


def test_a_placement_keeps_the_digits_of_the_json(dicom_image: Callable[..., Path]) -> None:
    report = CASES[0]
    place = Placement.of(report, [read_source(dicom_image())])
    assert dumps(place.report) == dumps(report)
    assert [of_concept(d.concept)[0] for d in place.report.diagnoses] == [row[1] for row in truth(report).diagnoses]
