"""From a finished training run to the shipped artifact: calibration, thresholds, weights, manifest, cases."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vision.datasets import Record, fingerprint, in_calibration, load_grey, read, truth
from vision.detector import FORMAT, Detector, Raw, sigmoid
from vision.finding import LABELS
from vision.fit import Trained
from vision.intensity import resize, standardise

if TYPE_CHECKING:
    from vision.stem import EfficientNetLite0
    from vision.vit import HybridViT

SIDE = 256
FALSE_ALARMS = 0.10
LEAST_THRESHOLD = 0.02
UNCERTAIN_ODDS = 0.5
_OUTLIER_QUANTILE, _OUTLIER_SLACK = 0.995, 1.25


def release(
    trained: Sequence[Trained],
    data: Sequence[Path | str],
    folder: Path,
    *,
    command: str,
    note: str = "",
    side: int = SIDE,
    date: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Write detector.safetensors, probe.safetensors, detector.json, cases.* into ``folder``; returns the
    manifest.

    Probabilities are calibrated and thresholds set on the calibration fold (training patients that were never fitted
    on); the cases come from the training images.
    """
    import torch
    from safetensors.torch import save

    from vision.probe import imagenet_stem, pooled

    folder.mkdir(parents=True, exist_ok=True)
    half = {
        f"{i}/{k}": v.half() if v.is_floating_point() and "running_" not in k else v.clone()
        for i, member in enumerate(trained)
        for k, v in member.weights.items()
    }
    records = [r for where in data for r in read(where, split="train")]
    members = [_member(half, i) for i in range(len(trained))]
    held = np.array([in_calibration(r.patient_id) for r in records])
    bare = Detector(members, None, {"side": side}, "")
    stem = imagenet_stem()
    raws: list[Raw] = []
    features: list[NDArray[np.float32]] = []
    for start in range(0, len(records), 16):
        batch = records[start : start + 16]
        inputs = np.stack([standardise(resize(load_grey(r.path) / np.float32(255), side)) for r in batch])
        raws += bare.raw(inputs)
        features.append(pooled(stem, torch.from_numpy(inputs)[:, None]))
        if progress:
            progress("measuring the training images", len(raws), len(records))
    y = truth(records)
    probe, reading = fit_probe(stem, np.concatenate(features), y, ~held)
    raws = [replace(raw, logits=raw.logits + z) for raw, z in zip(raws, reading, strict=True)]
    logits = np.stack([r.logits for r in raws])
    sets = np.array([r.source for r in records])
    judged = held if held.any() else ~held  # a tiny data set may have no patient in the calibration fold
    calibration = fit_calibration(logits[judged], y[judged])
    if not held.any():
        calibration["fitted_on"] = f"{len(logits)} fitted images: too few patients for a calibration fold"
    payload = save({k: v.contiguous() for k, v in sorted(half.items())})
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "probe_sha256": hashlib.sha256(probe).hexdigest(),
        "labels": list(LABELS),
        "members": len(members),
        "side": side,
        "calibration": calibration,
        "operating_point": f"any finding in at most {FALSE_ALARMS:.0%} of each set's normal calibration images",
        "thresholds": {},
        "box_cut": 0.5,
        "uncertain_odds": UNCERTAIN_ODDS,
        "command": command,
        "note": note,
        "date": date or datetime.date.today().isoformat(),
        "settings": asdict(trained[0].settings),
        "data": {Path(str(w).removeprefix("nih:")).name: fingerprint(w) for w in data},
        "images": {"fitted": int((~held).sum()), "calibration": int(held.sum())},
        "losses": [{"first_20_steps": _mean(t.losses[:20]), "last_20_steps": _mean(t.losses[-20:])} for t in trained],
    }
    detector = Detector(members, None, manifest, "")
    manifest["thresholds"] = operating_point(detector.probabilities(logits[judged]), y[judged], sets[judged])
    manifest["box_cut"] = fit_box_cut(detector, records, raws)
    _write(folder / "detector.safetensors", payload)
    _write(folder / "probe.safetensors", probe)
    _write(folder / "detector.json", (json.dumps(manifest, indent=1) + "\n").encode())
    write_cases(folder, records, raws, held)
    return manifest


