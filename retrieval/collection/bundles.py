"""Reports from FHIR (R4 and R5): DiagnosticReport with its ImagingStudy and Patient, from a Bundle, a single resource
or a bulk export (a resource a line).

Read as plain JSON, since what hospitals export seldom passes a validator; what a report cannot do without is asked for
by name. Reports of laboratories, and those that were entered in error or cancelled, are no cases.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errors import InputError
from retrieval.collection.identity import without
from retrieval.collection.papers import text_of
from retrieval.collection.tables import day, years_between

SUFFIXES = (".json", ".ndjson")
_HEAD = 4096  # bytes in which a file says that it is FHIR
_VOID = frozenset({"entered-in-error", "cancelled", "registered"})
# Categories of diagnostic reports (HL7 table 0074 and LOINC) that are of images.
_IMAGING = frozenset(
    [
        *("RAD", "RX", "RUS", "CT", "CUS", "NMR", "NMS", "OUS", "VUS", "VR", "XRC", "PHR", "RT", "imaging"),
        *("LP29684-5", "18748-4", "18726-0", "18782-3"),
    ]
)
_MODALITIES = {"CR": "CR", "DX": "DX", "DR": "DX", "CT": "CT", "MR": "MR", "US": "US", "XR": "DX"}
_GENDERS = {"female": "F", "male": "M"}
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report: its id in the file, the UIDs of its studies (as DICOM writes them), its texts by section, what is known
    (age, sex, date, modality, body_part; no names), the patient's id and all that says who the patient is."""

    report_id: str
    studies: frozenset[str]
    texts: Mapping[str, str]
    known: Mapping[str, str]
    patient: str = ""
    naming: tuple[str, ...] = field(default=())


def is_fhir(path: Path) -> bool:
    """Whether a file holds FHIR as JSON, by its name and beginning."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    try:
        with path.open("rb") as stream:
            return b'"resourceType"' in stream.read(_HEAD)
    except OSError:
        return False


def read(path: Path) -> Iterator[Reported]:
    """The reports of a file, in its order. Raises InputError when it is not FHIR in JSON, when a report says nothing
    that can be read, and when what it refers to in its own bundle is not there."""
    entries = list(_entries(path))
    known = {name: resource for names, resource in entries for name in names}
    for _, resource in entries:
        if resource.get("resourceType") == "DiagnosticReport" and _is_of_images(resource):
            yield _report(resource, known, path)


def _entries(path: Path) -> Iterator[tuple[list[str], Resource]]:
    """Each resource of a file with the names by which others refer to it; of a bundle, what is in it."""
    text = text_of(path)
    lines = text.split("\n") if path.suffix.lower() == ".ndjson" else [text]
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            resource = json.loads(line)
        except ValueError as error:
            where = f"line {number} is" if len(lines) > 1 else "the file is"
            raise InputError(f"{where} not JSON ({error})", value=path, expected="a FHIR resource") from error
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise InputError("not a FHIR resource", value=path, expected='an object with a "resourceType"')
        if resource["resourceType"] != "Bundle":
            yield _names(resource, ""), resource
            continue
        for place, entry in enumerate(_list(resource, "entry"), 1):
            inner = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(inner, dict) or not isinstance(inner.get("resourceType"), str):
                raise InputError(f"entry {place} of the bundle has no resource", value=path, expected='"resource": {…}')
            yield _names(inner, str(entry.get("fullUrl") or "")), inner


def _names(resource: Resource, url: str) -> list[str]:
    own = f"{resource['resourceType']}/{resource.get('id')}" if resource.get("id") else ""
    return [name for name in (own, url) if name]


def _is_of_images(report: Resource) -> bool:
    if report.get("status") in _VOID:
        return False
    codes = {c for category in _list(report, "category") for c in _codes(category)}
    return bool(_studies(report)) or not codes or not codes.isdisjoint(_IMAGING)


def _report(report: Resource, known: Mapping[str, Resource], path: Path) -> Reported:
    name = str(report.get("id") or report.get("identifier") or "")
    where = f"DiagnosticReport {report.get('id') or 'without an id'}"
    contained = {f"#{one.get('id')}": one for one in _list(report, "contained") if isinstance(one, dict)}
    patient = _resolved(report.get("subject"), known, contained, where, path)
    studies = [_resolved(one, known, contained, where, path) for one in _studies(report)]
    date = day(str(report.get("effectiveDateTime") or _period(report) or _first(studies, "started") or ""))
    date = date or day(str(report.get("issued") or ""))
    naming = _naming(patient, report)
    texts = {part: without(text, naming) for part, text in _texts(report, where, path).items()}
    series = [one for study in studies for one in _list(study, "series") if isinstance(one, dict)]
    modality = next((_MODALITIES.get(code, "") for one in series for code in _codes(one.get("modality"))), "")
    return Reported(
        report_id=name,
        studies=frozenset(uid for study in studies for uid in _uids(study)),
        texts=texts,
        known={
            "age": years_between(day(str(patient.get("birthDate") or "")), date),
            "sex": _GENDERS.get(str(patient.get("gender")), ""),
            "date": date,
            "modality": modality,
        },
        patient=str(patient.get("id") or (report.get("subject") or {}).get("reference") or ""),
        naming=naming,
    )


def _resolved(
    reference: Any, known: Mapping[str, Resource], contained: Mapping[str, Resource], where: str, path: Path
) -> Resource:
    """What a reference leads to; nothing for one out of the file, which a server would have to be asked for."""
    said = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(said, str) or not said:
        return {}
    found = contained.get(said) or known.get(said) or known.get("/".join(said.split("/")[-2:]))
    if found is None and said.startswith(("#", "urn:uuid:")):
        raise InputError(f"{where} refers to what is not there", value=said, expected=f"an entry of {path.name}")
    return found or {}


def _texts(report: Resource, where: str, path: Path) -> dict[str, str]:
    """The report's texts by section: its forms as text or HTML and its conclusion, else its narrative."""
    forms, other = [], []
    for form in _list(report, "presentedForm"):
        kind = str(form.get("contentType") or "").partition(";")[0].strip().lower()
        if kind in ("text/plain", "text/html", "application/xhtml+xml") and form.get("data"):
            forms.append(_decoded(str(form["data"]), kind, where, path))
        else:
            other.append(kind or "a form of no known type")
    conclusion = " ".join(str(report.get("conclusion") or "").split())
    whole = " ".join(filter(None, forms))
    if not (whole or conclusion):
        whole = _plain(str((report.get("text") or {}).get("div") or ""))
    if not (whole or conclusion):
        raise InputError(
            f"{where} has no text",
            value=f"{path.name}: {', '.join(other) or 'no conclusion, no presentedForm, no text'}",
            expected="a conclusion, or a presentedForm with data in text/plain or text/html",
        )
    repeated = conclusion and conclusion in whole
    return {"report": whole} | ({"impression": conclusion} if conclusion and not repeated else {})


