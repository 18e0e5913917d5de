"""What words count for beside an image, and how sure to be then:
``python -m benchmarks.chest.beside DATA --home DIR [--json]``.

The patients are those of `benchmarks.chest.cases` "causes": covid_cxr's films with a note whose diagnosis is masked.
Fitted by maximum likelihood, sites (the web sites that published them) counting alike: a factor on the words' weight
(`fusion.workup.WORDS_BESIDE_IMAGES`) and a temperature; then the conformal threshold. The prior counts whole, as for
images alone; a free factor on it came out at 2.20 where that is 2. Whether the disease is none of the
chest is told from patients put together, none of these being ill elsewhere: notes of ``none_of_these``, each beside an
NIH validation film without a finding, judged by the networks that never saw it. "left out" is each site by the fit of
the others and one half of these, and the other half of these. The numbers go into `fusion.workup` and the reasoner's
card by hand.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np

from benchmarks.chest.cases import CAUSES, causes, names_of, nih, right_answers
from benchmarks.machine import stamp
from errors import InputError
from fusion.calibration import Calibration, Known, softmax
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from fusion.training.words_fit import LENGTH, Listed, believed, covering, fit_none
from fusion.workup import LEAST_PRIOR, PRIOR, PRIOR_OF_IMAGES, SHORTLIST, WORDS
from kg.weight_of_evidence import FEATURES

NAMED = "films with a note (covid_cxr)"
# Sites with fewer patients are one.
_FEW = 8
_RIDGE = 0.05
_MOST = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A patient: ``features`` float64 (R, 5) of the diseases of the chest as words alone would count, ``right`` bool
    (R,), none of one ill elsewhere, how many ``words`` count, and what else is known."""

    site: str
    features: np.ndarray
    right: np.ndarray
    words: int
    present: int
    elsewhere: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Factors on the weights of the ``prior`` and the ``words``, and the calibration that goes with them."""

    prior: float
    words: float
    calibration: Calibration

    def scores(self, case: Seen, weights: np.ndarray) -> np.ndarray:
        factor = np.ones(len(FEATURES))
        factor[[PRIOR, WORDS]] = self.prior, self.words
        return case.features @ (weights * factor)


def seen(pipeline: Pipeline, data: Path) -> list[Seen]:
    """The films that are not refused and whose notes say something."""
    with (data / "covid_cxr" / "metadata.csv").open(encoding="utf-8", newline="") as rows:
        site = {row["image"]: urlparse(row["url"]).netloc for row in csv.DictReader(rows)}
    found = []
    for case in causes(data, names_of(pipeline.graph, iter(CAUSES.values()))):
        answers = right_answers(pipeline.graph, "causes", case)
        own = site[str(case.image.relative_to(data / "covid_cxr"))]
        patient = Patient(images=(case.image,), note=case.note, age=case.age, sex=case.sex)
        found += _seen(pipeline, patient, own, answers)
    sizes = Counter(case.site for case in found)
    return [replace(c, site=c.site if sizes[c.site] >= _FEW else "others") for c in found]


def elsewhere(pipeline: Pipeline, data: Path) -> list[Seen]:
    """Notes of patients who are ill elsewhere, every fifth, beside films without a finding."""
    files = sorted((data / "none_of_these").glob("*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()][::5]
    films, everyone, found = list(nih(data, "No Finding")), pipeline.intake.detector, []
    for row, film in zip(rows, itertools.cycle(films), strict=False):
        pipeline.intake.detector = everyone.judged_by(everyone.unseen_by(film.patient or ""))
        note = row.get("note") or row["text"]
        found += _seen(pipeline, Patient(images=(film.image,), note=note), "elsewhere", frozenset())
    pipeline.intake.detector = everyone
    return found


def _seen(pipeline: Pipeline, patient: Patient, site: str, answers: frozenset[str]) -> list[Seen]:
    room = pipeline.room
    try:
        known = pipeline.intake.gather(patient).case
    except InputError:
        return []
    if not known.worded or room.evidence is None:
        return []
    chest = np.flatnonzero(room.evidence.prior > LEAST_PRIOR)
    right = np.array([pipeline.graph.curie(int(room.disease[row])) in answers for row in chest])
    told = room.known(known, [])
    features = np.asarray(room.weigh(replace(known, imaged=False), chest), np.float64)
    return [Seen(site, features, right, len(known.stems), told.present, told.elsewhere)]


def fit(cases: Sequence[Seen], outside: Sequence[Seen], weights: np.ndarray, alone: Calibration) -> Fit:
    """By maximum likelihood, sites alike, and those ill elsewhere (``outside``) like those who are not; ``alone`` is
    the calibration of notes without an image."""
    from scipy.optimize import minimize

    sizes = Counter(case.site for case in cases)
    share = np.array([1 / (len(sizes) * sizes[case.site]) for case in cases])

    def at(x: np.ndarray) -> Fit:
        words, temperature = (round(float(v), 3) for v in np.exp(x))
        return Fit(
            PRIOR_OF_IMAGES, words, replace(alone, temperature=temperature, on=NAMED, n=len(cases) + len(outside))
        )

    def probability(now: Fit, case: Seen) -> float:
        length = now.calibration.temperature * (1 + case.words / LENGTH)
        return float(softmax(now.scores(case, weights), length)[case.right].sum())

    def loss(x: np.ndarray) -> float:
        kept = np.array([probability(at(x), case) for case in cases])
        return float(-share @ np.log(np.maximum(kept, 1e-12)) + _RIDGE * x[0] ** 2)

    bounds = [(-np.log(_MOST), np.log(_MOST))] * 2
    found = at(minimize(loss, np.array([0.0, 0.5]), method="Powell", bounds=bounds).x)
    rows = [listed(case, found.scores(case, weights)) for case in (*cases, *outside)]
    every = np.concatenate([share / 2, np.full(len(outside), 0.5 / len(outside))])
    calibration = replace(found.calibration, none=fit_none(rows, 0.0, every))
    return replace(found, calibration=covering(calibration, rows[: len(cases)], share))


def listed(case: Seen, scores: np.ndarray) -> Listed:
    """The patient's shortlist and the rest, as `fusion.training.words_fit` judges them."""
    order = np.argsort(-scores, kind="stable")
    first, rest = order[:SHORTLIST], order[SHORTLIST:]
    known = Known(present=case.present, words=case.words, elsewhere=case.elsewhere, rest=scores[rest])
    kinds = np.eye(len(first), dtype=bool)
    return Listed(
        case.site, case.site, scores[first], np.zeros(len(first)), case.right[order], kinds, known, not case.right.any()
    )


