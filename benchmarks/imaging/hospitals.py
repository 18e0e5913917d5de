"""The detector by hospital, age, sex and view: ``python -m benchmarks.imaging.hospitals [--cache FILE]``.

Frontal films of every development set: NIH's out of fold, from the readings that the training left in ``cases.*``;
those of other hospitals, which no member was fitted on, by all five. By the networks alone: what the outlines add on
films from elsewhere (`benchmarks.imaging.elsewhere`) was fitted on some of these sets. For each set how many films are
refused; AUROC of "any finding" for films with a finding against films without one, where a set has eight of each or
more, with a 95 % interval over patients, and the same by age, sex and view; how many of each raise a finding at the
shipped operating point. Then the operating points that carry over: the probability that 15 % of one set's films without
a finding reach, and what share of every other set's such films reach it. Of Guangzhou and of the COVID-19 and
tuberculosis sets every n-th film is taken. ``--cache FILE`` keeps the readings, which take most of the time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.anatomy import NIH
from benchmarks.imaging.assessed import LEAST, nih_films
from benchmarks.machine import shared_data, stamp
from vision.detector import Detector
from vision.finding import NO_FINDING
from vision.image import load_image
from vision.metrics import auroc, bootstrap
from vision.quality import LOW_RESOLUTION

# folder: (every how many films with a finding, every how many without)
_OTHERS = {
    "jsrt": (1, 1),
    "kermany_children": (16, 8),
    "cohen_more": (1, 1),
    "covid_cxnet": (10, 1),
    "tb_nlm_belarus": (10, 1),
}
_ALARMS = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One film: what its set says, and what the detector says. ``diseased`` is None where nobody judged the film."""

    set: str
    patient: str
    diseased: bool | None
    view: str
    sex: str
    age: float | None
    refused: str | None
    probability: float
    raised: bool


def of_nih(detector: Detector, data: Path) -> Iterator[Reading]:
    """Each film by the member that did not see its patient; the refusal was not asked."""
    for film, row, logits in nih_films(data):
        p = detector.probabilities(logits, row.low_resolution)
        raised = any(seen == "present" for *_, seen in detector.judge(p, row.low_resolution))
        yield Reading(
            set=film.source,
            patient=film.patient_id,
            diseased=film.labels != (NO_FINDING,),
            view=film.view or "",
            sex=film.sex or "",
            age=film.age,
            refused=None,
            probability=round(float(p[-1]), 6),
            raised=raised,
        )


def of_others(detector: Detector, folder: Path, every: int, every_normal: int) -> Iterator[Reading]:
    rows = [json.loads(line) for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()]
    normal = [r for r in rows if NO_FINDING in r["labels"]][::every_normal]
    chosen = [*normal, *[r for r in rows if NO_FINDING not in r["labels"]][::every]]
    for start in range(0, len(chosen), 8):
        some = chosen[start : start + 8]
        images = [load_image(folder / r["image"]) for r in some]
        for row, image, seen in zip(some, images, detector.detect_batch(images), strict=True):
            p, raised = 0.0, False
            if not seen.refused:
                low = min(image.pixels.shape) < LOW_RESOLUTION
                by_nets = detector.probabilities(seen.logits, low)
                p, raised = float(by_nets[-1]), any(said == "present" for *_, said in detector.judge(by_nets, low))
            yield Reading(
                set=folder.name,
                patient=str(row["patient_id"]),
                diseased=NO_FINDING not in row["labels"],
                view=row.get("view") or "",
                sex=row.get("sex") or "",
                age=float(row["age"]) if str(row.get("age") or "").replace(".", "").isdigit() else None,
                refused=seen.refused,
                probability=round(p, 6),
                raised=raised,
            )


