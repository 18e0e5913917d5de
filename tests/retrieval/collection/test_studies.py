"""A folder of DICOM files with reports beside them or in structured reports."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from errors import InputError
from retrieval.collection import catalogue

Add = Callable[..., Any]


def write(path: Path, **elements: Any) -> Path:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    data.update({"PatientName": "Miller^Anna", "PatientID": "4711", "PatientBirthDate": "19600102"})  # type: ignore[dict-item]
    for name, value in {"Modality": "DX", "StudyDate": "20240105", "PatientSex": "F", **elements}.items():
        setattr(data, name, value)
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def text_item(heading: str, text: str) -> Dataset:
    name, item = Dataset(), Dataset()
    name.CodeMeaning = heading
    item.ValueType, item.ConceptNameCodeSequence, item.TextValue = "TEXT", [name], text
    return item


def container(*items: Dataset) -> Dataset:
    item = Dataset()
    item.ValueType, item.ContentSequence = "CONTAINER", list(items)
    return item


def found(home: Path, counted: Any) -> dict[str, Any]:
    cases = catalogue.cases(home, "ours", encoder=counted.encoder()).matching()
    return {case.metadata.get("view", "none"): case for case in cases}


def test_images_with_reports(tmp_path: Path, add: Add, counted: Any) -> None:
    folder = tmp_path / "films"
    write(folder / "a.dcm", ViewPosition="PA", StudyInstanceUID="1.2.1")
    (folder / "a.txt").write_text("Ms Miller (4711).\nSmall effusion.\n")
    write(folder / "b.dcm", ViewPosition="AP", StudyInstanceUID="1.2.2", PatientAge="018M", BurnedInAnnotation="YES")
    write(folder / "c.dcm", ViewPosition="LL", StudyInstanceUID="1.2.3")
    content = container(text_item("History", "Fever in Anna."), container(text_item("Findings", "Pneumothorax.")))
    write(folder / "sr.dcm", Modality="SR", StudyInstanceUID="1.2.2", ContentSequence=[content, text_item("", "Read.")])
    (folder / "only.txt").write_text("Cardiomegaly.")
    (folder / "worklist.pdf").write_bytes(b"%PDF")
    built = add("ours", folder)
    assert built.documents == 4
    assert built.notes.burned_in == {"b.dcm"}
    cases = found(tmp_path / "home", counted)
    assert cases["PA"].text == "Ms [removed] ([removed]). Small effusion."
    assert cases["PA"].concepts == ("T:effusion",)
    assert cases["AP"].text == "Read. Indication: Fever in [removed]. Findings: Pneumothorax."
    assert cases["AP"].concepts == ("T:pneumothorax",)
    assert cases["LL"].metadata["impression"] == "on the image: Effusion"
    assert cases["none"].text == "Cardiomegaly."
    assert (cases["PA"].metadata["age"], cases["AP"].metadata["age"]) == ("64", "1.5")
    assert {name: cases["PA"].metadata[name] for name in ("sex", "date", "modality")} == {
        "sex": "F",
        "date": "2024-01-05",
        "modality": "DX",
    }
    assert cases["PA"].metadata["patient"] == cases["LL"].metadata["patient"]


def test_no_byte_says_who_somebody_is(tmp_path: Path, add: Add) -> None:
    write(tmp_path / "films" / "Miller_4711.dcm")
    (tmp_path / "films" / "Miller_4711.txt").write_text("Anna Miller, born 02.01.1960, 4711: effusion.")
    add("ours", tmp_path / "films")
    held = b"".join(p.read_bytes() for p in (tmp_path / "home").rglob("*") if p.is_file()).lower()
    held = re.sub(rb"[0-9a-f]{16,}", b"", held)  # hashes of a salt that is drawn anew hold any four digits now and then
    for word in (b"miller", b"anna", b"4711", b"1960"):
        assert word not in held


def test_a_copy_is_one_case_and_another_image_of_its_name_is_not(tmp_path: Path, add: Add) -> None:
    first = write(tmp_path / "films" / "a.dcm")
    shutil.copy(first, tmp_path / "films" / "copy.dcm")
    built = add("ours", tmp_path / "films")
    assert (built.documents, built.notes.repeated) == (1, 1)
    write(tmp_path / "films" / "more" / "a.dcm", ViewPosition="LL")  # the UID of a.dcm
    with pytest.raises(InputError, match=r"two cases have one id: 'copy\.dcm and a\.dcm'"):
        add("ours")


def test_a_report_that_comes_later(tmp_path: Path, add: Add, counted: Any) -> None:
    write(tmp_path / "films" / "a.dcm", ViewPosition="PA")
    add("ours", tmp_path / "films")
    (tmp_path / "films" / "a.txt").write_text("Pneumothorax.")
    built = add("ours")
    assert (built.documents, built.changed) == (1, 1)
    assert found(tmp_path / "home", counted)["PA"].concepts == ("T:pneumothorax",)


def test_a_damaged_file(tmp_path: Path, add: Add) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM")
    (tmp_path / "films" / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0\0\0XX")
    with pytest.raises(InputError, match=r"the DICOM file cannot be read: '.*a.dcm'"):
        add("ours", tmp_path / "films")