def fit_probe(
    stem: EfficientNetLite0, features: NDArray[np.float32], y: NDArray[np.bool_], fitted: NDArray[np.bool_]
) -> tuple[bytes, NDArray[np.float32]]:
    """The bytes of probe.safetensors, fitted on the rows ``fitted``, and its logits of all rows."""
    from safetensors.torch import save

    from vision.probe import Probe, regress

    weight, offset = regress(features[fitted], y[fitted])
    return save(Probe(stem, weight, offset).tensors()), np.asarray(features @ weight + offset, dtype=np.float32)


def _member(weights: dict[str, Any], index: int) -> HybridViT:
    from vision.vit import HybridViT

    model = HybridViT(len(LABELS) + 1)
    own = {k.removeprefix(f"{index}/"): v for k, v in weights.items() if k.startswith(f"{index}/")}
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in own.items()})
    return model.eval()


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if len(values) else float("nan")


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    os.replace(beside, path)


def fit_calibration(logits: NDArray[np.float32], y: NDArray[np.bool_]) -> dict[str, Any]:
    """Platt scaling p = σ(slope z + offset) per label, by penalised maximum likelihood.

    Slopes share a common value from which a label departs only as far as its data pay for it (Gaussian penalty on the
    log ratio): rare labels have a handful of positives.
    """
    from scipy.optimize import minimize

    n = logits.shape[1]

    def cost(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        common, ratio, offset = x[0], x[1 : n + 1], x[n + 1 :]
        slope = np.exp(common + ratio)
        z = logits * slope + offset
        error: NDArray[np.float64] = sigmoid(z) - y
        value = np.logaddexp(0, z).sum() - z[y].sum() + 8 * (ratio**2).sum() + 0.02 * (offset**2).sum()
        by_slope = (error * logits).sum(0) * slope
        gradient = np.concatenate(([by_slope.sum()], by_slope + 16 * ratio, error.sum(0) + 0.04 * offset))
        return float(value), gradient

    x = minimize(cost, np.zeros(2 * n + 1), jac=True, method="L-BFGS-B").x
    slope, offset = np.exp(x[0] + x[1 : n + 1]), x[n + 1 :]
    return {
        "method": "Platt scaling per label with a shared prior slope",
        "fitted_on": f"{len(logits)} images of the calibration fold (training patients outside the fit)",
        "slope": [round(float(v), 5) for v in slope],
        "offset": [round(float(v), 5) for v in offset],
    }


def operating_point(p: NDArray[np.float64], y: NDArray[np.bool_], sets: NDArray[np.str_]) -> dict[str, float]:
    """Per label, the probability from which it is present: ``p`` (n, 14 or more), ``y`` (n, 15), ``sets`` (n,) names.

    One figure, which a reader can picture, decides all of them: how often a normal film raises anything at all, at most
    FALSE_ALARMS in each set. Within it the thresholds are lowered greedily: at each turn the label and the step that
    find the most true findings for each normal film newly alarmed (a film that another label alarms already costs
    nothing more; ties go to the first label and the smaller step). A label that never earns a step keeps the highest
    probability that any image without it has.
    """
    normal = ~y[:, -1]
    budget = {name: FALSE_ALARMS * (normal & (sets == name)).sum() for name in np.unique(sets)}
    without = np.where(y[:, : len(LABELS)], 0.0, p[:, : len(LABELS)])
    cuts = np.maximum(_up(without.max(0) + 1e-4), LEAST_THRESHOLD)
    alarmed = normal & (p[:, : len(LABELS)] >= cuts).any(1)
    while True:
        best: tuple[float, int, float] | None = None
        for i in range(len(LABELS)):
            found = np.sort(p[y[:, i] & (p[:, i] < cuts[i]), i])[::-1]
            for gain, value in enumerate(found, 1):
                cut = np.floor(value * 1e4) / 1e4
                if cut < LEAST_THRESHOLD:
                    break
                new = alarmed | (normal & (p[:, i] >= cut))
                if any(new[sets == name].sum() > most for name, most in budget.items()):
                    break
                worth = gain / (new.sum() - alarmed.sum() + 0.5)
                if best is None or worth > best[0]:
                    best = worth, i, float(cut)
        if best is None:
            return {label: round(float(cut), 4) for label, cut in zip(LABELS, cuts, strict=True)}
        _, i, cuts[i] = best
        alarmed |= normal & (p[:, i] >= cuts[i])


def _up(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounded up to four digits, and below 1."""
    return np.minimum(np.ceil(values * 1e4) / 1e4, 0.9999)


def fit_box_cut(detector: Detector, records: Sequence[Record], raws: Sequence[Raw]) -> float:
    """The share of a map's maximum that bounds its boxes, by mean best IoU on the boxed training images; 0.5 without
    any.
    """
    from vision.datasets import box_labels
    from vision.localisation import boxes
    from vision.metrics import iou

    boxed = [(r, raw) for r, raw in zip(records, raws, strict=True) if r.boxes]
    best, cut = -1.0, 0.5
    slope, offset = (
        np.array(detector.manifest["calibration"]["slope"]),
        np.array(detector.manifest["calibration"]["offset"]),
    )
    for candidate in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        values = []
        for record, raw in boxed:
            height, width = load_grey(record.path).shape
            for label in sorted({x for name, _ in record.boxes for x in box_labels(name, record.labels)}):
                i = LABELS.index(label)
                heatmap = sigmoid(raw.maps[i] * slope[i] + offset[i]).astype(np.float32)
                found = boxes(heatmap, candidate, width, height)
                marked = [b for n, b in record.boxes if label in box_labels(n, record.labels)]
                values.append(max((iou(b, t) for b, _ in found for t in marked), default=0.0))
        if values and float(np.mean(values)) > best:
            best, cut = float(np.mean(values)), candidate
    return cut


def write_cases(folder: Path, records: Sequence[Record], raws: Sequence[Raw], held: NDArray[np.bool_]) -> None:
    """cases.safetensors: ``embedding`` (n, D), ``region`` (m, D), ``region_case`` (m,), ``region_label`` (m,),
    ``logits`` (n, 15).

    One region per positive label of each training image; ``region_case`` is its row in ``embedding`` and
    ``region_label`` its index in LABELS. cases.json holds the rows' ids (opaque, in order), labels, age, sex, view, set
    and fold. No pixels, no patient or image identifiers.
    """
    import torch
    from safetensors.torch import save

    rows, regions, region_case, region_label = [], [], [], []
    order = sorted(range(len(records)), key=lambda i: hashlib.sha256(records[i].image.encode()).hexdigest())
    for row, i in enumerate(order):
        record = records[i]
        rows.append(
            {
                "id": f"nih-{row + 1:04d}",
                "labels": list(record.labels),
                "age": record.age,
                "sex": record.sex,
                "view": record.view,
                "set": record.source,
                "fold": "calibration" if held[i] else "fitted",
            }
        )
        for k, label in enumerate(LABELS):
            if label in record.labels:
                regions.append(raws[i].regions[k])
                region_case.append(row)
                region_label.append(k)
    payload = save(
        {
            "embedding": torch.from_numpy(np.stack([raws[i].embedding for i in order])).half(),
            "logits": torch.from_numpy(np.stack([raws[i].logits for i in order])).half(),
            "region": torch.from_numpy(np.stack(regions)).half() if regions else torch.zeros((0, 256)).half(),
            "region_case": torch.tensor(region_case, dtype=torch.int32),
            "region_label": torch.tensor(region_label, dtype=torch.int32),
        }
    )
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "labels": list(LABELS),
        "source": "NIH ChestX-ray14 (Wang et al. 2017; NIH Clinical Center), training patients; embeddings, no pixels",
        "cases": rows,
    }
    _write(folder / "cases.safetensors", payload)
    _write(folder / "cases.json", (json.dumps(manifest, separators=(",", ":")) + "\n").encode())
