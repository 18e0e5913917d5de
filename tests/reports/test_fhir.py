"""The FHIR bundle: it parses as R4, every reference leads somewhere, codes are of the bound sets, and it says what the
report says."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fusion.diagnosis import DiagnosticReport
from reports.dicom.source import imaged, read_source
from reports.fhir import PROFILE, FhirReporter, bundle
from reports.json import dumps
from tests.reports.test_dicom_sr import WHO, of_image

SCT = "http://snomed.info/sct"

# The required bindings of R4 (4.0.1) among the elements that a bundle of ours has: the whole value set of each.
REQUIRED: dict[str, set[str]] = {
    "Bundle.type": {
        *("document", "message", "transaction", "transaction-response", "batch", "batch-response", "history"),
        *("searchset", "collection"),
    },
    "Patient.gender": {"male", "female", "other", "unknown"},
    "Device.deviceName.type": {
        *("udi-label-name", "user-friendly-name", "patient-reported-name", "manufacturer-name", "model-name", "other")
    },
    "DocumentReference.status": {"current", "superseded", "entered-in-error"},
    "DocumentReference.docStatus": {"preliminary", "final", "amended", "entered-in-error"},
    "ImagingStudy.status": {"registered", "available", "cancelled", "entered-in-error", "unknown"},
    "Observation.status": {
        *("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown")
    },
    "RiskAssessment.status": {
        *("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown")
    },
    "DiagnosticReport.status": {
        *("registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled"),
        *("entered-in-error", "unknown"),
    },
    "Provenance.entity.role": {"derivation", "revision", "quotation", "source", "removal"},
}
# The required elements (minimum 1) of the resources that we write.
MANDATORY: dict[str, tuple[str, ...]] = {
    "DocumentReference": ("status", "content"),
    "ImagingStudy": ("status", "subject"),
    "Observation": ("status", "code"),
    "RiskAssessment": ("status", "subject"),
    "DiagnosticReport": ("status", "code"),
    "Provenance": ("target", "_recorded", "agent"),
}


def of_kind(made: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in made["entry"] if e["resource"]["resourceType"] == kind]


def values(resource: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(resource, list):
        for part in resource:
            yield from values(part, path)
    elif not path:
        yield resource
    elif isinstance(resource, dict) and path[0] in resource:
        yield from values(resource[path[0]], path[1:])


def found(value: Any, key: str) -> Iterator[Any]:
    """Every value under ``key``, at any depth."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for part in value.values():
            yield from found(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from found(part, key)


@pytest.fixture(params=["full", "abstention", "empty", "images", "old"])
def any_report(request: pytest.FixtureRequest, report: DiagnosticReport) -> DiagnosticReport:
    seen = tuple(replace(f, sop_instance_uid="1.2.840.99999.7") for f in report.findings)
    unassessed = replace(report.findings[0], presence="not assessed", probability=None, threshold=None, box=None)
    return {
        "full": replace(report, age=63.0, sex="F"),
        "abstention": replace(report, diagnoses=(), none_of_these=1.0, abstention="nothing was found"),
        "empty": DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0),
        "images": replace(report, findings=(*seen, unassessed)),
        "old": replace(report, age=94.0, findings=(), provenance={}),
    }[request.param]


def test_it_is_r4(any_report: DiagnosticReport) -> None:
    module = pytest.importorskip("fhir.resources.R4B.bundle")
    module.Bundle.model_validate_json(FhirReporter().render(any_report))


def test_every_reference_leads_to_an_entry(any_report: DiagnosticReport) -> None:
    made = bundle(any_report)
    urls = [entry["fullUrl"] for entry in made["entry"]]
    assert len(urls) == len(set(urls))
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", url) for url in urls)
    references = list(found(made, "reference"))
    assert set(references) <= set(urls)
    pointed = {url for url, entry in zip(urls, made["entry"], strict=True) if url in references}
    kinds = {e["resource"]["resourceType"] for e in made["entry"] if e["fullUrl"] in pointed}
    assert {"Patient", "Device", "DocumentReference", "DiagnosticReport"} <= kinds


def unbound(made: dict[str, Any]) -> list[str]:
    """What is not of a required value set, or lacks a required element."""
    wrong = []
    for path, allowed in REQUIRED.items():
        kind, *parts = path.split(".")
        for resource in [made] if kind == "Bundle" else of_kind(made, kind):
            wrong += [f"{path} {value}" for value in values(resource, parts) if value not in allowed]
    for kind, names in MANDATORY.items():
        wrong += [f"{kind}.{name}" for r in of_kind(made, kind) for name in names if not r.get(name)]
    return wrong


