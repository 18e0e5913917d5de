"""Whether corrections help with other patients: ``python -m benchmarks.learning.feedback_replay FILE… --home HOME``.

Patients in words with a known diagnosis (JSON lines, as `fusion.training.text_cases` reads them) are diagnosed. A
simulated reviewer says of 200 of them, drawn at random, what was right; the home learns its local setting from that
(`whydx adapt --feedback`), and the others are diagnosed in it. Again and again; the means of the differences, with
the middle 95 % over the repeats. Once more with as many corrections to random diseases of the chest layer, which say
nothing of the place: what then is gained, is none of the feedback's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import stamp
from fusion.calibration import Known, softmax
from fusion.checkpoint import load
from fusion.local import LocalPrior
from fusion.pipeline import SHORTLIST, Pipeline
from fusion.prior import layer_diseases
from fusion.training.text_cases import TextCase, text_cases
from fusion.workup import PRIOR
from kg.graph import KnowledgeGraph
from learning import counts
from records.feedback import Feedback, Named

CORRECTIONS, REPEATS, SHOWN = 200, 20, 5
MEASURES = ("top 1", "top 5", "top 10", "ln p of the right one")


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """A patient: scores (D,) of all diseases, the temperature of the probabilities, the rows of right answers, and the
    one that a reviewer would name."""

    scores: NDArray[np.float64]
    temperature: float
    right: NDArray[np.int64]
    named: int

    def judged(self, moved: NDArray[np.float64]) -> tuple[float, float, float, float]:
        """MEASURES under a prior that is moved by ``moved`` (D,), already weighed."""
        scores = self.scores + moved
        rank = int((scores > scores[self.right].max()).sum()) + 1
        listed, p = self.probabilities(scores)
        kept = float(p[np.isin(listed, self.right)].sum())
        return float(rank == 1), float(rank <= 5), float(rank <= 10), float(np.log(max(kept, 1e-3)))

    def probabilities(self, scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of the shortlist, best first, and their probabilities among each other."""
        listed = np.argsort(-scores, kind="stable")[:SHORTLIST]
        return listed, softmax(scores[listed], self.temperature)


def told(pipeline: Pipeline, cases: Sequence[TextCase]) -> list[Told]:
    """The patients of which a right answer is in the graph."""
    layer = set(layer_diseases(pipeline.graph, pipeline.room.disease))
    nodes = {pipeline.graph.node(curie) for curie in layer}
    in_layer = np.isin(pipeline.room.disease, sorted(nodes))
    words, found = pipeline.calibrations.words, []
    for text in cases:
        right = np.flatnonzero(text.right)
        if not len(right):
            continue
        case = text.case
        rows, ordered = pipeline.room.order(case)
        scores = np.empty(len(rows))
        scores[rows] = ordered
        known = Known(words=len(case.stems))
        length = 1 + known.words / words.length if words.length else 1.0
        named = max(right.tolist(), key=lambda row: (bool(in_layer[row]), float(scores[row])))
        found.append(Told(scores, words.temperature * length, right, named))
    return found


def feedback(patients: Sequence[Told], named: Sequence[int], graph: KnowledgeGraph, disease: Any) -> list[Feedback]:
    """What the reviewer says of each: the row ``named`` is right."""
    said = []
    for number, (patient, right) in enumerate(zip(patients, named, strict=True)):
        listed, p = patient.probabilities(patient.scores)
        first, correct = (_named(graph, int(disease[row])) for row in (listed[0], right))
        accepted = int(listed[0]) == right
        at = np.flatnonzero(listed[:SHOWN] == right)
        said.append(
            Feedback(
                day="2026-11-28",
                report=str(number),
                verdict="accepted" if accepted else "corrected",
                first=first,
                probability=float(p[0]),
                correct=None if accepted else correct,
                correct_rank=int(at[0]) + 1 if len(at) and not accepted else None,
                correct_probability=float(p[at[0]]) if len(at) and not accepted else None,
            ).identified()
        )
    return said


def _named(graph: KnowledgeGraph, node: int) -> Named:
    return Named(curie=graph.curie(node), name=graph.name(node))


def replay(pipeline: Pipeline, patients: Sequence[Told], repeats: int, *, random: bool = False) -> dict[str, Any]:
    """The figures; ``random``: the reviewer names diseases of the layer by chance."""
    graph, disease = pipeline.graph, pipeline.room.disease
    assert pipeline.room.evidence is not None
    weight = pipeline.room.evidence.settings.weights[PRIOR]
    layer = [int(np.searchsorted(disease, graph.node(c))) for c in layer_diseases(graph, disease)]
    before, after, covered, gates = [], [], [], []
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        order = rng.permutation(len(patients))
        learnt = [patients[i] for i in order[:CORRECTIONS]]
        others = [patients[i] for i in order[CORRECTIONS:]]
        named = [int(rng.choice(layer)) for _ in learnt] if random else [p.named for p in learnt]
        found = counts.of_feedback(feedback(learnt, named, graph, disease), graph)
        gates.append(not found.worse)
        moved = weight * LocalPrior(counts=found.prior.counts).ratio(graph, disease)
        before.append([p.judged(np.zeros(len(disease))) for p in others])
        after.append([p.judged(moved) for p in others])
        covered.append([p.named in set(named) for p in others])
    out: dict[str, Any] = {"repeats": repeats, "other patients": len(others), "kept by the gate in": sum(gates)}
    seen = np.array(covered)
    for name, rows in (
        ("all", seen | True),
        ("disease among the corrections", seen),
        ("disease not among them", ~seen),
    ):
        differences = np.array(
            [(np.array(a)[r] - np.array(b)[r]).mean(0) for a, b, r in zip(after, before, rows, strict=True) if r.any()]
        )
        base = np.concatenate([np.array(b)[r] for b, r in zip(before, rows, strict=True)])
        low, high = np.percentile(differences, (2.5, 97.5), axis=0)
        out[f"{name} (a share of {rows.mean():.2f})"] = {
            measure: f"{base[:, i].mean():.3f} {differences[:, i].mean():+.3f} ({low[i]:+.3f} to {high[i]:+.3f})"
            for i, measure in enumerate(MEASURES)
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", type=Path, nargs="+")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    args = parser.parse_args()
    pipeline = Pipeline.open(args.home)
    assert load().calibration["chest"].words.gate == 0, "the network is asked, too: its part is not replayed here"
    cases = list(text_cases(args.cases, pipeline.intake, pipeline.graph, pipeline.room.disease))
    patients = told(pipeline, cases)
    print(f"{len(cases)} patients, {len(patients)} with a right answer in the graph, {CORRECTIONS} corrected")
    usual = float(np.median([len(text.case.stems) for text in cases]))
    print(f"words of a note that count, median: {usual:g}; reach of the prior: {counts.reach():.3f}")
    print(json.dumps({"feedback": replay(pipeline, patients, args.repeats)}, indent=1))
    print(json.dumps({"random diseases": replay(pipeline, patients, args.repeats, random=True)}, indent=1))
    print(stamp())


if __name__ == "__main__":
    main()
