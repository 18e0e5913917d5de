"""Which findings are told better than by chance on patients nobody fitted on.

``python -m benchmarks.imaging.assessed [--data FOLDER] [--write]``

AUROC with a 95 % interval over patients, of each label in each set: both NIH extracts, each patient by the member that
did not see him; JSRT (nodules); Wingspan (large hearts by the ratio, each by the outlining member that did not see the
film). Children of Guangzhou (pneumonia, 403 without it) and COVID-CXNet were begun and not finished; one small set was
left out after its result was seen (pneumonia .54, eight films without it). A finding is not assessed where the interval
reaches .5, or where there are too few films to say: on NIH's films of that resolution, and on other hospitals' in all
sets that judge it. ``--write`` puts table and list into ``vision/weights/assessed.json``, which the detector reads.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.anatomy import NIH
from benchmarks.machine import stamp
from errors import InputError
from vision import training_cases
from vision.anatomy.large_heart import LABEL as LARGE_HEART
from vision.anatomy.large_heart import LargeHeart
from vision.anatomy.measures import ratio
from vision.anatomy.outliner import Anatomy, members_shares
from vision.datasets import outlines
from vision.datasets.folder import load_grey, read
from vision.datasets.record import Record
from vision.detector import Detector
from vision.finding import LABELS, in_words
from vision.image import load_image
from vision.manifest import ASSESSED, resolution
from vision.metrics import auroc, bootstrap
from vision.training_cases import TrainingCase
from vision.weights_pair import WEIGHTS

LEAST = 8
"""Films with the label, of as many patients as half of that: with fewer nothing is said."""

_NAMES = {
    "nih_cxr": "NIH",
    "nih_cxr_64px": "NIH at 64 px",
    "jsrt": "JSRT",
    "wingspan": "Wingspan",
    "kermany_children": "children of Guangzhou",
    "cohen_more": "COVID-19 image collection",
    "covid_cxnet": "COVID-CXNet",
}
# set: (label, every how many films with it, every how many without)
_OTHERS = {
    "jsrt": ("Nodule", 1, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One label in one set. ``resolution`` as in the manifest; "" of another hospital's, which counts for both."""

    label: str
    set: str
    resolution: str
    positive: int
    negative: int
    auroc: float
    low: float
    high: float

    @property
    def told(self) -> bool:
        return self.positive >= LEAST and self.low > 0.5

    @property
    def words(self) -> str:
        """ "AUROC .46 (.38–.54) on JSRT"."""
        value, low, high = (f"{v:.2f}".lstrip("0") for v in (self.auroc, self.low, self.high))
        return f"AUROC {value} ({low}–{high}) on {_NAMES[self.set]}"


def row(label: str, name: str, low: str, score: NDArray[Any], truth: NDArray[np.bool_], patients: NDArray[Any]) -> Row:
    ends = bootstrap(lambda some: auroc(score[some], truth[some]), patients)
    return Row(
        label=label,
        set=name,
        resolution=low,
        positive=int(truth.sum()),
        negative=int((~truth).sum()),
        **{k: round(v, 3) for k, v in zip(("auroc", "low", "high"), (auroc(score, truth), *ends), strict=True)},
    )


def nih_films(data: Path) -> list[tuple[Record, TrainingCase, NDArray[np.float32]]]:
    """Each NIH film with its row of cases.* and its out-of-fold logits, in the order of the images' hashes. Raises
    InputError when these are not the films of the shipped cases."""
    films = sorted((r for n in NIH for r in read(data / n)), key=lambda r: hashlib.sha256(r.image.encode()).hexdigest())
    bank = training_cases.read()
    if [(r.labels, r.fold) for r in films] != [(case.labels, case.fold) for case in bank.rows]:
        raise InputError("these are not the films of the shipped cases", value=data, expected=", ".join(NIH))
    return list(zip(films, bank.rows, bank.logits, strict=True))


def nih(detector: Detector, data: Path) -> Iterator[Row]:
    """From the logits of cases.*; Cardiomegaly by the ratio."""
    known = nih_films(data)
    films, cases = [film for film, _, _ in known], [case for _, case, _ in known]
    p = np.stack([detector.probabilities(z, case.low_resolution) for _, case, z in known])
    anatomy = Anatomy.open()
    for start in range(0, len(films), 16):
        some = range(start, min(start + 16, len(films)))
        found = anatomy.outline([load_grey(films[i].path).astype(np.float32) / 255 for i in some])
        for i, outlined in zip(some, found, strict=True):
            large = anatomy.large_heart(outlined, films[i].view or "", resolution(cases[i].low_resolution))
            p[i, LABELS.index(LARGE_HEART)] = p[i, LABELS.index(LARGE_HEART)] if large is None else large[0]
    sets, patients = np.array([r.source for r in films]), np.array([r.patient_id for r in films])
    for name in NIH:
        mine = sets == name
        for i, label in enumerate(LABELS):
            truth = np.array([label in r.labels for r in films])[mine]
            if truth.any():
                yield row(label, name, resolution(name.endswith("64px")), p[mine, i], truth, patients[mine])


