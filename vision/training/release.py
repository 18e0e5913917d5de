"""From a finished training run to the shipped artifact: probe, calibration, thresholds, weights, manifest, cases."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vision.datasets.folder import assessed, fingerprint, load_grey, read, truth
from vision.datasets.record import Record
from vision.detector import EMBEDDING_DIM, Detector, Raw
from vision.finding import LABELS
from vision.folds import patient_key
from vision.intensity import resize, standardise
from vision.manifest import FORMAT
from vision.quality import LOW_RESOLUTION
from vision.training.calibration import FALSE_ALARMS, fit_box_cut, fit_by_resolution, operating_point
from vision.training.fit import OUTPUTS, Trained

if TYPE_CHECKING:
    from torch import Tensor

    from vision.probe import Probe
    from vision.stem import EfficientNetLite0

SIDE = 256
UNCERTAIN_ODDS = 0.5
_BATCH = 8

Progress = Callable[[str, int, int], None]


def release(
    trained: Sequence[Trained],
    data: Sequence[Path | str],
    folder: Path,
    *,
    command: str,
    note: str = "",
    side: int = SIDE,
    date: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write detector.safetensors, probe.safetensors, detector.json, cases.* into ``folder``; returns the manifest.

    Member k of ``trained`` was fitted without fold k. Each image is read by the member (and the probe) of its patient's
    own fold; these readings calibrate the probabilities and set the thresholds, and they stand in the cases. With fewer
    members than folds only the folds that a member holds out are judged; images that the source lists for validation
    or test take no part.
    """
    from safetensors.torch import save

    from vision.probe import FEATURES, Probe, imagenet_stem
    from vision.vit import networks

    folder.mkdir(parents=True, exist_ok=True)
    records = [r for where in data for r in read(where) if r.official != "val"]
    tensors = packed([t.weights for t in trained])
    stem = imagenet_stem()
    nothing = np.zeros((len(trained), FEATURES + 1, OUTPUTS), np.float32)
    blank = Probe(stem, nothing[:, 1:], nothing[:, 0])
    members = networks(tensors, len(trained), OUTPUTS, trained[0].backbone)
    bare = Detector(members, blank, {"side": side, "patients": ""}, "")
    raws, features, low = _look(bare, stem, records, progress)

    y, known = truth(records), assessed(records)
    sets, folds = np.array([r.source for r in records]), np.array([r.fold for r in records])
    judged = folds < len(trained)
    probe, readings = fit_probe(stem, features, y, known, folds, len(trained))
    raws = [replace(raw, logits=raw.logits + z) for raw, z in zip(raws, readings, strict=True)]
    logits = np.stack([r.logits for r in raws])
    if not judged.any():  # a tiny data set may have no patient in these folds
        judged[:] = True
    calibration = fit_by_resolution(logits[judged], y[judged], known[judged], low[judged])
    weights, reading = save(tensors), save(probe.tensors())
    settings = asdict(trained[0].settings)
    settings["backbone"] = published(settings["backbone"])
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "probe_sha256": hashlib.sha256(reading).hexdigest(),
        "labels": list(LABELS),
        "members": len(trained),
        "side": side,
        "calibration": calibration,
        "false_alarms": FALSE_ALARMS,
        "operating_points": {},
        "box_cut": fit_box_cut(calibration, records, raws),
        "uncertain_odds": UNCERTAIN_ODDS,
        "command": command,
        "note": note,
        "date": date or datetime.date.today().isoformat(),
        "settings": settings,
        "backbone": trained[0].backbone,
        "data": {Path(str(w).removeprefix("nih:")).name: fingerprint(w) for w in data},
        "images": len(records),
        "patients": " ".join(sorted({patient_key(r.patient_id) for r in records})),
        "losses": [{"first_20_steps": _mean(t.losses[:20]), "last_20_steps": _mean(t.losses[-20:])} for t in trained],
    }
    calibrated = Detector([], probe, manifest, "")
    for name, is_low in (("standard", False), ("low_resolution", True)):
        rows = (low == is_low) & judged
        rows = rows if rows.any() else judged
        p = calibrated.probabilities(logits, is_low)
        manifest["operating_points"][name] = operating_point(p[rows], y[rows], known[rows], sets[rows])
    _write(folder / "detector.safetensors", weights)
    _write(folder / "probe.safetensors", reading)
    _write(folder / "detector.json", (json.dumps(manifest, indent=1) + "\n").encode())
    write_cases(folder, records, raws, low)
    return manifest


def published(backbone: str | None) -> str | None:
    """How a backbone is named in a manifest: a folder without its path."""
    return Path(backbone).name if backbone is not None and Path(backbone).is_dir() else backbone


