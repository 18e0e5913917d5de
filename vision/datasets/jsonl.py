"""A folder with ``annotations.jsonl`` (one row per image) and the images it names.

A row holds image, patient_id, age, sex, view, labels (ChestX-ray14 names, or "No Finding") and, where they exist, boxes
[{label, bbox_xywh_512}] in pixels of the image and ``unknown``, the labels that nobody assessed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from errors import InputError
from vision.datasets.record import Record
from vision.datasets.table import age
from vision.finding import LABELS, NO_FINDING, BoundingBox

TABLE = "annotations.jsonl"


def read(root: Path) -> tuple[Record, ...]:
    """The records in file order. Raises InputError when a row cannot be read."""
    records = []
    for number, line in enumerate((root / TABLE).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(_record(root, json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = "a row with image, patient_id and labels"
            raise InputError(f"cannot read row {number} of {TABLE} ({error})", value=line, expected=message) from error
    return tuple(records)


def _record(root: Path, row: dict[str, Any]) -> Record:
    labels = tuple(row["labels"])
    strange = set(labels) - set(LABELS) - {NO_FINDING}
    if strange:
        raise ValueError(f"unknown label {sorted(strange)[0]}")
    labels, unknown = _judged(labels, row)
    boxes = []
    for box in row.get("boxes") or ():
        x, y, width, height = box["bbox_xywh_512"] if "bbox_xywh_512" in box else box["bbox_xywh"]
        boxes.append((box["label"], BoundingBox(x=x, y=y, width=width, height=height)))
    return Record(
        path=root / row["image"],
        image=row["image"],
        source=root.name,
        patient_id=str(row["patient_id"]),
        age=age(str(row.get("age") or "")),
        sex=row.get("sex") or None,
        view=row.get("view") or None,
        labels=labels,
        unknown=unknown,
        boxes=tuple(boxes),
        doubted=(row.get("rsna") or {}).get("class") == "Normal",
    )


def _judged(labels: tuple[str, ...], row: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels, and those that nobody judged: all but ``known_labels`` where a set names these ("No Finding" then
    means none of them, and nothing of the film), else what ``unknown`` lists.
    """
    unknown = set(row.get("unknown") or ())
    if row.get("known_labels"):
        unknown |= set(LABELS) - set(row["known_labels"]) - set(labels)
        labels = tuple(label for label in labels if label != NO_FINDING)
    return labels, tuple(sorted(unknown))
