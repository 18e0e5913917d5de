"""Reports from FHIR, with and without the images of their studies."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from retrieval.collection import bundles, catalogue
from tests.retrieval.collection.test_studies import write

Add = Callable[..., Any]
Resource = dict[str, Any]
PATIENT: Resource = {
    "resourceType": "Patient",
    "id": "p1",
    "name": [{"family": "Miller", "given": ["Anna"]}],
    "identifier": [{"value": "4711-09"}],
    "gender": "female",
    "birthDate": "1960-01-02",
}
STUDY: Resource = {
    "resourceType": "ImagingStudy",
    "id": "s1",
    "status": "available",
    "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.1"}],
    "started": "2024-01-05T10:00:00Z",
    "series": [{"modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "DX"}}],
}


def report(**elements: Any) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "status": "final",
        "category": [{"coding": [{"code": "RAD"}]}],
        "subject": {"reference": "Patient/p1", "display": "Anna Miller"},
        "imagingStudy": [{"reference": "urn:uuid:1"}],
        "conclusion": "Ms Miller has an effusion.",
    } | elements


def bundle(*resources: Resource) -> str:
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": resource} for n, resource in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def attached(text: str, kind: str = "text/plain; charset=utf-8") -> list[Resource]:
    return [{"contentType": kind, "data": base64.b64encode(text.encode()).decode()}]


def test_a_report_without_its_images(tmp_path: Path, add: Add, counted: Any) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "one.json").write_text(bundle(PATIENT, STUDY, report()))
    built = add("ours", folder)
    assert built.documents == 1
    (case,) = catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder()).matching()
    assert case.text == "Impression: Ms [removed] has an effusion."
    known = {name: case.metadata[name] for name in ("age", "sex", "date", "modality", "findings")}
    assert known == {"age": "64", "sex": "F", "date": "2024-01-05", "modality": "DX", "findings": "Effusion"}
    for path in (tmp_path / "home" / "collections").rglob("*"):
        if path.is_file():
            assert not any(word in path.read_bytes() for word in (b"Miller", b"Anna", b"4711-09", b"1960-01-02"))


def test_the_images_of_its_study_have_the_report(tmp_path: Path, add: Add, counted: Any) -> None:
    folder = tmp_path / "films"
    write(folder / "a.dcm", ViewPosition="PA", StudyInstanceUID="1.2.1")
    write(folder / "b.dcm", ViewPosition="LL", StudyInstanceUID="1.2.1")
    write(folder / "c.dcm", ViewPosition="AP", StudyInstanceUID="1.2.9")
    (folder / "reports.json").write_text(bundle(PATIENT, STUDY, report(presentedForm=attached("No fever. Pneumonia."))))
    assert add("ours", folder).documents == 3
    cases = catalogue.cases(tmp_path / "home", "ours", encoder=counted.encoder()).matching()
    texts = {case.metadata["view"]: case.text for case in cases}
    assert texts["PA"] == texts["LL"] == "No fever. Pneumonia. Impression: Ms [removed] has an effusion."
    assert texts["AP"] == ""


def test_resources_that_a_validator_accepts(tmp_path: Path) -> None:
    from fhir.resources.R4B.bundle import Bundle

    code = {"coding": [{"system": "http://loinc.org", "code": "36643-5"}]}
    study = STUDY | {"subject": {"reference": "Patient/p1"}}
    study["series"] = [series | {"uid": "1.2.1.1"} for series in STUDY["series"]]
    given = bundle(PATIENT, study, report(code=code, imagingStudy=[{"reference": "ImagingStudy/s1"}]))
    (tmp_path / "one.json").write_text(Bundle.model_validate_json(given).model_dump_json(), encoding="utf-8")
    (found,) = bundles.read(tmp_path / "one.json")
    assert found.studies == {"1.2.1"}
    assert (found.known["age"], found.known["sex"], found.known["modality"]) == ("64", "F", "DX")
    assert dict(found.texts) == {"report": "", "impression": "Ms [removed] has an effusion."}


def test_a_bulk_export_and_forms(tmp_path: Path) -> None:
    file = tmp_path / "reports.ndjson"
    lab = report(id="lab", category=[{"coding": [{"code": "LAB"}]}], imagingStudy=[])
    void = report(id="void", status="entered-in-error")
    html = report(id="html", conclusion=None, presentedForm=attached("<p>No <b>effusion</b>.</p>", "text/html"))
    told = report(id="told", conclusion="", text={"status": "generated", "div": "<div>Clear lungs.</div>"})
    rows = (lab, void, html | {"imagingStudy": []}, told | {"imagingStudy": [{"reference": "ImagingStudy/elsewhere"}]})
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert {one.report_id: one.texts for one in bundles.read(file)} == {
        "html": {"report": "No effusion ."},
        "told": {"report": "Clear lungs."},
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"resourceType": "Bundle", "entry": [', "not JSON"),
        ('{"resourceType": 3}', "not a FHIR resource"),
        ('{"resourceType": "Bundle", "entry": [{"fullUrl": "x"}]}', "entry 1 of the bundle has no resource"),
        (bundle(report()), "refers to what is not there"),
        (json.dumps(report(conclusion="", imagingStudy=[])), "has no text"),
        (
            json.dumps(report(imagingStudy=[], presentedForm=[{"contentType": "text/plain", "data": "#"}])),
            "cannot be read",
        ),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, add: Add, content: str, said: str) -> None:
    file = tmp_path / "one.json"
    file.write_text(content)
    with pytest.raises(InputError, match=said):
        add("ours", file)
    assert not (tmp_path / "home" / "collections" / "ours").exists()
