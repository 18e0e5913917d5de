"""A report as a FHIR R4 bundle: findings as Observations, the differential as RiskAssessment, marked as a machine's.

A report of an image is by HL7 Europe's "Imaging Report R4", the profile for a report without a Composition: a
Composition needs an author and a custodian, and nobody has signed this. docs/fhir.md says what that asks for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fusion.diagnosis import DiagnosticReport
from ontologies import coding
from ontologies.coding import Named
from ontologies.concept import Concept
from reports.cleaning import without_controls
from reports.json import dumps, plain
from reports.table import DISCLAIMER, KINDS, percent, understanding, weight
from vision.finding import LABEL_CURIES, Finding, in_words

Resource = dict[str, Any]

PROFILE = "http://hl7.eu/fhir/imaging/StructureDefinition/DiagnosticReportEuImagingMinimalMetadata"
CURIES = "urn:whydx:curie"  # every concept's own, so that nothing is without a code
_TERMS = "urn:whydx:term"
_SCHEMES = {  # DICOM's designators → FHIR's addresses
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    "LN": "http://loinc.org",
    coding.SCHEME: _TERMS,
}
_SYSTEMS = {
    "SNOMEDCT": _SCHEMES["SCT"],
    "UMLS": "http://terminology.hl7.org/CodeSystem/umls",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "HP": "http://human-phenotype-ontology.org",
    "MONDO": "http://purl.obolibrary.org/obo/mondo.owl",
    "OMIM": "http://www.omim.org",
    "ORPHA": "http://www.orpha.net",
}
_UCUM = _SCHEMES["UCUM"]
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_MEANS = {"present": ("POS", "Positive"), "absent": ("NEG", "Negative"), "uncertain": ("IND", "Indeterminate")}
_OTHER_DISPLAY = {"272519000": "Absence findings"}  # SNOMED CT's, where DICOM says it otherwise
_IMAGING: Named = ("18748-4", "LN", "Diagnostic imaging study")
_IMAGING_REPORT: Named = ("85430-7", "LN", "Diagnostic imaging report")
_NOTE: Named = ("51848-0", "LN", "Evaluation note")
_AGE: Named = ("30525-0", "LN", "Age")
_PRIORITY = "http://hl7.eu/fhir/health-data-api/CodeSystem/eehrxf-document-priority-category-cs"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_DATA_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ABSENT_REASON = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_BY_MACHINE = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
_AGENT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_UIDS = "urn:dicom:uid"
_GENDER = {"F": "female", "M": "male", None: "unknown"}
_OLDEST = 89  # older ages identify (HIPAA Safe Harbor)
_CARD = "Model card of whydx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaged:
    """A DICOM study with its patient, for a bundle that names both. ``images`` are (series UID, modality, SOP Class
    UID, SOP Instance UID); ``birth_date`` is YYYY-MM-DD; what is not known is empty."""

    study_uid: str
    images: tuple[tuple[str, str, str, str], ...]
    name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    accession: str = ""


class FhirReporter:
    """A bundle of type "collection". The same report gives the same bytes: ids are made from its content, and since a
    report holds no time and no identifier of the patient, neither does the bundle. UIDs of images are replaced, unless
    ``imaged`` gives the study and the patient, who are then named."""

    def __init__(self, imaged: Imaged | None = None) -> None:
        self._imaged = imaged

    def render(self, report: DiagnosticReport) -> str:
        """The bundle as JSON text with a newline at the end."""
        made = bundle(without_controls(report), without_controls(self._imaged))
        return json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def bundle(report: DiagnosticReport, imaged: Imaged | None = None) -> Resource:
    """Patient, Device, DocumentReference (the model card), ImagingStudy where a finding is an image's, Observations in
    the report's order, RiskAssessment (left out when nothing is named), DiagnosticReport, Provenance.

    Probabilities of the RiskAssessment are percentages, as R4 has them; those of Observations are in [0, 1]. The
    predictions stand by rank, "none of these" last.
    """
    made = _Bundle(dumps(report))
    patient = made.add("Patient", _patient(report, imaged))
    device = made.add("Device", _device(report))
    card = made.add("DocumentReference", {**_card(report), "subject": device})
    subject = {"subject": patient}
    study = None
    if any(finding.origin == "image" for finding in report.findings):
        study = made.add("ImagingStudy", {**_study(report, imaged, made), **subject})
    results = []
    if report.age is not None and (imaged is not None or report.age <= _OLDEST):
        age = {"value": plain(report.age), "unit": "a", "system": _UCUM, "code": "a"}
        body = {"status": "preliminary", "code": _code(_AGE), **subject, "valueQuantity": age}
        results.append(made.add("Observation", body))
    seen: dict[str, Resource] = {}
    for finding in report.findings:
        seen_there = {"device": device, "derivedFrom": [study]} if finding.origin == "image" else {}
        results.append(made.add("Observation", {"status": "preliminary", **_finding(finding), **subject, **seen_there}))
        if finding.concept:
            seen[finding.concept.curie] = results[-1]
    targets = list(results)
    if report.diagnoses:
        pieces = {piece.reference for d in report.diagnoses for piece in d.evidence}
        basis = [reference for curie, reference in seen.items() if curie in pieces]
        assessment = {
            **_by_machine(),
            "status": "preliminary",
            "method": _code(coding.ARTIFICIAL_INTELLIGENCE),
            **subject,
            "performer": device,
            **({"basis": basis} if basis else {}),
            "prediction": [*_predictions(report)],
            "note": [{"text": DISCLAIMER}],
        }
        if report.next_steps:
            assessment["mitigation"] = "\n".join(f"To consider: {step.text}" for step in report.next_steps)
        targets.append(made.add("RiskAssessment", assessment))
    document: Resource = {
        **_by_machine(*([PROFILE] if study else [])),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{made.uuid('report')}"}],
        "status": "preliminary",
        "code": _code(_IMAGING if study else _NOTE),
        **subject,
        **({"result": results} if results else {}),
        "conclusion": conclusion(report),
    }
    if study:
        document["category"] = [_code(_IMAGING_REPORT), {"coding": [{"system": _PRIORITY, "code": "Medical-Imaging"}]}]
        document["imagingStudy"] = [study]
    codes = [_concept(d.concept, d.concept.name) for d in report.diagnoses if d.conformal_member]
    if codes and not report.abstention:
        document["conclusionCode"] = codes
    targets.append(made.add("DiagnosticReport", document))
    made.add("Provenance", _provenance(targets, device, card, study))
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


def _code(name: Named) -> Resource:
    """A code of the shared table."""
    code, scheme, meaning = name
    return {
        "coding": [{"system": _SCHEMES[scheme], "code": code, "display": _OTHER_DISPLAY.get(code, meaning)}],
        "text": meaning,
    }


def _concept(concept: Concept | None, name: str, curie: str | None = None) -> Resource:
    """The first code in each system that FHIR has an address for, then the CURIE; the text is the name."""
    known = [(url, concept.code(system)) for system, url in _SYSTEMS.items()] if concept else []
    codings = [
        {"system": url, "code": f"HP:{code}" if url == _SYSTEMS["HP"] else _token(code)} for url, code in known if code
    ]
    if curie := concept.curie if concept else curie:
        codings.append({"system": CURIES, "code": _token(curie)})
    return {"coding": codings, "text": name or "not named"} if codings else {"text": name or "not named"}


def _token(code: str) -> str:
    """``code`` as FHIR's type "code" allows it: no blank at an end, single ones inside."""
    return " ".join(code.split())


