"""What a DICOM header says of a film beyond its pixels: view, body part, age, and which way the picture lies.

Names and identifiers of the patient are not read, and of a date of birth only the age is kept. Fields that hold
nothing usable count as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from vision.intake.words import age_between, age_years, view_of

if TYPE_CHECKING:
    from pydicom import Dataset

LATERAL = "LATERAL"
_LATERAL_PROJECTION = "399067008"  # SNOMED CT; not among pydicom's
_DESCRIPTIONS = (
    *("SeriesDescription", "ProtocolName", "AcquisitionProtocolName", "AcquisitionDeviceProcessingDescription"),
    *("ImageComments", "PerformedProcedureStepDescription", "RequestedProcedureDescription", "StudyDescription"),
)
_PROCEDURES = ("PerformedProtocolCodeSequence", "ProcedureCodeSequence", "RequestedProcedureCodeSequence")
VIEW_TAGS = ("ViewPosition", "ViewCodeSequence", "PatientOrientation", *_DESCRIPTIONS, *_PROCEDURES)
"""All that ``view_position`` asks."""
_DAYS = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_RAW = "1.2.840.10008.5.1.4.1.1.1.1.1"  # Digital X-Ray Image Storage, For Processing


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """How a stored picture lies, as against a frontal film's usual way (the patient's left to the right of the picture,
    feet down: Patient Orientation L\\F). ``transposed``: rows and columns are exchanged; ``mirrored`` and
    ``upside_down`` count after that.
    """

    transposed: bool = False
    mirrored: bool = False
    upside_down: bool = False

    def __bool__(self) -> bool:
        return self.transposed or self.mirrored or self.upside_down

    def upright(self, stored: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W) as stored → as a reader expects it, a view."""
        turned = stored.T if self.transposed else stored
        return turned[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]

    def as_stored(self, upright: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inverse of ``upright``, also for a map of another size."""
        turned = upright[:: -1 if self.upside_down else 1, :: -1 if self.mirrored else 1]
        return turned.T if self.transposed else turned


UPRIGHT = Orientation()


def text(dataset: Dataset, name: str) -> str:
    """A field in words, "" when it is absent or empty; the values of a field with several joined by spaces."""
    value: Any = dataset.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip(" \0\t\r\n")
    try:
        return " ".join(str(v).strip() for v in value)
    except TypeError:
        return str(value).strip()


def number(value: Any) -> float | None:
    """The (first) number of a field, also with a decimal comma; None when it is none, or not finite."""
    if isinstance(value, str):
        value = value.replace("\\", " ").split()[:1]
    if isinstance(value, (list, tuple)) or hasattr(value, "__getitem__"):
        value = value[0] if len(value) else None
    try:
        found = float(str(value).strip().replace(",", "."))
    except ValueError:
        return None
    return found if np.isfinite(found) else None


def view_position(dataset: Dataset) -> str:
    """The view: View Position as it stands, unless it says nothing known and another field says more, or the View Code
    Sequence or the Patient Orientation say that the film is lateral: then "LATERAL". Descriptions of the series are
    asked last, and after them those of the procedure; of each only what names one view counts.
    """
    position = text(dataset, "ViewPosition").upper()
    coded, lying = _coded(dataset), _directions(dataset)
    if (lying and lying[0] in "AP") or any(view_of(words) == "lateral" for words in coded):
        return position if view_of(position) == "lateral" else LATERAL
    if view_of(position):
        return position
    procedures = (text(item, "CodeMeaning") for name in _PROCEDURES for item in _items(dataset, name))
    for words in (*coded, *(text(dataset, name) for name in _DESCRIPTIONS), *procedures):
        view = view_of(words)
        if view:
            return LATERAL if view == "lateral" else position
    return position


def _coded(dataset: Dataset) -> list[str]:
    """The meanings of the View Code Sequence and its modifiers, in words."""
    found = []
    for item in _items(dataset, "ViewCodeSequence"):
        for code in (item, *_items(item, "ViewModifierCodeSequence")):
            meaning = text(code, "CodeMeaning")
            found.append(meaning if view_of(meaning) else _meaning(text(code, "CodeValue")) or meaning)
    return found


def _meaning(value: str) -> str:
    """The name of a SNOMED code, of either numbering, from pydicom's tables; "" when it is not there."""
    if not value:
        return ""
    import re

    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    value = str(mapping["SRT"].get(value, value))
    named = cast("dict[str, dict[str, object]]", concepts["SCT"])
    if value == _LATERAL_PROJECTION:
        return LATERAL
    name = next((name for name, codes in named.items() if value in codes), "")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _items(dataset: Dataset, name: str) -> Iterator[Dataset]:
    value = dataset.get(name)
    if value is not None and not isinstance(value, (str, bytes)):
        yield from value


def body_part(dataset: Dataset) -> str:
    """Body Part Examined, or else what the Anatomic Region Sequence names."""
    part = text(dataset, "BodyPartExamined").upper()
    if part:
        return part
    named = [text(item, "CodeMeaning") or text(item, "CodeValue") for item in _items(dataset, "AnatomicRegionSequence")]
    return " ".join(filter(None, named)).upper()


def _directions(dataset: Dataset) -> tuple[str, str] | None:
    """Where the rows (to the right) and the columns (downwards) point, each the first letter of Patient Orientation:
    A, P, R, L, H or F. None when it says nothing usable.
    """
    parts = text(dataset, "PatientOrientation").upper().replace("\\", " ").split()
    if len(parts) != 2 or parts[0][0] not in "APRLHF" or parts[1][0] not in "APRLHF":
        return None
    return parts[0][0], parts[1][0]


def orientation(dataset: Dataset) -> Orientation:
    """How the picture is stored, by Patient Orientation (PS3.3 C.7.6.1.1.1); upright when that says nothing or does not
    describe a frontal view.
    """
    lying = _directions(dataset)
    if lying is None:
        return UPRIGHT
    across, down = lying
    transposed = across in "HF" and down in "LR"
    if transposed:
        across, down = down, across
    if across not in "LR" or down not in "HF":
        return UPRIGHT
    return Orientation(transposed=transposed, mirrored=across == "R", upside_down=down == "H")


def spacing_mm(dataset: Dataset) -> tuple[float, float] | None:
    """(row, column) of Pixel Spacing, else of Imager Pixel Spacing."""
    value: Any = dataset.get("PixelSpacing") or dataset.get("ImagerPixelSpacing")
    if not value or isinstance(value, str) or len(value) != 2:
        return None
    row, column = number(str(value[0])), number(str(value[1]))
    return (row, column) if row and column and row > 0 and column > 0 else None


def age(dataset: Dataset) -> float | None:
    """Patient's Age in years, else what the dates of birth and of the study make it."""
    said = text(dataset, "PatientAge")
    if said:
        return age_years(said)
    days = (text(dataset, name) for name in _DAYS)
    return age_between(text(dataset, "PatientBirthDate"), next((d for d in days if d), ""))


def is_raw(dataset: Dataset) -> bool:
    """Whether these are the detector's data, not yet processed for reading (Presentation Intent Type)."""
    said = text(dataset, "PresentationIntentType").upper() or text(dataset, "SOPClassUID")
    return said in ("FOR PROCESSING", _RAW)


def remarks(dataset: Dataset) -> tuple[str, ...]:
    """Lines for the reader about what the header says and how it was taken."""
    lines = []
    said = text(dataset, "PatientAge")
    if said and age_years(said) is None:
        lines.append("the age in the header is not understood: give it with --age")  # it may be a date of birth
    if is_raw(dataset):
        lines.append("the header says these are the detector's data, not processed for reading: trust findings less")
    if orientation(dataset):
        said = "\\".join(text(dataset, "PatientOrientation").upper().replace("\\", " ").split())
        lines.append(f"the header says the film is stored turned or mirrored ({said}): sides follow the header")
    return tuple(lines)
