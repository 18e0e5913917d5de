"""Measuring the detector on an annotated folder: prediction rows in the format of ``eval detect``, and the metrics."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.datasets.folder import OPACITIES, read
from vision.datasets.record import Record, Split
from vision.detector import Detection, Detector
from vision.finding import NO_FINDING, BoundingBox
from vision.folds import in_validation
from vision.image import load_image
from vision.metrics import auroc, bootstrap, calibration_error, iou

_LEAST = 5


def evaluate_detect(
    folder: Path,
    split: Split | None = None,
    *,
    detector: Detector | None = None,
    batch: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Predict every image of ``folder``/annotations.jsonl (of a split) → (prediction rows in file order, metrics).

    Who judges an image, ``predict`` says. A row: image, refused (reason or null), scores {label: p, "No Finding": p},
    not_assessed [label], boxes [{label, bbox_xywh, score}], peak {label: [x, y]}, in pixels of the input image. Raises
    InputError when the folder or an image cannot be read.
    """
    records = read(folder, split=split)
    rows = predict(detector or Detector.open(), records, batch=batch, progress=progress)
    return rows, metrics(records, rows)


def predict(
    detector: Detector,
    records: Sequence[Record],
    *,
    batch: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """A row for each record, in order: an image of a patient whom the detector was trained on is judged by the one
    member that was not fitted on him, every other image by all members.
    """
    rows: dict[int, dict[str, Any]] = {}
    judges = [detector.unseen_by(r.patient_id) for r in records]
    for member in sorted(set(judges), key=lambda m: -1 if m is None else m):
        judge = detector.judged_by(member)
        mine = [i for i, m in enumerate(judges) if m == member]
        for start in range(0, len(mine), batch):
            some = mine[start : start + batch]
            found = judge.detect_batch([load_image(records[i].path) for i in some])
            rows |= {i: prediction(records[i].image, d) for i, d in zip(some, found, strict=True)}
            if progress:
                progress("detecting", len(rows), len(records))
    return [rows[i] for i in range(len(records))]


def prediction(image: str, detection: Detection) -> dict[str, Any]:
    """One row of the predictions file. What is not assessed has a score all the same, and is named."""
    scores = dict(detection.scores)
    if not detection.refused:
        scores[NO_FINDING] = detection.no_finding
    return {
        "image": image,
        "refused": detection.refused,
        "scores": scores,
        "not_assessed": [f.label for f in detection.findings if f.presence == "not assessed"],
        "boxes": [
            {"label": label, "bbox_xywh": [round(v, 2) for v in (b.x, b.y, b.width, b.height)], "score": round(s, 5)}
            for label, found in detection.boxes.items()
            for b, s in found
        ],
        "peak": {label: [round(x, 2), round(y, 2)] for label, (x, y) in detection.peaks.items()},
    }


def write_annotations(folder: Path, split: Split, path: Path) -> int:
    """Write the rows of a split to ``path``, as they stand, for a scorer that takes annotations; returns how many."""
    lines = (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [x for x in lines if x.strip() and in_validation(str(json.loads(x)["patient_id"])) == (split == "val")]
    beside = path.with_name(path.name + ".new")
    beside.write_text("".join(f"{x}\n" for x in kept), encoding="utf-8")
    os.replace(beside, path)
    return len(kept)


def metrics(records: Sequence[Record], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """AUROC per label (at least 5 positives and 5 negatives) and its mean, over all, within PA and AP, among abnormal
    images; pointing game and mean best IoU on boxed images; expected calibration error; refusals. A refused image
    scores 0 for every finding and 1 for "No Finding"; figures are rounded to four digits."""
    by_image = {r["image"]: r for r in rows}
    out: dict[str, Any] = {
        "images": len(records),
        "missing": sum(r.image not in by_image for r in records),
        "refused": sum(bool(by_image[r.image]["refused"]) if r.image in by_image else True for r in records),
    }
    subsets = {
        "auroc": list(records),
        "auroc_PA": [r for r in records if r.view == "PA"],
        "auroc_AP": [r for r in records if r.view == "AP"],
        "auroc_abnormal": [r for r in records if r.labels != (NO_FINDING,)],
    }
    for name, subset in subsets.items():
        out[name] = auroc_table(subset, by_image)
    out |= _places(records, by_image)
    told = [x for x in out["auroc"] if x != "mean"]
    pairs = [(score(by_image, r, x), x in r.labels) for x in told for r in records if assessed(r, x)]
    p, y = np.array([p for p, _ in pairs]), np.array([y for _, y in pairs])
    out["ece"] = round(calibration_error(p, y), 4) if pairs else 0.0
    return out


def score(by_image: Mapping[str, Mapping[str, Any]], record: Record, label: str) -> float:
    """A label's probability; 0, or 1 for "No Finding", when the image was refused or is missing."""
    row = by_image.get(record.image, {"scores": {}})
    return float(row["scores"].get(label, 1.0 if label == NO_FINDING else 0.0))


def assessed(record: Record, label: str) -> bool:
    """Whether the source says if ``label`` (one of LABELS or "No Finding") is there."""
    return label not in record.unknown and (label != NO_FINDING or record.any_finding is not None)


def auroc_table(records: Sequence[Record], by_image: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """{label: AUROC, …, "mean"}; empty when no label has enough of both classes."""
    table = {}
    for label in sorted({x for r in records for x in r.labels}):
        some = [r for r in records if assessed(r, label)]
        y = np.array([label in r.labels for r in some])
        if y.sum() >= _LEAST and (~y).sum() >= _LEAST:
            table[label] = round(auroc(np.array([score(by_image, r, label) for r in some]), y), 4)
    return table | ({"mean": round(sum(table.values()) / len(table), 4)} if table else {})


def intervals(records: Sequence[Record], rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over patients of the AUROC of each label that metrics() reports, and of their mean."""
    by_image = {r["image"]: r for r in rows}
    labels = [x for x in auroc_table(records, by_image) if x != "mean"]
    patients = np.array([r.patient_id for r in records])
    p = {x: np.array([score(by_image, r, x) for r in records]) for x in labels}
    y = {x: np.array([x in r.labels for r in records]) for x in labels}
    known = {x: np.array([assessed(r, x) for r in records]) for x in labels}

    def measure(labels: Sequence[str]) -> Callable[[NDArray[np.int64]], float]:
        def mean(rows: NDArray[np.int64]) -> float:
            chosen = {x: rows[known[x][rows]] for x in labels}
            values = [v for v in (auroc(p[x][r], y[x][r]) for x, r in chosen.items()) if not np.isnan(v)]
            return float(np.mean(values)) if values else float("nan")

        return mean

    return {name: bootstrap(measure(some), patients) for name, some in [*((x, [x]) for x in labels), ("mean", labels)]}


def _places(records: Sequence[Record], by_image: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    hits, best = 0, []
    for record in records:
        row = by_image.get(record.image, {"scores": {}, "boxes": [], "peak": {}})
        for name in sorted({n for n, _ in record.boxes}):
            marked = [b for n, b in record.boxes if n == name]
            labels = (*OPACITIES, "Lung Opacity") if name.startswith("Lung Opacity") else (name,)
            peaks = [(score(by_image, record, x), row["peak"][x]) for x in labels if x in row["peak"]]
            if peaks:
                x, y = max(peaks)[1]
                hits += any(b.x <= x < b.x + b.width and b.y <= y < b.y + b.height for b in marked)
            found = [_box(b["bbox_xywh"]) for b in row["boxes"] if b["label"] in labels]
            best.append(max((iou(t, b) for t in marked for b in found), default=0.0))
    if not best:
        return {}
    return {
        "pointing_game": round(hits / len(best), 4),
        "boxes": {
            "n": len(best),
            "mean_best_iou": round(sum(best) / len(best), 4),
            "iou>=0.3": round(sum(v >= 0.3 for v in best) / len(best), 4),
        },
    }


def _box(values: Sequence[float]) -> BoundingBox:
    x, y, width, height = values
    return BoundingBox(x=x, y=y, width=width, height=height)
