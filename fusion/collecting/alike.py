"""Which findings a film shows together, told by the training films that the networks read alike.

``python -m fusion.collecting.alike`` fits it and writes fusion/weights/alike.safetensors with its card.

The detector gives each finding a probability of its own. What stands together, and what a certain mixture of readings
stands for, is learnt from the training films, each read by the network that was not fitted on its patient: kernel ridge
regression from readings, age, sex and view to the sets of labels that there are. What comes out, without what is below
zero, is a probability for each set.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import ArtifactError
from fusion.checkpoint import PACKAGED_WEIGHTS
from vision import training_cases
from vision.finding import LABELS
from vision.manifest import read_manifest, resolution
from vision.quality import LOW_RESOLUTION
from vision.weights_pair import WEIGHTS, read_pair, write_pair

if TYPE_CHECKING:
    from vision.detector import Detection
    from vision.image import ImageInstance

NAME, FORMAT = "alike", 1
BANDWIDTH, RIDGE = 1.0, 1.0  # of those that `benchmarks.chest.similar_films` tries
_UNKNOWN_AGE, _OLDEST = 50.0, 100.0
_COMMAND = "python -m fusion.collecting.alike"
_UNLIKELY = 1e-3

Pattern = frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Alike:
    """``films`` float32 (n, F), the readings of the training films, standardised by ``mean`` and ``scale`` (F,);
    ``coefficients`` float32 (n, S) and ``shares`` (S,): what films alike add to the share of each of the ``patterns``
    (S,), the sets of labels of a film, the empty one where it shows none."""

    films: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    coefficients: np.ndarray
    shares: np.ndarray
    patterns: tuple[Pattern, ...]
    bandwidth: float

    @classmethod
    def fit(
        cls, readings: np.ndarray, patterns: Sequence[Pattern], *, bandwidth: float = BANDWIDTH, ridge: float = RIDGE
    ) -> Alike:
        """From the readings (n, F) of n films and what each shows."""
        mean, scale = readings.mean(0), readings.std(0) + 1e-6
        films = (readings - mean) / scale
        names = sorted(set(patterns), key=sorted)
        shown = np.array([[pattern == name for name in names] for pattern in patterns], dtype=np.float64)
        shares = shown.mean(0)
        inside = _kernel(films, films, bandwidth) + ridge * np.eye(len(films))
        return cls(
            films=films.astype(np.float32),
            mean=mean,
            scale=scale,
            coefficients=np.linalg.solve(inside, shown - shares).astype(np.float32),
            shares=shares,
            patterns=tuple(names),
            bandwidth=bandwidth,
        )

    def probabilities(self, readings: np.ndarray) -> np.ndarray:
        """float64 (m, S) of readings (m, F): of each film the probability of each pattern; they sum to 1."""
        found = _kernel((readings - self.mean) / self.scale, self.films, self.bandwidth) @ self.coefficients
        found = np.clip(found + self.shares, 0, None)
        return np.asarray(found / found.sum(1, keepdims=True))

    def of(self, seen: Detection, film: ImageInstance) -> dict[Pattern, float]:
        """Pattern → probability of a film; those below a thousandth are left out."""
        low = min(film.pixels.shape) < LOW_RESOLUTION
        person = [(film.patient_age_y, film.patient_sex, film.view_position, low)]
        found = self.probabilities(readings(seen.logits[None], person))[0]
        return {p: float(v) for p, v in zip(self.patterns, found, strict=True) if v >= _UNLIKELY}


def readings(logits: np.ndarray, persons: Sequence[tuple[float | None, str | None, str | None, bool]]) -> np.ndarray:
    """float64 (n, 34): what the networks say of n films, as logits (n, 15) and calibrated, and of each the age (years),
    sex ("F", "M"), view ("PA", "AP") and whether its resolution is low."""
    calibration = read_manifest(WEIGHTS)[0]["calibration"]
    fitted = [calibration[resolution(low)] for *_, low in persons]
    slope, offset = (np.array([one[name] for one in fitted]) for name in ("slope", "offset"))
    said = [
        (low, min(_UNKNOWN_AGE if age is None else age, _OLDEST) / _UNKNOWN_AGE - 1, sex == "M", view == "AP")
        for age, sex, view, low in persons
    ]
    return np.hstack([1 / (1 + np.exp(-(logits * slope + offset))), logits, np.array(said, dtype=np.float64)])


def training_films() -> tuple[np.ndarray, list[Pattern]]:
    """The readings of the training films, each by the network that was not fitted on its patient, and what they
    show."""
    known = training_cases.read()
    persons = [(row.age, row.sex, row.view, row.low_resolution) for row in known.rows]
    return readings(known.logits, persons), [frozenset(row.labels) & frozenset(LABELS) for row in known.rows]


@functools.cache
def shipped() -> Alike:
    """What ships. Raises ArtifactError when it is missing, damaged, or of other readings than the detector's."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        card, data = read_pair(PACKAGED_WEIGHTS, NAME, FORMAT)
        arrays = {name: array.astype(np.float64) for name, array in load(data).items()}
        if card["cases"] != _cases():
            raise ValueError("fitted on other readings")
        patterns = tuple(frozenset(names) for names in card["patterns"])
        return Alike(**arrays, patterns=patterns, bandwidth=float(card["bandwidth"]))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError("what tells films alike does not fit the detector", value=NAME, run=_COMMAND) from error


def _cases() -> str:
    listing: dict[str, Any] = json.loads(training_cases.PATH.with_suffix(".json").read_text(encoding="utf-8"))
    return str(listing["sha256"])


def _kernel(one: np.ndarray, other: np.ndarray, bandwidth: float) -> np.ndarray:
    """exp(−mean squared difference / bandwidth), (n, m)."""
    apart = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    return np.asarray(np.exp(-np.maximum(apart, 0) / one.shape[1] / bandwidth))


def main() -> None:
    from safetensors.numpy import save

    found = Alike.fit(*training_films())
    names = ("films", "mean", "scale", "coefficients", "shares")
    card: Mapping[str, Any] = {
        "format": FORMAT,
        "what": "probability of each set of findings on a film, by the training films that are read alike",
        "command": _COMMAND,
        "fitted on": "1,596 films of NIH ChestX-ray14, each read by the network that was not fitted on its patient",
        "licence": "no restriction by the NIH Clinical Center; cite Wang et al. 2017",
        "measured": "python -m benchmarks.chest.similar_films (docs/retrieval.md)",
        "cases": _cases(),
        "bandwidth": BANDWIDTH,
        "ridge": RIDGE,
        "patterns": [sorted(pattern) for pattern in found.patterns],
    }
    halves = {name: np.ascontiguousarray(getattr(found, name), dtype=np.float16) for name in names}
    write_pair(PACKAGED_WEIGHTS, NAME, save(halves), card)


if __name__ == "__main__":
    main()
