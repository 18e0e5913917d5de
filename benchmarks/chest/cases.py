"""Chest cases with a known answer: ``python -m benchmarks.chest.cases DATA --home DIR [--only SET] [--json]``.

DATA is the folder of development data. Four sets:

- causes: frontal radiographs of covid_cxr with a clinical note, the words of the diagnosis masked
  (``benchmarks.chest.masking``); right when the true cause or its parent in the graph is among the first five;
- films: the same without the notes;
- pneumonia: NIH validation images labelled Pneumonia, nothing but the image, age and sex; right when a pneumonia
  (Pneumonia, or a kind of it) is among the first three;
- normal: NIH validation images labelled No Finding; right when whydx abstains or puts "no acute cardiopulmonary
  disease" first.

An image that is refused counts as wrong. Where images alone are known the network reads papers and similar cases beside
each candidate; "without papers and cases" scores the same patients without them: the right answers, how many first
diagnoses differ, by how much -ln of the right answers' probability falls when they are read (nats, 95 % interval of a
bootstrap over patients), how many of the first diagnoses show one of them, and the median and largest weight of those.
NIH validation patients are one in five by hash; each is judged by the
networks that never saw him, and finds no validation patient among his similar cases.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.chest.masking import masked
from benchmarks.machine import stamp
from errors import InputError
from fusion.calibration import expected_calibration_error
from fusion.evidence_search import Retrieved
from fusion.intake import Patient
from fusion.pipeline import Pipeline, Standing
from fusion.prior import NORMAL
from fusion.scorer import bare
from fusion.workup import Workup
from kg.graph import KnowledgeGraph
from vision import training_cases

SETS = ("causes", "films", "pneumonia", "normal")
BAR = {"causes": 0.70, "films": None, "pneumonia": 0.80, "normal": 0.80}
PNEUMONIA = "HP:0002090"
READ_MORE = ("literature", "case")
SEED, RESAMPLES = 20261128, 2000
# The causes as covid_cxr writes them, as concepts of the chest layer.
CAUSES = {
    "COVID-19": "UMLS:C5203670",
    "SARS": "UMLS:C1175175",
    "ARDS": "HP:0033677",
    "Pneumocystis": "HP:0020102",
    "Streptococcus": "CHEST:pneumococcal-pneumonia",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChestCase:
    """An image with its note (None: no note), the names of its answer in the data, and its NIH patient, if it has
    one."""

    image: Path
    note: str | None
    age: float | None
    sex: str | None
    answers: tuple[str, ...]
    patient: str | None = None


def _who(age: str, sex: str) -> tuple[float | None, str | None]:
    try:
        years = float(age)
    except ValueError:
        years = None
    return years if years is not None and 0 <= years <= 120 else None, sex if sex in ("F", "M") else None


def causes(data: Path, names: tuple[str, ...]) -> Iterator[ChestCase]:
    """covid_cxr's frontal radiographs with a note and a cause."""
    with (data / "covid_cxr" / "metadata.csv").open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            answers = tuple(a for a in (part.strip() for part in row["finding"].split(",")) if a in CAUSES)
            if row["modality"] == "X-ray" and row["view"] != "L" and row["clinical_notes"].strip() and answers:
                age, sex = _who(row["age"], row["sex"])
                note = masked(row["clinical_notes"], names)
                yield ChestCase(image=data / "covid_cxr" / row["image"], note=note, age=age, sex=sex, answers=answers)


