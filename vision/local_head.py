"""A local head: a small correction of the detector's probabilities, fitted on the films of one place.

For each adapted output the calibrated log odds gain g × (bias + slope × logit + weight · embedding); the others stay
what they are. g, in [0, 1], says how far a film looks like those of the place, so that a film from elsewhere is read as
it was. The head belongs to one detector, whose weights it leaves alone, and lies in the home.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError
from indexes.versions import current
from vision.finding import LABELS, NO_FINDING

NAME = "head.json"
OUTPUTS = (*LABELS, "any finding")
_REFIT = "whydx adapt --cases DIR, or whydx adapt --use 0 for the shipped model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one output is read: ``weight`` (D,) on the embedding, () for none; ``threshold``: the probability from which
    the finding is present, or with "any finding" the film counts as abnormal, None to keep the shipped one; ``rate``:
    the share of local films that have it."""

    bias: float
    slope: float
    weight: tuple[float, ...] = ()
    threshold: float | None = None
    rate: float

    def correction(self, logit: NDArray, embedding: NDArray) -> NDArray[np.float64]:
        """float64 (n,), before g, of shipped logits (n,) of this output and embeddings (n, D)."""
        out = self.bias + self.slope * np.asarray(logit, np.float64)
        return out + np.asarray(embedding, np.float64) @ np.array(self.weight) if self.weight else out


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHead:
    """``readings``: output (of OUTPUTS) → how it is read; ``detector``: the fingerprint of the one it was fitted on;
    ``place``: the bias, then the weights (D,), of the log odds that a film is of the place (g), () for a g of 1."""

    detector: str
    readings: Mapping[str, Reading] = field(default_factory=dict)
    place: tuple[float, ...] = ()

    def of_place(self, embedding: NDArray) -> NDArray[np.float64]:
        """g, float64 (n,), of embeddings (n, D)."""
        if not self.place:
            return np.ones(len(embedding))
        odds = self.place[0] + np.asarray(embedding, np.float64) @ np.array(self.place[1:])
        return 1 / (1 + np.exp(-np.clip(odds, -30, 30)))

    def log_odds(self, output: str, shipped: NDArray, logit: NDArray, embedding: NDArray) -> NDArray[np.float64]:
        """float64 (n,) of an adapted output: shipped calibrated log odds (n,), logits (n,), embeddings (n, D)."""
        return shipped + self.of_place(embedding) * self.readings[output].correction(logit, embedding)

    def probabilities(
        self, shipped: NDArray[np.float64], logits: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """(n, 15) calibrated probabilities: the shipped ones (n, 15) with the adapted outputs in their places; logits
        (n, 15), embeddings (n, D)."""
        out = np.array(shipped, np.float64)
        for name in self.readings:
            at = OUTPUTS.index(name)
            p = np.clip(out[:, at], 1e-9, 1 - 1e-9)
            z = self.log_odds(name, np.log(p / (1 - p)), logits[:, at], embedding)
            out[:, at] = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
        return out

    @property
    def thresholds(self) -> dict[str, float]:
        """Output → threshold, of those that have their own."""
        return {name: r.threshold for name, r in self.readings.items() if r.threshold is not None}

    @property
    def rates(self) -> dict[str, float]:
        """Label, or "No Finding", → the share of local films that have it."""
        found = {name: r.rate for name, r in self.readings.items() if name in LABELS}
        if OUTPUTS[-1] in self.readings:
            found[NO_FINDING] = 1 - self.readings[OUTPUTS[-1]].rate
        return found

    def text(self) -> str:
        """What ``open`` reads."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def open(cls, folder: Path, detector: str) -> LocalHead | None:
        """The head of the version in use in ``folder`` (`indexes.versions`), None when there is none. Raises
        ArtifactError when it is damaged or was fitted on another detector than the one with the fingerprint
        ``detector``."""
        version = current(folder)
        if version is None:
            return None
        path = version / NAME
        try:
            stated = json.loads(path.read_text(encoding="utf-8"))
            readings = {
                str(name): Reading(**(own | {"weight": tuple(map(float, own["weight"]))}))
                for name, own in stated["readings"].items()
            }
            place = tuple(map(float, stated["place"]))
            head = cls(detector=str(stated["detector"]), readings=readings, place=place)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError("the local head is damaged", value=path, run=_REFIT) from error
        if head.detector != detector or not set(readings) <= set(OUTPUTS):
            raise ArtifactError(
                "the local head was fitted on another detector", value=head.detector, expected=detector, run=_REFIT
            )
        return head
