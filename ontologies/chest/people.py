"""Who has which chest disease: the ages and the sex of its patients, and who is examined at all.

``data/people.tsv`` (TSV, UTF-8, one header line) has for each disease of the layer the share (percent) of its patients
in each age band and the share that is female, an editorial estimate like the frequencies of findings
(docs/knowledge-card.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from ontologies.chest import layer
from ontologies.chest.table import Course, read_table

# The bands by their lower end in years: newborn (to 28 days), infant, child, adolescent, young, middle-aged, old.
BANDS: Mapping[str, float] = {
    "newborn": 0.0,
    "infant": 28 / 365.25,
    "child": 2.0,
    "adolescent": 12.0,
    "young adult": 18.0,
    "middle age": 40.0,
    "old age": 65.0,
}
# Of patients with a chest image in a general hospital that also sees children, percent; half of them are female.
EXAMINED = {
    "newborn": 2.0,
    "infant": 4.0,
    "child": 7.0,
    "adolescent": 3.0,
    "young adult": 20.0,
    "middle age": 32.0,
    "old age": 32.0,
}
Setting = Literal["neutral", "emergency", "ward", "clinic", "screening", "local"]
# By how much (ln) a place changes how common a disease of each course is; "none" is the normal film and what is old.
SETTINGS: Mapping[Setting, Mapping[Course, float]] = {
    "neutral": {"acute": 0.0, "subacute": 0.0, "chronic": 0.0, "none": 0.0},
    "emergency": {"acute": 0.7, "subacute": 0.0, "chronic": -0.7, "none": 0.0},
    "ward": {"acute": 0.4, "subacute": 0.2, "chronic": -0.2, "none": -0.5},
    "clinic": {"acute": -1.2, "subacute": 0.2, "chronic": 0.7, "none": 0.3},
    "screening": {"acute": -3.0, "subacute": -1.0, "chronic": 0.3, "none": 1.5},
    "local": {"acute": 0.0, "subacute": 0.0, "chronic": 0.0, "none": 0.0},  # by disease: fusion.local
}
# The share of patients who are of an unusual age or sex for their disease, whatever the table says.
UNUSUAL = 0.04
# How sharp the ends of the bands are: the standard width, in ln years, of a logistic step.
_SHARPNESS = 0.06
_YOUNGEST = 1 / 365.25
_COLUMNS = ["disease_id", "disease_name", *(name.replace(" ", "_") for name in BANDS), "female", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A row of people.tsv: shares by band in the order of BANDS, which sum to 1, and the share that is female."""

    disease: str
    ages: tuple[float, ...]
    female: float

    def age_ratio(self, age: float) -> float:
        """ln of how much likelier than among all who are examined a patient of this age (years) is among those of the
        disease."""
        at = _membership(age)
        examined = np.array(list(EXAMINED.values())) / 100
        own = (1 - UNUSUAL) * np.array(self.ages) + UNUSUAL * examined
        return math.log(float(at @ (own / examined)))

    def sex_ratio(self, sex: str) -> float:
        """The same of the sex, "F" or "M"."""
        share = self.female if sex == "F" else 1 - self.female
        return math.log(((1 - UNUSUAL) * share + UNUSUAL / 2) / 0.5)


def _membership(age: float) -> np.ndarray:
    """float64 (bands,), sums to 1: how far an age belongs to each band; the ends are not sharp."""
    bounds = np.log(np.maximum(list(BANDS.values()), _YOUNGEST))[1:]
    passed = 1 / (1 + np.exp(-np.clip((math.log(max(age, _YOUNGEST)) - bounds) / _SHARPNESS, -50, 50)))
    return -np.diff(np.concatenate([[1.0], passed, [0.0]]))


def load(folder: Path | None = None) -> dict[str, People]:
    """Disease id → its people, of ``folder`` (default: the packaged table, read once). A disease without a row is not
    in it. Raises InputError naming file, line and column."""
    return _packaged() if folder is None else _load(Path(folder))


@cache
def _packaged() -> dict[str, People]:
    return _load(layer.DATA)


def _load(folder: Path) -> dict[str, People]:
    names = {row.id: row.name for row in layer.load(None if folder == layer.DATA else folder).diseases}
    found: dict[str, People] = {}
    for row in read_table(folder / "people.tsv", _COLUMNS):
        disease = row.known("disease_id", names, name="disease_name")
        if disease in found:
            raise row.error("disease_id", "a disease that is not given twice")
        ages = tuple(row.percent(name.replace(" ", "_")) for name in BANDS)
        if abs(sum(ages) - 1) > 0.011:
            raise row.error("newborn", "shares of the ages that sum to 100 percent")
        total = sum(ages)
        found[disease] = People(
            disease=disease, ages=tuple(share / total for share in ages), female=row.percent("female")
        )
        row.text("reference")
    return found
