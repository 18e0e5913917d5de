"""One labelled radiograph, whatever the data set it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vision.finding import NO_FINDING, BoundingBox
from vision.folds import fold_of, in_validation

Split = Literal["train", "val"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One labelled image. ``boxes`` pairs label names as the source writes them with boxes in image pixels.

    ``labels`` are ChestX-ray14 names or "No Finding"; a label that is in neither ``labels`` nor ``unknown`` is absent.
    ``abnormal`` says whether there is any finding where ``labels`` cannot: a data set may call an image abnormal by a
    label that is not one of the 14. ``official`` is the split of the source's own lists, None where it has none.
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
    official: Split | None = None

    @classmethod
    def of_file(cls, path: Path, root: Path, **said: Any) -> Record:
        """The record of an image file of the data set at ``root``: it is called by its place there. ``said`` are the
        other fields."""
        return cls(path=path, image=path.relative_to(root).as_posix(), source=root.name, **said)

    @property
    def split(self) -> Split:
        return self.official or ("val" if in_validation(self.patient_id) else "train")

    @property
    def fold(self) -> int:
        return fold_of(self.patient_id)

    def fits(self, fold: int) -> bool:
        """Whether the member that holds ``fold`` out may be fitted on this image: never on an official validation or
        test image, nor on a patient of that fold.
        """
        return self.official != "val" and self.fold != fold

    @property
    def any_finding(self) -> bool | None:
        """Whether the image shows anything; None when nobody said so."""
        if self.labels:
            return any(label != NO_FINDING for label in self.labels)
        return self.abnormal
