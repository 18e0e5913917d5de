"""Rankings of published patients without the reasoner: ``python -m benchmarks.likelihood CASES.jsonl --home DIR``.

Ranks every annotated OMIM disease for the patients of held-out diseases (one disease in five, by hash) by

- resnik: the sum over the patient's findings of Resnik's similarity to the disease (asymmetric);
- bma: best-match average of Resnik's similarity, over the terms of both sides (pyhpo's ``combine="BMA"``);
- ratios: the log likelihood ratios alone;
- three scores: Resnik + log likelihood ratio + 3 × coverage, the weights set by hand;
- likelihood: ``kg.likelihood``, fitted weights;
- patient: ``kg.ranker`` over the likelihood's first 200, without the features of reporting;
- published: the same with them. They are an artefact of how patients get published.

Groups as in the accepting scorer: all; annotated (the disease has annotations at all: no ranking of annotated diseases
can find the others); unseen (annotated, and the patient's publication is not cited there: the others leak).
Ties count against the ranking.

``--fit DIR`` first fits both rankers and their calibrations on the patients of the other diseases, writes their weights
to DIR and measures those. ``--calibrate DIR`` fits only the calibrations, for the weights that DIR has.

``--calibration`` adds how far the probabilities of both rankers can be believed
(``fusion.evaluation.published.calibration_figures`` of the rows that ``whydx eval diagnose`` writes): as it is, and as
if no patient's publication were known.

``--cross`` measures all diseases instead of the held-out ones, at most PER_GROUP patients of a disease whose
publication is cited and as many of which it is not: the rankers are fitted five times, and every patient is ranked by
those that saw no patient of the disease. Intervals (95 %) are bootstrapped over diseases.

``--peer pyhpo`` adds pyhpo's own best-match average, 3 s a patient: give ``--limit`` too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import stamp
from benchmarks.peers.pyhpo_similarity import BestMatchAverage
from fusion.evaluation.published import CaseRanker, calibration_figures, rank_metrics
from fusion.patients import PublishedCase, in_validation, read_cases, to_case
from fusion.training.ranker_fit import FOLDS, PER_DISEASE, calibrate, fit, fold, lists
from fusion.workup import observations
from kg.graph import KnowledgeGraph
from kg.likelihood import FEATURES, PUBLISHED_PATIENTS, LikelihoodModel, Observation
from kg.profile import ProfileComparer
from kg.ranker import (
    POOL,
    POPULATION_FEATURES,
    Population,
    RankerWeights,
    load,
    save,
    write_calibration,
)

HAND_MADE = {
    "resnik": {"match": 1.0},
    "ratios": {"present": 1.0},
    "three scores": {"match": 1.0, "present": 1.0, "coverage": 3.0},
}
SYSTEMS = ("resnik", "bma", "ratios", "three scores", "likelihood", "patient", "published")
PYHPO = "bma (pyhpo)"
PER_GROUP = 12
RESAMPLES = 1000


class Bench:
    """Scores of patients over the OMIM diseases of a home's graph."""

    def __init__(self, home: Path, weights: Path | None) -> None:
        self.graph = KnowledgeGraph.open(home / "graph")
        self.model = LikelihoodModel(self.graph, settings=PUBLISHED_PATIENTS)
        self.within = self.model.rows_with_code("OMIM")
        self.rows = np.flatnonzero(self.within)
        code_of = {curie: code for code, curie in sorted(self.graph.codes_in("OMIM").items(), reverse=True)}
        self.codes = [code_of[self.graph.curie(int(n))] for n in self.model.annotations.disease[self.rows]]
        self.position = {int(n): i for i, n in enumerate(self.model.annotations.disease[self.rows])}
        self.profile = ProfileComparer(self.model)
        shipped: dict[Population, RankerWeights] = {p: load(p, weights) for p in POPULATION_FEATURES}
        self.weights = dict.fromkeys(range(FOLDS), shipped)  # by the part of the diseases that is ranked
        self.seconds = dict.fromkeys(("likelihood", "ranker"), 0.0)

    def scores(self, case: PublishedCase) -> dict[str, np.ndarray]:
        """float64 (diseases,) by system; the rankers score only their pool, and the rest come after it."""
        found, _ = to_case(case, self.graph)
        seen = observations(found)
        started = time.process_time()
        every = self.model.features(seen)[self.rows]
        fitted = every @ np.array(PUBLISHED_PATIENTS.weights)
        pool = np.argsort(-fitted, kind="stable")[:POOL]
        likelihood = time.process_time()
        features = self.profile.features(seen, self.rows[pool], age=found.age, sex=found.sex)
        out: dict[str, np.ndarray] = {}
        for population, weights in self.weights[fold(case.disease)].items():
            out[population] = np.full(len(self.rows), -np.inf)
            out[population][pool] = weights.scores(features[:, : len(POPULATION_FEATURES[population])])
        self.seconds["likelihood"] += likelihood - started
        self.seconds["ranker"] += time.process_time() - likelihood
        for name, share in HAND_MADE.items():
            out[name] = every @ np.array([share.get(f, 0.0) for f in FEATURES])
        return out | {"likelihood": fitted, "bma": self.best_match_average(seen)}

    def best_match_average(self, seen: tuple[Observation, ...]) -> np.ndarray:
        """float64 (diseases,): the best similarities of all terms of both sides, over their number."""
        direct = self.model.annotations.direct_indptr
        present = [self.graph.node(o.curie) for o in seen if o.odds_ratio > 1]
        total, reached = np.zeros(len(direct) - 1), np.zeros(int(direct[-1]))
        counts = np.diff(direct)
        for node in present:
            similar = self.profile.similarity(node)[self.profile.term_at]
            reached = np.maximum(reached, similar)
            total[counts > 0] += np.maximum.reduceat(similar, direct[:-1][counts > 0])
        total += self.model.annotations.sum_by_disease(reached)
        return (total / np.maximum(counts + len(present), 1))[self.rows]

    def cross(self, cases: list[PublishedCase]) -> list[PublishedCase]:
        """Weights for each part of the diseases, fitted on the patients of the others; and the patients to measure, of
        each disease those first whose publication is not cited."""
        taken: Counter[tuple[str, bool]] = Counter()
        chosen: dict[bool, list[PublishedCase]] = {False: [], True: []}
        for i in np.random.default_rng(0).permutation(len(cases)):
            cited = self.cited(cases[i])
            taken[cases[i].disease, cited] += 1
            if taken[cases[i].disease, cited] <= PER_GROUP:
                chosen[cited].append(cases[i])
        found = [*chosen[False], *chosen[True]]
        examples = lists(self.model, found, self.within)
        for part in range(FOLDS):
            others = examples.of(np.array([fold(d) != part for d in examples.disease]))
            self.weights[part] = {population: fit(others, population) for population in POPULATION_FEATURES}
        return found

    def truth(self, case: PublishedCase) -> int | None:
        """Position of the patient's disease, or None when it is not annotated."""
        return self.position.get(self.graph.node(case.disease)) if case.disease in self.graph else None

    def cited(self, case: PublishedCase) -> bool:
        """Whether the annotations of the patient's disease cite the patient's publication."""
        if case.disease not in self.graph:
            return False
        references = {r for t in self.graph.triples(case.disease, "has_phenotype") for r in t.reference.split(";")}
        return case.pmid in references


