"""Findings on an image, and the label set with its concepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ontologies.concept import Concept, Presence

Laterality = Literal["left", "right", "bilateral", "midline"]

# ChestX-ray14 (Wang 2017) label → concept; kept equal to the chest layer's findings.tsv by a test of it.
# "Hernia" on an adult radiograph usually means a hiatus hernia, so that is its concept.
LABEL_CURIES: dict[str, str] = {
    "Atelectasis": "HP:0100750",
    "Cardiomegaly": "HP:0001640",
    "Consolidation": "HP:0032177",
    "Edema": "HP:0100598",
    "Effusion": "HP:0002202",
    "Emphysema": "HP:0002097",
    "Fibrosis": "HP:0002206",
    "Hernia": "HP:0002036",
    "Infiltration": "HP:0002113",
    "Mass": "HP:0033821",
    "Nodule": "HP:0033608",
    "Pleural_Thickening": "HP:0031944",
    "Pneumonia": "HP:0002090",
    "Pneumothorax": "HP:0002107",
}
LABELS: tuple[str, ...] = tuple(LABEL_CURIES)
NO_FINDING = "No Finding"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundingBox:
    """A box in pixels of the input image: x to the right, y down, the origin at the top left corner."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"a box needs a positive size, not {self.width} × {self.height}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something seen, or looked for and not seen.

    ``probability`` is calibrated, in [0, 1]; it is None for a finding that the user or the note states. ``origin`` says
    who says so. ``laterality`` is the patient's side. ``concept`` is None only when no graph was at hand to link the
    label. ``reason`` says why a finding of an image is "not assessed"; it has no probability then.
    """

    label: str
    presence: Presence
    origin: Literal["image", "note", "user"] = "image"
    probability: float | None = None
    threshold: float | None = None
    box: BoundingBox | None = None
    laterality: Laterality | None = None
    heatmap_ref: str | None = None
    concept: Concept | None = None
    sop_instance_uid: str | None = None
    reason: str | None = None


def in_words(label: str) -> str:
    """A label of the 14, or "No Finding", as a reader is shown it ("Pleural_Thickening" is "Pleural thickening"); any
    other as it is."""
    known = label in LABEL_CURIES or label == NO_FINDING
    return label.replace("_", " ").capitalize() if known else label
