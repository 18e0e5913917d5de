"""The part of a data set that a patient belongs to: by hash, so the same in every run and for every network."""

from __future__ import annotations

import hashlib

FOLDS = 5
_CALIBRATION_SHARE = 8


def patient_key(patient_id: str) -> str:
    """Eight hexadecimal digits that stand for a patient in splits and manifests."""
    return hashlib.sha256(f"nih:{patient_id}".encode()).hexdigest()[:8]


def fold_of(patient_id: str) -> int:
    """The fold of a patient, 0 to 4, by hash: member k of the detector is fitted on the patients of all folds but k."""
    return int(patient_key(patient_id), 16) % FOLDS


def in_validation(patient_id: str) -> bool:
    """The patient split used everywhere on the NIH images: one patient in five, fold 0."""
    return fold_of(patient_id) == 0


def in_calibration(patient_id: str) -> bool:
    """One training patient in eight: the refusal model is never fitted on them; they set its cut-offs."""
    return not in_validation(patient_id) and int(patient_key(patient_id), 16) // FOLDS % _CALIBRATION_SHARE == 0
