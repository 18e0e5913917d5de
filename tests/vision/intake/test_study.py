"""From a folder, a DICOMDIR or files to one study of one patient: chosen, never mixed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from errors import InputError
from tests.vision.intake.made import FILM, film, saved
from vision.intake.study import listed, of_images, one_study

A, B = "1.2.3.1", "1.2.3.2"


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a film at a path below ``tmp_path``."""

    def write(name: str, **header: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = film(FILM)
        shown = {"PatientID": "P1", "StudyInstanceUID": A, "StudyDate": "20260101", "Modality": "DX"}
        shown |= {"SOPInstanceUID": f"1.2.3.9.{zlib.crc32(name.encode())}", "StudyTime": "", "Manufacturer": "maker"}
        for keyword, value in (shown | header).items():
            setattr(data, keyword, value)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        saved(data, path)
        return path

    return write


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_one_file_is_taken_as_it_is(tmp_path: Path) -> None:
    assert one_study(tmp_path / "missing.dcm") == (tmp_path / "missing.dcm",)
    assert one_study(()) == ()
    assert one_study([str(tmp_path / "a.png")]) == (tmp_path / "a.png",)


def test_a_folder_gives_the_radiographs_of_its_study(put: Callable[..., Path], tmp_path: Path) -> None:
    put("disc/S1/IM2", SeriesNumber=2)
    put("disc/S1/IM1", SeriesNumber=1, Modality="CR")
    put("disc/S2/CT1", Modality="CT")
    put("disc/S3/OURS", Manufacturer="whydx", Modality="OT")
    put("disc/.hidden/IM9", StudyInstanceUID=B)
    put("disc/S4/LOOP", NumberOfFrames=30, StudyInstanceUID=B)
    (tmp_path / "disc" / "README.TXT").write_text("hello")
    (tmp_path / "disc" / "S1" / "preview.jpg").write_bytes(b"\xff\xd8\xff")
    assert names(one_study(tmp_path / "disc")) == ["IM1", "IM2"]


def test_a_folder_without_radiographs_gives_one_image_so_that_its_refusal_says_why(
    put: Callable[..., Path], tmp_path: Path
) -> None:
    put("ct/1", Modality="CT", InstanceNumber=2)
    put("ct/2", Modality="CT", InstanceNumber=1)
    assert names(one_study(tmp_path / "ct")) == ["2"]


def test_several_studies_are_chosen_from_and_not_mixed(put: Callable[..., Path], tmp_path: Path) -> None:
    old, new = put("p/old", StudyDate="20240101"), put("p/new", StudyInstanceUID=B, StudyDate="20250101")
    with pytest.raises(InputError, match="2 studies of one patient") as refused:
        one_study(tmp_path / "p")
    assert "--study" in str(refused.value)
    assert "study 1: 1 image, study 2: 1 image" in str(refused.value)
    for which, expected in (("1", old), ("2", new), ("last", new), (A, old), (B, new)):
        assert one_study(tmp_path / "p", which) == (expected,)
        assert one_study([old, new], which) == (expected,)
    for wrong in ("3", "0", "1.2.9", "first"):
        with pytest.raises(InputError, match="no such study"):
            one_study(tmp_path / "p", wrong)


@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "P2"},
        {"PatientID": "", "PatientName": "Other^Patient"},
        {"PatientID": "P2", "StudyInstanceUID": A},
    ],
)
def test_patients_are_not_mixed_and_not_named(put: Callable[..., Path], other: dict[str, str]) -> None:
    """Also not when an export gave both the same study."""
    one = put("a", PatientName="Zweig^Zora")
    two = put("b", **({"StudyInstanceUID": B} | other))
    with pytest.raises(InputError, match="2 patients") as refused:
        one_study([one, two])
    assert not {"P1", "P2", "Zweig", "Other"} & set(str(refused.value).replace(":", " ").replace("^", " ").split())
    assert len(one_study([one, two], "1")) == 1


def test_the_same_patient_written_otherwise_is_the_same(put: Callable[..., Path]) -> None:
    paths = [put("a", PatientID="p1 "), put("b", PatientID="P1")]
    assert one_study(paths) == tuple(paths)


def test_pictures_without_a_header(tmp_path: Path, put: Callable[..., Path]) -> None:
    (tmp_path / "png").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "png" / name)
    with pytest.raises(InputError, match="whose these images are"):
        one_study(tmp_path / "png")
    assert len(one_study([tmp_path / "png" / "a.png", tmp_path / "png" / "b.png"])) == 2
    (tmp_path / "png" / "b.png").unlink()
    assert names(one_study(tmp_path / "png")) == ["a.png"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no images in this folder"):
        one_study(tmp_path / "none")


def directory(root: Path, files: list[list[str]]) -> Path:
    """A DICOMDIR that names ``files``, by hand, since writers refuse bad names."""
    data = pydicom.Dataset()
    data.FileSetID, data.DirectoryRecordSequence = "DISC", []
    for parts in files:
        record = pydicom.Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
        data.DirectoryRecordSequence.append(record)
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    data.save_as(root / "DICOMDIR", enforce_file_format=True)
    return root / "DICOMDIR"


def test_a_dicomdir_gives_the_files_that_it_names(put: Callable[..., Path], tmp_path: Path) -> None:
    one = put("disc/A/IM1")
    put("disc/A/IM2", StudyInstanceUID=B)  # there, but not named
    put("secret", PatientID="P9")
    path = directory(tmp_path / "disc", [["A", "IM1"], ["A", "GONE"], ["..", "secret"], ["/etc", "passwd"]])
    assert listed(path) == [one.resolve()]
    assert [p.resolve() for p in one_study(path)] == [one.resolve()]
    lost = directory(tmp_path / "disc", [["..", "secret"]])
    with pytest.raises(InputError, match="names no file that is there"):
        one_study(lost)


def test_of_a_folder_the_images_of_a_report_are_found(put: Callable[..., Path], tmp_path: Path) -> None:
    put("p/a", SOPInstanceUID="1.2.3.77")
    put("p/b", SOPInstanceUID="1.2.3.78", PatientID="P2")
    assert names(of_images(tmp_path / "p", {"1.2.3.77", None})) == ["a"]
    assert of_images([tmp_path / "p" / "b"], {"1.2.3.77"}) == (tmp_path / "p" / "b",)
    with pytest.raises(InputError, match="none of the report's images"):
        of_images(tmp_path / "p", {"1.2.3.79"})
