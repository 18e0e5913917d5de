"""The FHIR bundle: it parses as R4, every reference leads somewhere, and it says what the report says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fusion.diagnosis import DiagnosticReport
from reports.fhir import FhirReporter, bundle


def of_kind(made: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == kind]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


@pytest.fixture(params=["full", "abstention", "empty", "images"])
def any_report(request: pytest.FixtureRequest, report: DiagnosticReport) -> DiagnosticReport:
    seen = tuple(replace(f, sop_instance_uid="1.2.840.99999.7") for f in report.findings)
    unassessed = replace(report.findings[0], presence="not assessed", probability=None, threshold=None, box=None)
    return {
        "full": replace(report, age=63.0, sex="F"),
        "abstention": replace(report, diagnoses=(), none_of_these=1.0, abstention="nothing was found"),
        "empty": DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0),
        "images": replace(report, findings=(*seen, unassessed)),
    }[request.param]


def test_it_is_r4(any_report: DiagnosticReport) -> None:
    module = pytest.importorskip("fhir.resources.R4B.bundle")
    module.Bundle.model_validate_json(FhirReporter().render(any_report))


def test_every_reference_leads_to_an_entry(any_report: DiagnosticReport) -> None:
    made = bundle(any_report)
    urls = [entry["fullUrl"] for entry in made["entry"]]
    assert len(urls) == len(set(urls))
    assert set(references(made)) <= set(urls)


def test_findings_carry_code_presence_side_and_probability(report: DiagnosticReport) -> None:
    first, edema, hernia, fever = of_kind(bundle(report), "Observation")
    assert {(c["system"], c["code"]) for c in first["code"]["coding"]} == {
        ("http://snomed.info/sct", "95436008"),
        ("http://terminology.hl7.org/CodeSystem/umls", "C0521530"),
        ("http://human-phenotype-ontology.org", "HP:0032177"),
    }
    assert first["bodySite"]["text"] == "Right"
    assert first["component"][0]["valueQuantity"]["value"] == 0.812346
    said = [o["valueCodeableConcept"]["text"] for o in (first, edema, hernia, fever)]
    assert said == ["Present", "Indeterminate", "Absent", "Present"]
    assert "component" not in fever


def test_the_differential_is_in_order_in_percent_and_never_final(report: DiagnosticReport) -> None:
    made = bundle(report)
    (risk,) = of_kind(made, "RiskAssessment")
    assert [(p["outcome"]["text"], p["probabilityDecimal"]) for p in risk["prediction"]] == [
        ("Bacterial pneumonia", 62.0),
        ("Pulmonary embolism", 0.3),
        ("None of these", 37.7),
    ]
    assert "cannot be ruled out" in risk["prediction"][0]["rationale"]
    statuses = {e["resource"]["status"] for e in made["entry"] if "status" in e["resource"]}
    assert statuses == {"preliminary"}
    assert not of_kind(made, "Condition")


def test_uids_of_images_are_replaced_and_the_same_report_gives_the_same_bytes(report: DiagnosticReport) -> None:
    seen = replace(report, findings=(replace(report.findings[0], sop_instance_uid="1.2.840.99999.7"),))
    text = FhirReporter().render(seen)
    assert "1.2.840.99999.7" not in text
    (study,) = of_kind(json.loads(text), "ImagingStudy")
    assert study["identifier"][0]["value"].startswith("urn:oid:2.25.")
    assert FhirReporter().render(seen) == text
