"""A report as a FHIR R4 bundle: findings as Observations, the differential as RiskAssessment, marked as a machine's."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any

from fusion.diagnosis import DiagnosticReport
from ontologies.concept import Concept
from reports.cleaning import without_controls
from reports.json import dumps, plain
from reports.table import DISCLAIMER, KINDS, percent, understanding, weight
from vision.finding import Finding, in_words

Resource = dict[str, Any]

_SNOMED = "http://snomed.info/sct"
_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_SYSTEMS = {
    "SNOMEDCT": _SNOMED,
    "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "HP": "http://human-phenotype-ontology.org",
    "MONDO": "http://purl.obolibrary.org/obo/mondo.owl",
    "OMIM": "http://www.omim.org",
    "ORPHA": "http://www.orpha.net",
}
_PRESENCE = {
    "present": ("52101004", "Present"),
    "absent": ("2667000", "Absent"),
    "uncertain": ("82334004", "Indeterminate"),
}
_SIDES = {
    "left": ("7771000", "Left"),
    "right": ("24028007", "Right"),
    "bilateral": ("51440002", "Right and left"),
    "midline": ("260528009", "Median"),
}
_IMAGING = ("18748-4", "Diagnostic imaging study")
_NOTE = ("51848-0", "Evaluation note")
_DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_GENDER = {"F": "female", "M": "male", None: "unknown"}


class FhirReporter:
    """A bundle of type "collection". The same report gives the same bytes: ids are made from its content, and since a
    report holds no time and no identifier of the patient, neither does the bundle. UIDs of images are replaced."""

    def render(self, report: DiagnosticReport) -> str:
        """The bundle as JSON text with a newline at the end."""
        return json.dumps(bundle(without_controls(report)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def bundle(report: DiagnosticReport) -> Resource:
    """Patient (sex alone), Device, Observations in the report's order, ImagingStudy where a finding names an image,
    RiskAssessment (left out when nothing is named), DiagnosticReport, Provenance. Probabilities of the RiskAssessment
    are percentages, as R4 has them; those of Observations are in [0, 1]."""
    made = _Bundle(dumps(report))
    patient = made.add("Patient", {"gender": _GENDER[report.sex]})
    device = made.add("Device", _device(report))
    subject = {"subject": patient}
    images = sorted({f.sop_instance_uid for f in report.findings if f.sop_instance_uid})
    study = None
    if images:
        uids = [{"system": "urn:dicom:uid", "value": f"urn:oid:2.25.{made.uuid(f'image {uid}').int}"} for uid in images]
        study = made.add(
            "ImagingStudy", {"status": "available", **subject, "identifier": uids, "numberOfInstances": len(images)}
        )
    results = []
    if report.age is not None:
        age = {"value": plain(report.age), "unit": "a", "system": _UCUM, "code": "a"}
        code = _code(_LOINC, "30525-0", "Age")
        results.append(
            made.add("Observation", {"status": "preliminary", "code": code, **subject, "valueQuantity": age})
        )
    seen: dict[str, Resource] = {}
    for finding in report.findings:
        body = {"status": "preliminary", **_finding(finding), **subject}
        if finding.origin == "image":
            body["device"] = device
            if study and finding.sop_instance_uid:
                body["derivedFrom"] = [study]
        results.append(made.add("Observation", body))
        if finding.concept:
            seen[finding.concept.curie] = results[-1]
    targets = list(results)
    if report.diagnoses:
        assessment = {
            "status": "preliminary",
            **subject,
            "performer": device,
            "prediction": [*_predictions(report)],
            "note": [{"text": DISCLAIMER}],
        }
        pieces = {piece.reference for d in report.diagnoses for piece in d.evidence}
        if basis := [reference for curie, reference in seen.items() if curie in pieces]:
            assessment["basis"] = basis
        targets.append(made.add("RiskAssessment", assessment))
    document: Resource = {
        "status": "preliminary",
        "code": _code(_LOINC, *(_IMAGING if any(f.origin == "image" for f in report.findings) else _NOTE)),
        **subject,
        "conclusion": _conclusion(report),
    }
    if results:
        document["result"] = results
    if study:
        document["imagingStudy"] = [study]
    targets.append(made.add("DiagnosticReport", document))
    unknown = {"extension": [{"url": _ABSENT_REASON, "valueCode": "unknown"}]}
    made.add("Provenance", {"target": targets, "_recorded": unknown, "agent": [{"who": device}]})
    return made.resource


class _Bundle:
    """Entries with ids that are made from ``seed`` and their number."""

    def __init__(self, seed: str) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_OID, seed)
        self.resource: Resource = {"resourceType": "Bundle", "type": "collection", "entry": []}

    def uuid(self, name: str) -> uuid.UUID:
        return uuid.uuid5(self._space, name)

    def add(self, kind: str, body: Resource) -> Resource:
        """Add a resource; gives the reference to it."""
        number = len(self.resource["entry"])
        url = f"urn:uuid:{self.uuid(f'{kind} {number}')}"
        self.resource["entry"].append({"fullUrl": url, "resource": {"resourceType": kind, **body}})
        return {"reference": url}


def _code(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _concept(concept: Concept | None, name: str) -> Resource:
    """The first code in each system that FHIR has an address for; the text is the name."""
    known = [(url, concept.code(system)) for system, url in _SYSTEMS.items()] if concept else []
    codings = [{"system": url, "code": f"HP:{code}" if url == _SYSTEMS["HP"] else code} for url, code in known if code]
    return {"coding": codings, "text": name} if codings else {"text": name}


def _finding(finding: Finding) -> Resource:
    name = in_words(finding.label)
    body: Resource = {"code": _concept(finding.concept, name)}
    if finding.presence in _PRESENCE:
        body["valueCodeableConcept"] = _code(_SNOMED, *_PRESENCE[finding.presence])
    else:
        body["dataAbsentReason"] = _code(_DATA_ABSENT, "not-performed", "Not Performed")
    if finding.laterality:
        body["bodySite"] = _code(_SNOMED, *_SIDES[finding.laterality])
    parts: list[Resource] = [
        {"code": {"text": what}, "valueQuantity": {"value": plain(number), "system": _UCUM, "code": "1"}}
        for what, number in (("probability", finding.probability), ("cut-off", finding.threshold))
        if number is not None
    ]
    if finding.box:
        box = finding.box
        place = f"x {box.x:g}, y {box.y:g}, width {box.width:g}, height {box.height:g}"
        parts.append({"code": {"text": "box in pixels"}, "valueString": place})
    if parts:
        body["component"] = parts
    body["note"] = [{"text": f"From: {finding.origin}"}]
    if finding.reason:
        body["note"].append({"text": f"Not assessed: {finding.reason}"})
    return body


def _predictions(report: DiagnosticReport) -> Iterable[Resource]:
    for d in report.diagnoses:
        prediction: Resource = {
            "outcome": _concept(d.concept, d.concept.name),
            "probabilityDecimal": plain(100 * d.probability),
        }
        said = [f"{weight(e.weight)} {KINDS[e.kind]}: {e.text}" for e in d.evidence]
        if d.conformal_member:
            said.insert(0, "cannot be ruled out at 90 % coverage")
        if said:
            prediction["rationale"] = "; ".join(said)
        yield prediction
    yield {"outcome": {"text": "None of these"}, "probabilityDecimal": plain(100 * report.none_of_these)}


def _conclusion(report: DiagnosticReport) -> str:
    ranked = [f"{d.rank}. {d.concept.name} ({percent(d.probability)})" for d in report.diagnoses]
    abstained = [f"No diagnosis is named: {report.abstention}"] if report.abstention else []
    none = f"None of these ({percent(report.none_of_these)})"
    steps = [f"To consider: {step.text} [{step.disease}; {step.reference}]" for step in report.next_steps]
    steps += [f"Not suggested: {left.objection} [{left.disease}; {left.reference}]" for left in report.left_out]
    unread = filter(None, [understanding(report)])
    return "\n".join([*report.warnings, *abstained, *ranked, none, *steps, *unread, DISCLAIMER])


def _device(report: DiagnosticReport) -> Resource:
    versions = [{"type": {"text": name}, "value": value} for name, value in sorted(report.provenance.items()) if value]
    named: Resource = {"deviceName": [{"name": "whydx", "type": "model-name"}]}
    return named | ({"version": versions} if versions else {})