def nih(data: Path, label: str) -> Iterator[ChestCase]:
    """nih_cxr's validation images with a label."""
    for line in (data / "nih_cxr" / "annotations.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        held_out = int(hashlib.sha256(f"nih:{row['patient_id']}".encode()).hexdigest()[:8], 16) % 5 == 0
        if held_out and label in (row["labels"] or ["No Finding"]):
            age, sex = _who(str(row["age"]), row["sex"])
            image, patient = data / "nih_cxr" / row["image"], str(row["patient_id"])
            yield ChestCase(image=image, note=None, age=age, sex=sex, answers=(label,), patient=patient)


def names_of(graph: KnowledgeGraph, curies: Iterator[str]) -> tuple[str, ...]:
    """Names of concepts and of what is just above them, to mask."""
    found: set[str] = set()
    for curie in curies:
        node = graph.node(curie)
        found |= {graph.name(node), *(graph.name(int(n)) for n in graph.neighbours(node, "is_a"))}
    return tuple(sorted(found))


def right_answers(graph: KnowledgeGraph, kind: str, case: ChestCase) -> frozenset[str]:
    """Canonical CURIEs that count as right."""
    if kind == "pneumonia":
        everything = (graph.curie(n) for n in range(len(graph)))
        pneumonia = graph.resolve(PNEUMONIA)
        return frozenset(c for c in everything if pneumonia in graph.ancestors(c))
    if kind == "normal":
        return frozenset({graph.resolve(NORMAL)})
    found: set[str] = set()
    for answer in case.answers:
        node = graph.node(CAUSES[answer])
        found |= {graph.curie(node), *(graph.curie(int(n)) for n in graph.neighbours(node, "is_a"))}
    return frozenset(found)


@dataclass(slots=True)
class ReadMore:
    """What papers and similar cases do, over patients: ``gains`` in nats, ``weights`` absolute, of the first
    diagnoses."""

    gains: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    right: int = 0
    differ: int = 0
    shown: int = 0

    def add(
        self,
        pipeline: Pipeline,
        workup: Workup,
        found: Retrieved,
        now: Standing,
        true: list[int],
        *,
        right: tuple[frozenset[str], int, bool],
    ) -> None:
        """One patient. ``true``: the places of right answers; ``right``: them, among how many, and whether to abstain
        is right, too."""
        less = replace(workup, candidates=tuple(bare(c, READ_MORE) for c in workup.candidates))
        without = pipeline.standing(less)
        answers, first, silence = right
        listed = {workup.candidates[i].curie for i in without.ranked[:first]}
        self.right += bool(answers & listed) or (silence and without.abstention is not None)
        self.differ += now.ranked[:1] != without.ranked[:1]
        places = true or [len(now.probabilities) - 1]
        self.gains.append(float(np.log(now.probabilities[places].sum() / without.probabilities[places].sum())))
        weighed = pipeline.scales.weigh(workup, found, now.ranked[:1], now.scores)
        weights = [abs(e.weight) for pieces in weighed.values() for e in pieces if e.kind in READ_MORE]
        self.shown += bool(weights)
        self.weights += weights

    def said(self, n: int) -> dict[str, object]:
        """Of ``n`` patients, those refused among them."""
        gains = np.array(self.gains)
        drawn = np.random.default_rng(SEED).integers(len(gains), size=(RESAMPLES, len(gains)))
        low, high = np.percentile(gains[drawn].mean(1), (2.5, 97.5))
        return {
            "right": round(self.right / n, 4),
            "another first": self.differ,
            "nats gained by them": [round(float(x), 4) for x in (gains.mean(), low, high)],
            "first diagnoses that show one": self.shown,
            "weight, median and largest": [round(float(f(self.weights or [0])), 4) for f in (np.median, np.max)],
        }


def measure(pipeline: Pipeline, kind: str, cases: list[ChestCase]) -> dict[str, object]:
    """Share of right answers, over the cases and the mean over the answers ("macro"), what came first, and the
    refusals; and how far the probabilities can be believed: the mean of the highest ("said"), how often it is a right
    answer's, or that of "none of these" when the shortlist has none ("first_right"), and how often the conformal set
    holds one ("coverage", "set_size")."""
    first = {"causes": 5, "films": 5, "pneumonia": 3, "normal": 1}[kind]
    intake, everyone = copy.copy(pipeline.intake), pipeline.intake.detector
    held_out = [row.case_id for row in training_cases.read().rows if row.held_out]
    right, abstained, refused = 0, 0, 0
    led: Counter[str] = Counter()
    by_answer: dict[str, list[bool]] = defaultdict(list)
    said, first_right, covered, size = [], [], [], []
    accepted: dict[tuple[str, ...], frozenset[str]] = {}
    read_more = ReadMore()
    for case in cases:
        if case.answers not in accepted:
            accepted[case.answers] = right_answers(pipeline.graph, kind, case)
        intake.detector = everyone.judged_by(None if case.patient is None else everyone.unseen_by(case.patient))
        try:
            gathered = intake.gather(Patient(images=(case.image,), note=case.note, age=case.age, sex=case.sex))
        except InputError:
            refused += 1
            by_answer[", ".join(case.answers)].append(False)
            continue
        leave_out = held_out if case.patient is not None else ()
        workup, found = pipeline.lay_out(gathered.case, gathered.embedding, leave_out=leave_out)
        now = pipeline.standing(workup)
        p, order, silent = now.probabilities, now.ranked, now.abstention is not None
        listed = [workup.candidates[i].curie for i in order[:first]]
        abstained += silent
        hit = bool(accepted[case.answers] & set(listed)) or (kind == "normal" and silent)
        right += hit
        by_answer[", ".join(case.answers)].append(hit)
        true = [i for i, c in enumerate(workup.candidates) if c.curie in accepted[case.answers]]
        said.append(float(p.max()))
        first_right.append(int(np.argmax(p)) in (true or [len(p) - 1]))
        covered.append(bool(now.members[true or [len(p) - 1]].any()) or bool(accepted[case.answers] & set(now.others)))
        size.append(now.set_size)
        if pipeline.scorer.gate(gathered.case):
            read_more.add(pipeline, workup, found, now, true, right=(accepted[case.answers], first, kind == "normal"))
        led["abstained" if silent else workup.candidates[order[0]].name] += 1
    share = round(right / max(len(cases), 1), 4)
    return {
        "n": len(cases),
        "right": share,
        "macro": round(float(np.mean([np.mean(hits) for hits in by_answer.values()])), 4),
        "by_answer": {name: f"{sum(hits)} of {len(hits)}" for name, hits in sorted(by_answer.items())},
        "bar": BAR[kind],
        "refused": refused,
        "abstained": abstained,
        "said": round(float(np.mean(said)), 4),
        "first_right": round(float(np.mean(first_right)), 4),
        "ece": round(expected_calibration_error(np.array(said), np.array(first_right)), 4),
        "coverage": round(float(np.mean(covered)), 4),
        "set_size": round(float(np.mean(size)), 2),
        "first": dict(led.most_common(8)),
        **({"without papers and cases": read_more.said(len(cases))} if read_more.gains else {}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--only", choices=SETS, action="append")
    parser.add_argument("--limit", type=int, help="only so many cases of each set, spread evenly")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    pipeline = Pipeline.open(arguments.home)
    names = names_of(pipeline.graph, iter(CAUSES.values()))
    result = {}
    for kind in arguments.only or SETS:
        if kind in ("causes", "films"):
            cases = list(causes(arguments.data, names))
            cases = [replace(c, note=None) for c in cases] if kind == "films" else cases
        else:
            cases = list(nih(arguments.data, "Pneumonia" if kind == "pneumonia" else "No Finding"))
        if arguments.limit:
            cases = cases[:: max(1, len(cases) // arguments.limit)]
        result[kind] = measure(pipeline, kind, cases)
        if not arguments.json:
            print(kind, json.dumps(result[kind]), flush=True)
    if arguments.json:
        print(json.dumps({**result, "machine": stamp()}))


if __name__ == "__main__":
    main()
