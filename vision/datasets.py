"""Labelled radiographs on disk: a folder with ``annotations.jsonl`` (one row per image) and the images it names.

A row holds image, patient_id, age, sex, view, labels (ChestX-ray14 names, or "No Finding") and, where they exist, boxes
[{label, bbox_xywh_512}] in pixels of the image and ``unknown``, the labels that nobody assessed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.finding import LABELS, BoundingBox

Split = Literal["train", "val"]
NO_FINDING = "No Finding"
OPACITIES = ("Pneumonia", "Infiltration", "Consolidation", "Edema")
_CALIBRATION_SHARE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One labelled image. ``boxes`` pairs label names as the source writes them with boxes in image pixels."""

    path: Path
    image: str
    source: str
    patient_id: str
    age: float | None
    sex: str | None
    view: str | None
    labels: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    boxes: tuple[tuple[str, BoundingBox], ...] = ()
    doubted: bool = False

    @property
    def split(self) -> Split:
        return "val" if in_validation(self.patient_id) else "train"


def _digest(patient_id: str) -> int:
    return int(hashlib.sha256(f"nih:{patient_id}".encode()).hexdigest()[:8], 16)


def in_validation(patient_id: str) -> bool:
    """The patient split used everywhere on the NIH images: one patient in five, by hash."""
    return _digest(patient_id) % 5 == 0


def in_calibration(patient_id: str) -> bool:
    """One training patient in eight: never fitted on, they calibrate the probabilities and set the thresholds."""
    return not in_validation(patient_id) and _digest(patient_id) // 5 % _CALIBRATION_SHARE == 0


def read(folder: Path | str, *, split: Split | None = None) -> tuple[Record, ...]:
    """The records of a folder in file order, restricted to a split when one is given.

    ``folder`` may carry the prefix ``nih:``, the name of the layout. Raises InputError when the folder or its
    annotations.jsonl is missing, or a row cannot be read.
    """
    root = Path(str(folder).removeprefix("nih:"))
    file = root / "annotations.jsonl"
    if not file.is_file():
        raise InputError("no annotated images here", value=root, expected="a folder with annotations.jsonl")
    records = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(_record(root, json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = "a row with image, patient_id and labels"
            raise InputError(
                f"cannot read row {number} of {file.name} ({error})", value=line, expected=message
            ) from error
    return tuple(r for r in records if split is None or r.split == split)


def _record(root: Path, row: dict) -> Record:
    labels = tuple(row["labels"])
    strange = set(labels) - set(LABELS) - {NO_FINDING}
    if strange:
        raise ValueError(f"unknown label {sorted(strange)[0]}")
    boxes = []
    for box in row.get("boxes") or ():
        x, y, width, height = box["bbox_xywh_512"]
        boxes.append((box["label"], BoundingBox(x=x, y=y, width=width, height=height)))
    age = str(row.get("age") or "")
    return Record(
        path=root / row["image"],
        image=row["image"],
        source=root.name,
        patient_id=str(row["patient_id"]),
        age=float(age) if age.replace(".", "", 1).isdigit() else None,
        sex=row.get("sex") or None,
        view=row.get("view") or None,
        labels=labels,
        unknown=tuple(row.get("unknown") or ()),
        boxes=tuple(boxes),
        doubted=(row.get("rsna") or {}).get("class") == "Normal",
    )


def load_grey(path: Path) -> NDArray[np.uint8]:
    """A grey image (H, W) uint8. Raises InputError when it is missing or unreadable."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError("cannot read the image", value=path, expected="a JPEG or PNG file") from error


def targets(record: Record) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(values, known), each (15,) float32: the 14 labels in LABELS order, then "any finding". known is 1 or 0.

    Text-mined labels err: positives are smoothed to 0.95, negatives to 0.03. A Pneumonia that the RSNA's radiologists
    read as normal counts 0.7.
    """
    values = np.full(len(LABELS) + 1, 0.03, dtype=np.float32)
    known = np.ones(len(LABELS) + 1, dtype=np.float32)
    for i, label in enumerate(LABELS):
        if label in record.labels:
            values[i] = 0.7 if record.doubted and label == "Pneumonia" else 0.95
        if label in record.unknown:
            known[i] = 0
    if any(label != NO_FINDING for label in record.labels):
        values[-1] = 0.8 if record.doubted and record.labels == ("Pneumonia",) else 0.95
    return values, known


def truth(records: Iterable[Record]) -> NDArray[np.bool_]:
    """(n, 15) hard labels: LABELS order, then "any finding"."""
    return np.array([[x in r.labels for x in LABELS] + [any(x != NO_FINDING for x in r.labels)] for r in records])


def box_labels(name: str, labels: Iterable[str]) -> tuple[str, ...]:
    """Which findings a source's box name marks: an RSNA opacity box marks every opacity the image is labelled with."""
    if name.startswith("Lung Opacity"):
        return tuple(x for x in OPACITIES if x in set(labels))
    name = "Infiltration" if name == "Infiltrate" else name
    return (name,) if name in LABELS else ()


def fingerprint(folder: Path | str) -> str:
    """sha256 over annotations.jsonl and the images' names and bytes, in name order: the data hash of a run card."""
    root = Path(str(folder).removeprefix("nih:"))
    digest = hashlib.sha256((root / "annotations.jsonl").read_bytes())
    for record in sorted(read(root), key=lambda r: r.image):
        digest.update(record.image.encode() + hashlib.sha256(record.path.read_bytes()).digest())
    return digest.hexdigest()
