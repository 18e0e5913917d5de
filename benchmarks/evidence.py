"""Is the evidence shown what counts? ``python -m benchmarks.evidence [--home DIR] [--limit 500] [--json]``.

For simulated chest patients (as in benchmarks.knowledge_ablation): every piece of evidence of the first diagnosis is
taken away anew, from a case laid out without it, and the change of the score compared with the weight shown. Then the
three most supporting pieces are taken away together, and three at random of the same evidence: the share of reports in
which the first lowers the score more. A path or an image region goes with its finding, so those of a finding that is
itself shown are not counted beside it; reports with fewer than six pieces left do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

import numpy as np

from benchmarks.knowledge_ablation import SEED, chest_patients
from benchmarks.machine import stamp
from fusion.diagnosis import Evidence
from fusion.intake import Recalled
from fusion.pipeline import Pipeline
from fusion.why.explainer import Explainer
from fusion.workup import Case, observations
from home import home_folder

LEAST_PIECES = 6
TAKEN = 3
PROCESSES = 2  # one a core
# Batching changes the last bits of a score.
CLOSE = 1e-4


def standing_apart(evidence: Sequence[Evidence], case: Case) -> list[Evidence]:
    """The pieces of which none goes with another one that is shown."""
    shown = {e.reference for e in evidence if e.kind == "finding"}
    region_of = {o.region_ref: o.curie for o in case.observed if o.region is not None}
    hangs_on = {"kg_path": lambda e: e.reference.partition(" → ")[0], "image_region": lambda e: region_of[e.reference]}
    return [e for e in evidence if e.kind not in hangs_on or hangs_on[e.kind](e) not in shown]


def weighed(home: Path, first: int, limit: int) -> Counter[str]:
    """Counts over the reports ``first`` to ``limit``, every second one with two processes, and so on."""
    pipeline = Pipeline.open(home)
    curriculum = chest_patients(pipeline)
    counts: Counter[str] = Counter()
    for i in range(first, limit, PROCESSES):
        if first == 0:
            print(f"\rreport {i + 1} of {limit}", end="", file=sys.stderr)
        drawn = curriculum.draw(i, "chest")
        if drawn is None or not observations(drawn.case):
            continue
        explainer = Explainer(pipeline, Recalled(case=drawn.case, embedding=None, warnings=()))
        now = explainer.now
        place, disease = now.ranked[0], now.curie(0)
        evidence = pipeline.scales.weigh(now.workup, now.found, [place], now.scores)[place]
        questions = [explainer.without(disease, [piece]) for piece in evidence]
        rng = np.random.default_rng([SEED, i])
        apart = standing_apart(evidence, drawn.case)
        compared = False
        if len(apart) >= LEAST_PIECES:
            top = sorted(apart, key=lambda e: (-e.weight, e.reference))[:TAKEN]
            at_random = [apart[n] for n in rng.choice(len(apart), TAKEN, replace=False)]
            questions += [explainer.without(disease, top), explainer.without(disease, at_random)]
            compared = {id(e) for e in top} != {id(e) for e in at_random}
        scores = pipeline.scorer.scores(questions)
        counts.update({"reports": 1, "pieces": len(evidence), "compared": int(compared)})
        for piece, score in zip(evidence, scores, strict=False):
            weight = float(now.scores[place] - score)
            counts["differ"] += abs(weight - piece.weight) > CLOSE or (weight > 0) != (piece.stance == "supports")
        counts["lower"] += bool(compared and scores[-2] < scores[-1])
    return counts


def end_with_parent() -> None:
    """Let a worker end when the process that started it is killed."""

    def wait() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--limit", type=int, default=500, help="reports")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    home = home_folder(arguments.home)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        parts = pool.map(weighed, [home] * PROCESSES, range(PROCESSES), [arguments.limit] * PROCESSES)
        counts = sum(parts, Counter())
    print(file=sys.stderr)
    result = {
        "measured": stamp(),
        "reports": counts["reports"],
        "pieces": counts["pieces"],
        "pieces whose weight differs": counts["differ"],
        "reports compared": counts["compared"],
        "top three lower it more": round(counts["lower"] / max(counts["compared"], 1), 4),
    }
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