class Fitting:
    """Fits rankers and their calibrations on the patients of the training diseases."""

    def __init__(self, home: Path, cases: list[PublishedCase]) -> None:
        graph = KnowledgeGraph.open(home / "graph")
        self.model = LikelihoodModel(graph, settings=PUBLISHED_PATIENTS)
        self.within = self.model.rows_with_code("OMIM")
        order = np.random.default_rng(0).permutation(len(cases))
        self.learning = [cases[i] for i in order if not in_validation(cases[i].disease)]
        self.examples = lists(self.model, self.learning, self.within)
        self.about = {"date": datetime.now(UTC).date().isoformat(), "graph": graph.manifest.sha256}

    def weights(self, out: Path, command: str) -> None:
        """Write each population's weights and card to ``out``."""
        about = {"command": command, "patients": len(self.examples.features), "most_of_a_disease": PER_DISEASE}
        for population in POPULATION_FEATURES:
            save(out, population, fit(self.examples, population), {**self.about, **about})

    def calibrations(self, out: Path, command: str) -> None:
        """Write each population's calibration into its card in ``out``."""
        diseases = len({c.disease for c in self.learning})
        on = {"command": command, "patients": len(self.learning), "diseases": diseases}
        for population, found in calibrate(self.model, self.learning, self.examples, self.within).items():
            write_calibration(out, population, {**found.card(), **self.about, **on})


def believed(home: Path, weights: Path | None, held_out: list[PublishedCase]) -> dict[str, dict[str, Any]]:
    """Calibration by population, and the same with every publication withheld."""
    found = {}
    for population in POPULATION_FEATURES:
        ranker = CaseRanker(home, mode=population, weights=weights)
        for name, cases in (
            (population, held_out),
            (f"{population}, undated", [replace(c, pmid="") for c in held_out]),
        ):
            found[name] = calibration_figures([ranker.row(c) for c in cases], cases)
    return found


