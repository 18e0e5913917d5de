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

from errors import ArtifactError, InputError
from ontologies.concept import Presence
from vision import localisation
from vision.finding import LABELS, BoundingBox, Finding
from vision.image import ImageInstance
from vision.intensity import resize, standardise
from vision.quality import cautions, refusal

if TYPE_CHECKING:
    from vision.frontal import Frontal
    from vision.probe import Probe
    from vision.vit import HybridViT

EMBEDDING_DIM = 256
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
    """The network's arrays for one image: logits (15,), maps (15, g, g), embedding (D,), regions (14, D)."""

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    embedding: NDArray[np.float32]
    regions: NDArray[np.float32]


class Detector:
    """Shipped weights with their manifest: a few networks of one shape, trained from different seeds, whose logits and
    maps are averaged, and a probe whose logits are added. Embeddings are the first network's. ``frontal`` tells what
    is no frontal chest radiograph; without it only headers and blank images are refused. ``fingerprint`` changes when
    any file does.
    """

    def __init__(
        self,
        members: Sequence[HybridViT],
        probe: Probe | None,
        manifest: Mapping[str, Any],
        fingerprint: str,
        *,
        frontal: Frontal | None = None,
        device: str = "cpu",
    ) -> None:
        import torch

        self.members = [m.to(device).to(memory_format=torch.channels_last) for m in members]  # type: ignore[call-overload]
        self.manifest, self.fingerprint = manifest, fingerprint
        self._probe, self._frontal, self._device = probe, frontal, device

    @classmethod
    def open(cls, folder: Path | None = None, *, device: str = "cpu") -> Detector:
        """Load ``folder``/detector.safetensors (default: the packaged weights) after checking it against detector.json.

        ``device`` is "cpu", "cuda" or "mps". The refusal model is the folder's own when it has one, else the packaged
        one. Raises ArtifactError when a file is missing or damaged, or when its hash, label order or shapes do not
        match, and InputError for a device that is not there.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load as load_tensors

        from vision.frontal import NAME, Frontal
        from vision.probe import Probe
        from vision.vit import HybridViT

        _check_device(device)
        folder = folder or WEIGHTS
        manifest, text = read_manifest(folder)
        data = _read(folder / "detector.safetensors", manifest["sha256"])
        reading = _read(folder / "probe.safetensors", manifest["probe_sha256"])
        members = [HybridViT(len(LABELS) + 1) for _ in range(manifest["members"])]
        try:
            tensors = {k: t.float() if t.is_floating_point() else t for k, t in load_tensors(data).items()}
            for i, member in enumerate(members):
                member.load_state_dict(
                    {k.removeprefix(f"{i}/"): t for k, t in tensors.items() if k.startswith(f"{i}/")}
                )
                member.eval()
            probe = Probe.of(load_tensors(reading), len(LABELS) + 1)
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise ArtifactError("the detector's weights do not fit this network", value=folder, run=_RETRAIN) from error
        frontal = Frontal.open(folder if (folder / f"{NAME}.json").is_file() else WEIGHTS)
        identity = hashlib.sha256(data + text.encode() + json.dumps(frontal.manifest).encode()).hexdigest()[:16]
        return cls(members, probe, manifest, identity, frontal=frontal, device=device)

    def detect(self, image: ImageInstance) -> Detection:
        """Findings on one image. A refused image gives ``refused`` and no findings; nothing is raised."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: list[ImageInstance]) -> list[Detection]:
        """As ``detect`` for several images at once, in order."""
        reasons = [refusal(image) for image in images]
        if self._frontal is not None:
            asked = [i for i, reason in enumerate(reasons) if reason is None]
            for i, reason in zip(asked, self._frontal.reasons([images[i].pixels for i in asked]), strict=True):
                reasons[i] = reason
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
            x = torch.from_numpy(inputs)[:, None].contiguous(memory_format=torch.channels_last)  # (n, 1, S, S)
            straight = x.to(self._device)
            mirrored = straight.flip(3)
            first = self.members[0](straight)
            logits, maps = [first.logits], [first.maps]
            for member in self.members:
                if member is not self.members[0]:
                    out = member(straight)
                    logits.append(out.logits)
                    maps.append(out.maps)
                out = member(mirrored)
                logits.append(out.logits)
                maps.append(out.maps.flip(3))
            logit = torch.stack(logits).mean(0).cpu().numpy()  # (n, 15)
            patch = torch.stack(maps).mean(0)  # (n, 15, g, g)
            if self._probe:
                logit = logit + self._probe.logits(x)
            n, _, grid, _ = patch.shape
            share = patch[:, : len(LABELS)].reshape(n, len(LABELS), grid * grid).softmax(2)  # by the patch's odds
            pooled = [self.members[0].embed_region(first.tokens, share[:, i]) for i in range(len(LABELS))]
            regions = torch.stack(pooled, 1)
        return [
            Raw(
                logits=logit[i],
                maps=patch[i].cpu().numpy(),
                embedding=first.embedding[i].cpu().numpy(),
                regions=regions[i].cpu().numpy(),
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

    def _refused(self, image: ImageInstance, reason: str) -> Detection:
        zeros = np.zeros(EMBEDDING_DIM, dtype=np.float32)
        return Detection(findings=(), embedding=zeros, refused=reason, warnings=cautions(image))

    def _describe(self, image: ImageInstance, raw: Raw) -> Detection:
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


def _check_device(device: str) -> None:
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, False):
        raise InputError("this device is not there", value=device, expected=", ".join(k for k, v in there.items() if v))


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