def figures(cases: Sequence[Seen], weights: np.ndarray, how: Fit) -> dict[str, float]:
    """Ranks among the diseases of the chest, ties against the right one, and how far the probabilities can be
    believed."""
    places, rows = [], []
    for case in cases:
        scores = how.scores(case, weights)
        if case.right.any():
            places.append(int((scores[~case.right] >= scores[case.right].max()).sum()))
        rows.append(listed(case, scores))
    tops = {f"top{k}": round(float(np.mean([p < k for p in places])), 3) for k in (1, 3, 5, 10)} if places else {}
    return tops | believed(rows, how.calibration)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    pipeline = Pipeline.open(arguments.home)
    cases, outside = seen(pipeline, arguments.data), elsewhere(pipeline, arguments.data)
    assert pipeline.room.evidence is not None
    weights, alone = np.array(pipeline.room.evidence.settings.weights), pipeline.calibrations.words
    found, before = fit(cases, outside, weights, alone), Fit(1.0, 1.0, alone)
    out: dict[str, Any] = {
        "fitted": asdict(found),
        "taking part": figures(cases, weights, found),
        "as notes alone": figures(cases, weights, before),
        "elsewhere, as notes alone": figures(outside, weights, before),
        "left out": {},
    }
    for site in sorted({case.site for case in cases}):
        own, others = [c for c in cases if c.site == site], [c for c in cases if c.site != site]
        out["left out"][site] = figures(own, weights, fit(others, outside[::2], weights, alone))
    out["left out"]["elsewhere"] = figures(outside[1::2], weights, fit(cases, outside[::2], weights, alone))
    out["machine"] = stamp()
    if arguments.json:
        print(json.dumps(out, indent=1))
        return
    for name, row in out.items():
        print(f"{name}: {row}")


if __name__ == "__main__":
    main()
