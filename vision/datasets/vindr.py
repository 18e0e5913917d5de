"""VinDr-CXR: as PhysioNet has it (``annotations/annotations_train.csv``, ``annotations/image_labels_train.csv``,
``train/*.dicom``, and the same for test) or as Kaggle has it (``train.csv``, ``train/*.dicom``).

Nguyen et al. 2022. Three radiologists read each training image: two of them make a label present, one leaves it
unknown; the test images carry one consensus. "Nodule/Mass" is one class there and two here, so it says only that
something is found. There are no patients in the data, so each image counts as its own.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from vision.datasets.record import Record, Split
from vision.datasets.table import number, rows
from vision.finding import LABELS, NO_FINDING, BoundingBox

_OWN = {
    "Pleural effusion": "Effusion",
    "Pulmonary fibrosis": "Fibrosis",
    "Pleural thickening": "Pleural_Thickening",
    "Pleural_effusion": "Effusion",
    "Pulmonary_fibrosis": "Fibrosis",
    "Pleural_thickening": "Pleural_Thickening",
} | {x: x for x in LABELS if x not in ("Hernia", "Mass", "Nodule")}
_NOTHING = frozenset(("No finding", "No_finding"))
_MAJORITY = 2


def present(root: Path) -> bool:
    """Whether this folder has the layout."""
    return (root / "annotations" / "annotations_train.csv").is_file() or _is_kaggle(root / "train.csv")


def _is_kaggle(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open(encoding="utf-8-sig") as stream:
        return {"image_id", "class_name", "rad_id"} <= set(stream.readline().strip().split(","))


def read(root: Path) -> tuple[Record, ...]:
    """The images that are there, sorted by id: of the training part (split by hash), then of the test part."""
    if _is_kaggle(root / "train.csv"):
        return _part(root, "train", root / "train.csv", None, None)
    records: list[Record] = []
    splits: tuple[tuple[str, Split | None], ...] = (("train", None), ("test", "val"))
    for part, official in splits:
        file = root / "annotations" / f"annotations_{part}.csv"
        if file.is_file() or part == "train":
            records += _part(root, part, file, root / "annotations" / f"image_labels_{part}.csv", official)
    return tuple(records)


def _part(root: Path, part: str, file: Path, overall: Path | None, official: Split | None) -> tuple[Record, ...]:
    said: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    readers: dict[str, set[str]] = defaultdict(set)
    boxes: dict[str, list[tuple[str, BoundingBox]]] = defaultdict(list)
    classes: set[str] = set()
    for line, row in rows(file, ("image_id", "class_name", "x_min", "y_min", "x_max", "y_max")):
        image, name, reader = row["image_id"], row["class_name"], row.get("rad_id") or "consensus"
        said[image][name].add(reader)
        readers[image].add(reader)
        classes.add(name)
        if row["x_min"] and name not in _NOTHING:
            left, top, right, bottom = (number(row[k], file, line) for k in ("x_min", "y_min", "x_max", "y_max"))
            if right > left and bottom > top:
                box = BoundingBox(x=left, y=top, width=right - left, height=bottom - top)
                boxes[image].append((_OWN.get(name, name), box))
    if overall is not None and overall.is_file():
        for _, row in rows(overall, ("image_id",)):
            image, reader = row["image_id"], row.get("rad_id") or "consensus"
            readers[image].add(reader)
            for name, value in row.items():
                if name not in ("image_id", "rad_id"):
                    classes.add(name)
                    if value in ("1", "1.0"):
                        said[image][name].add(reader)
    assessed = {_OWN[name] for name in classes if name in _OWN}
    records = []
    for image in sorted(readers):
        path = next((p for p in (root / part / f"{image}.dicom", root / part / f"{image}.dcm") if p.is_file()), None)
        if path is None:
            continue
        needed = _MAJORITY if len(readers[image]) > 1 else 1
        votes: dict[str, set[str]] = defaultdict(set)
        for name, who in said[image].items():
            if name in _OWN:
                votes[_OWN[name]] |= who
        found = tuple(x for x in LABELS if len(votes[x]) >= needed)
        other = any(len(w) >= needed for n, w in said[image].items() if n not in _NOTHING)
        normal = not other and any(len(said[image][n]) >= needed for n in _NOTHING)
        doubtful = {x for x in LABELS if x not in found and (votes[x] or x not in assessed)}
        records.append(
            Record.of_file(
                path,
                root,
                patient_id=image,
                age=None,
                sex=None,
                view=None,
                labels=found or ((NO_FINDING,) if normal else ()),
                unknown=() if normal else tuple(x for x in LABELS if x in doubtful),
                boxes=tuple((n, b) for n, b in boxes[image] if n in found),
                abnormal=other or (False if normal else None),
                official=official,
            )
        )
    return tuple(records)
