"""What each part of the detector's training buys: ``python -m benchmarks.detector_ablation [--data FOLDER] [--folds 3]
[--json]``.

Six trainings of the same length (STEPS steps of 24 images at 128 px, no averaging of networks), each adding one thing
to the one before unless it says otherwise, measured at 160 px on the patients of the fold that it was trained without.
That is a fraction of the shipped training: the rows compare parts with each other, at this budget. Each row is the mean
over the first ``--folds`` folds: on one fold alone the patients decide more than the training does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from vision import localisation
from vision.datasets.folder import load_grey, read
from vision.datasets.record import Record
from vision.detector import sigmoid
from vision.evaluate import auroc_table
from vision.finding import LABELS, NO_FINDING
from vision.intensity import resize, standardise
from vision.phantom.radiograph import KINDS, Kind, Lesion, radiograph
from vision.training.augment import augment
from vision.training.fit import OUTPUTS, Settings, fit, network

if TYPE_CHECKING:
    from vision.vit import HybridViT

STEPS, SIDE, TEST_SIDE, BATCH, WARM_STEPS, PHANTOMS = 100, 128, 160, 24, 50, 60
MEASURES = ("nih_cxr mean", "among abnormal", "64 px No Finding", "64 px mean", "pointing")
SHOWS: dict[Kind, str] = {
    "consolidation": "Consolidation",
    "effusion": "Effusion",
    "nodule": "Nodule",
    "mass": "Mass",
    "cardiomegaly": "Cardiomegaly",
    "pneumothorax": "Pneumothorax",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One training: its name, folders, network, weight of the boxes."""

    name: str
    data: tuple[Path, ...]
    start: Callable[[Settings], HybridViT]
    box_weight: float = 0.0


def plain(settings: Settings) -> HybridViT:
    """A vision transformer on bare patches, untrained, six layers."""
    import torch

    from vision.stem import Patches
    from vision.vit import HybridViT

    torch.manual_seed(settings.seed)
    return HybridViT(OUTPUTS, depth=6, stem=Patches())


def warmed(settings: Settings, data: Sequence[Path]) -> HybridViT:
    """The hybrid after WARM_STEPS steps of masked image modelling on the training images, without labels."""
    from vision.training.fit import parameter_groups
    from vision.training.masking import warm_up

    model = network(settings)
    parameter_groups(model, settings)  # freezes the first stem blocks
    pixels = [load_grey(r.path) for r in fitted(data, settings.fold)]

    def draw(rng: np.random.Generator) -> NDArray[np.float32]:
        return np.stack([augment(pixels[i], [], SIDE, rng)[0] for i in rng.integers(0, len(pixels), BATCH)])

    warm_up(model, draw, steps=WARM_STEPS)
    return model


def fitted(data: Sequence[Path], fold: int) -> list[Record]:
    """The images that fit() fits."""
    return [r for folder in data for r in read(folder) if r.fits(fold)]