def test_codes_are_of_the_required_sets(any_report: DiagnosticReport) -> None:
    made = bundle(any_report)
    assert unbound(made) == []
    for coding in (c for several in found(made, "coding") for c in several):
        assert re.fullmatch(r"(http|urn):.+", coding["system"])
        assert re.fullmatch(r"\S+( \S+)*", coding["code"])
        if coding["system"] == SCT:
            assert re.fullmatch(r"[1-9]\d{5,17}", coding["code"])
    for observation in of_kind(made, "Observation"):
        assert ("dataAbsentReason" in observation) != any(key.startswith("value") for key in observation)  # obs-6
    for chance in found(made, "probabilityDecimal"):
        assert 0 <= chance <= 100  # ras-2
    made["entry"][-1]["resource"]["entity"][0]["role"] = "origin"
    assert unbound(made) == ["Provenance.entity.role origin"]


def test_findings_carry_code_presence_side_and_probability(report: DiagnosticReport) -> None:
    first, edema, hernia, fever = of_kind(bundle(report), "Observation")
    assert {(c["system"], c["code"]) for c in first["code"]["coding"]} == {
        (SCT, "95436008"),
        ("http://terminology.hl7.org/CodeSystem/umls", "C0521530"),
        ("http://human-phenotype-ontology.org", "HP:0032177"),
        ("urn:whydx:curie", "UMLS:C0521530"),
    }
    assert edema["code"]["coding"] == [{"system": "urn:whydx:curie", "code": "HP:0100598"}]
    said = [o["valueCodeableConcept"]["text"] for o in (first, edema, hernia, fever)]
    assert said == ["Present", "Undetermined", "Absent", "Present"]
    assert [o["interpretation"][0]["coding"][0]["code"] for o in (first, edema, hernia, fever)] == [
        *("POS", "IND", "NEG", "POS")
    ]
    assert [o.get("bodySite", {}).get("text") for o in (first, hernia, fever)] == ["Lung", "Diaphragm", None]
    parts = {c["code"]["text"]: c for c in first["component"]}
    assert parts["Probability"]["valueQuantity"]["value"] == 0.812346
    assert parts["Laterality"]["valueCodeableConcept"]["coding"][0]["code"] == "24028007"
    assert parts["Box in pixels: left, top, width, height"]["valueString"] == "10, 20.5, 100, 80"
    assert [c["code"]["text"] for c in fever["component"]] == ["Origin"]
    assert ["device" in o for o in (first, fever)] == [True, False]


def test_the_differential_is_in_order_in_percent_and_never_final(report: DiagnosticReport) -> None:
    made = bundle(report)
    (risk,) = of_kind(made, "RiskAssessment")
    assert [(p["outcome"]["text"], p["probabilityDecimal"]) for p in risk["prediction"]] == [
        ("Bacterial pneumonia", 62.0),
        ("Pulmonary embolism", 0.3),
        ("None of these", 37.7),
    ]
    assert "cannot be ruled out" in risk["prediction"][0]["rationale"]
    assert len(risk["basis"]) == 1
    statuses = {kind: {r["status"] for r in of_kind(made, kind)} for kind in ("Observation", "RiskAssessment")}
    assert statuses == {"Observation": {"preliminary"}, "RiskAssessment": {"preliminary"}}
    assert not of_kind(made, "Condition")
    (document,) = of_kind(made, "DiagnosticReport")
    assert document["status"] == "preliminary"
    assert [c["text"] for c in document["conclusionCode"]] == ["Bacterial pneumonia"]
    (abstained,) = of_kind(bundle(replace(report, abstention="too many")), "DiagnosticReport")
    assert "conclusionCode" not in abstained


