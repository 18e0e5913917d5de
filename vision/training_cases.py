"""The images the detector was trained on, as embeddings and labels: no pixels, no patient or image identifiers."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass

import numpy as np

from errors import ArtifactError
from vision.finding import LABELS, NO_FINDING
from vision.weights_pair import WEIGHTS

PATH = WEIGHTS / "cases.safetensors"
_RETRAIN = "whydx train detector"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCase:
    """A training image: an opaque id ("nih-0001"), ChestX-ray14 labels, age in years, sex ("F", "M"), view ("PA",
    "AP").

    ``fold`` is the patient's; the logits are of the member that was not fitted on that fold. ``low_resolution`` images
    have thresholds of their own.
    """

    case_id: str
    labels: tuple[str, ...]
    age: float | None
    sex: str | None
    view: str | None
    fold: int
    low_resolution: bool

    @property
    def held_out(self) -> bool:
        """Whether this is a validation patient: left out wherever something else is fitted on the cases."""
        return self.fold == 0


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingCases:
    """``rows`` in order; ``embedding`` float32 (n, D), unit length; ``logits`` float32 (n, 15); ``region`` float32
    (m, D), one for each label of each image; ``region_case`` and ``region_label`` int32 (m,) say whose (row, index in
    LABELS)."""

    rows: tuple[TrainingCase, ...]
    embedding: np.ndarray
    logits: np.ndarray
    region: np.ndarray
    region_case: np.ndarray
    region_label: np.ndarray

    def regions_of(self, row: int) -> dict[str, np.ndarray]:
        """{label: float32 (D,)} for the labels of one image."""
        found = np.flatnonzero(self.region_case == row)
        return {LABELS[self.region_label[i]]: self.region[i] for i in found}

    @functools.cached_property
    def base_rates(self) -> dict[str, float]:
        """The share of the images that have each label, and of those that have none ("No Finding"): what a detector's
        probability starts from."""
        n = len(self.rows)
        return {x: (sum(x in r.labels for r in self.rows) + 0.5) / (n + 1) for x in (*LABELS, NO_FINDING)}


@functools.cache
def read() -> TrainingCases:
    """The shipped training cases. Raises ArtifactError when they are missing or damaged."""
    from safetensors.numpy import load

    listing = PATH.with_suffix(".json")
    try:
        record = json.loads(listing.read_text(encoding="utf-8"))
        payload = PATH.read_bytes()
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "the detector's training cases are missing or damaged", value=PATH.name, run=_RETRAIN
        ) from error
    if hashlib.sha256(payload).hexdigest() != record.get("sha256"):
        raise ArtifactError("the detector's training cases do not match their listing", value=PATH.name, run=_RETRAIN)
    arrays = load(payload)
    rows = tuple(
        TrainingCase(
            case_id=row["id"],
            labels=tuple(row["labels"]),
            age=None if row["age"] is None else float(row["age"]),
            sex=row["sex"] if row["sex"] in ("F", "M") else None,
            view=row["view"],
            fold=row["fold"],
            low_resolution=row["low_resolution"],
        )
        for row in record["cases"]
    )
    floats = {name: arrays[name].astype(np.float32) for name in ("embedding", "logits", "region")}
    return TrainingCases(rows=rows, region_case=arrays["region_case"], region_label=arrays["region_label"], **floats)
