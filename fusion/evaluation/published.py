"""Scoring diagnoses on cases whose disease is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError
from fusion import checkpoint as checkpoints
from fusion.calibration import (
    ListCalibration,
    expected_calibration_error,
    patient_groups,
    publication_seniority,
    softmax,
)
from fusion.patients import PublishedCase, in_validation, read_cases, to_case
from fusion.prior import published_likelihood
from fusion.scorer import Scorer, questions
from fusion.workup import RANKER, Case, WorkupRoom, observations
from kg.graph import KnowledgeGraph
from kg.ranker import POOL, Population, Ranker, load, read_card
from ontologies.prefix import written_curie

SHORTLIST = 20
RESAMPLES = 1000
MODES = ("published", "patient", "likelihood", "reasoner", "no-branches", "shuffled-branches")
Progress = Callable[[str, int, int], None]


def rank_metrics(ranks: Sequence[int | None]) -> dict[str, float]:
    """Share of cases with the true disease in the first k, and the mean reciprocal rank; a missing disease is a
    miss."""
    n = max(len(ranks), 1)
    found: dict[str, float] = {"n": len(ranks)}
    found |= {f"top{k}": round(sum(r is not None and r <= k for r in ranks) / n, 4) for k in (1, 3, 5, 10, 50)}
    return found | {"mrr": round(sum(1 / r for r in ranks if r) / n, 4)}


def calibration_figures(rows: Sequence[dict[str, Any]], cases: Sequence[PublishedCase]) -> dict[str, Any]:
    """How far the probabilities of prediction rows can be believed; rows and cases in the same order.

    "ece": of the first diagnosis' probability, in ten bins. "coverage": of the conformal sets; one covers a patient
    when it holds the disease, or "none of these" for a disease outside the ranking. "set_size": mean number of
    diagnoses in a set. The same by sex and age group. Intervals (95 %) are bootstrapped over diseases, since the
    patients of one disease are right or wrong together.
    """
    names, disease = np.unique([c.disease for c in cases], return_inverse=True)
    confidence = np.array([r["probabilities"][0] for r in rows])
    correct = np.array([r["ranking"][0] == c.disease for r, c in zip(rows, cases, strict=True)], float)
    outside = np.array([c.disease not in r["ranking"] for r, c in zip(rows, cases, strict=True)])
    none = np.array([r["none_of_these"]["probability"] for r in rows])
    covered = np.array(
        [
            r["none_of_these"]["conformal"] if out else c.disease in r["conformal"]
            for r, c, out in zip(rows, cases, outside, strict=True)
        ],
        float,
    )
    size = np.array([len(r["conformal"]) for r in rows], float)
    members = [np.flatnonzero(disease == i) for i in range(len(names))]
    rng = np.random.default_rng(0)
    drawn = [np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))]) for _ in range(RESAMPLES)]

    def interval(value: Callable[[np.ndarray], float]) -> list[float]:
        low, high = np.nanpercentile([value(d) for d in drawn], [2.5, 97.5])
        return [round(float(low), 4), round(float(high), 4)]

    def coverage(of: np.ndarray) -> dict[str, Any]:
        def share(taken: np.ndarray) -> float:
            inside = of[taken]
            return float(covered[taken][inside].mean()) if inside.any() else float("nan")

        return {
            "n": int(of.sum()),
            "diseases": len(set(disease[of].tolist())),
            "coverage": round(float(covered[of].mean()), 4),
            "interval": interval(share),
            "set_size": round(float(size[of].mean()), 2),
        }

    groups = [patient_groups(c.age, c.sex) for c in cases]
    every = coverage(np.ones(len(rows), bool))
    return {
        "ece": round(expected_calibration_error(confidence, correct), 4),
        "ece_interval": interval(lambda d: expected_calibration_error(confidence[d], correct[d])),
        "confidence": round(float(confidence.mean()), 4),
        "top1": round(float(correct.mean()), 4),
        "none_of_these": round(float(none.mean()), 4),
        "outside_the_ranking": round(float(outside.mean()), 4),
        "coverage": every["coverage"],
        "coverage_interval": every["interval"],
        "set_size": every["set_size"],
        "groups": {g: coverage(np.array([g in own for own in groups])) for g in sorted({g for x in groups for g in x})},
    }


def in_split(disease: str, split: str | None) -> bool:
    """Whether a disease belongs to "val" (one in five, by hash), "train" (the others), or None (all)."""
    if split not in (None, "val", "train"):
        raise InputError("unknown split", value=split, expected="val or train")
    return split is None or in_validation(disease) == (split == "val")


class CaseRanker:
    """Ranks the diseases of one code system for published cases.

    ``mode`` is

    - "published": the ranker with the features of reporting (``kg.profile.REPORTING_FEATURES``): what an author lists
      as absent, and how often a disease is published, speak for a disease here and must not in front of a patient;
    - "patient": the ranker without them;
    - "likelihood": the ranker's pool in the likelihood's own order;
    - "reasoner": the ranker's shortlist re-ranked by the reasoner with its branches, "no-branches": the same with every
      branch masked, "shuffled-branches": each candidate with the branches of the next one, knowledge that is about
      something else.
    """

    def __init__(self, home: Path, vocab: str = "OMIM", mode: str = "published", weights: Path | None = None) -> None:
        """``weights``: a folder with rankers other than the shipped."""
        if mode not in MODES:
            raise InputError("unknown mode", value=mode, expected=", ".join(MODES))
        self.graph = KnowledgeGraph.open(home / "graph")
        self.likelihood = likelihood = published_likelihood(self.graph)
        population: Population = "patient" if mode == "patient" else "published"
        self.ranker = ranker = (
            None if mode == "likelihood" else Ranker(likelihood, population, load(population, weights))
        )
        self.room = None if ranker is None else WorkupRoom(self.graph, ranker)
        self.lists = None if ranker is None else ListCalibration.of(read_card(population, weights))
        self.within = likelihood.rows_with_code(vocab)
        if not self.within.any():
            raise InputError(
                "no annotated disease has a code in the vocabulary",
                value=vocab,
                expected="a CURIE prefix such as OMIM or ORPHA",
            )
        self.codes: dict[str, list[str]] = {}
        for code, curie in sorted(self.graph.codes_in(vocab).items()):
            self.codes.setdefault(curie, []).append(code)
        self.mode, self.scorer = mode, None
        if mode in ("reasoner", "no-branches", "shuffled-branches"):
            loaded = checkpoints.load()
            calibrations = loaded.calibration.get(vocab, loaded.calibration["OMIM"])
            self.scorer = Scorer(loaded.network, loaded.tokenize, calibrations=calibrations)

    def ranked(self, case: Case) -> tuple[list[tuple[str, np.ndarray]], np.ndarray]:
        """The pool's diseases before the reasoner, with their features, best first; and their scores, float64."""
        if self.room is None:
            found = self.likelihood.candidates(observations(case), k=POOL, within=self.within)
            listed = [(self.graph.curie(int(n)), f) for n, f in zip(found.nodes, found.features, strict=True)]
            return listed, found.scores
        listed = self.room.shortlist(case, POOL, self.within)
        return listed, np.array([f[RANKER] for _, f in listed], np.float64)

    def row(self, published: PublishedCase) -> dict[str, Any]:
        """{"id", "ranking": at least 50 codes (all there are, if fewer), best first, "probabilities": one a code,
        "conformal": the codes that cannot be ruled out at 90 %, "none_of_these": {"probability": that the disease is
        not in the ranking, "conformal": whether that cannot be ruled out}}.

        With a ranker the probabilities are those of its card's calibration. With the reasoner they are calibrated over
        its shortlist and "none of these", which is then none of the shortlist, and 0 below it. Those of the likelihood
        alone are a softmax of its scores and not calibrated, and the last two keys are missing.
        """
        case, _ = to_case(published, self.graph)
        listed, scores = self.ranked(case)
        threshold: float | None = None
        if self.scorer is not None and self.room is not None and case.observed:
            workup = self.room.lay_out(case, listed[:SHORTLIST])
            condition = {"no-branches": "off", "shuffled-branches": "shuffled"}.get(self.mode, "on")
            rescored = self.scorer.scores(questions(workup, condition))
            order = np.argsort(-rescored[:-1], kind="stable")
            listed = [listed[i] for i in order] + listed[SHORTLIST:]
            calibration = self.scorer.calibrations.of(case.worded, case.imaged)
            among = calibration.probabilities(
                rescored, self.room.known(case, [curie for curie, _ in listed[:SHORTLIST]])
            )
            p = np.concatenate([among[order], np.zeros(len(listed) - len(order)), among[-1:]])
            threshold = calibration.conformal_threshold
        elif self.lists is not None and self.ranker is not None:
            seniority = publication_seniority(published.pmid, self.ranker.newest_publication)
            p, threshold = self.lists.probabilities(scores, seniority)
        else:
            p = np.append(softmax(scores), 0.0)
        ranking: list[str] = []
        probabilities: list[float] = []
        conformal: list[str] = []
        for (curie, _), own in zip(listed, p[:-1].tolist(), strict=True):
            ranking += self.codes[curie]
            probabilities += [round(own, 6)] * len(self.codes[curie])
            if threshold is not None and own >= threshold:
                conformal += self.codes[curie]
        row = {"id": published.case_id, "ranking": ranking, "probabilities": probabilities}
        if threshold is None:
            return row
        none = float(p[-1])
        last = {"probability": round(none, 6), "conformal": none >= threshold}
        return row | {"conformal": conformal, "none_of_these": last}