def test_a_report_of_an_image_keeps_to_the_named_profile(report: DiagnosticReport) -> None:
    """What HL7 Europe's DiagnosticReportEuImagingMinimalMetadata asks beyond R4, element by element."""
    made = bundle(of_image(report))
    (document,) = of_kind(made, "DiagnosticReport")
    assert document["meta"]["profile"] == [PROFILE]
    assert made["type"] == "collection"  # BundleReportMinimalMetadataEuImaging
    assert all("fullUrl" in entry and not {"search", "request", "response"} & set(entry) for entry in made["entry"])
    assert document["identifier"]
    codes = [(c["system"], c["code"]) for several in found(document["category"], "coding") for c in several]
    priority = "http://hl7.eu/fhir/health-data-api/CodeSystem/eehrxf-document-priority-category-cs"
    assert codes.count(("http://loinc.org", "85430-7")) == codes.count((priority, "Medical-Imaging")) == 1
    (patient,) = of_kind(made, "Patient")  # patient-eu-core: a name and a birth date, or why there is none
    assert patient["name"][0]["extension"][0]["valueCode"] == "masked"
    assert patient["_birthDate"]["extension"][0]["valueCode"] == "masked"
    (study,) = of_kind(made, "ImagingStudy")
    (identifier,) = [i for i in study["identifier"] if i["system"] == "urn:dicom:uid"]
    assert identifier["value"].startswith("urn:oid:")
    assert len(document["imagingStudy"]) == 1
    of_note = replace(report, findings=tuple(f for f in report.findings if f.origin == "note"))
    (other,) = of_kind(bundle(of_note), "DiagnosticReport")
    assert "profile" not in other["meta"]
    assert "imagingStudy" not in other


def test_a_machine_made_it_and_nobody_attests_it(report: DiagnosticReport) -> None:
    made = bundle(report)
    for resource in (*of_kind(made, "DiagnosticReport"), *of_kind(made, "RiskAssessment")):
        assert resource["meta"]["security"][0]["code"] == "AIAST"
    (provenance,) = of_kind(made, "Provenance")
    (agent,) = provenance["agent"]
    kinds = {e["fullUrl"]: e["resource"]["resourceType"] for e in made["entry"]}
    assert kinds[agent["who"]["reference"]] == "Device"
    assert {kinds[e["what"]["reference"]] for e in provenance["entity"]} == {"DocumentReference", "ImagingStudy"}
    (card,) = of_kind(made, "DocumentReference")
    attachment = card["content"][0]["attachment"]
    text = base64.b64decode(attachment["data"]).decode("utf-8")
    assert attachment["size"] == len(text.encode("utf-8"))
    assert "not been validated clinically" in text
    assert f"- detector: {'ab' * 32}" in text


def test_uids_of_images_are_replaced_and_the_same_report_gives_the_same_bytes(report: DiagnosticReport) -> None:
    seen = replace(report, findings=(replace(report.findings[0], sop_instance_uid="1.2.840.99999.7"),))
    text = FhirReporter().render(seen)
    assert "1.2.840.99999.7" not in text
    (study,) = of_kind(json.loads(text), "ImagingStudy")
    assert study["identifier"][0]["value"].startswith("urn:oid:2.25.")
    assert FhirReporter().render(seen) == text
    assert "94" not in re.sub(r"[0-9a-f-]{36}", "", FhirReporter().render(replace(seen, age=94.0, provenance={})))


def test_with_a_study_it_names_patient_and_images(
    whydx: Callable[..., Any], report: DiagnosticReport, dicom_image: Callable[..., Path], tmp_path: Path
) -> None:
    image = dicom_image(**WHO)
    case = of_image(report)
    made = bundle(case, imaged([read_source(image, identified=True)]))
    (patient,), (study,) = of_kind(made, "Patient"), of_kind(made, "ImagingStudy")
    assert (patient["name"][0]["text"], patient["birthDate"]) == ("Zora Zweig", "1931-02-03")
    assert patient["identifier"] == [{"value": "ID-ZQX-1"}]
    assert {i["value"] for i in study["identifier"]} == {"urn:oid:1.2.826.0.1.3680043.8.498.2", "ACC-ZQX-2"}
    (series,) = study["series"]
    assert series["modality"]["code"] == "DX"
    assert series["instance"][0]["uid"] == "1.2.826.0.1.3680043.8.498.1"
    path = tmp_path / "report.json"
    path.write_text(dumps(case), encoding="utf-8")
    named = whydx("report", path, "--format", "fhir", "--image", image, "--identified")
    assert named.status == 0
    assert json.loads(named.out) == json.loads(json.dumps(made))
    unnamed = whydx("report", path, "--format", "fhir", "--image", image)
    assert not [word for word in WHO.values() if word in unnamed.out]
    assert whydx("report", path, "--format", "fhir", "--identified").status == 1
