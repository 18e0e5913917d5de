"""The detector: an image in, fourteen findings out, each with a calibrated probability, a place and a side; or a
refusal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from errors import ArtifactError, InputError
from ontologies.concept import Presence
from vision import localisation
from vision.anatomy import elsewhere, outliner
from vision.anatomy.large_heart import LABEL as LARGE_HEART
from vision.anatomy.measures import Measurement
from vision.anatomy.organs import ORGANS
from vision.anatomy.outliner import Anatomy, Outlines
from vision.anatomy.ranges import Person
from vision.finding import LABELS, BoundingBox, Finding
from vision.folds import fold_of, patient_key
from vision.image import ImageInstance
from vision.intensity import resize, standardise
from vision.local_head import LocalHead
from vision.manifest import RETRAIN, read_file, read_manifest, read_not_assessed, resolution
from vision.quality import IN_A_FRAME, LOW_RESOLUTION, admit, cautions
from vision.weights_pair import WEIGHTS

if TYPE_CHECKING:
    from vision.frontal import Frontal
    from vision.probe import Probe
    from vision.vit import HybridViT

EMBEDDING_DIM = 256
_AT_ONCE = 4
ANY_FINDING = "any finding"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """What was seen on one image.

    ``findings`` are all 14 in LABELS order, or empty when ``refused`` holds a reason code (see quality.REFUSALS).
    ``heatmaps`` {label: (h, w) float32 in [0, 1]} are the calibrated patch probabilities; they, ``peaks`` {label: (x,
    y)} and ``boxes`` {label: ((box, score), …) best first} lie as the input image is stored, the latter in
    its pixels. ``embedding`` (D,) float32 has unit length, zeros when refused; ``region_embeddings`` {label: (D,)} are
    of the patches weighted by the label's odds there. ``no_finding`` is the calibrated probability
    that none of the 14 is there. ``scores`` {label: probability} are of all 14, also of those that are not assessed,
    whose findings have none. ``measurements`` and ``outlines`` {organ: (128, 128) float32 in [0, 1], lying as the
    image is stored} are empty where the outlines are not to be trusted. ``logits`` (15,) float32 are the shipped
    networks' own, before calibration and before a local head; empty when refused.
    """

    findings: tuple[Finding, ...]
    embedding: NDArray[np.float32]
    region_embeddings: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    heatmaps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    peaks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    boxes: Mapping[str, tuple[tuple[BoundingBox, float], ...]] = field(default_factory=dict)
    no_finding: float = 1.0
    scores: Mapping[str, float] = field(default_factory=dict)
    refused: str | None = None
    warnings: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    outlines: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    logits: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raw:
    """The network's arrays for one image: logits (15,), maps (15, g, g), embedding (D,), regions (14, D)."""

    logits: NDArray[np.float32]
    maps: NDArray[np.float32]
    embedding: NDArray[np.float32]
    regions: NDArray[np.float32]


