"""The detector: an image in, fourteen findings out, each with a calibrated probability, a place and a side; or a
refusal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError
from ontologies.concept import Presence
from vision import localisation
from vision.finding import LABELS, BoundingBox, Finding
from vision.image import ImageInstance
from vision.intensity import resize, standardise
from vision.quality import cautions, refusal

if TYPE_CHECKING:
    from vision.probe import Probe
    from vision.vit import HybridViT

EMBEDDING_DIM = 256
OUTLIER_DIM = 48
WEIGHTS = Path(__file__).resolve().parent / "weights"
FORMAT = 3
_RETRAIN = "whydx train detector"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """What was seen on one image.

    ``findings`` are all 14 in LABELS order, or empty when ``refused`` holds a reason code (see quality.REFUSALS).
    ``heatmaps`` {label: (h, w) float32 in [0, 1]} are the calibrated patch probabilities; ``peaks`` {label: (x, y)} and
    ``boxes`` {label: ((box, score), …) best first} are in pixels of the input image. ``embedding`` (D,) float32 has
    unit length, zeros when refused; ``region_embeddings`` {label: (D,)} are of the patches weighted by the label's odds
    there. ``no_finding`` is the calibrated probability that none of the 14 is there.
    """

    findings: tuple[Finding, ...]
    embedding: NDArray[np.float32]
    region_embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    heatmaps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    peaks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    boxes: Mapping[str, tuple[tuple[BoundingBox, float], ...]] = field(default_factory=dict)
    no_finding: float = 1.0
    refused: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raw:
    """The network's arrays for one image: logits (15,), maps (15, g, g), embedding (D,), regions (14, D), and features
    (2 C,), the tokens' mean and spread, by which outliers are told."""

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    embedding: NDArray[np.float32]
    regions: NDArray[np.float32]
    features: NDArray[np.float32]


