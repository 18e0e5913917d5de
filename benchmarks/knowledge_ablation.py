"""Does injected knowledge change the diagnosis? ``python -m benchmarks.knowledge_ablation [--home DIR] [--cases F]``.

The same shortlists are ranked by the reasoner under conditions that differ in the branches and what rests on them; the
trunk, the prior and whatever no path carries stay:

- on: every branch;
- off: no branch, and no part of the graph's score that rests on one;
- shuffled edges: each candidate has the knowledge-graph paths of another candidate of the same case, with what they add
  to the graph's score;
- shuffled literature: each candidate has the papers and cases found for another;
- random text: every branch says as many words as before, taken at random from the graph's names; what a path adds to
  the graph's score stays. So it measures the words, and the conditions above the knowledge.

Cases: held-out published patients (with --cases) over all OMIM diseases, and simulated chest patients drawn with
another seed than training's, with image regions of held-out patients, papers and similar cases. A disease that is not
on the shortlist is a miss under every condition. Differences are condition minus on, with the 95 % interval of a paired
bootstrap over cases (2,000 resamples). For each kind of evidence: in how many cases taking it away changes the first
diagnosis, and in how many of those it had made the first right, or wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from fusion.branch import Branch, Candidate
from fusion.evaluation.published import SHORTLIST, CaseRanker
from fusion.patients import in_validation, read_cases, to_case
from fusion.pipeline import Pipeline
from fusion.prior import layer_diseases
from fusion.scorer import Question, Scorer, bare, exchanged
from fusion.training.curriculum import Curriculum
from fusion.training.imaged_cases import imaged_cases, separations
from fusion.workup import Workup
from home import home_folder
from vision import training_cases

CONDITIONS = ("on", "off", "shuffled edges", "shuffled literature", "random text")
KINDS = ("kg_path", "image_region", "literature", "case")
METRICS = ("top1", "top10", "mrr")
SEED = 20261122
RESAMPLES = 2000
Words = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A case laid out; ``truth`` is the position of the true disease among its candidates, None when it is not one."""

    workup: Workup
    truth: int | None