def packed(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The members' weights as ``detector.networks`` reads them, in float16 (batch statistics in float32).

    The early part of the stem is "shared": its filters were never trained, so the members differ there in their batch
    statistics alone, and these are averaged.
    """
    import torch

    from vision.stem import EARLY

    early = tuple(f"stem.{name}" for name in EARLY)
    half = lambda k, v: v.half() if v.is_floating_point() and "running_" not in k else v  # noqa: E731
    found = {
        f"shared/{k}": half(k, torch.stack([m[k].float() for m in members]).mean(0).to(v.dtype))
        for k, v in members[0].items()
        if k.startswith(early)
    }
    found |= {f"{i}/{k}": half(k, v) for i, m in enumerate(members) for k, v in m.items() if not k.startswith(early)}
    return {k: found[k].clone(memory_format=torch.contiguous_format) for k in sorted(found)}


def _look(
    bare: Detector, stem: EfficientNetLite0, records: Sequence[Record], progress: Progress | None
) -> tuple[list[Raw], NDArray[np.float32], NDArray[np.bool_]]:
    """Each image as the member of its fold reads it (all members, when none holds it out); the probe's features
    (n, 864); and whether it is of low resolution (n,).
    """
    import torch

    from vision.probe import pooled

    raws: list[Raw | None] = [None] * len(records)
    features: list[NDArray[np.float32]] = [np.zeros(0, np.float32)] * len(records)
    low = np.zeros(len(records), bool)
    done = 0
    for fold in sorted({r.fold for r in records}):
        judge = bare.judged_by(fold if fold < len(bare.members) else None)
        rows = [i for i, r in enumerate(records) if r.fold == fold]
        for start in range(0, len(rows), _BATCH):
            some = rows[start : start + _BATCH]
            pixels = [load_grey(records[i].path) for i in some]
            low[some] = [min(p.shape) < LOW_RESOLUTION for p in pixels]
            inputs = np.stack([standardise(resize(p / np.float32(255), bare.manifest["side"])) for p in pixels])
            with torch.inference_mode():
                read_out = pooled(stem(torch.from_numpy(inputs)[:, None].contiguous(memory_format=torch.channels_last)))
            for i, raw, row in zip(some, judge.raw(inputs), read_out, strict=True):
                raws[i], features[i] = raw, row
            done += len(some)
            if progress:
                progress("measuring the training images", done, len(records))
    return [r for r in raws if r is not None], np.stack(features), low


def fit_probe(
    stem: EfficientNetLite0,
    features: NDArray[np.float32],
    y: NDArray[np.bool_],
    known: NDArray[np.bool_],
    folds: NDArray[np.int64],
    members: int,
) -> tuple[Probe, NDArray[np.float32]]:
    """The probe, a reading for each member's fitted rows, and its logits (n, 15) of all rows, each by the reading that
    was not fitted on it (by the mean of all, when there is none).
    """
    from vision.probe import Probe, regress

    fitted = [regress(features[folds != k], y[folds != k], known[folds != k]) for k in range(members)]
    weight, offset = np.stack([w for w, _ in fitted]), np.stack([b for _, b in fitted])
    logits = features @ weight.mean(0) + offset.mean(0)
    for k in range(members):
        logits[folds == k] = features[folds == k] @ weight[k] + offset[k]
    return Probe(stem, weight, offset), np.asarray(logits, dtype=np.float32)


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 4) if len(values) else float("nan")


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    os.replace(beside, path)


def write_cases(folder: Path, records: Sequence[Record], raws: Sequence[Raw], low: NDArray[np.bool_]) -> None:
    """cases.safetensors: ``embedding`` (n, D), ``region`` (m, D), ``region_case`` (m,), ``region_label`` (m,),
    ``logits`` (n, 15).

    One region per positive label of each training image; ``region_case`` is its row in ``embedding`` and
    ``region_label`` its index in LABELS. ``logits`` are out of fold, embeddings the first member's, which was fitted on
    all folds but 0. cases.json holds the rows' ids (opaque, in order), labels, age, sex, view, set, whether the image
    is of low resolution (``low``, (n,)), and the patient's fold. No pixels, no patient or image identifiers.
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
                "low_resolution": bool(low[i]),
                "fold": record.fold,
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
            "region": torch.from_numpy(np.stack(regions)).half() if regions else torch.zeros((0, EMBEDDING_DIM)).half(),
            "region_case": torch.tensor(region_case, dtype=torch.int32),
            "region_label": torch.tensor(region_label, dtype=torch.int32),
        }
    )
    manifest = {
        "format": FORMAT,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "labels": list(LABELS),
        "source": "NIH ChestX-ray14 (Wang et al. 2017; NIH Clinical Center), embeddings, no pixels",
        "cases": rows,
    }
    _write(folder / "cases.safetensors", payload)
    _write(folder / "cases.json", (json.dumps(manifest, separators=(",", ":")) + "\n").encode())
