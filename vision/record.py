"""One labelled radiograph, whatever the data set it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vision.finding import BoundingBox

Split = Literal["train", "val"]
NO_FINDING = "No Finding"
_CALIBRATION_SHARE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One labelled image. ``boxes`` pairs label names as the source writes them with boxes in image pixels.

    ``labels`` are ChestX-ray14 names or "No Finding"; a label that is in neither ``labels`` nor ``unknown`` is absent.
    ``abnormal`` says whether there is any finding where ``labels`` cannot: a data set may call an image abnormal by a
    label that is not one of the 14. ``fold`` is the split of the source's own lists, None where it has none.
    """

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
    abnormal: bool | None = None
    fold: Split | None = None

    @property
    def split(self) -> Split:
        return self.fold or ("val" if in_validation(self.patient_id) else "train")

    @property
    def any_finding(self) -> bool | None:
        """Whether the image shows anything; None when nobody said so."""
        if self.labels:
            return any(label != NO_FINDING for label in self.labels)
        return self.abnormal


def _digest(patient_id: str) -> int:
    return int(hashlib.sha256(f"nih:{patient_id}".encode()).hexdigest()[:8], 16)


def in_validation(patient_id: str) -> bool:
    """The patient split used everywhere on the NIH images: one patient in five, by hash."""
    return _digest(patient_id) % 5 == 0


def in_calibration(patient_id: str) -> bool:
    """One training patient in eight: never fitted on, they calibrate the probabilities and set the thresholds."""
    return not in_validation(patient_id) and _digest(patient_id) // 5 % _CALIBRATION_SHARE == 0