def intervals(ranks: Sequence[int | None], diseases: Sequence[str]) -> dict[str, list[float]]:
    """ "top1" and "top10" → [low, high], over bootstrapped diseases; empty without ranks."""
    names, disease = np.unique(diseases, return_inverse=True)
    rank = np.array([np.inf if r is None else r for r in ranks])
    members = [np.flatnonzero(disease == i) for i in range(len(names))]
    rng = np.random.default_rng(0)
    drawn = [np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))]) for _ in range(RESAMPLES)]
    found = {f"top{k}": np.percentile([(rank[d] <= k).mean() for d in drawn], [2.5, 97.5]) for k in (1, 10)}
    return {name: [round(float(x), 3) for x in limits] for name, limits in found.items()}


def measure(
    bench: Bench, held_out: list[PublishedCase], peer: BestMatchAverage | None = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """Metrics by system and group."""
    ranks: dict[str, list[int | None]] = {name: [] for name in (*SYSTEMS, *([PYHPO] if peer else []))}
    annotated, unseen = [], []
    for case in held_out:
        truth = bench.truth(case)
        annotated.append(truth is not None)
        unseen.append(truth is not None and not bench.cited(case))
        scored = bench.scores(case)
        if peer:
            scored[PYHPO] = peer.scores(case.observed)
        for name, scores in scored.items():
            found = truth is not None and np.isfinite(scores[truth])
            ranks[name].append(int((scores >= scores[truth]).sum()) if found else None)
    diseases = [case.disease for case in held_out]
    groups = {"all": [True] * len(held_out), "annotated": annotated, "unseen": unseen}
    return {
        name: {
            group: rank_metrics([found[i] for i in np.flatnonzero(members)])
            | {"interval": intervals(*([row[i] for i in np.flatnonzero(members)] for row in (found, diseases)))}
            for group, members in groups.items()
        }
        for name, found in ranks.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--fit", type=Path, metavar="DIR")
    parser.add_argument("--calibrate", type=Path, metavar="DIR")
    parser.add_argument("--calibration", action="store_true")
    parser.add_argument("--cross", action="store_true")
    parser.add_argument("--peer", choices=["pyhpo"])
    parser.add_argument("--limit", type=int, help="only so many validation patients, spread evenly")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cases = list(read_cases(arguments.cases))
    fitted = arguments.fit or arguments.calibrate
    if fitted:
        option = "fit" if arguments.fit else "calibrate"
        command = f"python -m benchmarks.likelihood CASES --home HOME --{option} DIR"
        fitting = Fitting(arguments.home, cases)
        if arguments.fit:
            fitting.weights(fitted, command)
        fitting.calibrations(fitted, command)
    bench = Bench(arguments.home, fitted)
    held_out = bench.cross(cases) if arguments.cross else [c for c in cases if in_validation(c.disease)]
    if arguments.limit and arguments.limit < len(held_out):
        held_out = [held_out[i * len(held_out) // arguments.limit] for i in range(arguments.limit)]
    peer = BestMatchAverage(bench.codes) if arguments.peer else None
    result = measure(bench, held_out, peer)
    milliseconds = {name: round(1000 * spent / len(held_out), 1) for name, spent in bench.seconds.items()}
    about: dict[str, Any] = {
        "candidates": len(bench.rows),
        "cpu_ms_per_case": milliseconds,
        "machine": stamp(),
        "systems": result,
    }
    if arguments.calibration:
        about["calibration"] = believed(arguments.home, fitted, held_out)
    if arguments.json:
        print(json.dumps(about))
        return
    print(f"{len(bench.rows)} candidates; CPU ms a case: {milliseconds}", file=sys.stderr)
    for name, by_group in result.items():
        for group, figures in by_group.items():
            tops = "  ".join(f"top-{k} {figures[f'top{k}']:.3f}" for k in (1, 3, 10))
            (low, high), (least, most) = figures["interval"]["top1"], figures["interval"]["top10"]
            limits = f"top-1 [{low:.3f}, {high:.3f}]  top-10 [{least:.3f}, {most:.3f}]"
            print(f"{name:13} {group:10} n {figures['n']:5}  {tops}  mrr {figures['mrr']:.3f}  {limits}")
    for name, figures in about.get("calibration", {}).items():
        print(f"{name:20} ece {figures['ece']:.3f}  coverage {figures['coverage']:.3f}  size {figures['set_size']:.1f}")


if __name__ == "__main__":
    main()
