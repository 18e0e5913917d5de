"""What the detector gets wrong: ``python -m benchmarks.failures [--examples N] [--json]``.

From the readings that the training left in ``cases.*``, so it needs no images: each is of a member that was not fitted
on the patient. A film is *missed* when it shows something and nothing is said to be present, a *false alarm* the other
way round; a label is *named* when it is among what is said to be present. By set, label, view, sex and age, and
the N films of each set that the detector was most wrong about, under opaque ids.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.machine import stamp
from fusion.calibration import patient_groups
from vision import training_cases
from vision.detector import Detector
from vision.finding import LABELS, NO_FINDING
from vision.training_cases import TrainingCase

SETS = ("nih_cxr", "nih_cxr_64px")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A film and what was said of it: the labels present, and the probability that it shows anything."""

    film: TrainingCase
    said: tuple[str, ...]
    anything: float

    @property
    def abnormal(self) -> bool:
        return self.film.labels != (NO_FINDING,)

    @property
    def wrong(self) -> bool:
        return self.abnormal != bool(self.said)

    @property
    def groups(self) -> Iterator[str]:
        """The groups it counts in."""
        yield "all"
        yield f"view {self.film.view or 'unknown'}"
        yield from patient_groups(self.film.age, self.film.sex)
        yield from (x for x in self.film.labels if x != NO_FINDING)


def readings(detector: Detector) -> dict[str, list[Reading]]:
    """By set, in the order of the training cases."""
    bank = training_cases.read()
    found: dict[str, list[Reading]] = {name: [] for name in SETS}
    for film, logits in zip(bank.rows, bank.logits, strict=True):
        p = detector.probabilities(logits, film.low_resolution)
        judged = detector.judge(p, film.low_resolution)
        said = tuple(label for label, (_, _, presence) in zip(LABELS, judged, strict=True) if presence == "present")
        found[SETS[film.low_resolution]].append(Reading(film=film, said=said, anything=float(p[-1])))
    return found


def table(of: list[Reading]) -> dict[str, dict[str, float | int | None]]:
    """By group: abnormal films and the share of them that is missed; the share of their labels (of a label's group: of
    that label) that is named; normal films and the share of false alarms."""
    groups = sorted({g for r in of for g in r.groups}, key=lambda g: (g != "all", g in LABELS, g))
    out: dict[str, dict[str, float | int | None]] = {}
    for group in groups:
        rows = [r for r in of if group in r.groups]
        abnormal, normal = [r for r in rows if r.abnormal], [r for r in rows if not r.abnormal]
        labels = [(x, r) for r in abnormal for x in r.film.labels if group not in LABELS or x == group]
        out[group] = {
            "abnormal": len(abnormal),
            "missed": _share([r.wrong for r in abnormal]),
            "named": _share([x in r.said for x, r in labels]),
            "normal": len(normal),
            "false_alarms": _share([r.wrong for r in normal]),
        }
    return out


def _share(flags: list[bool]) -> float | None:
    return round(float(np.mean(flags)), 3) if flags else None


def worst(of: list[Reading], n: int) -> list[Reading]:
    """The ``n`` misses with the least probability of anything and the ``n`` false alarms with the greatest; ties in
    the order given."""
    missed = sorted((r for r in of if r.wrong and r.abnormal), key=lambda r: r.anything)
    alarms = sorted((r for r in of if r.wrong and not r.abnormal), key=lambda r: -r.anything)
    return [*missed[:n], *alarms[:n]]


def described(reading: Reading) -> dict[str, object]:
    """For print: opaque id, age in decades, sex, view, labels, what was said, and the probability of anything."""
    film = reading.film
    decade = None if film.age is None else f"{int(film.age) // 10 * 10}s"
    return {
        "film": film.case_id,
        "sex": film.sex,
        "age": decade,
        "view": film.view,
        "labels": ", ".join(film.labels),
        "said": ", ".join(reading.said) or "nothing",
        "p(anything)": round(reading.anything, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=3, metavar="N")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    of = readings(Detector.open())
    tables = {name: table(rows) for name, rows in of.items()}
    examples = {name: [described(r) for r in worst(rows, options.examples)] for name, rows in of.items()}
    if options.json:
        print(json.dumps({"measured": stamp(), "tables": tables, "examples": examples}, indent=1))
        return
    for name, groups in tables.items():
        print(f"{name}\n{'':20} {'abnormal':>8} {'missed':>7} {'named':>7} {'normal':>7} {'alarms':>7}")
        for group, row in groups.items():
            shown = ["–" if v is None else f"{v:.0%}" if isinstance(v, float) else str(v) for v in row.values()]
            print(f"{group:20} {shown[0]:>8} {shown[1]:>7} {shown[2]:>7} {shown[3]:>7} {shown[4]:>7}")
        for film in examples[name]:
            print("  " + "; ".join(f"{k} {v}" for k, v in film.items()))
        print()
    print(f"measured {stamp()}")


if __name__ == "__main__":
    main()