def _decoded(data: str, kind: str, where: str, path: Path) -> str:
    try:
        text = base64.b64decode(data, validate=True).decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"the form of {where} cannot be read", value=path, expected="base64 of UTF-8 text") from error
    return _plain(text) if kind != "text/plain" else " ".join(text.split())


def _plain(markup: str) -> str:
    """The text of HTML."""
    if not markup.strip():
        return ""
    from lxml import etree, html

    try:
        root = html.fromstring(markup)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return ""
    return " ".join(" ".join(root.itertext()).split())


def _naming(patient: Resource, report: Resource) -> tuple[str, ...]:
    """Whatever in the patient's record says who it is, and the numbers of the report."""
    found: list[str] = [str(patient.get("birthDate") or "")]
    for name in _list(patient, "name"):
        given = name.get("given") or []
        found += [str(name.get("family") or ""), str(name.get("text") or ""), *map(str, given)]
    for item in (*_list(patient, "identifier"), *_list(report, "identifier")):
        found.append(str(item.get("value") or ""))
    for item in _list(patient, "telecom"):
        found.append(str(item.get("value") or ""))
    for item in _list(patient, "address"):
        found += [str(item.get("text") or ""), *map(str, item.get("line") or [])]
    performers = [*_list(report, "performer"), *_list(report, "resultsInterpreter")]
    found += [str(one.get("display") or "") for one in performers]
    found.append(str((report.get("subject") or {}).get("display") or ""))
    return tuple(dict.fromkeys(filter(None, found)))


def _studies(report: Resource) -> list[Any]:
    """References to imaging studies: ``imagingStudy`` in R4, ``study`` in R5."""
    return [*_list(report, "imagingStudy"), *_list(report, "study")]


def _uids(study: Resource) -> Iterator[str]:
    for item in _list(study, "identifier"):
        value = str(item.get("value") or "").removeprefix("urn:oid:")
        if item.get("system") == "urn:dicom:uid" and value:
            yield value
    if isinstance(study.get("uid"), str):  # STU3
        yield study["uid"].removeprefix("urn:oid:")


def _codes(concept: Any) -> Iterator[str]:
    """The codes of a CodeableConcept, or of a Coding."""
    if isinstance(concept, dict):
        for coding in (concept, *_list(concept, "coding")):
            if isinstance(coding.get("code"), str):
                yield coding["code"]
        for inner in _list(concept, "concept"):
            yield from _codes(inner)


def _period(report: Resource) -> str:
    period = report.get("effectivePeriod")
    return str(period.get("start") or "") if isinstance(period, dict) else ""


def _first(resources: list[Resource], name: str) -> str:
    return next((str(one[name]) for one in resources if one.get(name)), "")


def _list(resource: Any, name: str) -> list[Any]:
    """A repeating element; what should repeat and does not is one, and what is no element is left out."""
    value = resource.get(name) if isinstance(resource, dict) else None
    if isinstance(value, dict):
        return [value]
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