def evaluate_diagnose(
    cases: Path,
    home: Path,
    *,
    vocab: str = "OMIM",
    split: str | None = None,
    limit: int | None = None,
    mode: str = "published",
    progress: Progress | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Prediction rows, one a case in the order of the file, and metrics.

    ``mode`` as for `CaseRanker`. ``split``: "val" or "train" by disease, None for all. ``limit``: only so many cases,
    spread evenly over the file. Metrics are those of ``rank_metrics`` and, in the rankers' modes, "ece", "coverage"
    and "set_size" of ``calibration_figures``. ``report`` is told, a line each, which findings of a case the graph does
    not know; "unknown_findings" and "cases_without_findings", ranked by prior alone, count them where there are any.
    Raises InputError for an unknown split, mode or vocabulary, unreadable cases, or a split that leaves none.
    """
    chosen = [c for c in read_cases(cases) if in_split(c.disease, split)]
    if limit is not None and len(chosen) > limit:
        chosen = [chosen[i * len(chosen) // limit] for i in range(limit)]
    if not chosen:
        raise InputError("no case is left", value=split, expected="a split that the cases have")
    ranker = CaseRanker(home, vocab, mode)
    rows: list[dict[str, Any]] = []
    ranks: list[int | None] = []
    unknown, empty = 0, 0
    for i, case in enumerate(chosen):
        told, strange = to_case(case, ranker.graph)
        unknown, empty = unknown + len(strange), empty + (not told.observed)
        if report is not None:
            for line in _remarks(case, told, strange, ranker.graph):
                report(line)
        row = ranker.row(case)
        rows.append(row)
        ranks.append(row["ranking"].index(case.disease) + 1 if case.disease in row["ranking"] else None)
        if progress:
            progress("diagnose", i + 1, len(chosen))
    metrics: dict[str, Any] = rank_metrics(ranks) | {"vocab": vocab, "split": split or "all", "mode": mode}
    metrics |= {"unknown_findings": unknown} if unknown else {}
    metrics |= {"cases_without_findings": empty} if empty else {}
    if mode in ("published", "patient"):
        figures = calibration_figures(rows, chosen)
        metrics |= {name: figures[name] for name in ("ece", "coverage", "set_size")}
    return rows, metrics


def _remarks(case: PublishedCase, told: Case, unknown: Sequence[str], graph: KnowledgeGraph) -> Iterator[str]:
    """What of a case the graph cannot use."""
    for written in unknown:
        instead = graph.consider(written_curie(written) or "")
        why = f"is obsolete; consider {' or '.join(instead)}" if instead else "is not in the graph"
        yield f"{case.case_id}: the finding {written!r} {why}; it is left out"
    if not told.observed:
        yield f"{case.case_id}: no finding to rank by"
