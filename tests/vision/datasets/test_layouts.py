"""Miniature trees in the official layouts of the public data sets: labels 1 / 0 / unknown, boxes, splits."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from errors import InputError
from vision.datasets.folder import fingerprint, load_grey, read, targets, truth
from vision.datasets.record import Record
from vision.finding import LABELS
from vision.folds import in_validation
from vision.phantom.radiograph import write_phantom


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("film") / "film.dcm", ())


def known(record: Record, label: str) -> int | None:
    """1, 0 or None for unknown."""
    return 1 if label in record.labels else None if label in record.unknown else 0


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    (tmp_path / "Data_Entry_2017.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        "00000001_000.png,Cardiomegaly|Emphysema,0,1,058Y,M,PA,2682,2749,0.143,0.143,\n"
        "00000002_000.png,No Finding,0,2,81,F,AP,2500,2048,0.171,0.171,\n"
        "00000003_000.png,Infiltration,0,3,414Y,F,PA,2500,2048,0.171,0.171,\n"
        "00000004_000.png,Hernia,0,4,40,F,PA,2500,2048,0.171,0.171,\n"
    )
    (tmp_path / "BBox_List_2017.csv").write_text(
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\n00000003_000.png,Infiltrate,225.08,547.02,86.78,79.19,,,\n"
    )
    (tmp_path / "test_list.txt").write_text("00000003_000.png\n")
    (tmp_path / "train_val_list.txt").write_text("00000001_000.png\n00000002_000.png\n")
    for part, name in (("001", "00000001_000"), ("001", "00000002_000"), ("002", "00000003_000")):
        picture(tmp_path / f"images_{part}" / "images" / f"{name}.png")
    return tmp_path


def test_chestxray14(nih: Path) -> None:
    first, second, third = read(f"nih:{nih}")
    assert read(nih) == (first, second, third)  # told by its files too; the image that is not there is passed over
    assert first.labels == ("Cardiomegaly", "Emphysema")
    assert (first.age, first.sex, first.view) == (58, "M", "PA")
    assert third.age is None  # 414 years
    assert second.any_finding is False
    ((name, box),) = third.boxes
    assert (name, box.x, box.height) == ("Infiltrate", 225.08, 79.19)
    assert third.split == "val"  # the official test list
    assert first.split == ("val" if in_validation("1") else "train")
    assert load_grey(first.path).shape == (64, 64)
    assert fingerprint(nih) == fingerprint(f"nih:{nih}")


def test_a_label_that_chestxray14_does_not_have_is_named(nih: Path) -> None:
    table = nih / "Data_Entry_2017.csv"
    table.write_text(table.read_text().replace("Hernia", "Gout"))
    with pytest.raises(InputError, match="line 5"):
        read(nih)


def test_a_table_without_its_columns_is_an_input_error(nih: Path) -> None:
    (nih / "Data_Entry_2017.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="lacks the column Image Index"):
        read(nih)


def test_rsna(tmp_path: Path, film: Path) -> None:
    (tmp_path / "stage_2_train_labels.csv").write_text(
        "patientId,x,y,width,height,Target\n"
        "a,264.0,152.0,213.0,379.0,1\na,562.0,152.0,256.0,453.0,1\nb,,,,,0\nc,,,,,0\n"
    )
    (tmp_path / "stage_2_detailed_class_info.csv").write_text(
        "patientId,class\na,Lung Opacity\na,Lung Opacity\nb,Normal\nc,No Lung Opacity / Not Normal\n"
    )
    (tmp_path / "stage_2_train_images").mkdir()
    for name in "abc":
        shutil.copy(film, tmp_path / "stage_2_train_images" / f"{name}.dcm")
    a, b, c = read(f"rsna:{tmp_path}")
    assert [len(r.boxes) for r in (a, b, c)] == [2, 0, 0]
    assert a.boxes[1][1].width == 256
    assert [known(r, "Pneumonia") for r in (a, b, c)] == [1, 0, 0]
    assert [known(r, "Mass") for r in (a, b, c)] == [None, 0, None]
    assert [r.any_finding for r in (a, b, c)] == [True, False, True]
    assert load_grey(a.path).dtype == np.uint8
    assert a.view == "PA"
    assert truth([a, b, c])[:, -1].tolist() == [True, False, True]


CHEXPERT = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)


def test_chexpert(tmp_path: Path) -> None:
    root = tmp_path / "CheXpert-v1.0-small"
    root.mkdir()
    head = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{CHEXPERT}\n"
    place = "CheXpert-v1.0-small/{}/patient0000{}/study1/view1_frontal.jpg"
    (root / "train.csv").write_text(
        head
        + f"{place.format('train', 1)},Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0\n"
        + f"{place.format('train', 2)},Male,87,Frontal,PA,,,-1.0,1.0,,1.0,-1.0,,0.0,,1.0,,,\n"
        + "CheXpert-v1.0-small/train/patient00002/study1/view2_lateral.jpg,Male,87,Lateral,,,,1.0,,,,,,,,,,,\n"
        + f"{place.format('train', 3)},Unknown,0,Frontal,AP,,,,,,,,,,,,,1.0,\n"
    )
    (root / "valid.csv").write_text(head + f"{place.format('valid', 9)},Male,50,Frontal,AP" + ",0.0" * 14 + "\n")
    normal, ill, broken, zero = read(f"chexpert:{root}")
    assert read(root)[0] == normal
    assert [known(normal, x) for x in ("Edema", "Mass")] == [0, 0]
    assert ill.labels == ("Edema", "Effusion")
    assert [known(ill, x) for x in ("Cardiomegaly", "Consolidation", "Atelectasis", "Pneumonia", "Mass")] == [
        None, None, 0, None, None,
    ]  # fmt: skip
    assert (ill.patient_id, ill.sex, ill.view) == ("patient00002", "M", "PA")
    assert broken.labels == ()
    assert broken.any_finding is True  # a fracture is none of the 14
    assert zero.split == "val"
    assert zero.any_finding is None
    values, mask = targets(zero)
    assert mask[LABELS.index("Edema")] == 1
    assert mask[-1] == 0
    assert values[LABELS.index("Edema")] < 0.1
    assert normal.path == root / "train/patient00001/study1/view1_frontal.jpg"


def test_mimic_cxr_jpg(tmp_path: Path) -> None:
    columns = sorted(CHEXPERT.split(","))

    def table(name: str, text: str) -> None:
        with gzip.open(tmp_path / f"mimic-cxr-2.0.0-{name}.csv.gz", "wt") as stream:
            stream.write(text)

    findings = ",".join({"Edema": "1.0", "Pneumonia": "-1.0", "Pneumothorax": "0.0"}.get(c, "") for c in columns)
    table("chexpert", f"subject_id,study_id,{','.join(columns)}\n10000032,50414267,{findings}\n")
    table("split", "dicom_id,study_id,subject_id,split\nx,50414267,10000032,train\ny,50414267,10000032,test\n")
    table(
        "metadata",
        "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns\n"
        "x,10000032,50414267,CHEST (PA AND LAT),PA,3056,2544\nz,10000032,50414267,CHEST (PA AND LAT),LATERAL,1,1\n"
        "y,10000032,50414267,CHEST (PORTABLE AP),AP,3056,2544\n",
    )
    first, second = read(f"mimic:{tmp_path}")
    assert first.image == "files/p10/p10000032/s50414267/x.jpg"
    assert [known(first, x) for x in ("Edema", "Pneumonia", "Pneumothorax", "Effusion")] == [1, None, 0, None]
    assert (first.split, second.split) == ("train", "val")


@pytest.mark.parametrize("kaggle", [False, True])
def test_vindr(tmp_path: Path, film: Path, kaggle: bool) -> None:
    boxes = "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
    for reader in ("R1", "R2", "R3"):
        boxes += f"a,{reader},Pleural effusion,10,20,110,70\nb,{reader},No finding,,,,\n"
    boxes += "a,R1,Atelectasis,5,5,25,25\nc,R1,Nodule/Mass,1,1,9,9\nc,R2,Nodule/Mass,1,1,9,9\nc,R3,No finding,,,,\n"
    (tmp_path / "train").mkdir()
    for name in "abc":
        shutil.copy(film, tmp_path / "train" / f"{name}.dicom")
    if kaggle:
        (tmp_path / "train.csv").write_text(boxes)
    else:
        (tmp_path / "annotations").mkdir()
        (tmp_path / "annotations" / "annotations_train.csv").write_text(boxes)
        (tmp_path / "annotations" / "image_labels_train.csv").write_text(
            "image_id,rad_id,Pneumonia,No finding\na,R1,1,0\na,R2,1,0\na,R3,0,0\nb,R1,0,1\nb,R2,0,1\nb,R3,0,1\n"
        )
    a, b, c = read(f"vindr:{tmp_path}")
    assert read(tmp_path) == (a, b, c)
    assert known(a, "Effusion") == 1
    assert known(a, "Atelectasis") is None  # one of three readers
    assert known(a, "Pneumonia") == (None if kaggle else 1)
    assert {name for name, _ in a.boxes} == {"Effusion"}
    assert a.boxes[0][1].width == 100
    assert b.labels == ("No Finding",)
    assert known(b, "Hernia") == 0
    assert c.any_finding is True
    assert known(c, "Mass") is None
    assert load_grey(a.path).ndim == 2


def test_a_folder_of_no_layout_lists_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rsna"):
        read(tmp_path)
    with pytest.raises(InputError, match="is missing"):
        read(f"rsna:{tmp_path}")
