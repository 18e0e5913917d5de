"""The detector beside two baselines: ``python -m benchmarks.detector [--data FOLDER] [--json]``.

On the validation patients of both NIH extracts: AUROC per label with a 95 % interval over patients, within PA and AP
films, among abnormal films, by sex and age group; place, calibration; and the same AUROC from (1) a 16-bin grey-level
histogram and (2) the pooled features of the ImageNet stem, each with a logistic regression fitted on the training
patients. What the histogram alone can tell is what the set gives away. Then the operating point on radiographs of
another source (``covid_cxr``): how many of the diseased raise a finding, beside the false alarms on normal validation
images; and the time and memory of one image.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from vision.datasets import NO_FINDING, Record, load_grey, read, truth
from vision.detector import Detector
from vision.evaluate import auroc_table, evaluate_detect, intervals
from vision.finding import LABELS
from vision.image import load_image
from vision.intensity import resize, standardise
from vision.probe import imagenet_stem, pooled, regress

SETS = ("nih_cxr", "nih_cxr_64px")
STEM_SIDE = 224
_LEAST_GROUP = 20


def histograms(records: Sequence[Record]) -> NDArray[np.float64]:
    """(n, 16) shares of the grey levels 0–15, 16–31, …"""
    counts = np.stack([np.bincount(load_grey(r.path).ravel() // 16, minlength=16) for r in records])
    return np.asarray(counts / counts.sum(1, keepdims=True), dtype=np.float64)


def stem_features(records: Sequence[Record]) -> NDArray[np.float32]:
    """(n, 864) pooled features of the ImageNet stem."""
    import torch

    stem = imagenet_stem()
    rows = []
    for start in range(0, len(records), 16):
        some = records[start : start + 16]
        x = np.stack([standardise(resize(load_grey(r.path) / np.float32(255), STEM_SIDE)) for r in some])
        with torch.inference_mode():
            rows.append(pooled(stem(torch.from_numpy(x)[:, None])))
    return np.concatenate(rows)


def rows_of(records: Sequence[Record], logits: NDArray[Any]) -> dict[str, dict[str, Any]]:
    """Baseline scores in the form of prediction rows, by image."""
    p = 1 / (1 + np.exp(-logits))
    return {
        r.image: {"scores": dict(zip(LABELS, map(float, v), strict=False)) | {NO_FINDING: float(1 - v[-1])}}
        for r, v in zip(records, p, strict=True)
    }


def tables(records: Sequence[Record], rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """AUROC of all, among abnormal images, and within views."""
    return {
        "all": auroc_table(records, rows),
        "abnormal": auroc_table([r for r in records if r.labels != (NO_FINDING,)], rows),
        "PA": auroc_table([r for r in records if r.view == "PA"], rows),
        "AP": auroc_table([r for r in records if r.view == "AP"], rows),
    }


def groups(records: Sequence[Record], rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """AUROC of "No Finding" and the mean, by sex and age; groups of fewer than 20 images are left out."""
    chosen = {
        "female": [r for r in records if r.sex == "F"],
        "male": [r for r in records if r.sex == "M"],
        "under 40": [r for r in records if r.age is not None and r.age < 40],
        "40 to 64": [r for r in records if r.age is not None and 40 <= r.age < 65],
        "65 and over": [r for r in records if r.age is not None and r.age >= 65],
    }
    out = {}
    for name, some in chosen.items():
        table = auroc_table(some, rows) if len(some) >= _LEAST_GROUP else {}
        if table:
            out[name] = {"n": len(some)} | {k: table[k] for k in (NO_FINDING, "mean") if k in table}
    return out


def false_alarms(detector: Detector, records: Sequence[Record]) -> tuple[int, int]:
    """(normal images with any finding present, normal images)."""
    normal = [r for r in records if r.labels == (NO_FINDING,)]
    return sum(raises(detector, [r.path for r in normal])), len(normal)


def raises(detector: Detector, paths: Sequence[Path]) -> list[bool]:
    """Which images have any finding present; a refused one has none."""
    found = []
    for start in range(0, len(paths), 8):
        images = [load_image(p) for p in paths[start : start + 8]]
        found += [any(f.presence == "present" for f in d.findings) for d in detector.detect_batch(images)]
    return found


def other_source(detector: Detector, folder: Path) -> dict[str, Any]:
    """Diseased frontal radiographs of ``folder``/metadata.csv: how many raise a finding."""
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["modality"] == "X-ray" and r["view"] != "L"]
    diseased = [folder / r["image"] for r in rows if r["finding"] != NO_FINDING]
    seen = raises(detector, diseased)
    return {"diseased": len(diseased), "with a finding": sum(seen), "share": round(sum(seen) / len(seen), 4)}


def speed(detector: Detector, path: Path) -> dict[str, float]:
    """Warm seconds for one image from file to findings, images per second in batches of 8, peak memory so far."""
    load_and_detect = lambda: detector.detect(load_image(path))  # noqa: E731
    load_and_detect()
    started = perf_counter()
    for _ in range(5):
        load_and_detect()
    single = (perf_counter() - started) / 5
    started = perf_counter()
    detector.detect_batch([load_image(path) for _ in range(8)])
    batch = 8 / (perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": round(single, 3), "images_per_second": round(batch, 1), "peak_memory_gb": round(peak, 2)}


def measure(data: Path, weights: Path | None = None) -> dict[str, Any]:
    """All figures, by set."""
    detector = Detector.open(weights)
    out: dict[str, Any] = {"measured": stamp(), "weights": detector.fingerprint}
    out["speed"] = speed(detector, read(data / SETS[0])[0].path)
    train = [r for name in SETS for r in read(data / name, split="train")]
    y = truth(train)
    features: dict[str, Callable[[Sequence[Record]], NDArray[Any]]] = {
        "histogram": histograms,
        "imagenet": stem_features,
    }
    fitted = {name: regress(of(train), y) for name, of in features.items()}
    for name in SETS:
        records = read(data / name, split="val")
        rows, figures = evaluate_detect(data / name, "val", detector=detector)
        by_image = {r["image"]: r for r in rows}
        alarms, normal = false_alarms(detector, records)
        entry: dict[str, Any] = {
            "images": len(records),
            "patients": len({r.patient_id for r in records}),
            "detector": tables(records, by_image),
            "intervals": {k: [round(v, 3) for v in pair] for k, pair in intervals(records, rows).items()},
            "groups": groups(records, by_image),
            "false alarms": {"normal": normal, "with a finding": alarms, "share": round(alarms / normal, 4)},
        }
        entry |= {k: figures[k] for k in ("ece", "refused", "pointing_game", "boxes") if k in figures}
        for baseline, (weight, offset) in fitted.items():
            entry[baseline] = tables(records, rows_of(records, features[baseline](records) @ weight + offset))
        out[name] = entry
    out["covid_cxr"] = other_source(detector, data / "covid_cxr")
    return out


def markdown(figures: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [f"Measured {figures['measured']}; weights {figures['weights']}.", ""]
    for name in SETS:
        entry = figures[name]
        lines += [
            f"{name}: {entry['images']} images of {entry['patients']} validation patients",
            "",
            "| label | detector (95 %) | PA | AP | among abnormal | ImageNet features | histogram |",
            "|---|---|---|---|---|---|---|",
        ]
        for label, value in entry["detector"]["all"].items():
            low, high = entry["intervals"][label]
            others = [entry["detector"][k].get(label) for k in ("PA", "AP", "abnormal")]
            others += [entry[k]["all"].get(label) for k in ("imagenet", "histogram")]
            cells = " | ".join("" if v is None else f"{v:.3f}" for v in others)
            lines.append(f"| {label} | {value:.3f} ({low:.2f}–{high:.2f}) | {cells} |")
        for label in sorted(set(entry["detector"]["abnormal"]) - set(entry["detector"]["all"])):
            lines.append(f"| {label} | | | | {entry['detector']['abnormal'][label]:.3f} | | |")
        alone = [f"{k} {entry[k]['abnormal'].get('mean', float('nan')):.3f}" for k in ("imagenet", "histogram")]
        lines += [
            "",
            f"Baselines among abnormal, mean: {', '.join(alone)}.",
            f"ECE {entry['ece']}; refused {entry['refused']}.",
        ]
        if "boxes" in entry:
            lines.append(f"Pointing game {entry['pointing_game']}; boxes {entry['boxes']}.")
        lines += [f"Groups: {entry['groups']}.", f"False alarms: {entry['false alarms']}.", ""]
    lines += [f"covid_cxr, frontal radiographs: {figures['covid_cxr']}.", f"Speed: {figures['speed']}."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, help="folder of detector.safetensors (default: the shipped one)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.data, options.weights)
    print(json.dumps(figures, indent=1) if options.json else markdown(figures))


if __name__ == "__main__":
    main()
