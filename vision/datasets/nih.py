"""NIH ChestX-ray14 as distributed: ``Data_Entry_2017*.csv``, ``BBox_List_2017.csv``, ``train_val_list.txt`` and
``test_list.txt``, the images in ``images/`` or in ``images_001/images/`` … ``images_012/images/``.

Wang et al. 2017. Its bounding boxes call Infiltration "Infiltrate". Images of the test list are validation; of the
others one patient in five is, by the hash that is used everywhere.
"""

from __future__ import annotations

from pathlib import Path

from errors import InputError
from vision.datasets.record import Record
from vision.datasets.table import age, number, rows, sex
from vision.finding import LABELS, NO_FINDING, BoundingBox

_BOXES = "BBox_List_2017.csv"
_NAMES = ("Image Index", "Finding Labels", "Patient ID")


def table(root: Path) -> Path | None:
    """The table of labels, or None when this is another layout."""
    return next(iter(sorted(root.glob("Data_Entry_2017*.csv"))), None)


def read(root: Path) -> tuple[Record, ...]:
    """The images that are there, in the order of the table; rows without an image file are passed over, since the set
    comes in twelve parts.
    """
    file = table(root)
    if file is None:
        raise InputError("no ChestX-ray14 here", value=root, expected="a folder with Data_Entry_2017.csv")
    where = {p.name: p for p in [*root.glob("images*/*.png"), *root.glob("images_*/images/*.png")]}
    boxes = _boxes(root / _BOXES) if (root / _BOXES).is_file() else {}
    listed = root / "test_list.txt"
    test = frozenset(listed.read_text(encoding="utf-8").split()) if listed.is_file() else frozenset()
    records = []
    for line, row in rows(file, _NAMES):
        name = row["Image Index"]
        labels = tuple(sorted(row["Finding Labels"].split("|")))
        strange = set(labels) - set(LABELS) - {NO_FINDING}
        if strange:
            raise InputError(f"{file.name} line {line}: unknown label", value=min(strange), expected=", ".join(LABELS))
        if name not in where:
            continue
        records.append(
            Record.of_file(
                where[name],
                root,
                patient_id=row["Patient ID"],
                age=age(row.get("Patient Age", "")),
                sex=sex(row.get("Patient Gender", row.get("Patient Sex", ""))),
                view=row.get("View Position") or None,
                labels=labels,
                boxes=tuple(boxes.get(name, ())),
                official="val" if name in test else None,
            )
        )
    return tuple(records)


def _boxes(file: Path) -> dict[str, list[tuple[str, BoundingBox]]]:
    """Its header reads ``Image Index,Finding Label,Bbox [x,y,w,h],,,``: the numbers are fields three to six."""
    import csv

    found: dict[str, list[tuple[str, BoundingBox]]] = {}
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        next(reader, None)
        for fields in reader:
            if len(fields) < 6:
                raise InputError(
                    f"{file.name} line {reader.line_num}: too few fields", value=",".join(fields), expected="six"
                )
            x, y, width, height = (number(v, file, reader.line_num) for v in fields[2:6])
            found.setdefault(fields[0], []).append((fields[1], BoundingBox(x=x, y=y, width=width, height=height)))
    return found
