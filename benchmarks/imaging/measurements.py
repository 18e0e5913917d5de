"""What is measured from the outlines on NIH's films.

``python -m benchmarks.imaging.measurements [--data FOLDER] [--cache FILE] [--write]``

The usual ranges of films without a finding, from training patients, and how many of the validation patients' such films
lie outside of each. Then, for the labels that should change a shape or a density, the AUROC of each measurement within
PA and AP films of each set (its distance from the middle of its usual range, or, where a side does not matter, the
larger of both sides), with a 95 % interval over patients; the detector's out-of-fold output beside it. ``--write`` puts
the ranges into ``vision/weights/anatomy.json``. ``--cache FILE`` keeps the outlines, which take most of the time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy import NIH
from benchmarks.machine import stamp
from vision.anatomy import ranges
from vision.anatomy.measures import ratio
from vision.anatomy.organs import SIDE
from vision.anatomy.outliner import FORMAT, NAME, Anatomy
from vision.anatomy.ranges import Person
from vision.anatomy.zones import SIDES, THIRDS, measured
from vision.datasets.folder import load_grey, read
from vision.datasets.record import Record
from vision.finding import NO_FINDING
from vision.intensity import resize
from vision.metrics import auroc, bootstrap
from vision.weights_pair import WEIGHTS, read_pair, write_pair

# label: the measurements that it should change; each with how a film's value is made of them
_TOLD = {
    "Effusion": ("costophrenic angle", "lower zones", "lower less upper"),
    "Pneumothorax": ("upper zones", "any zones", "lung height"),
    "Consolidation": ("any zones", "lower less upper"),
    "Infiltration": ("any zones", "lower less upper", "central less peripheral"),
    "Atelectasis": ("lung height", "any zones", "diaphragm"),
    "Emphysema": ("lung height", "mediastinal width", "central less peripheral"),
    "Mass": ("any zones", "mediastinal width"),
    "Edema": ("central less peripheral", "mediastinal width"),
    "Cardiomegaly": ("mediastinal width", "lung height"),
}
_LEAST = 8


def outlined(films: Sequence[Record], cache: Path | None) -> list[dict[str, float]]:
    """What is measured on each film; {} where the outlines are not trusted."""
    if cache is not None and cache.is_file():
        return list(json.loads(cache.read_text(encoding="utf-8")))
    anatomy, found = Anatomy.open(), []
    for start in range(0, len(films), 16):
        pictures = [load_grey(film.path).astype(np.float32) / 255 for film in films[start : start + 16]]
        for picture, one in zip(pictures, anatomy.outline(pictures), strict=True):
            values = measured(one.shares, resize(picture, SIDE)) if one.trusted else {}
            if values and (across := ratio(one.shares)) is not None:
                values["cardiothoracic ratio"] = across
            found.append(values)
    if cache is not None:
        cache.write_text(json.dumps(found), encoding="utf-8")
    return found


def person(film: Record) -> Person:
    return Person(view=film.view or "", sex=film.sex, age=film.age)


def normal(film: Record) -> bool:
    return film.labels == (NO_FINDING,)


def fitted(films: Sequence[Record], values: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The ranges of the training patients' films without a finding; the ratio has its own limits."""
    chosen = [(f, v) for f, v in zip(films, values, strict=True) if normal(f) and f.split == "train" and v]
    some = [{k: x for k, x in v.items() if k != "cardiothoracic ratio"} for _, v in chosen]
    return ranges.fit([person(f) for f, _ in chosen], some)


def outside(films: Sequence[Record], values: Sequence[dict[str, float]], known: dict[str, Any]) -> dict[str, Any]:
    """Of the validation patients' films without a finding and of the others: the share outside of each range."""
    found: dict[str, Any] = {}
    for name in known:
        shares = []
        for kind in (True, False):
            some = [(f, v) for f, v in zip(films, values, strict=True) if f.split == "val" and normal(f) is kind]
            out = []
            for film, row in some:
                limits = ranges.usual(known, name, person(film))
                if limits is not None and name in row:
                    out.append(not limits[0] <= row[name] <= limits[1])
            shares.append([round(float(np.mean(out)), 3), len(out)] if out else None)
        found[name] = {"no finding": shares[0], "others": shares[1]}
    return found


def score(name: str, row: dict[str, float]) -> float:
    """How unusual a film is by a measurement: the larger of the sides, the largest difference of the zones."""
    if name == "any zones":
        return max((abs(row.get(f"density, {t} zones, right less left", 0.0)) for t in THIRDS), default=0.0)
    if name.endswith("zones"):
        return abs(row.get(f"density, {name}, right less left", 0.0))
    if name == "diaphragm":
        return abs(row.get("right diaphragm above left", 0.0) - 0.04)
    if name == "mediastinal width":
        return row.get(name, 0.0)
    if name == "lung height":
        heights = [row.get(f"lung height, {side}", 0.0) for side in SIDES]
        return abs(heights[0] - heights[1])
    pattern = "costophrenic angle, {}" if name == "costophrenic angle" else "density, {} lung, " + name
    return max((row.get(pattern.format(side), -9.0) for side in SIDES), default=-9.0)


def useful(films: Sequence[Record], values: Sequence[dict[str, float]]) -> dict[str, Any]:
    """{label: {set and view: {measurement: [AUROC, low, high], "with": n}}} on films whose outlines are trusted."""
    found: dict[str, Any] = {}
    for label, names in _TOLD.items():
        for source in NIH:
            for view in ("PA", "AP"):
                mine = [i for i, f in enumerate(films) if f.source == source and (f.view or "") == view and values[i]]
                truth = np.array([label in films[i].labels for i in mine])
                if truth.sum() < _LEAST:
                    continue
                patients = np.array([films[i].patient_id for i in mine])
                row = found.setdefault(label, {}).setdefault(f"{source}, {view}", {"with": int(truth.sum())})
                for name in names:
                    row[name] = interval(np.array([score(name, values[i]) for i in mine]), truth, patients)
    return found


def interval(p: NDArray[np.float64], truth: NDArray[np.bool_], patients: NDArray[Any]) -> list[float]:
    low, high = bootstrap(lambda rows: auroc(p[rows], truth[rows]), patients, rounds=200)
    return [round(v, 3) for v in (auroc(p, truth), low, high)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    films = [r for name in NIH for r in read(options.data / name)]
    values = outlined(films, options.cache)
    known = fitted(films, values)
    if options.write:
        manifest, weights = read_pair(None, NAME, FORMAT)
        write_pair(WEIGHTS, NAME, weights, manifest | {"ranges": known})
    out = {
        "measured": stamp(),
        "films": len(films),
        "ranges of everyone": {name: groups.get("") for name, groups in known.items()},
        "outside": outside(films, values, known),
        "auroc": useful(films, values),
    }
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
