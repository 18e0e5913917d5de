"""Where the refusal draws the line: ``python -m benchmarks.imaging.refusal_limit [--cache FILE] [--write]``.

Margins (look less outlines, `vision.frontal`) of frontal films of eight hospitals or collections: of those that the
refusal was fitted on, validation patients alone. The limit is the largest that loses at most 2 % of the films of every
set. Then each set is left out in turn: what a limit of the other sets refuses of it, and of the pictures that are no
frontal films, which choose nothing. ``--write`` puts the limit of all sets into ``vision/weights/frontal.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import shared_data, stamp
from vision.anatomy.outliner import Anatomy
from vision.datasets.folder import load_grey, read
from vision.frontal import FORMAT, NAME, Frontal, features, imagenet, without_frame
from vision.weights_pair import WEIGHTS, read_pair, write_pair

MOST_LOST = 0.02
# set: whether the refusal was fitted on its training patients
_FRONTAL = {
    "nih_cxr": True,
    "nih_cxr_64px": True,
    "cxr_other/jsrt": True,
    "cxr_other/wingspan": True,
    "cxr_other/kermany_children": True,
    "cxr_other/tb_nlm_belarus": False,
    "cxr_other/cohen_more": False,
    "cxr_other/covid_cxnet": False,
}
_OTHER = {"cxr_other/not_chest_64px": True, "cxr_other/ct_covid": False}
_COVID = {"frontal": "covid_cxr", "lateral": "covid_cxr, lateral films", "CT": "covid_cxr, CT images"}
_SURE = 6.0  # beyond this no frame is looked for


def pictures(data: Path) -> Iterator[tuple[str, bool, NDArray[np.float32]]]:
    """(set, whether it is a frontal film, pixels)."""
    for name, fitted in {**_FRONTAL, **_OTHER}.items():
        for record in read(data / name, split="val" if fitted else None):
            yield Path(name).name, name in _FRONTAL, load_grey(record.path).astype(np.float32) / 255
    with (data / "covid_cxr" / "metadata.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            kind = "CT" if row["modality"] == "CT" else "lateral" if row["view"] == "L" else "frontal"
            picture = load_grey(data / "covid_cxr" / row["image"]).astype(np.float32) / 255
            yield _COVID[kind], kind == "frontal", picture


def margins(data: Path) -> dict[str, dict[str, list[float]]]:
    """{"frontal" or "other": {set: margins}}; of a film in a frame the larger of both, and −9 of what is too far from
    the training films."""
    look, anatomy, stem = Frontal.open(), Anatomy.open(), imagenet()

    def of(some: list[NDArray[np.float32]]) -> NDArray[np.float64]:
        probability, distance = look.judge(features(stem, some))
        found = look.margins(probability, np.array([o.distance for o in anatomy.outline(some)]))
        return np.where(distance > look.manifest["most_distance"], -9.0, found)

    out: dict[str, dict[str, list[float]]] = {"frontal": {}, "other": {}}
    batch: list[tuple[str, bool, NDArray[np.float32]]] = []

    def settle() -> None:
        found = of([p for _, _, p in batch])
        inner = [
            (i, p) for i, (_, _, q) in enumerate(batch) if found[i] < _SURE and (p := without_frame(q)) is not None
        ]
        if inner:
            for (i, _), again in zip(inner, of([p for _, p in inner]), strict=True):
                found[i] = max(found[i], again)
        for (name, frontal, _), value in zip(batch, found, strict=True):
            out["frontal" if frontal else "other"].setdefault(name, []).append(round(float(value), 4))
        batch.clear()

    for one in pictures(data):
        batch.append(one)
        if len(batch) == 64:
            settle()
    if batch:
        settle()
    return out


def limit(frontal: dict[str, list[float]]) -> float:
    """The largest limit that loses at most 2 % of each set."""
    return min(sorted(values)[int(MOST_LOST * len(values))] for values in frontal.values())


def measure(found: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    chosen = limit(found["frontal"])
    refused = lambda values, at: f"{sum(v < at for v in values)} of {len(values)}"  # noqa: E731
    out: dict[str, Any] = {"limit": chosen, "frontal": {}, "other": {}}
    for name, values in found["frontal"].items():
        without = limit({k: v for k, v in found["frontal"].items() if k != name})
        out["frontal"][name] = {
            "refused": refused(values, chosen),
            "left out": refused(values, without),
            "limit": without,
        }
    for name, values in found["other"].items():
        out["other"][name] = refused(values, chosen)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data())
    parser.add_argument("--cache", type=Path, help="keep the margins here, which take most of the time")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.cache is not None and options.cache.is_file():
        found = json.loads(options.cache.read_text(encoding="utf-8"))
    else:
        found = margins(options.data)
        if options.cache is not None:
            options.cache.write_text(json.dumps(found), encoding="utf-8")
    out = measure(found)
    if options.write:
        manifest, weights = read_pair(None, NAME, FORMAT)
        chosen = {"least_margin": out["limit"], "limit_by": "python -m benchmarks.imaging.refusal_limit --write"}
        write_pair(WEIGHTS, NAME, weights, manifest | chosen)
    print(json.dumps({"measured": stamp()} | out, indent=1))


if __name__ == "__main__":
    main()
