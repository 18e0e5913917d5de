"""The detector beside two baselines: ``python -m benchmarks.detector [--data FOLDER] [--json]``.

On both NIH extracts, every patient judged by the member that was not fitted on him. Over all five folds, from the
readings that the training left in ``cases.*``: AUROC per label with a 95 % interval over patients, within PA and AP
films, among abnormal films, by sex and age group; calibration; false alarms and what is raised at the operating point.
On the validation patients (fold 0), from file to finding: the same, place, and the AUROC of (1) a 16-bin grey-level
histogram and (2) the pooled features of the ImageNet stem, each with a logistic regression fitted on the training
patients: what the histogram alone can tell is what the set gives away. Then radiographs of another source
(``covid_cxr``): how many of the diseased raise a finding; and the time and memory of one image.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import resource
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from errors import InputError
from vision import training_cases
from vision.datasets.folder import load_grey, read, truth
from vision.datasets.record import Record
from vision.detector import Detector, sigmoid
from vision.evaluate import auroc_table, intervals, metrics, predict
from vision.finding import LABELS, NO_FINDING
from vision.folds import FOLDS
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


def rows_of(records: Sequence[Record], p: NDArray[Any]) -> dict[str, dict[str, Any]]:
    """Probabilities (n, 15) in the form of prediction rows, by image."""
    return {
        r.image: {
            "image": r.image,
            "refused": None,
            "scores": dict(zip(LABELS, map(float, v), strict=False)) | {NO_FINDING: float(1 - v[-1])},
            "boxes": [],
            "peak": {},
        }
        for r, v in zip(records, p, strict=True)
    }


def out_of_fold(detector: Detector, data: Path) -> dict[str, Any]:
    """The figures over all five folds, by set; from the logits in cases.*, whose rows are in the order of the images'
    hashes."""
    records = [r for name in SETS for r in read(data / name)]
    order = sorted(records, key=lambda r: hashlib.sha256(r.image.encode()).hexdigest())
    bank = training_cases.read()
    if [(r.labels, r.fold) for r in order] != [(row.labels, row.fold) for row in bank.rows]:
        raise InputError("these are not the images of the shipped cases", value=data, expected=", ".join(SETS))
    p = np.stack([detector.probabilities(z, row.low_resolution) for z, row in zip(bank.logits, bank.rows, strict=True)])
    raised = np.array(
        [
            any(seen == "present" for *_, seen in detector.judge(v, row.low_resolution))
            for v, row in zip(p, bank.rows, strict=True)
        ]
    )
    out = {}
    for name in SETS:
        mine = np.array([r.source == name for r in order])
        some = [r for r in order if r.source == name]
        rows = rows_of(some, p[mine])
        normal = np.array([r.labels == (NO_FINDING,) for r in some])
        folds = [tables([r for r in some if r.fold == k], rows) for k in range(FOLDS)]
        figures = metrics(some, list(rows.values()))
        out[name] = {
            "images": len(some),
            "patients": len({r.patient_id for r in some}),
            "detector": tables(some, rows),
            "intervals": rounded(intervals(some, list(rows.values()))),
            "groups": groups(some, rows),
            "mean of the folds": {
                "mean": mean_of(f["all"].get("mean") for f in folds),
                "abnormal": mean_of(f["abnormal"].get("mean") for f in folds),
                NO_FINDING: mean_of(f["all"].get(NO_FINDING) for f in folds),
            },
            "ece": figures["ece"],
            "false alarms": {"normal": int(normal.sum()), "share": round(float(raised[mine][normal].mean()), 4)},
            "raised": {"abnormal": int((~normal).sum()), "share": round(float(raised[mine][~normal].mean()), 4)},
        }
    return out


def mean_of(values: Iterable[float | None]) -> float:
    """Of those that there are."""
    return round(float(np.mean([v for v in values if v is not None])), 4)


def rounded(found: dict[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {k: [round(v, 3) for v in pair] for k, pair in found.items()}


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
    """All figures."""
    detector = Detector.open(weights)
    out: dict[str, Any] = {"measured": stamp(), "weights": detector.fingerprint}
    out["speed"] = speed(detector, read(data / SETS[0])[0].path)
    if weights is None:
        out["out of fold"] = out_of_fold(detector, data)
    train = [r for name in SETS for r in read(data / name, split="train")]
    y = truth(train)
    features: dict[str, Callable[[Sequence[Record]], NDArray[Any]]] = {
        "histogram": histograms,
        "imagenet": stem_features,
    }
    fitted = {name: regress(of(train), y) for name, of in features.items()}
    for name in SETS:
        records = read(data / name, split="val")
        rows = predict(detector, records)
        by_image = {r["image"]: r for r in rows}
        figures = metrics(records, rows)
        entry: dict[str, Any] = {
            "images": len(records),
            "patients": len({r.patient_id for r in records}),
            "detector": tables(records, by_image),
            "intervals": rounded(intervals(records, rows)),
        }
        entry |= {k: figures[k] for k in ("ece", "refused", "pointing_game", "boxes") if k in figures}
        for baseline, (weight, offset) in fitted.items():
            entry[baseline] = tables(records, rows_of(records, sigmoid(features[baseline](records) @ weight + offset)))
        out[name] = entry
    boxed = [r for r in read(data / SETS[0]) if r.boxes]
    figures = metrics(boxed, predict(detector, boxed))
    out["boxes, out of fold"] = {k: figures[k] for k in ("pointing_game", "boxes")}
    out["covid_cxr"] = other_source(detector, data / "covid_cxr")
    return out


def markdown(figures: dict[str, Any]) -> str:
    """The figures as tables."""
    lines = [f"Measured {figures['measured']}; weights {figures['weights']}.", ""]
    for title, part in (("all five folds", figures.get("out of fold", {})), ("validation patients, fold 0", figures)):
        for name in SETS if part else ():
            lines += [f"{name}, {title}: {part[name]['images']} images of {part[name]['patients']} patients", ""]
            lines += [*table(part[name]), ""]
            known = (
                "mean of the folds",
                "ece",
                "refused",
                "false alarms",
                "raised",
                "pointing_game",
                "boxes",
                "groups",
            )
            lines += [f"- {key}: {part[name][key]}" for key in known if key in part[name]]
            lines += [
                f"- {key}, among abnormal, mean: {part[name][key]['abnormal']['mean']}"
                for key in ("imagenet", "histogram")
                if key in part[name]
            ] + [""]
    lines += [f"{key}: {figures[key]}" for key in ("boxes, out of fold", "covid_cxr", "speed")]
    return "\n".join(lines)


def table(entry: dict[str, Any]) -> list[str]:
    """AUROC by label; the baselines where they were measured."""
    baselines = [k for k in ("imagenet", "histogram") if k in entry]
    lines = [f"| label | detector (95 %) | PA | AP | among abnormal |{''.join(f' {k} |' for k in baselines)}"]
    lines.append("|---" * (5 + len(baselines)) + "|")
    for label, value in entry["detector"]["all"].items():
        low, high = entry["intervals"][label]
        others = [entry["detector"][k].get(label) for k in ("PA", "AP", "abnormal")]
        others += [entry[k]["all"].get(label) for k in baselines]
        cells = " | ".join("" if v is None else f"{v:.3f}" for v in others)
        lines.append(f"| {label} | {value:.3f} ({low:.2f}–{high:.2f}) | {cells} |")
    return lines


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
