"""RSNA Pneumonia Detection Challenge: ``stage_2_train_labels.csv``, ``stage_2_detailed_class_info.csv`` and
``stage_2_train_images/*.dcm``.

Shih et al. 2019. A lung opacity counts as Pneumonia, as the challenge meant it; other findings nobody assessed, except
on images that its readers called normal. Age, sex and view stand in the DICOM headers.
"""

from __future__ import annotations

from pathlib import Path

from vision.datasets.record import Record
from vision.datasets.table import age, number, rows, sex
from vision.finding import LABELS, NO_FINDING, BoundingBox

TABLE = "stage_2_train_labels.csv"
BOX = "Lung Opacity (RSNA pneumonia)"
_OTHERS = tuple(label for label in LABELS if label != "Pneumonia")


def read(root: Path) -> tuple[Record, ...]:
    """One record per image file, in the order of the table."""
    boxes: dict[str, list[tuple[str, BoundingBox]]] = {}
    file = root / TABLE
    for line, row in rows(file, ("patientId", "x", "y", "width", "height", "Target")):
        found = boxes.setdefault(row["patientId"], [])
        if row["Target"] == "1":
            x, y, width, height = (number(row[k], file, line) for k in ("x", "y", "width", "height"))
            found.append((BOX, BoundingBox(x=x, y=y, width=width, height=height)))
    classes = root / "stage_2_detailed_class_info.csv"
    named = {r["patientId"]: r["class"] for _, r in rows(classes, ("patientId", "class"))} if classes.is_file() else {}
    records = []
    for image, marked in boxes.items():
        path = root / "stage_2_train_images" / f"{image}.dcm"
        if not path.is_file():
            continue
        normal = named.get(image) == "Normal"
        patient_age, patient_sex, view = _header(path)
        records.append(
            Record.of_file(
                path,
                root,
                patient_id=image,
                age=patient_age,
                sex=patient_sex,
                view=view,
                labels=("Pneumonia",) if marked else (NO_FINDING,) if normal else (),
                unknown=() if normal else _OTHERS,
                boxes=tuple(marked),
                abnormal=None if image not in named else not normal,
            )
        )
    return tuple(records)


def _header(path: Path) -> tuple[float | None, str | None, str | None]:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError):
        return None, None, None
    years, view = str(header.get("PatientAge") or ""), str(header.get("ViewPosition") or "")
    return age(years), sex(str(header.get("PatientSex") or "")), view or None