class Detector:
    """Shipped weights with their manifest: a few networks of one shape, trained from different seeds, whose logits and
    maps are averaged, and a probe whose logits are added. Embeddings and features are the first network's.
    ``fingerprint`` changes when any file does.
    """

    def __init__(
        self,
        members: Sequence[HybridViT],
        probe: Probe | None,
        manifest: Mapping[str, Any],
        outlier: Mapping[str, NDArray],
        fingerprint: str,
    ) -> None:
        import torch

        self._members = [m.to(memory_format=torch.channels_last) for m in members]  # type: ignore[call-overload]
        self._probe, self.manifest, self._outlier, self.fingerprint = probe, manifest, outlier, fingerprint

    @classmethod
    def open(cls, folder: Path | None = None) -> Detector:
        """Load ``folder``/detector.safetensors (default: the packaged weights) after checking it against detector.json.

        Raises ArtifactError when a file is missing or damaged, or when its hash, label order or shapes do not match.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load as load_tensors

        from vision.probe import Probe
        from vision.vit import HybridViT

        folder = folder or WEIGHTS
        manifest, text = read_manifest(folder)
        data = _read(folder / "detector.safetensors", manifest["sha256"])
        reading = _read(folder / "probe.safetensors", manifest["probe_sha256"])
        members = [HybridViT(len(LABELS) + 1) for _ in range(manifest["members"])]
        try:
            tensors = {k: t.float() if t.is_floating_point() else t for k, t in load_tensors(data).items()}
            outlier = {k.removeprefix("outlier/"): t.numpy() for k, t in tensors.items() if k.startswith("outlier/")}
            for i, member in enumerate(members):
                member.load_state_dict(
                    {k.removeprefix(f"{i}/"): t for k, t in tensors.items() if k.startswith(f"{i}/")}
                )
                member.eval()
            probe = Probe.of(load_tensors(reading), len(LABELS) + 1)
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise ArtifactError("the detector's weights do not fit this network", value=folder, run=_RETRAIN) from error
        if {k: v.shape for k, v in outlier.items()} != _outlier_shapes(members[0].width):
            raise ArtifactError("the detector's outlier model does not fit this network", value=folder, run=_RETRAIN)
        return cls(members, probe, manifest, outlier, hashlib.sha256(data + text.encode()).hexdigest()[:16])

    def detect(self, image: ImageInstance) -> Detection:
        """Findings on one image. A refused image gives ``refused`` and no findings; nothing is raised."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: list[ImageInstance]) -> list[Detection]:
        """As ``detect`` for several images at once, in order."""
        reasons = [refusal(image) for image in images]
        good = [image for image, reason in zip(images, reasons, strict=True) if reason is None]
        raw = iter(self.raw(np.stack([self.prepare(i) for i in good])) if good else ())
        return [
            self._refused(image, reason) if reason else self._describe(image, next(raw))
            for image, reason in zip(images, reasons, strict=True)
        ]

    def prepare(self, image: ImageInstance) -> NDArray[np.float32]:
        """The network's input (S, S) for one image."""
        return standardise(resize(image.pixels, self.manifest["side"]))

    def raw(self, inputs: NDArray[np.float32]) -> list[Raw]:
        """Run the networks on prepared inputs (n, S, S) and on their mirror images, and average."""
        import torch

        with torch.inference_mode():
            straight = torch.from_numpy(inputs)[:, None].contiguous(memory_format=torch.channels_last)  # (n, 1, S, S)
            mirrored = straight.flip(3)
            first = self._members[0](straight)
            logits, maps = [first.logits], [first.maps]
            for member in self._members:
                if member is not self._members[0]:
                    out = member(straight)
                    logits.append(out.logits)
                    maps.append(out.maps)
                out = member(mirrored)
                logits.append(out.logits)
                maps.append(out.maps.flip(3))
            logit, patch = torch.stack(logits).mean(0).numpy(), torch.stack(maps).mean(0)  # (n, 15), (n, 15, g, g)
            if self._probe:
                logit = logit + self._probe.logits(straight)
            n, _, grid, _ = patch.shape
            share = patch[:, : len(LABELS)].reshape(n, len(LABELS), grid * grid).softmax(2)  # by the patch's odds
            pooled = [self._members[0].embed_region(first.tokens, share[:, i]) for i in range(len(LABELS))]
            regions = torch.stack(pooled, 1)
            features = torch.cat((first.tokens.mean(1), first.tokens.std(1)), 1)
        return [
            Raw(
                logits=logit[i],
                maps=patch[i].numpy(),
                embedding=first.embedding[i].numpy(),
                regions=regions[i].numpy(),
                features=features[i].numpy(),
            )
            for i in range(n)
        ]

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits (…, 15) → calibrated probabilities (Platt scaling per label, fitted as the manifest says)."""
        slope, offset = (
            np.array(self.manifest["calibration"]["slope"]),
            np.array(self.manifest["calibration"]["offset"]),
        )
        return sigmoid(logits * slope + offset)

    def distance(self, features: NDArray[np.float32]) -> float:
        """How far an image's mean features lie from the training radiographs: Mahalanobis distance on principal axes
        plus the residual off them, in units of the training images' own spread."""
        centred = (features - self._outlier["mean"]) / self._outlier["scale"]
        along = centred @ self._outlier["basis"]
        residual = centred - along @ self._outlier["basis"].T
        return float(
            np.sqrt(
                np.mean((along / self._outlier["spread"]) ** 2) + np.mean(residual**2) / self._outlier["residual"][0]
            )
        )

    def _refused(self, image: ImageInstance, reason: str) -> Detection:
        zeros = np.zeros(EMBEDDING_DIM, dtype=np.float32)
        return Detection(findings=(), embedding=zeros, refused=reason, warnings=cautions(image))

    def _describe(self, image: ImageInstance, raw: Raw) -> Detection:
        if self.distance(raw.features) > self.manifest["outlier_limit"]:
            return self._refused(image, "not_a_chest_radiograph")
        probability = self.probabilities(raw.logits)
        slope, offset = (
            np.array(self.manifest["calibration"]["slope"]),
            np.array(self.manifest["calibration"]["offset"]),
        )
        maps = sigmoid(raw.maps * slope[:, None, None] + offset[:, None, None]).astype(np.float32)
        height, width = image.pixels.shape
        findings, peaks, boxes, heatmaps = [], {}, {}, {}
        for i, label in enumerate(LABELS):
            threshold = float(self.manifest["thresholds"][label])
            p = float(probability[i])
            presence = self.presence(p, threshold)
            heatmaps[label] = maps[i]
            peaks[label] = localisation.peak(maps[i], width, height)
            boxes[label] = localisation.boxes(maps[i], self.manifest["box_cut"], width, height)
            shown = presence != "absent"
            findings.append(
                Finding(
                    label=label,
                    presence=presence,
                    probability=round(p, 6),
                    threshold=threshold,
                    box=boxes[label][0][0] if shown and boxes[label] else None,
                    laterality=localisation.laterality(label, maps[i]) if shown else None,
                    heatmap_ref=f"{label}@{image.sop_instance_uid}" if shown else None,
                    sop_instance_uid=image.sop_instance_uid,
                )
            )
        return Detection(
            findings=tuple(findings),
            embedding=raw.embedding,
            region_embeddings={label: raw.regions[i] for i, label in enumerate(LABELS)},
            heatmaps=heatmaps,
            peaks=peaks,
            boxes=boxes,
            no_finding=round(1 - float(probability[-1]), 6),
            warnings=cautions(image),
        )

    def presence(self, probability: float, threshold: float) -> Presence:
        """Present at or above the threshold; uncertain when the odds are at least the manifest's share of the
        threshold's.
        """
        if probability >= threshold:
            return "present"
        odds = probability / (1 - probability) if probability < 1 else np.inf
        return "uncertain" if odds >= self.manifest["uncertain_odds"] * threshold / (1 - threshold) else "absent"


