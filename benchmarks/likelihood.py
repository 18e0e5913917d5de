"""The likelihood on published patients: ``python -m benchmarks.likelihood CASES.jsonl [--home DIR] [--fit] [--json]``.

Ranks every annotated OMIM disease for the patients of held-out diseases (one disease in five, by hash) with

- resnik: the sum over findings of Resnik's similarity (asymmetric);
- three scores: Resnik + log likelihood ratio + 3 × coverage, the weights set by hand;
- shipped: ``kg.likelihood.LikelihoodSettings``.

``--fit`` finds new weights on the patients of the other diseases (at most five of each disease, listwise maximum
likelihood, no negative weight) and prints them with their figures. Patients whose publication is cited in the
annotations of their disease leak; the others are also reported apart ("unseen").
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from fusion.evaluate import rank_metrics
from fusion.patients import PublishedCase, in_validation, read_cases, to_case
from fusion.workup import observations
from kg.graph import KnowledgeGraph
from kg.likelihood import FEATURES, PUBLISHED_PATIENTS, LikelihoodModel, LikelihoodSettings

PER_DISEASE = 5
HAND_MADE = {
    "resnik": (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "three scores": (1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 0.0),
}


class Bench:
    """Features of patients over the OMIM diseases."""

    def __init__(self, home: Path) -> None:
        self.graph = KnowledgeGraph.open(home / "graph")
        self.model = LikelihoodModel(self.graph, settings=PUBLISHED_PATIENTS)
        self.rows = np.flatnonzero(self.model.rows_with_code("OMIM"))
        self.position = {int(n): i for i, n in enumerate(self.model.annotations.disease[self.rows])}

    def features(self, case: PublishedCase) -> np.ndarray:
        """float32 (diseases, F)."""
        found, _ = to_case(case, self.graph)
        return self.model.features(observations(found))[self.rows].astype(np.float32)

    def truth(self, case: PublishedCase) -> int | None:
        """Row of the patient's disease, or None when it is not annotated."""
        return self.position.get(self.graph.node(case.disease)) if case.disease in self.graph else None

    def cited(self, case: PublishedCase) -> bool:
        """Whether the annotations of the patient's disease cite the patient's publication."""
        if case.disease not in self.graph:
            return False
        references = {r for t in self.graph.triples(case.disease, "has_phenotype") for r in t.reference.split(";")}
        return case.pmid in references


def fit(bench: Bench, cases: list[PublishedCase]) -> tuple[float, ...]:
    """Weights in the order of FEATURES."""
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    kept: dict[str, int] = defaultdict(int)
    features, truths = [], []
    for case in cases:
        truth = bench.truth(case)
        if truth is None or kept[case.disease] == PER_DISEASE:
            continue
        kept[case.disease] += 1
        features.append(bench.features(case))
        truths.append(truth)
    scale = np.mean([f.std(0) for f in features], axis=0) + 1e-6

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros(len(w))
        for x, t in zip(features, truths, strict=True):
            scores = (x @ (w / scale).astype(np.float32)).astype(np.float64)
            log_p = scores - logsumexp(scores)
            total -= log_p[t]
            gradient += (np.exp(log_p).astype(np.float32) @ x - x[t]) / scale
        return total / len(truths) + 1e-4 * float(w @ w), gradient / len(truths) + 2e-4 * w

    start = np.array(LikelihoodSettings().weights) * scale
    found = (
        minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(FEATURES), options={"maxiter": 60}
        ).x
        / scale
    )
    return tuple(round(float(w), 3) for w in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--limit", type=int, help="only so many validation patients, spread evenly")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bench = Bench(arguments.home)
    cases = list(read_cases(arguments.cases))
    settings = {**HAND_MADE, "shipped": LikelihoodSettings().weights}
    if arguments.fit:
        settings["fitted"] = fit(bench, [c for c in cases if not in_validation(c.disease)])
    held_out = [c for c in cases if in_validation(c.disease)]
    if arguments.limit:
        held_out = held_out[:: max(1, len(held_out) // arguments.limit)]
    ranks: dict[str, list[int | None]] = {name: [] for name in settings}
    unseen = []
    seconds = 0.0
    for case in held_out:
        started = time.perf_counter()
        features = bench.features(case)
        seconds += time.perf_counter() - started
        truth = bench.truth(case)
        unseen.append(not bench.cited(case))
        for name, weights in settings.items():
            scores = features @ np.array(weights, np.float32)
            # ties count against us
            ranks[name].append(None if truth is None else int((scores >= scores[truth]).sum()))
    result = {
        name: {
            "weights": dict(zip(FEATURES, settings[name], strict=True)),
            "all": rank_metrics(found),
            "unseen": rank_metrics([r for r, new in zip(found, unseen, strict=True) if new]),
        }
        for name, found in ranks.items()
    }
    if arguments.json:
        print(json.dumps({"ms_per_case": round(1000 * seconds / len(held_out), 1), **result}))
        return
    speed = 1000 * seconds / len(held_out)
    print(f"{len(held_out)} patients of held-out diseases, {len(bench.rows)} candidates, {speed:.0f} ms a case")
    for name, row in result.items():
        for part in ("all", "unseen"):
            figures = row[part]
            tops = "  ".join(f"top-{k} {figures[f'top{k}']:.3f}" for k in (1, 3, 10))
            print(f"{name:13} {part:7} n {figures['n']:5}  {tops}")
    if arguments.fit:
        print("fitted weights:", result["fitted"]["weights"])


if __name__ == "__main__":
    main()
