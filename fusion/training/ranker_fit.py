"""Fitting the ranker (``kg.ranker``) on published patients: listwise maximum likelihood over shortlists of the
likelihood.

Patients of one disease are alike, and a few diseases have hundreds: each patient weighs 1 / sqrt(patients of the
disease), of at most PER_DISEASE. Each of the ensemble's members starts from its own seed.

The probabilities (``fusion.calibration.ListCalibration``) are fitted on the same patients, scored by rankers that
learned from other diseases only.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from errors import InputError
from fusion.calibration import ListCalibration, fit_lists, publication_seniority
from fusion.patients import PublishedCase, to_case
from fusion.workup import observations
from kg.likelihood import LikelihoodModel
from kg.profile import ProfileComparer
from kg.ranker import POOL, POPULATION_FEATURES, Population, RankerWeights, standardised

PER_DISEASE, NEGATIVES, MEMBERS, HIDDEN = 8, 100, 4, 24
EPOCHS, BATCH, RATE, DECAY, DROPOUT = 30, 64, 3e-3, 1e-2, 0.1
FOLDS = 5
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Lists:
    """Shortlists to learn from: ``features`` float32 (N, 1 + NEGATIVES, F), the right disease first, with ``listed``
    bool (N, 1 + NEGATIVES) where there is one; ``weight`` float32 (N,); ``disease`` str (N,)."""

    features: np.ndarray
    listed: np.ndarray
    weight: np.ndarray
    disease: np.ndarray

    def of(self, chosen: np.ndarray) -> Lists:
        """Those that ``chosen`` (bool (N,)) names."""
        return Lists(self.features[chosen], self.listed[chosen], self.weight[chosen], self.disease[chosen])


def lists(
    likelihood: LikelihoodModel, cases: Sequence[PublishedCase], within: np.ndarray, progress: Progress | None = None
) -> Lists:
    """The shortlists of the cases whose disease is among ``within`` and that have a finding present; the order of the
    cases decides which of a disease's patients are taken. Raises InputError when none is left."""
    graph, disease = likelihood.graph, likelihood.annotations.disease
    profile = ProfileComparer(likelihood)
    taken: Counter[str] = Counter()
    rows: list[np.ndarray] = []
    of: list[str] = []
    for i, published in enumerate(cases):
        if progress:
            progress("compare training patients", i + 1, len(cases))
        if published.disease not in graph or taken[published.disease] == PER_DISEASE:
            continue
        node = graph.node(published.disease)
        truth = int(np.searchsorted(disease, node))
        if truth == len(disease) or disease[truth] != node or not within[truth]:
            continue
        case, _ = to_case(published, graph)
        seen = observations(case)
        if not any(o.odds_ratio > 1 for o in seen):
            continue
        taken[published.disease] += 1
        of.append(published.disease)
        found = likelihood.candidates(seen, k=NEGATIVES + 1, within=within).nodes
        wrong = [r for r in np.searchsorted(disease, found).tolist() if r != truth][:NEGATIVES]
        rows.append(profile.features(seen, np.array([truth, *wrong]), age=published.age, sex=published.sex))
    if not rows:
        raise InputError(
            "no patients to fit the ranker on", value=len(cases), expected="patients of annotated diseases"
        )
    features = np.zeros((len(rows), 1 + NEGATIVES, rows[0].shape[1]), np.float32)
    listed = np.zeros(features.shape[:2], bool)
    for i, own in enumerate(rows):
        features[i, : len(own)], listed[i, : len(own)] = own, True
    weight = np.array([taken[d] ** -0.5 for d in of], np.float32)
    return Lists(features, listed, weight, np.array(of))