def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(−x)), without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


def _read(file: Path, sha256: str) -> bytes:
    """The bytes of a weights file. Raises ArtifactError when it is missing or its hash is another."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ArtifactError("the detector's weights are missing", value=file, run=_RETRAIN) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        message = "the detector's weights do not match their manifest"
        raise ArtifactError(message, value=file, expected=sha256[:12] + "…")
    return data


def _outlier_shapes(width: int) -> dict[str, tuple[int, ...]]:
    size = 2 * width
    return {"mean": (size,), "scale": (size,), "basis": (size, OUTLIER_DIM), "spread": (OUTLIER_DIM,), "residual": (1,)}


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """detector.json as (content, text). Raises ArtifactError when it is missing, damaged, of another format or label
    set.
    """
    file = folder / "detector.json"
    try:
        text = file.read_text(encoding="utf-8")
        manifest = json.loads(text)
    except (OSError, ValueError) as error:
        raise ArtifactError("the detector's manifest is missing or damaged", value=file, run=_RETRAIN) from error
    needed = {
        "format",
        "members",
        "probe_sha256",
        "sha256",
        "labels",
        "thresholds",
        "calibration",
        "side",
        "outlier_limit",
        "box_cut",
        "uncertain_odds",
    }
    if not isinstance(manifest, dict) or needed - set(manifest) or manifest["format"] != FORMAT:
        raise ArtifactError("the detector's manifest is of another format", value=file, expected=f"format {FORMAT}")
    if tuple(manifest["labels"]) != LABELS or set(manifest["thresholds"]) != set(LABELS):
        raise ArtifactError(
            "the detector was trained on other labels", value=file, expected=f"{', '.join(LABELS[:3])}, …"
        )
    if any(len(manifest["calibration"].get(k, ())) != len(LABELS) + 1 for k in ("slope", "offset")):
        raise ArtifactError("the detector's calibration does not fit its labels", value=file, run=_RETRAIN)
    return manifest, text