def write_phantoms(folder: Path) -> Path:
    """PHANTOMS computed radiographs in the annotated layout, a third of them without a lesion."""
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for i in range(PHANTOMS):
        kinds = [] if i % 3 == 0 else [KINDS[int(k)] for k in rng.choice(len(KINDS), int(rng.integers(1, 3)), False)]
        lesions = [
            Lesion(
                kind=k,
                side="left" if rng.random() < 0.5 else "right",
                zone=("upper", "middle", "lower")[int(rng.integers(3))],
                size=float(rng.uniform(0.6, 1.6)),
            )
            for k in kinds
        ]
        name = f"images/{i:03d}.png"
        film = Image.fromarray((radiograph(lesions, seed=i) / 16).clip(0, 255).astype(np.uint8))
        film.resize((256, 256), Image.Resampling.BILINEAR).save(folder / name)
        labels = sorted({SHOWS[k] for k in kinds}) or [NO_FINDING]
        rows.append({"image": name, "patient_id": f"phantom-{i}", "labels": labels, "boxes": []})
    (folder / "annotations.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return folder


def cells(data: Path, scratch: Path) -> list[Cell]:
    large, small = data / "nih_cxr", data / "nih_cxr_64px"
    both = (large, small)
    phantom = write_phantoms(scratch / "phantom")
    return [
        Cell(name="ViT from scratch", data=(large,), start=plain),
        Cell(name="hybrid, ImageNet stem", data=(large,), start=network),
        Cell(name="+ self-supervision", data=(large,), start=lambda settings: warmed(settings, (large,))),
        Cell(name="+ 64 px set (without self-supervision)", data=both, start=network),
        Cell(name="+ boxes", data=both, start=network, box_weight=0.3),
        Cell(name="+ phantom", data=(*both, phantom), start=network, box_weight=0.3),
    ]


def run(cell: Cell, data: Path, scratch: Path, fold: int) -> dict[str, float]:
    """Train one cell without a fold and measure it there."""
    steps = max(1, len(fitted(cell.data, fold)) // BATCH)
    settings = Settings(
        epochs=max(1, round(STEPS / steps)),
        batch=BATCH,
        side=SIDE,
        small_side=SIDE,
        box_weight=cell.box_weight,
        fold=fold,
        seed=fold,
    )
    model = cell.start(settings)
    trained = fit(cell.data, scratch / f"{cell.name.replace(' ', '_')}-{fold}", settings, start=model)
    model.load_state_dict(trained.weights)
    large, small = ([r for r in read(data / name) if r.fold == fold] for name in ("nih_cxr", "nih_cxr_64px"))
    return measure(model, large, small)


def measure(model: HybridViT, large: Sequence[Record], small: Sequence[Record]) -> dict[str, float]:
    """The five figures of one network on images that it was not trained on."""
    import torch

    model.eval()
    scores: dict[str, dict[str, Any]] = {}
    hits: list[bool] = []
    for record in (*large, *small):
        pixels = load_grey(record.path)
        x = standardise(resize(pixels / np.float32(255), TEST_SIDE))
        with torch.inference_mode():
            out = model(torch.from_numpy(x)[None, None])
        p, maps = sigmoid(out.logits[0].numpy()), out.maps[0].numpy()
        scores[record.image] = {
            "scores": dict(zip(LABELS, map(float, p), strict=False)) | {NO_FINDING: float(1 - p[-1])}
        }
        marked = [i for i, label in enumerate(LABELS) if label in record.labels]
        if record.boxes and marked and record in large:
            height, width = pixels.shape
            x0, y0 = localisation.peak(maps[max(marked, key=lambda i: p[i])], width, height)
            inside = (b.x <= x0 < b.x + b.width and b.y <= y0 < b.y + b.height for _, b in record.boxes)
            hits.append(any(inside))
    abnormal = [r for r in large if r.labels != (NO_FINDING,)]
    of_small = auroc_table(small, scores)
    values = (
        auroc_table(large, scores)["mean"],
        auroc_table(abnormal, scores)["mean"],
        of_small[NO_FINDING],
        of_small["mean"],
        float(np.mean(hits)),
    )
    return dict(zip(MEASURES, (round(v, 3) for v in values), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rows = {}
        for cell in cells(options.data, scratch):
            folds = []
            for fold in range(options.folds):
                folds.append(run(cell, options.data, scratch, fold))
                print(cell.name, fold, folds[-1], file=sys.stderr, flush=True)
            rows[cell.name] = {m: round(float(np.mean([f[m] for f in folds])), 3) for m in MEASURES}
    if options.json:
        print(json.dumps({"measured": stamp(), "steps": STEPS, "folds": options.folds, "cells": rows}, indent=1))
        return
    print(f"{STEPS} steps of {BATCH} images at {SIDE} px, mean of {options.folds} folds; measured {stamp()}\n")
    print(f"| training | {' | '.join(MEASURES)} |\n|---" + "|---" * len(MEASURES) + "|")
    for name, row in rows.items():
        print(f"| {name} | " + " | ".join(f"{row[m]:.3f}" for m in MEASURES) + " |")


if __name__ == "__main__":
    main()