def fit(examples: Lists, population: Population, *, seed: int = 0, progress: Progress | None = None) -> RankerWeights:
    """Weights for a population whose features are the first of ``examples``' (a patient's come before those of
    reporting), so that one set of lists serves both."""
    import torch
    from torch import nn

    count = len(POPULATION_FEATURES[population])
    raw = examples.features[:, :, :count]
    wrong = raw[:, 1:][examples.listed[:, 1:]]
    mean, spread = wrong.mean(0), wrong.std(0) + 1e-6
    x, listed = torch.from_numpy(standardised(raw, mean, spread)), torch.from_numpy(examples.listed)
    weight = torch.from_numpy(examples.weight)
    members = []
    for member in range(MEMBERS):
        torch.manual_seed(seed * MEMBERS + member)
        rng = np.random.default_rng([seed, member])
        direct, inner, outer = (
            nn.Linear(count, 1, bias=False),
            nn.Linear(count, HIDDEN),
            nn.Linear(HIDDEN, 1, bias=False),
        )
        nn.init.zeros_(direct.weight)
        nn.init.zeros_(outer.weight)
        parts = nn.ModuleList([direct, inner, outer])
        optimiser = torch.optim.AdamW(parts.parameters(), lr=RATE, weight_decay=DECAY)
        batches = len(x) // BATCH + 1
        for epoch in range(EPOCHS):
            if progress:
                progress(f"fit the {population} ranker", member * EPOCHS + epoch + 1, MEMBERS * EPOCHS)
            for i, part in enumerate(np.array_split(rng.permutation(len(x)), batches)):
                for group in optimiser.param_groups:
                    group["lr"] = RATE * (1 - (epoch * batches + i) / (EPOCHS * batches))
                hidden = nn.functional.dropout(nn.functional.silu(inner(x[part])), DROPOUT)
                scores = (direct(x[part]) + outer(hidden))[:, :, 0].masked_fill(~listed[part], -1e4)
                lost = scores.logsumexp(1) - scores[:, 0]
                loss = (lost * weight[part]).sum() / weight[part].sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        members.append([p.detach().numpy() for p in (direct.weight[0], inner.weight.T, inner.bias, outer.weight[0])])
    stacked = [np.stack(arrays).astype(np.float32) for arrays in zip(*members, strict=True)]
    return RankerWeights(mean.astype(np.float32), spread.astype(np.float32), *stacked)


def fold(disease: str) -> int:
    """0 … FOLDS - 1, by hash: the part of the cross-fitting that a disease belongs to."""
    return int(hashlib.sha256(f"fold:{disease}".encode()).hexdigest()[:8], 16) % FOLDS


def calibrate(
    likelihood: LikelihoodModel,
    cases: Sequence[PublishedCase],
    examples: Lists,
    within: np.ndarray,
    progress: Progress | None = None,
) -> dict[Population, ListCalibration]:
    """The calibration of each population's ranker, cross-fitted: the patients of one part of the diseases are scored by
    a ranker that learned from the ``examples`` of the other parts. Every case counts, also one whose disease is not
    annotated; it weighs 1 / sqrt(patients of the disease). Takes 3 kB of memory a case."""
    graph, profile = likelihood.graph, ProfileComparer(likelihood)
    rankers = [
        {p: fit(examples.of(np.array([fold(d) != part for d in examples.disease])), p) for p in POPULATION_FEATURES}
        for part in range(FOLDS)
    ]
    truth = np.full(len(cases), POOL)
    scores = {p: np.full((len(cases), POOL), -np.inf) for p in POPULATION_FEATURES}
    for i, published in enumerate(cases):
        if progress:
            progress("compare patients with their lists", i + 1, len(cases))
        case, _ = to_case(published, graph)
        seen = observations(case)
        found = likelihood.candidates(seen, k=POOL, within=within).nodes
        rows = np.searchsorted(likelihood.annotations.disease, found)
        features = profile.features(seen, rows, age=published.age, sex=published.sex)
        for population, used in POPULATION_FEATURES.items():
            weights = rankers[fold(published.disease)][population]
            scores[population][i, : len(rows)] = weights.scores(features[:, : len(used)])
        if published.disease in graph:
            at = np.flatnonzero(found == graph.node(published.disease))
            truth[i] = at[0] if len(at) else POOL
    patients = Counter(c.disease for c in cases)
    weight = np.array([patients[c.disease] ** -0.5 for c in cases])
    seniority = [publication_seniority(c.pmid, profile.newest_publication) for c in cases]
    dated = np.array(seniority, np.float64)  # None becomes NaN
    return {p: fit_lists(s, truth, weight, dated) for p, s in scores.items()}
