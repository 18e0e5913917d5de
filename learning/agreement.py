"""Whether the first diagnosis is accepted as often as before: the test of `learning.drift`, for answers of yes and no.

An answer's rank among all that came before, ties broken at random, is uniform while nothing changes, whatever the share
of yes is. Let w be the share of no so far. The bet that the odds of no have become r times as large multiplies by q / w
where the rank is below w, and by (1 - q) / (1 - w) above, q / (1 - q) being r w / (1 - w): the likelihood ratio of
Bernoulli's law, with what is not known put in from what was seen. The bets are summed as Shiryaev and Roberts do, as in
`drift.watch`, with the same bound on false alarms (Vovk, Gammerman and Shafer 2005; Fedorova et al. 2012; Shin, Ramdas
and Rinaldo 2024). Only a fall is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learning.drift import LEAST_REFERENCE, RECENT, Drift, Moved

ODDS = (2.0, 3.0, 5.0, 9.0)
NAME = "accepted"


def watch(reference: Sequence[bool], answers: Sequence[bool], *, limit: float, seed: int = 0) -> Drift:
    """Watch ``answers`` in their order against ``reference``; with fewer than LEAST_REFERENCE of those nothing is told.
    The same answers give the same. Shares stand where `drift.Moved` has medians: of yes, with the ends of their 95 %
    interval (Wilson), and of the last ``RECENT``."""
    rng, odds = np.random.default_rng(seed), np.array(ODDS)
    refused, known = sum(not yes for yes in reference), len(reference)
    log, sums, since = np.full(len(odds), -np.inf), np.zeros(len(odds)), np.zeros(len(odds), int)
    evidence, highest_since = np.zeros(len(answers)), None
    told = known >= LEAST_REFERENCE
    for i, (yes, chance) in enumerate(zip(answers, rng.random(len(answers)).tolist(), strict=True)):
        below, ties = (refused, known - refused) if yes else (0, refused)
        p = (below + chance * (ties + 1)) / (known + 1)
        share = (refused + 0.5) / (known + 1)
        q = odds * share / (1 - share + odds * share)
        bets = np.log(q / share) if p < share else np.log((1 - q) / (1 - share))
        log = np.logaddexp(log, 0.0) + bets
        since[sums <= 0] = i + 1
        sums = np.maximum(0.0, sums + bets)
        refused, known = refused + (not yes), known + 1
        if told:
            evidence[i] = float(np.exp(np.minimum(log, 500.0)).mean())
            if evidence[i] >= evidence[: i + 1].max():
                highest_since = int(since[int(log.argmax())])
    reached = np.flatnonzero(evidence >= limit)
    return Drift(
        reference=len(reference),
        watched=len(answers),
        limit=limit,
        alarm=int(reached[0]) + 1 if len(reached) else None,
        evidence=evidence,
        streams=(_moved(reference, answers, evidence, highest_since),) if told else (),
    )


def _moved(reference: Sequence[bool], answers: Sequence[bool], evidence: np.ndarray, since: int | None) -> Moved:
    share, n, z = float(np.mean(reference)), len(reference), 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    recent = float(np.mean(answers[-RECENT:])) if answers else share
    return Moved(
        name=NAME,
        evidence=float(evidence[-1]) if len(evidence) else 0.0,
        highest=float(evidence.max(initial=0.0)),
        reference=share,
        low=middle - half,
        high=middle + half,
        recent=recent,
        moved=(recent - share) / (float(np.std(reference)) or 1.0),
        since=since,
    )
