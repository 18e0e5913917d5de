"""Orders the likelihood's shortlist by how the patient compares with each disease: a small network over the profile
features.

With z the features of a disease, standardised and clipped:

    score = mean over M members of  z · u_m + silu(z A_m + a_m) · v_m,   silu(x) = x / (1 + e^-x)

The score of a disease depends on the patient and that disease alone. A softmax over the candidates is what it was
fitted by (listwise maximum likelihood, ``fusion/training/ranker_fit.py``), so differences of scores are log odds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from errors import ArtifactError
from indexes.manifest import file_sha256
from kg.likelihood import LikelihoodModel, Observation
from kg.profile import FEATURES, REPORTING_FEATURES, ProfileComparer

PACKAGED_WEIGHTS = Path(__file__).parent / "weights"
# How many of the likelihood's best diseases are compared; the others keep the likelihood's order behind them.
POOL = 200
CLIP = 8.0
# "published" may also use how patients come to be published (kg.profile.REPORTING_FEATURES); "patient" may not.
Population = Literal["patient", "published"]
POPULATION_FEATURES: dict[Population, tuple[str, ...]] = {
    "patient": FEATURES,
    "published": (*FEATURES, *REPORTING_FEATURES),
}
_REMEDY = "python -m benchmarks.likelihood CASES --home HOME --fit DIR"
ARRAYS = ("mean", "spread", "direct", "inner", "bias", "outer")


@dataclass(frozen=True, slots=True)
class RankerWeights:
    """float32: ``mean`` and ``spread`` (F,), ``direct`` (M, F), ``inner`` (M, F, H), ``bias`` and ``outer`` (M, H)."""

    mean: np.ndarray
    spread: np.ndarray
    direct: np.ndarray
    inner: np.ndarray
    bias: np.ndarray
    outer: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """float64 (C,); features float32 (C, F)."""
        z = standardised(features, self.mean, self.spread).astype(np.float64)
        inner = np.einsum("cf,mfh->mch", z, self.inner) + self.bias[:, None]
        hidden = inner / (1 + np.exp(-inner))
        return (np.einsum("mf,cf->mc", self.direct, z) + np.einsum("mch,mh->mc", hidden, self.outer)).mean(0)


def standardised(features: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """z of the module's formula, in the shape of ``features``."""
    return np.clip((features - mean) / spread, -CLIP, CLIP)


def read_card(population: Population, folder: Path | None = None) -> dict[str, Any]:
    """What was written beside the shipped weights (None), or those in ``folder``. Raises ArtifactError when it cannot
    be read."""
    path = (folder or PACKAGED_WEIGHTS) / f"ranker-{population}.json"
    try:
        card = json.loads(path.read_text())
        if not isinstance(card, dict):
            raise TypeError(type(card).__name__)
        return card
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise ArtifactError(
            "the ranker's weights cannot be read", value=path.name, expected="weights with their card", run=_REMEDY
        ) from error


def load(population: Population, folder: Path | None = None) -> RankerWeights:
    """The shipped weights (None), or those in ``folder``. Raises ArtifactError when they are missing or do not match
    their card."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    card = read_card(population, folder)
    path = (folder or PACKAGED_WEIGHTS) / f"ranker-{population}.safetensors"
    try:
        arrays = load_file(path)
        matches = card["sha256"] == file_sha256(path) and tuple(card["features"]) == POPULATION_FEATURES[population]
        weights = RankerWeights(**{name: arrays[name] for name in ARRAYS})
    except (OSError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            "the ranker's weights cannot be read", value=path.name, expected="weights with their card", run=_REMEDY
        ) from error
    if not matches:
        raise ArtifactError(
            "the ranker's weights do not match their card", value=path.name, expected=card["sha256"][:12], run=_REMEDY
        )
    return weights


def save(folder: Path, population: Population, weights: RankerWeights, card: Mapping[str, object]) -> None:
    """Write ``ranker-<population>.safetensors`` and ``.json``, each beside and then renamed."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"ranker-{population}.safetensors"
    part = path.with_suffix(".part")
    save_file({name: np.ascontiguousarray(getattr(weights, name), np.float32) for name in ARRAYS}, part)
    record = {"sha256": file_sha256(part), "features": list(POPULATION_FEATURES[population]), **card}
    text = folder / f"ranker-{population}.json.part"
    text.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    part.replace(path)
    text.replace(text.with_suffix(""))


def write_calibration(folder: Path, population: Population, calibration: Mapping[str, object]) -> None:
    """Put a calibration into the card in ``folder``, in place of the one it has."""
    path = folder / f"ranker-{population}.json"
    record = {**read_card(population, folder), "calibration": calibration}
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    part.replace(path)


class Ranker:
    """The likelihood's best diseases, ordered by the network."""

    def __init__(
        self, likelihood: LikelihoodModel, population: Population, weights: RankerWeights | None = None
    ) -> None:
        self.likelihood, self.population, self.annotations = likelihood, population, likelihood.annotations
        self.weights = weights or load(population)
        self._profile = ProfileComparer(likelihood)
        self.newest_publication = self._profile.newest_publication

    def features(
        self, observations: Sequence[Observation], rows: np.ndarray, *, age: float | None = None, sex: str | None = None
    ) -> np.ndarray:
        """float32 (R, F): the population's features of the diseases in ``rows``."""
        every = self._profile.features(observations, rows, age=age, sex=sex)
        return every[:, : len(POPULATION_FEATURES[self.population])]

    def pool(self, observations: Sequence[Observation], within: np.ndarray | None = None) -> np.ndarray:
        """int64: rows of the diseases to compare, the likelihood's best first; ``within`` as for its candidates."""
        found = self.likelihood.candidates(observations, k=POOL, within=within)
        return np.searchsorted(self.likelihood.annotations.disease, found.nodes)

    def scores(
        self, observations: Sequence[Observation], rows: np.ndarray, *, age: float | None = None, sex: str | None = None
    ) -> np.ndarray:
        """float64 (R,): log odds, up to a constant of the patient."""
        return self.weights.scores(self.features(observations, rows, age=age, sex=sex))
