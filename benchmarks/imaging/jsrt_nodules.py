"""Nodules on JSRT by place: ``python -m benchmarks.imaging.jsrt_nodules [--data FOLDER]``.

Marks are the local maxima of the detector's maps for Nodule and Mass (the larger of both), inside the outlined lungs
where the outlines are trusted, the strongest first. A nodule is found when a mark lies within 25 mm of its centre.
Printed: AUROC of the film's larger probability, with a 95 % interval over patients, and the free-response
sensitivity at 1, 2 and 4 false marks a film (of all films), beside that of as many marks laid evenly over the lungs at
random. No member was fitted on a JSRT film; Nodule is not assessed by default for what is measured here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import shared_data, stamp
from vision.anatomy.measures import INSIDE
from vision.anatomy.outliner import Anatomy
from vision.detector import Detector, sigmoid
from vision.finding import LABELS
from vision.image import load_image
from vision.intensity import resize
from vision.metrics import auroc, bootstrap

_FILM_MM = 2048 * 0.175
_WITHIN_MM = 25.0
_RATES = (1.0, 2.0, 4.0)
_NAMES = ("Nodule", "Mass")
_MOST = 30
Mark = tuple[float, float, float]  # score, x and y as shares of the film


def peaks(field: NDArray[np.float32], lungs: NDArray[np.bool_]) -> list[Mark]:
    """The local maxima of a map (g, g) in ``lungs`` (g, g), the strongest first."""
    from scipy.ndimage import maximum_filter

    rows, columns = np.nonzero((field == maximum_filter(field, 3)) & lungs)
    grid = field.shape[0]
    found = [(float(field[r, c]), (c + 0.5) / grid, (r + 0.5) / grid) for r, c in zip(rows, columns, strict=True)]
    return sorted(found, reverse=True)[:_MOST]


def scattered(lungs: NDArray[np.bool_], rng: np.random.Generator) -> list[Mark]:
    """Marks without knowledge: places of the lungs in a random order."""
    rows, columns = np.nonzero(lungs)
    order = rng.permutation(len(rows))[:_MOST]
    jitter, grid = rng.random((len(order), 2)), lungs.shape[0]
    return [
        (float(rng.random()), (columns[i] + dx) / grid, (rows[i] + dy) / grid)
        for i, (dx, dy) in zip(order, jitter, strict=True)
    ]


def free_response(films: list[tuple[list[Mark], tuple[float, float] | None]]) -> dict[str, float]:
    """Sensitivity at each rate of false marks a film; films are (marks, the nodule's centre as shares, or None)."""
    marks: list[tuple[float, int]] = []  # score; the film whose nodule it finds, or −1
    nodules = sum(centre is not None for _, centre in films)
    for number, (some, centre) in enumerate(films):
        for score, x, y in some:
            hit = centre is not None and np.hypot(x - centre[0], y - centre[1]) * _FILM_MM <= _WITHIN_MM
            marks.append((score, number if hit else -1))
    marks.sort(reverse=True)
    out, found, false = {}, set(), 0
    rates = list(_RATES)
    for _, film in marks:
        if film >= 0:
            found.add(film)
            continue
        false += 1
        while rates and false > rates[0] * len(films):
            out[f"{rates.pop(0):g}"] = round(len(found) / nodules, 3)
    return out | {f"{rate:g}": round(len(found) / nodules, 3) for rate in rates}


def measure(folder: Path) -> dict[str, Any]:
    detector, anatomy, rng = Detector.open(), Anatomy.open(), np.random.default_rng(0)
    rows = [json.loads(line) for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = [LABELS.index(name) for name in _NAMES]
    films, guessed, scores = [], [], []
    for start in range(0, len(rows), 8):
        images = [load_image(folder / row["image"]) for row in rows[start : start + 8]]
        outlined = anatomy.outline([image.upright for image in images])
        raw = detector.raw(np.stack([detector.prepare(image) for image in images]))
        slope, offset = (np.array(detector.manifest["calibration"]["standard"][k]) for k in ("slope", "offset"))
        for row, image, one, seen in zip(rows[start : start + 8], images, outlined, raw, strict=True):
            maps = sigmoid(seen.maps * slope[:, None, None] + offset[:, None, None])[chosen].max(0).astype(np.float32)
            shares = resize(one.shares[:2].max(0), maps.shape[0])
            lungs = shares >= INSIDE / 2 if one.trusted else np.ones(maps.shape, bool)
            box = next((b["bbox_xywh"] for b in row["boxes"] if b["label"] == "Nodule"), None)
            height, width = image.pixels.shape
            centre = None if box is None else ((box[0] + box[2] / 2) / width, (box[1] + box[3] / 2) / height)
            films.append((peaks(maps, lungs), centre))
            guessed.append((scattered(lungs, rng), centre))
            scores.append(float(detector.probabilities(seen.logits)[chosen].max()))
    truth = np.array([centre is not None for _, centre in films])
    score, patients = np.array(scores), np.array([row["patient_id"] for row in rows])
    ends = bootstrap(lambda some: auroc(score[some], truth[some]), patients)
    return {
        "films": len(films),
        "nodules": int(truth.sum()),
        "auroc": [round(float(v), 3) for v in (auroc(score, truth), *ends)],
        "sensitivity at false marks a film": free_response(films),
        "of random marks": free_response(guessed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data() / "cxr_other" / "jsrt")
    options = parser.parse_args()
    print(json.dumps({"measured": stamp()} | measure(options.data), indent=1))


if __name__ == "__main__":
    main()
