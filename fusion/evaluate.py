"""Scoring diagnoses on cases whose disease is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError
from fusion import checkpoint as checkpoints
from fusion.calibration import softmax
from fusion.patients import PublishedCase, in_validation, read_cases, to_case
from fusion.prior import published_likelihood
from fusion.scorer import Scorer, questions
from fusion.workup import RANKER, Case, WorkupRoom, observations
from kg.graph import KnowledgeGraph
from kg.ranker import POOL, Population, Ranker

RANKING_LENGTH = 100
SHORTLIST = 20
MODES = ("published", "patient", "likelihood", "reasoner", "no-branches", "shuffled-branches")
Progress = Callable[[str, int, int], None]


def rank_metrics(ranks: Sequence[int | None]) -> dict[str, float]:
    """Share of cases with the true disease in the first k, and the mean reciprocal rank; a missing disease is a
    miss."""
    n = max(len(ranks), 1)
    found: dict[str, float] = {"n": len(ranks)}
    found |= {f"top{k}": round(sum(r is not None and r <= k for r in ranks) / n, 4) for k in (1, 3, 5, 10, 50)}
    return found | {"mrr": round(sum(1 / r for r in ranks if r) / n, 4)}


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

    def __init__(self, home: Path, vocab: str = "OMIM", mode: str = "published") -> None:
        if mode not in MODES:
            raise InputError("unknown mode", value=mode, expected=", ".join(MODES))
        self.graph = KnowledgeGraph.open(home / "graph")
        likelihood = published_likelihood(self.graph)
        population: Population = "patient" if mode == "patient" else "published"
        self.room = WorkupRoom(self.graph, likelihood, None if mode == "likelihood" else Ranker(likelihood, population))
        self.within = self.room.likelihood.rows_with_code(vocab)
        if not self.within.any():
            raise InputError(
                "no annotated disease has a code in the vocabulary",
                value=vocab,
                expected="a CURIE prefix such as OMIM or ORPHA",
            )
        self.codes: dict[str, list[str]] = {}
        for code, curie in sorted(self.graph.codes_in(vocab).items()):
            self.codes.setdefault(curie, []).append(code)
        self.mode, self.scorer, self.calibration = mode, None, None
        if mode in ("reasoner", "no-branches", "shuffled-branches"):
            loaded = checkpoints.load()
            self.calibration = loaded.calibration.get(vocab, loaded.calibration["OMIM"])
            self.scorer = Scorer(loaded.network, loaded.tokenize, gate=self.calibration.gate)

    def ranked(self, case: Case) -> tuple[list[tuple[str, np.ndarray]], dict[str, float]]:
        """The best diseases before the reasoner, with their features, at most RANKING_LENGTH, best first; and the
        probability of each of the pool."""
        if self.room.ranker is None:
            found = self.room.likelihood.candidates(observations(case), k=POOL, within=self.within)
            listed = [(self.graph.curie(int(n)), f) for n, f in zip(found.nodes, found.features, strict=True)]
            scores = found.scores
        else:
            listed = self.room.shortlist(case, POOL, self.within)
            scores = np.array([f[RANKER] for _, f in listed])
        probability = dict(zip([curie for curie, _ in listed], softmax(scores).tolist(), strict=True))
        return listed[:RANKING_LENGTH], probability

    def row(self, published: PublishedCase) -> dict[str, Any]:
        """{"id", "ranking": at least 50 codes (all there are, if fewer), best first, "probabilities": one a code}.

        With the reasoner the probabilities are calibrated over its shortlist and "none of these", and 0 below it. In
        the other modes they are a softmax over the pool of the likelihood's first 200.
        """
        case, _ = to_case(published, self.graph)
        listed, probability = self.ranked(case)
        if self.scorer is not None and self.calibration is not None and case.observed:
            workup = self.room.lay_out(case, listed[:SHORTLIST])
            condition = {"no-branches": "off", "shuffled-branches": "shuffled"}.get(self.mode, "on")
            scores = self.scorer.scores(questions(workup, condition))
            probability = {}
            for candidate, p in zip(workup.candidates, softmax(scores, self.calibration.temperature), strict=True):
                probability[candidate.curie] = float(p)
            order = np.argsort(-scores[:-1], kind="stable")
            listed = [listed[i] for i in order] + listed[SHORTLIST:]
        ranking, probabilities = [], []
        for curie, _ in listed:
            for code in self.codes[curie]:
                ranking.append(code)
                probabilities.append(round(probability.get(curie, 0.0), 6))
        return {"id": published.case_id, "ranking": ranking, "probabilities": probabilities}


def evaluate_diagnose(
    cases: Path,
    home: Path,
    *,
    vocab: str = "OMIM",
    split: str | None = None,
    limit: int | None = None,
    mode: str = "published",
    progress: Progress | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Prediction rows, one a case in the order of the file, and metrics.

    ``mode`` as for `CaseRanker`. ``split``: "val" or "train" by disease, None for
    all. ``limit``: only so many cases, spread evenly over the file. Metrics are those of ``rank_metrics``; a case
    none of whose findings the graph knows is ranked by prior alone. Raises InputError for an unknown split, mode or
    vocabulary, unreadable cases, or a split that leaves none.
    """
    chosen = [c for c in read_cases(cases) if in_split(c.disease, split)]
    if limit is not None and len(chosen) > limit:
        chosen = [chosen[i * len(chosen) // limit] for i in range(limit)]
    if not chosen:
        raise InputError("no case is left", value=split, expected="a split that the cases have")
    ranker = CaseRanker(home, vocab, mode)
    rows: list[dict[str, Any]] = []
    ranks: list[int | None] = []
    for i, case in enumerate(chosen):
        row = ranker.row(case)
        rows.append(row)
        ranks.append(row["ranking"].index(case.disease) + 1 if case.disease in row["ranking"] else None)
        if progress:
            progress("diagnose", i + 1, len(chosen))
    return rows, rank_metrics(ranks) | {"vocab": vocab, "split": split or "all", "mode": mode}