def published(home: Path, cases: Path, limit: int) -> Iterator[Laid]:
    """Held-out published patients with the ranker's shortlist over OMIM, spread evenly over the file."""
    ranker = CaseRanker(home, mode="reasoner")
    if ranker.room is None:
        raise RuntimeError("the reasoner's mode has a room")
    held_out = [c for c in read_cases(cases) if in_validation(c.disease) and c.disease in ranker.graph]
    for row in held_out[:: max(1, len(held_out) // limit)][:limit]:
        case, _ = to_case(row, ranker.graph)
        if case.observed:
            listed, _ = ranker.ranked(case)
            yield laid(ranker.room.lay_out(case, listed[:SHORTLIST]), ranker.graph.resolve(row.disease))


def simulated(pipeline: Pipeline, limit: int) -> Iterator[Laid]:
    """Simulated chest patients over every annotated disease, as ``diagnose`` lays them out."""
    curriculum = chest_patients(pipeline)
    for i in range(limit):
        drawn = curriculum.draw(i, "chest")
        if drawn is not None:
            yield laid(curriculum.lay_out(drawn, curriculum.shortlist(drawn)), drawn.truth)


def chest_patients(pipeline: Pipeline) -> Curriculum:
    """Draws simulated chest patients that training did not see, with image regions of held-out patients."""
    graph, room = pipeline.graph, pipeline.room
    bank = training_cases.read()
    _, imaging = imaged_cases(graph, bank, True, pipeline.intake.detector)
    return Curriculum(
        room,
        room,
        cases=None,
        chest=layer_diseases(graph, room.disease),
        imaging=imaging,
        separation=separations(graph, bank),
        search=pipeline.search,
        validation=True,
        seed=SEED,
    )


def laid(workup: Workup, disease: str) -> Laid:
    return Laid(workup=workup, truth=next((i for i, c in enumerate(workup.candidates) if c.curie == disease), None))


def under(condition: str, workup: Workup, words: Words, rng: np.random.Generator) -> tuple[Candidate, ...]:
    """The candidates with the branches they have under a condition, or without one kind ("without kg_path")."""
    candidates = workup.candidates
    if condition == "off":
        return tuple(bare(c) for c in candidates)
    if condition.startswith("without "):
        return tuple(bare(c, (condition.removeprefix("without "),)) for c in candidates)
    if condition == "shuffled edges":
        return exchanged(candidates, ("kg_path",))
    if condition == "shuffled literature":
        return exchanged(candidates, ("literature", "case"))
    if condition == "random text":
        return tuple(replace(c, branches=tuple(babble(b, words, rng) for b in c.branches)) for c in candidates)
    return candidates


def babble(branch: Branch, words: Words, rng: np.random.Generator) -> Branch:
    if not branch.text:
        return branch
    return replace(branch, text=" ".join(rng.choice(words, len(branch.text.split()))))


def run(scorer: Scorer, cases: Sequence[Laid], words: Words) -> dict[str, Any]:
    """Metrics and differences by condition, and what each kind of evidence did to the first rank."""
    conditions = (*CONDITIONS, *(f"without {kind}" for kind in KINDS))
    ranks = {c: np.full(len(cases), np.inf) for c in conditions}
    first: dict[str, list[int]] = {c: [] for c in conditions}
    for n, case in enumerate(cases):
        print(f"\rcase {n + 1} of {len(cases)}", end="", file=sys.stderr)
        for condition in conditions:
            rng = np.random.default_rng([SEED, n])
            candidates = under(condition, case.workup, words, rng)
            scores = scorer.scores([Question(workup=case.workup, candidate=c) for c in candidates])[:-1]
            first[condition].append(int(scores.argmax()))
            if case.truth is not None:
                ranks[condition][n] = (scores >= scores[case.truth]).sum()  # ties count against us
    print(file=sys.stderr)
    values = {c: per_case(r) for c, r in ranks.items()}
    drawn = np.random.default_rng(SEED).integers(len(cases), size=(RESAMPLES, len(cases)))
    out: dict[str, Any] = {"n": len(cases)}
    for condition in CONDITIONS:
        row: dict[str, Any] = {m: round(float(values[condition][m].mean()), 4) for m in METRICS}
        if condition != "on":
            row["difference"] = {m: interval(values[condition][m] - values["on"][m], drawn) for m in METRICS}
        out[condition] = row
    out["kinds"] = {}
    for kind in KINDS:
        with_it, without = np.array(first["on"]), np.array(first[f"without {kind}"])
        truth = np.array([-1 if c.truth is None else c.truth for c in cases])
        changed = with_it != without
        out["kinds"][kind] = {
            "cases with it": sum(
                any(b.kind == kind for c in case.workup.candidates for b in c.branches) for case in cases
            ),
            "changed the first": int(changed.sum()),
            "to the better": int((changed & (with_it == truth)).sum()),
            "to the worse": int((changed & (without == truth)).sum()),
        }
    return out


def per_case(ranks: np.ndarray) -> dict[str, np.ndarray]:
    """float64 (n,) by metric; an infinite rank is a miss."""
    return {"top1": (ranks <= 1) * 1.0, "top10": (ranks <= 10) * 1.0, "mrr": 1 / ranks}


def interval(differences: np.ndarray, drawn: np.ndarray) -> list[float]:
    """[mean, lower, upper] of the mean difference: the 2.5th and 97.5th percentile over the resamples."""
    means = differences.astype(np.float64)[drawn].mean(1)
    return [round(float(x), 4) for x in (differences.mean(), *np.percentile(means, (2.5, 97.5)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--cases", type=Path, help="published patients: a cases file as for whydx eval diagnose")
    parser.add_argument("--limit", type=int, default=250, help="cases of each kind")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    home = home_folder(arguments.home)
    pipeline = Pipeline.open(home)
    graph = pipeline.graph
    every = range(0, len(graph), max(1, len(graph) // 5000))
    words = sorted({word for n in every for word in graph.name(n).lower().split()})
    groups = {"chest": list(simulated(pipeline, arguments.limit))}
    if arguments.cases:
        groups["published"] = list(published(home, arguments.cases, arguments.limit))
    result: dict[str, Any] = {"measured": stamp(), "reasoner": pipeline.checkpoint.fingerprint}
    result |= {name: run(pipeline.scorer, cases, words) for name, cases in groups.items()}
    if arguments.json:
        print(json.dumps(result))
        return
    print(result["measured"])
    for name in groups:
        table = result[name]
        print(f"\n{name}, {table['n']} cases")
        for condition in CONDITIONS:
            row = table[condition]
            line = f"{condition:20}" + "".join(f"  {m} {row[m]:.3f}" for m in METRICS)
            for metric, (mean, low, high) in row.get("difference", {}).items():
                line += f"  Δ{metric} {mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            print(line)
        for kind, counts in table["kinds"].items():
            print(f"{kind:20}" + "".join(f"  {name}: {n}" for name, n in counts.items()))


if __name__ == "__main__":
    main()
