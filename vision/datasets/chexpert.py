"""CheXpert (``train.csv``, ``valid.csv``) and MIMIC-CXR-JPG (``mimic-cxr-2.0.0-*.csv.gz``): the same labeller and the
same fourteen columns, 1 present, 0 absent, −1 uncertain, empty not mentioned.

Irvin et al. 2019; Johnson et al. 2019. Uncertain and not mentioned are both unknown, except that "No Finding" makes the
rest absent. Lateral views are passed over, because the detector does not read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vision.datasets.record import Record, Split
from vision.datasets.table import age, rows, sex
from vision.finding import LABELS, NO_FINDING

_OWN = {"Effusion": "Pleural Effusion"} | {
    label: label for label in ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pneumonia", "Pneumothorax")
}
_OTHER_DISEASE = ("Enlarged Cardiomediastinum", "Lung Lesion", "Lung Opacity", "Pleural Other", "Fracture")
_COLUMNS = (*_OWN.values(), *_OTHER_DISEASE, NO_FINDING)
MIMIC_TABLE = "mimic-cxr-2.0.0-chexpert.csv.gz"


def labels(row: Mapping[str, str]) -> dict[str, Any]:
    """labels, unknown and abnormal of a record, from a row of the labeller."""
    value = {name: float(row[name]) if row.get(name) else None for name in _COLUMNS}
    present = tuple(x for x in LABELS if x in _OWN and value[_OWN[x]] == 1)
    if value[NO_FINDING] == 1 and not present:
        return {"labels": (NO_FINDING,), "unknown": (), "abnormal": False}
    unknown = tuple(x for x in LABELS if x not in present and (x not in _OWN or value[_OWN[x]] != 0))
    abnormal = True if present or any(value[name] == 1 for name in _OTHER_DISEASE) else None
    return {"labels": present, "unknown": unknown, "abnormal": abnormal}


def read(root: Path) -> tuple[Record, ...]:
    """CheXpert: frontal images of train.csv (split by patient) and of valid.csv (validation), in that order."""
    records = []
    splits: tuple[tuple[str, Split | None], ...] = (("train.csv", None), ("valid.csv", "val"))
    for name, official in splits:
        file = root / name
        if name != "train.csv" and not file.is_file():
            continue
        for _, row in rows(file, ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *_COLUMNS)):
            if row["Frontal/Lateral"] != "Frontal":
                continue
            inside = row["Path"].partition("/")[2]  # the first part is the folder's own name: CheXpert-v1.0-small/…
            records.append(
                Record(
                    path=root / inside,
                    image=inside,
                    source=root.name,
                    patient_id=next((p for p in Path(inside).parts if p.startswith("patient")), inside),
                    age=age(row["Age"]),
                    sex=sex(row["Sex"]),
                    view=row["AP/PA"] or None,
                    official=official,
                    **labels(row),
                )
            )
    return tuple(records)


def read_mimic(root: Path) -> tuple[Record, ...]:
    """MIMIC-CXR-JPG: PA and AP images in the order of its metadata, split as published; its validate and test parts are
    both validation. Age and sex are not in this data set.
    """
    by_study = {row["study_id"]: row for _, row in rows(root / MIMIC_TABLE, ("study_id", *_COLUMNS))}
    split = root / "mimic-cxr-2.0.0-split.csv.gz"
    part = {row["dicom_id"]: row["split"] for _, row in rows(split, ("dicom_id", "split"))}
    records = []
    metadata = root / "mimic-cxr-2.0.0-metadata.csv.gz"
    for _, row in rows(metadata, ("dicom_id", "subject_id", "study_id", "ViewPosition")):
        subject, study, name = row["subject_id"], row["study_id"], row["dicom_id"]
        if row["ViewPosition"] not in ("PA", "AP") or study not in by_study:
            continue
        image = f"files/p{subject[:2]}/p{subject}/s{study}/{name}.jpg"
        records.append(
            Record(
                path=root / image,
                image=image,
                source=root.name,
                patient_id=subject,
                age=None,
                sex=None,
                view=row["ViewPosition"],
                official="train" if part.get(name) == "train" else "val",
                **labels(by_study[study]),
            )
        )
    return tuple(records)