class Detector:
    """Shipped weights with their manifest: a few networks of one shape, each fitted on the patients outside its own
    fold, whose logits and maps are averaged, and a probe whose logits are added. Embeddings are the first network's.
    ``frontal`` tells what is no frontal chest radiograph; without it only headers and blank images are refused.
    ``anatomy`` outlines lungs and heart, tells a large heart by their ratio, and refuses what has none; without it
    nothing is measured, and the network tells that, too.
    ``not_assessed`` {resolution: {label: reason}} are the findings that it does not tell better than by chance.
    ``fingerprint`` changes when any file but the anatomy's or the list of these does. ``judges`` are the members that
    are asked for logits and maps (default: all). ``local`` corrects the probabilities where a place has fitted them to
    its films.
    """

    def __init__(
        self,
        members: Sequence[HybridViT],
        probe: Probe,
        manifest: Mapping[str, Any],
        fingerprint: str,
        *,
        frontal: Frontal | None = None,
        anatomy: Anatomy | None = None,
        not_assessed: Mapping[str, Mapping[str, str]] | None = None,
        device: str = "cpu",
        judges: Sequence[int] | None = None,
        local: LocalHead | None = None,
    ) -> None:
        import torch

        self.members = [m.to(device).to(memory_format=torch.channels_last) for m in members]  # type: ignore[call-overload]
        self.manifest, self.fingerprint = manifest, fingerprint
        self.probe, self._frontal, self._device = probe.to(device), frontal, device
        self._anatomy, self.not_assessed, self.local = anatomy, not_assessed or {}, local
        self._judges = tuple(range(len(members)) if judges is None else judges)
        self._patients = frozenset(manifest["patients"].split())

    @classmethod
    def open(cls, folder: Path | None = None, *, device: str = "cpu", local: Path | None = None) -> Detector:
        """Load ``folder``/detector.safetensors (default: the packaged weights) after checking it against detector.json.
        ``local``: a folder of versions, of which the one in use may hold a local head.

        ``device`` is "cpu", "cuda" or "mps". The refusal model is the folder's own when it has one, else the packaged
        one. Raises ArtifactError when a file is missing or damaged, or when its hash, label order or shapes do not
        match, and InputError for a device that is not there.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load as load_tensors

        from vision.frontal import NAME, Frontal
        from vision.probe import Probe
        from vision.vit import networks

        _check_device(device)
        folder = folder or WEIGHTS
        manifest, text = read_manifest(folder)
        data = read_file(folder / "detector.safetensors", manifest["sha256"])
        reading = read_file(folder / "probe.safetensors", manifest["probe_sha256"])
        try:
            members = networks(load_tensors(data), manifest["members"], len(LABELS) + 1, manifest.get("backbone"))
            probe = Probe.of(load_tensors(reading), manifest["members"], len(LABELS) + 1)
            probe.stem.merge_norms()
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise ArtifactError("the detector's weights do not fit this network", value=folder, run=RETRAIN) from error
        frontal = Frontal.open(folder if (folder / f"{NAME}.json").is_file() else WEIGHTS)
        anatomy = Anatomy.open(folder if (folder / f"{outliner.NAME}.json").is_file() else WEIGHTS)
        # not the anatomy's: an index of embeddings stays good when only what is measured changes
        identity = hashlib.sha256(data + text.encode() + json.dumps(frontal.manifest).encode()).hexdigest()[:16]
        unknown = read_not_assessed(folder, manifest["sha256"])
        return cls(
            members,
            probe,
            manifest,
            identity,
            frontal=frontal,
            anatomy=anatomy,
            not_assessed=unknown,
            device=device,
            local=None if local is None else LocalHead.open(local, identity),
        )

    @property
    def local_rates(self) -> dict[str, float]:
        """Label, or "No Finding", → the share of local films that have it; empty without a local head."""
        return self.local.rates if self.local is not None else {}

    @property
    def anatomy_fingerprint(self) -> str:
        """The fingerprint of the outlines and what is read from them; empty without anatomy."""
        return self._anatomy.fingerprint if self._anatomy is not None else ""

    def unseen_by(self, patient_id: str) -> int | None:
        """The member that was not fitted on this patient of its training data; None for a patient of no training data,
        whom none has seen, and for one whom every member was fitted on (when there are fewer members than folds).
        """
        fold = fold_of(patient_id)
        return fold if patient_key(patient_id) in self._patients and fold < len(self.members) else None

    def judged_by(self, member: int | None) -> Detector:
        """This detector with the logits and maps of one member alone (None: of all, as it is): what an evaluation on
        images of the training data may ask. Embeddings stay the first member's.
        """
        if member is None:
            return self
        return Detector(
            self.members,
            self.probe,
            self.manifest,
            self.fingerprint,
            frontal=self._frontal,
            anatomy=self._anatomy,
            not_assessed=self.not_assessed,
            device=self._device,
            judges=(member,),
            local=self.local,
        )

    def detect(self, image: ImageInstance) -> Detection:
        """Findings on one image. A refused image gives ``refused`` and no findings; nothing is raised."""
        return self.detect_batch([image])[0]

    def detect_batch(self, images: list[ImageInstance]) -> list[Detection]:
        """As ``detect`` for several images at once, in order."""
        let_in = admit(images, self._frontal, self._anatomy)
        good = [image for image, judged in zip(images, let_in, strict=True) if judged.refused is None]
        raw = iter(self.raw(np.stack([self.prepare(i) for i in good])) if good else ())
        found = []
        for image, judged in zip(images, let_in, strict=True):
            if judged.refused is not None:
                found.append(self._refused(image, judged.refused))
                continue
            seen = self._measured(image, self._describe(image, next(raw), judged.outlines), judged.outlines)
            found.append(replace(seen, warnings=(*seen.warnings, IN_A_FRAME)) if judged.framed else seen)
        return found

    def _measured(self, image: ImageInstance, seen: Detection, outlines: Outlines | None) -> Detection:
        """``seen`` with what is measured on trusted outlines."""
        if self._anatomy is None or outlines is None:
            return seen
        if not outlines.trusted:
            line = "nothing is measured: the outlines of lungs and heart are not to be trusted on this film"
            return replace(seen, warnings=(*seen.warnings, line))
        stored = [np.ascontiguousarray(image.orientation.as_stored(share)) for share in outlines.shares]
        person = Person(view=image.view_position, sex=image.patient_sex, age=image.patient_age_y)
        measured = self._anatomy.measurements(outlines, image.upright, person)
        return replace(seen, measurements=measured, outlines=dict(zip(ORGANS, stored, strict=True)))

    def prepare(self, image: ImageInstance) -> NDArray[np.float32]:
        """The network's input (S, S) for one image, upright."""
        return standardise(resize(image.upright, self.manifest["side"]))

    def raw(self, inputs: NDArray[np.float32]) -> list[Raw]:
        """Run the judges on prepared inputs (n, S, S) and average. A few images at a time: more do not fit a
        processor's cache, which costs a fifth of the speed.
        """
        return [raw for start in range(0, len(inputs), _AT_ONCE) for raw in self._raw(inputs[start : start + _AT_ONCE])]

    def _raw(self, inputs: NDArray[np.float32]) -> list[Raw]:
        import torch

        from vision.stem import EfficientNetLite0

        with torch.inference_mode():
            x = torch.from_numpy(inputs)[:, None].contiguous(memory_format=torch.channels_last)  # (n, 1, S, S)
            x = x.to(self._device)
            asked = {i: self.members[i] for i in sorted({0, *self._judges})}
            if isinstance(self.members[0].stem, EfficientNetLite0):  # half of the work, once for all members
                early = self.members[0].stem.early(x)
                said = {i: m.attend(*cast(EfficientNetLite0, m.stem).late(early)) for i, m in asked.items()}
            else:
                said = {i: m(x) for i, m in asked.items()}
            logit = torch.stack([said[i].logits for i in self._judges]).mean(0).cpu().numpy()  # (n, 15)
            logit = logit + self.probe.logits(x, self._judges)
            patch = torch.stack([said[i].maps for i in self._judges]).mean(0)  # (n, 15, g, g)
            n, _, grid, _ = patch.shape
            share = patch[:, : len(LABELS)].reshape(n, len(LABELS), grid * grid).softmax(2)  # by the patch's odds
            pooled = [self.members[0].embed_region(said[0].tokens, share[:, i]) for i in range(len(LABELS))]
            regions = torch.stack(pooled, 1)
        return [
            Raw(
                logits=logit[i],
                maps=patch[i].cpu().numpy(),
                embedding=said[0].embedding[i].cpu().numpy(),
                regions=regions[i].cpu().numpy(),
            )
            for i in range(n)
        ]

    def probabilities(self, logits: NDArray[np.float32], low_resolution: bool = False) -> NDArray[np.float64]:
        """Logits (…, 15) → calibrated probabilities (Platt scaling per label, fitted as the manifest says). That of
        "any finding" is calibrated for images of low resolution apart.
        """
        slope, offset = self._platt(low_resolution)
        return sigmoid(logits * slope + offset)

    def _platt(self, low_resolution: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        fitted = self.manifest["calibration"][resolution(low_resolution)]
        return np.array(fitted["slope"]), np.array(fitted["offset"])

    def _refused(self, image: ImageInstance, reason: str) -> Detection:
        zeros = np.zeros(EMBEDDING_DIM, dtype=np.float32)
        return Detection(findings=(), embedding=zeros, refused=reason, warnings=cautions(image))

    def _describe(self, image: ImageInstance, raw: Raw, outlines: Outlines | None) -> Detection:
        height, width = image.pixels.shape
        low = min(height, width) < LOW_RESOLUTION
        probability = self.probabilities(raw.logits, low)
        slope, offset = self._platt(low)
        maps = sigmoid(raw.maps * slope[:, None, None] + offset[:, None, None]).astype(np.float32)
        cuts: dict[str, float] = {}
        strange: tuple[str, ...] = ()
        if self.local is not None:
            probability = self.local.probabilities(probability[None], raw.logits[None], raw.embedding[None])[0]
            cuts |= self.local.thresholds
        heart = None
        if self._anatomy is not None and outlines is not None:
            heart = self._anatomy.large_heart(outlines, image.view_position, resolution(low))
        if heart is not None:  # measured, which tells it better than the network does
            probability[LABELS.index(LARGE_HEART)], cuts[LARGE_HEART] = heart
        film = None if image.is_phantom or (self.local and ANY_FINDING in self.local.readings) else outlines
        if self._anatomy is not None and film is not None:  # on films from elsewhere the outlines tell it better
            nets = float(probability[-1]), float(self.manifest["operating_points"][resolution(low)]["any_finding"])
            weights, age = self.manifest["sha256"], image.patient_age_y
            any_finding = self._anatomy.anything(film, image.upright, raw.embedding, weights, nets, low, age)
            probability[-1], cuts[ANY_FINDING] = any_finding.probability, any_finding.cut
            strange = (elsewhere.WARNING,) if any_finding.familiar < 0.5 else ()
        judged = self.judge(probability, low, cuts)
        findings, peaks, boxes, heatmaps = [], {}, {}, {}
        for i, label in enumerate(LABELS):
            p, threshold, presence = judged[i]
            stored = np.ascontiguousarray(image.orientation.as_stored(maps[i]))
            heatmaps[label] = stored
            peaks[label] = localisation.peak(stored, width, height)
            boxes[label] = localisation.boxes(stored, self.manifest["box_cut"], width, height)
            shown, known = presence in ("present", "uncertain"), presence != "not assessed"
            findings.append(
                Finding(
                    label=label,
                    presence=presence,
                    probability=p if known else None,
                    threshold=threshold if known else None,
                    reason=None if known else self.not_assessed[resolution(low)][label],
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
            scores={label: p for label, (p, _, _) in zip(LABELS, judged, strict=True)},
            warnings=(*cautions(image), *strange),
            logits=raw.logits,
        )

    def judge(
        self,
        probabilities: NDArray[np.float64],
        low_resolution: bool = False,
        other_cuts: Mapping[str, float] | None = None,
    ) -> tuple[tuple[float, float, Presence], ...]:
        """(probability, threshold, presence) of each label, in order, from one image's probabilities (15,).

        Whether the image shows anything at all is asked of the last output alone. If so, the likeliest label (the first
        among equals) and all that reach their thresholds are present; the likeliest's threshold is lowered to its
        probability where it must be. If not, nothing is present, and a threshold that is reached is raised just above.
        Uncertain is what would be present if odds, the label's or the last output's, counted 1 / ``uncertain_odds``
        times as much. Images of low resolution have an operating point of their own; ``other_cuts`` {label or
        "any finding": threshold} replace its thresholds. What is not assessed is neither likeliest nor present. Numbers
        are rounded to six digits.
        """
        point = self.manifest["operating_points"][resolution(low_resolution)]
        least = self.manifest["uncertain_odds"]
        p = np.round(np.clip(probabilities[: len(LABELS)], 0, 1 - 2e-6), 6)
        cuts = np.array([{**point["labels"], **(other_cuts or {})}[label] for label in LABELS])
        unknown = np.isin(LABELS, [*self.not_assessed.get(resolution(low_resolution), ())])
        ratio, likeliest = _odds(p) / _odds(cuts), int(np.where(unknown, -1, p).argmax())
        least_any = (other_cuts or {}).get("any finding", point["any_finding"])
        anything = _odds(probabilities[-1]) / _odds(least_any)
        if anything >= 1:
            cuts[likeliest] = min(cuts[likeliest], p[likeliest])
            uncertain = ratio >= least
        else:
            uncertain = (ratio >= 1) & (anything >= least)
            uncertain[likeliest] = anything >= least
            cuts = np.maximum(cuts, np.round(p + 1e-6, 6))
        said: list[Presence] = [
            "present" if a >= c else "uncertain" if u else "absent" for a, c, u in zip(p, cuts, uncertain, strict=True)
        ]
        return tuple(
            (float(a), float(cut), "not assessed" if out else presence)
            for a, cut, out, presence in zip(p, cuts, unknown, said, strict=True)
        )


def _check_device(device: str) -> None:
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there.get(device, False):
        raise InputError("this device is not there", value=device, expected=", ".join(k for k, v in there.items() if v))


def _odds(p: Any) -> Any:
    return p / np.maximum(1 - p, 1e-9)


def sigmoid(x: NDArray) -> NDArray:
    """1 / (1 + exp(−x)), without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))