def large_hearts(folder: Path) -> Row:
    """Wingspan: by the curve of the ratio that the member without the film's fold outlines."""
    anatomy, films = Anatomy.open(), outlines.read(folder)
    fitted = anatomy.manifest["large_heart"][resolution(False)]
    curve = LargeHeart(**{name: fitted[name] for name in ("usual", "slope", "offset", "cut")})
    score, truth = np.zeros(len(films)), np.array([(film.ratio or 0) > 0.5 for film in films])
    for fold, member in enumerate(anatomy.members):
        mine = [i for i, film in enumerate(films) if film.fold == fold]
        for i, each in zip(mine, members_shares([member], [films[i].pixels() for i in mine]), strict=True):
            value = ratio(each.mean(0))
            score[i] = 0.0 if value is None else curve.probability(value, "")
    return row(LARGE_HEART, folder.name, "", score, truth, np.array([film.patient_id for film in films]))


def elsewhere(detector: Detector, folder: Path, label: str, every: int, every_other: int) -> Row:
    """Another hospital's films by the networks, also those that would be refused."""
    rows = [json.loads(line) for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
    with_it = [r for r in rows if label in r["labels"]][::every]
    without = [r for r in rows if r["labels"] and label not in r["labels"]][::every_other]
    chosen, score = [*with_it, *without], []
    for start in range(0, len(chosen), 8):
        images = [load_image(folder / r["image"]) for r in chosen[start : start + 8]]
        logits = np.stack([raw.logits for raw in detector.raw(np.stack([detector.prepare(i) for i in images]))])
        score += detector.probabilities(logits)[:, LABELS.index(label)].tolist()
    truth = np.array([label in r["labels"] for r in chosen])
    patients = np.array([str(r["patient_id"]) for r in chosen])
    return row(label, folder.name, "", np.array(score), truth, patients)


def not_assessed(rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """{resolution: {label: reason}} of what is not told better than by chance."""
    found: dict[str, dict[str, str]] = {}
    for name in (resolution(False), resolution(True)):
        found[name] = {}
        for label in LABELS:
            own = next((r for r in rows if r.label == label and r.resolution == name), None)
            others = [r for r in rows if r.label == label and not r.resolution]
            if own is None or own.positive < LEAST:
                few = own.positive if own else 0
                found[name][label] = f"too few films to learn it from ({few} on {_NAMES[NIH[name != 'standard']]})"
            elif not own.told:
                found[name][label] = f"not told better than by chance: {own.words}"
            elif others and not any(r.told for r in others):
                found[name][label] = f"not told better than by chance elsewhere: {others[0].words}"
    return found


def write(path: Path, weights: str, rows: Sequence[Row]) -> None:
    """The table and the list, for the detector whose weights have this hash."""
    said = {
        "format": 1,
        "weights": weights,
        "command": "python -m benchmarks.imaging.assessed --write",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "not_assessed": not_assessed(rows),
        "figures": [asdict(r) for r in rows],
    }
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)


def markdown(rows: Sequence[Row]) -> str:
    lines = [f"Measured {stamp()}.", "", "| label | set | with / without | AUROC (95 %) | |", "|---|---|---|---|---|"]
    for r in sorted(rows, key=lambda r: (LABELS.index(r.label), r.set not in NIH, r.set)):
        cells = (in_words(r.label), _NAMES[r.set], f"{r.positive} / {r.negative}")
        lines.append(
            f"| {' | '.join(cells)} | {r.auroc:.3f} ({r.low:.2f}–{r.high:.2f}) | {'' if r.told else 'not told'} |"
        )
    for name, found in not_assessed(rows).items():
        lines += ["", f"Not assessed, {name}:", *(f"- {in_words(k)}: {v}" for k, v in found.items())]
    return "\n".join(lines)


def measure(data: Path) -> tuple[str, list[Row]]:
    """(hash of the detector's weights, the rows)."""
    detector = Detector.open()
    rows = [*nih(detector, data), large_hearts(data / "cxr_other" / "wingspan")]
    for name, (label, every, every_other) in _OTHERS.items():
        rows.append(elsewhere(detector, data / "cxr_other" / name, label, every, every_other))
    return detector.manifest["sha256"], rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", action="store_true", help="also write vision/weights/assessed.json")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    weights, rows = measure(options.data)
    if options.write:
        write(WEIGHTS / ASSESSED, weights, rows)
    print(json.dumps([asdict(r) for r in rows], indent=1) if options.json else markdown(rows))


if __name__ == "__main__":
    main()
