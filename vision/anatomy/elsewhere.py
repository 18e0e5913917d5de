"""Whether a film shows anything, read from the outlines of lungs and heart: for films that look unlike those that the
detector's networks were fitted on.

Outside of the hospital that they come from the networks do not tell diseased from normal. What disease does to the
outlines (a large heart, lungs whose edges blur, sides and zones that differ) is the same everywhere and depends little
on machine and exposure, so a logistic regression on it does, though weakly (docs/model-card-detector.md, "By
hospital").
``python -m benchmarks.imaging.elsewhere --write`` fits it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError
from vision.anatomy.measures import ratio
from vision.anatomy.organs import SIDE
from vision.anatomy.zones import SIDES, THIRDS, measured
from vision.intensity import resize
from vision.weights_pair import WEIGHTS, read_pair

NAME = "elsewhere"
FORMAT = 1
WARNING = (
    "this film does not look like those that the networks were fitted on: elsewhere they did not tell diseased from "
    "normal, nor one finding from another; whether there is anything is read from the outlines, which tells it weakly"
)
CHILD = 16  # years: the networks were fitted on adults
_OF_THE_PICTURE = (7, 15, 23)  # traits that say how large an organ is in the picture, which depends on how it was cut
_ACROSS = tuple(f"density, {third} zones, right less left" for third in THIRDS)
_MEASURES = (
    *(f"costophrenic angle, {side}" for side in SIDES),
    "right diaphragm above left",
    *(f"lung height, {side}" for side in SIDES),
    "mediastinal width",
    *_ACROSS,
    *(f"density, {s} lung, {what}" for s in SIDES for what in ("lower less upper", "central less peripheral")),
)
_REFIT = "python -m benchmarks.imaging.elsewhere --write"
FEATURES = 41


def features(
    traits: NDArray[np.float32], shares: NDArray[np.float32], picture: NDArray[np.float32]
) -> NDArray[np.float64]:
    """(FEATURES,) of one film: its outlines' traits (`outliner.traits`) without those of the picture, the measurements
    of its maps (3, S, S) and of the upright picture (H, W), the sides' differences without their sign, and the
    cardiothoracic ratio. NaN where something cannot be measured. Lengths are freed of the picture's proportions."""
    found = measured(shares, resize(picture, SIDE))
    height, width = picture.shape
    for side in SIDES:
        if f"lung height, {side}" in found:
            found[f"lung height, {side}"] *= height / width
    heart = ratio(shares)
    return np.array(
        [
            *np.delete(np.asarray(traits, np.float64), _OF_THE_PICTURE),
            *(found.get(name, np.nan) for name in _MEASURES),
            *(abs(found.get(name, np.nan)) for name in _ACROSS),
            np.nan if heart is None else heart,
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """``probability`` that a film shows anything, the ``cut`` from which it counts as that, and how ``familiar`` the
    film looks: 1 for one like the networks' own, 0 for one from elsewhere."""

    probability: float
    cut: float
    familiar: float


class Elsewhere:
    """The regression on the outlines and the measure of familiarity, of one detector's embeddings."""

    def __init__(self, arrays: Mapping[str, NDArray[np.float64]], manifest: Mapping[str, Any]) -> None:
        self._a, self.manifest = arrays, manifest

    @classmethod
    def open(cls, folder: Path | None = None) -> Elsewhere | None:
        """Load ``elsewhere.safetensors`` after checking it against ``elsewhere.json``; None where there is neither.
        Raises ArtifactError when one is missing, or they are damaged or of another format."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        file = (folder or WEIGHTS) / f"{NAME}.safetensors"
        if not file.is_file() and not file.with_suffix(".json").is_file():
            return None
        try:
            manifest, data = read_pair(folder, NAME, FORMAT)
            arrays = {name: a.astype(np.float64) for name, a in load(data).items()}
            shapes = {"usual": FEATURES, "low": FEATURES, "high": FEATURES, "weight": FEATURES + 1}
            if any(arrays[name].shape != (n,) for name, n in shapes.items()) or arrays["place"].ndim != 1:
                raise ValueError("shapes differ")
            wanted = {"outlines": ("slope", "offset", "cut"), "both": ("networks", "outlines", "offset", "cut")}
            if not all(isinstance(manifest[part][name], float) for part, names in wanted.items() for name in names):
                raise ValueError("a number is missing")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise ArtifactError("the reading of films from elsewhere is damaged", value=file, run=_REFIT) from error
        return cls(arrays, manifest)

    def belongs_to(self, weights: str) -> bool:
        """Whether it was fitted on the embeddings of the detector whose weights have this SHA-256."""
        return bool(self.manifest["detector"] == weights)

    def score(self, film: NDArray[np.float64]) -> NDArray[np.float64]:
        """The regression's value (…,) of features (…, FEATURES); what is not known counts as usual."""
        x = np.clip(np.where(np.isnan(film), self._a["usual"], film), self._a["low"], self._a["high"])
        return np.asarray(x @ self._a["weight"][1:] + self._a["weight"][0], np.float64)

    def familiar(self, embedding: NDArray) -> NDArray[np.float64]:
        """(…,) in [0, 1] of unit embeddings (…, D): whether a film looks like the networks' own."""
        odds = np.asarray(embedding, np.float64) @ self._a["place"][1:] + self._a["place"][0]
        return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))

    def judge(
        self,
        film: NDArray[np.float64],
        embedding: NDArray,
        nets: tuple[float, float],
        *,
        low_resolution: bool,
        age: float | None,
    ) -> Anything:
        """Of a film with these features (FEATURES,), embedding (D,), and probability and cut by the networks.

        On a familiar film the networks' log odds count, on one from elsewhere and on a child's the outlines', between
        them both in proportion. On films of low resolution both are added, which tells NIH's own better than either;
        how familiar these look is not asked, since no others of their kind were at hand.
        """
        value = float(self.score(film))
        child = age is not None and age < CHILD
        if low_resolution and not child:
            both = self.manifest["both"]
            odds = both["networks"] * _log_odds(nets[0]) + both["outlines"] * value + both["offset"]
            return Anything(probability=_sigmoid(odds), cut=both["cut"], familiar=1.0)
        own = self.manifest["outlines"]
        share = 0.0 if child else float(self.familiar(embedding))
        odds = share * _log_odds(nets[0]) + (1 - share) * (own["slope"] * value + own["offset"])
        cut = share * _log_odds(nets[1]) + (1 - share) * _log_odds(own["cut"])
        return Anything(probability=_sigmoid(odds), cut=_sigmoid(cut), familiar=share)


def _log_odds(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def _sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(x, -30, 30))))