def _by_machine(*profiles: str) -> Resource:
    return {"meta": {**({"profile": list(profiles)} if profiles else {}), "security": [_BY_MACHINE]}}


def _masked(why: str = "masked") -> Resource:
    return {"extension": [{"url": _ABSENT_REASON, "valueCode": why}]}


def _patient(report: DiagnosticReport, imaged: Imaged | None) -> Resource:
    """Sex alone, and that the rest is held back; with ``imaged`` who the patient is."""
    body: Resource = {"gender": _GENDER[report.sex]}
    if imaged and imaged.patient_id:
        body["identifier"] = [{"value": imaged.patient_id}]
    why = "unknown" if imaged else "masked"
    body["name"] = [{"text": imaged.name} if imaged and imaged.name else _masked(why)]
    if imaged and imaged.birth_date:
        return body | {"birthDate": imaged.birth_date}
    return body | {"_birthDate": _masked(why)}


def _study(report: DiagnosticReport, imaged: Imaged | None, made: _Bundle) -> Resource:
    uids = sorted({f.sop_instance_uid for f in report.findings if f.sop_instance_uid})
    if imaged is None:
        instead = f"urn:oid:2.25.{made.uuid('study ' + ' '.join(uids)).int}"
        body: Resource = {"status": "available", "identifier": [{"system": _UIDS, "value": instead}]}
        return body | ({"numberOfInstances": len(uids)} if uids else {})
    series: dict[tuple[str, str], list[Resource]] = {}
    for series_uid, modality, kind, uid in imaged.images:
        image = {"uid": uid, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{kind}"}}
        series.setdefault((series_uid, modality), []).append(image)
    identifiers: list[Resource] = [{"system": _UIDS, "value": f"urn:oid:{imaged.study_uid}"}]
    if imaged.accession:
        called = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
        identifiers.append({"type": called, "value": imaged.accession})
    return {
        "status": "available",
        "identifier": identifiers,
        "numberOfSeries": len(series),
        "numberOfInstances": len(imaged.images),
        "series": [
            {"uid": uid, "modality": {"system": _SCHEMES["DCM"], "code": modality}, "instance": images}
            for (uid, modality), images in series.items()
        ],
    }


def _finding(finding: Finding) -> Resource:
    name = in_words(finding.label)
    body: Resource = {"code": _concept(finding.concept, name, LABEL_CURIES.get(finding.label))}
    if finding.origin == "image":
        imaging = {"system": _CATEGORY, "code": "imaging", "display": "Imaging"}
        body |= {**_by_machine(), "category": [{"coding": [imaging]}]}
        body["bodySite"] = _code(coding.site_of(finding.label))
        body["method"] = _code(coding.ARTIFICIAL_INTELLIGENCE)
    said = _code(coding.PRESENCES[finding.presence])
    if finding.presence in _MEANS:
        code, display = _MEANS[finding.presence]
        body["valueCodeableConcept"] = said
        body["interpretation"] = [{"coding": [{"system": _INTERPRETATION, "code": code, "display": display}]}]
    else:
        why = {"system": _DATA_ABSENT, "code": "not-performed", "display": "Not Performed"}
        body["dataAbsentReason"] = {"coding": [why, *said["coding"]], "text": said["text"]}
    parts: list[Resource] = [
        {"code": _code(what), "valueQuantity": {"value": plain(number), "system": _UCUM, "code": "1"}}
        for what, number in ((coding.PROBABILITY, finding.probability), (coding.CUT_OFF, finding.threshold))
        if number is not None
    ]
    if finding.laterality:
        parts.append(
            {"code": _code(coding.LATERALITY), "valueCodeableConcept": _code(coding.SIDES[finding.laterality])}
        )
    if finding.box:
        box = finding.box
        place = f"{box.x:g}, {box.y:g}, {box.width:g}, {box.height:g}"
        parts.append({"code": _code(coding.BOX), "valueString": place})
    parts.append({"code": _code(coding.ORIGIN), "valueCodeableConcept": _code(coding.ORIGINS[finding.origin])})
    note = {"note": [{"text": f"Not assessed: {finding.reason}"}]} if finding.reason else {}
    return body | note | {"component": parts}


def _predictions(report: DiagnosticReport) -> Iterable[Resource]:
    for d in report.diagnoses:
        said = [f"{weight(e.weight)} {KINDS[e.kind]}: {e.text}" for e in d.why]
        said += [f"read more, {KINDS[e.kind]}: {e.text} (moves the score by {weight(e.weight)})" for e in d.read_more]
        if d.with_kinds is not None:
            said.insert(0, f"with its kinds {percent(d.with_kinds)}")
        if d.conformal_member:
            said.insert(0, "cannot be ruled out at 90 % coverage")
        prediction = {"outcome": _concept(d.concept, d.concept.name), "probabilityDecimal": plain(100 * d.probability)}
        yield prediction | ({"rationale": "; ".join(said)} if said else {})
    yield {"outcome": _code(coding.NONE_OF_THESE), "probabilityDecimal": plain(100 * report.none_of_these)}


def conclusion(report: DiagnosticReport) -> str:
    """The report in a line for each thing that it concludes, the disclaimer last."""
    ranked = [f"{d.rank}. {d.concept.name} ({percent(d.probability)})" for d in report.diagnoses]
    abstained = [f"No diagnosis is named: {report.abstention}"] if report.abstention else []
    none = f"None of these ({percent(report.none_of_these)})"
    steps = [f"To consider: {step.text} [{step.disease}; {step.reference}]" for step in report.next_steps]
    steps += [f"Not suggested: {left.objection} [{left.disease}; {left.reference}]" for left in report.left_out]
    unread = filter(None, [understanding(report)])
    return "\n".join([*report.warnings, *abstained, *ranked, none, *steps, *unread, DISCLAIMER])


def _device(report: DiagnosticReport) -> Resource:
    versions = [{"type": {"text": name}, "value": value} for name, value in sorted(report.provenance.items()) if value]
    named: Resource = {
        "manufacturer": "whydx",
        "deviceName": [{"name": "whydx", "type": "model-name"}],
        "type": _code(coding.ARTIFICIAL_INTELLIGENCE),
        "note": [{"text": DISCLAIMER}],
    }
    return named | ({"version": versions} if versions else {})


def _card(report: DiagnosticReport) -> Resource:
    """The model card in short, as an attachment: what this is, what it is not, and which versions. It claims nothing of
    how well the program does."""
    text = "\n".join(["# whydx", "", *_card_lines(report)]) + "\n"
    data = text.encode("utf-8")
    attachment = {
        "contentType": "text/markdown",
        "language": "en",
        "data": base64.b64encode(data).decode("ascii"),
        "size": len(data),
        "hash": base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii"),
        "title": _CARD,
    }
    return {
        "status": "current",
        "docStatus": "preliminary",
        "type": {"text": "Model card"},
        "description": _CARD,
        "content": [{"attachment": attachment}],
    }


def _card_lines(report: DiagnosticReport) -> Iterator[str]:
    yield DISCLAIMER
    yield "A computer made this report; nobody has verified it. It has not been validated clinically."
    yield "Findings of an image: five small networks trained on NIH ChestX-ray14; frontal chest radiographs only."
    yield "Differential: a knowledge graph of open sources and a curated chest layer that no physician has checked."
    yield "Probabilities are calibrated on the data named below and need not hold for other patients."
    yield ""
    for name, value in sorted(report.provenance.items()):
        yield f"- {name}: {value}"


def _provenance(targets: list[Resource], device: Resource, card: Resource, study: Resource | None) -> Resource:
    """Who made it out of what; when is not known, since a report holds no time. Nobody attests it."""
    author = {"system": _AGENT, "code": "author", "display": "Author"}
    entities = [{"role": "source", "what": what} for what in (study, card) if what]
    return {
        "target": targets,
        "_recorded": _masked("unknown"),
        "reason": [{"coding": [_BY_MACHINE]}],
        "activity": {"coding": [{"system": _OPERATION, "code": "CREATE", "display": "create"}]},
        "agent": [{"type": {"coding": [author]}, "who": device}],
        "entity": entities,
    }