def figures(rows: Sequence[Reading]) -> dict[str, Any]:
    """Counts, the AUROC with its interval where there are enough films, and what is raised of those not refused."""
    read = [r for r in rows if r.refused is None]
    sick, well = ([r for r in read if r.diseased is kind] for kind in (True, False))
    found: dict[str, Any] = {"diseased": len(sick), "normal": len(well), "refused": len(rows) - len(read)}
    if min(len(sick), len(well)) >= LEAST:
        score, truth = np.array([r.probability for r in read]), np.array([bool(r.diseased) for r in read])
        patients = np.array([r.patient for r in read])
        ends = bootstrap(lambda some: auroc(score[some], truth[some]), patients, rounds=200)
        found["auroc"] = [round(float(v), 3) for v in (auroc(score, truth), *ends)]
    for name, some in (("raised", sick), ("false alarms", well)):
        if some:
            found[name] = round(float(np.mean([r.raised for r in some])), 3)
    return found


def groups(rows: Sequence[Reading]) -> dict[str, dict[str, Any]]:
    """``figures`` of all films of a set and of those of each view, sex and age, where there are 20 or more."""
    chosen = {
        "all": list(rows),
        **{f"view {v}": [r for r in rows if r.view == v] for v in ("PA", "AP")},
        **{name: [r for r in rows if r.sex == s] for name, s in (("women", "F"), ("men", "M"))},
        "under 40": [r for r in rows if r.age is not None and r.age < 40],
        "40 to 64": [r for r in rows if r.age is not None and 40 <= r.age < 65],
        "65 and over": [r for r in rows if r.age is not None and r.age >= 65],
    }
    return {name: figures(some) for name, some in chosen.items() if name == "all" or 20 <= len(some) < len(rows)}


def carried(rows: Sequence[Reading]) -> dict[str, dict[str, float]]:
    """{set that the threshold is of: {set that it is used on: share of its normal films that reach it}}."""
    normal = {
        name: np.array([r.probability for r in rows if r.set == name and r.diseased is False and r.refused is None])
        for name in dict.fromkeys(r.set for r in rows)
    }
    normal = {name: p for name, p in normal.items() if len(p) >= LEAST}
    cuts = {name: float(np.quantile(p, 1 - _ALARMS)) for name, p in normal.items()}
    return {a: {b: round(float((p > cut).mean()), 3) for b, p in normal.items()} for a, cut in cuts.items()}


def readings(data: Path, cache: Path | None) -> list[Reading]:
    if cache is not None and cache.is_file():
        return [Reading(**row) for row in json.loads(cache.read_text(encoding="utf-8"))]
    detector = Detector.open()
    rows = list(of_nih(detector, data))
    for name, (every, every_normal) in _OTHERS.items():
        rows += of_others(detector, data / "cxr_other" / name, every, every_normal)
    if cache is not None:
        cache.write_text(json.dumps([asdict(r) for r in rows]), encoding="utf-8")
    return rows


def markdown(rows: Sequence[Reading]) -> str:
    lines = [f"Measured {stamp()}.", ""]
    head = ("set", "films", "diseased / normal", "refused", "AUROC (95 %)", "diseased raised", "false alarms")
    lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in dict.fromkeys(r.set for r in rows):
        for group, f in groups([r for r in rows if r.set == name]).items():
            area = "{:.2f} ({:.2f}–{:.2f})".format(*f["auroc"]) if "auroc" in f else ""
            shares = (f"{f[k]:.0%}" if k in f else "" for k in ("raised", "false alarms"))
            refused = "" if name in NIH else f["refused"]
            cells = (name, group, f"{f['diseased']} / {f['normal']}", refused, area, *shares)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    table = carried(rows)
    lines += [
        "",
        f"| threshold of ↓ at {_ALARMS:.0%}, used on → | {' | '.join(table)} |",
        "|---" * (len(table) + 1) + "|",
    ]
    lines += [f"| {a} | {' | '.join(f'{v:.0%}' for v in row.values())} |" for a, row in table.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=shared_data())
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = readings(options.data, options.cache)
    found = {name: groups([r for r in rows if r.set == name]) for name in dict.fromkeys(r.set for r in rows)}
    print(json.dumps(found | {"carried": carried(rows)}, indent=1) if options.json else markdown(rows))


if __name__ == "__main__":
    main()
