"""How far clinicians agreed with the reports: over time, by first diagnosis, by finding, and whether the probabilities
kept what they promise.

Agreement is the share of first diagnoses that were accepted, among those that were accepted or corrected, with Wilson's
95 % interval (1927): (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.96. Who gives feedback chooses what to
give it on: this is agreement among reports that somebody spoke of, not accuracy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fusion.calibration import expected_calibration_error
from records.feedback import Feedback

_Z = 1.96
BINS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """``agreed`` of ``n`` under a ``name``, the share and its 95 % interval."""

    name: str
    agreed: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """First diagnoses of a probability in [``low``, ``high``): their mean probability, and how many were right."""

    low: float
    high: float
    probability: float
    right: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingAgreement:
    """How often a finding was confirmed as the report had it, and how it was corrected (said → correct: times)."""

    confirmed: Share
    corrections: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """``entries`` in all. ``in_list``: corrected to a diagnosis that the report showed further down; ``related``: to a
    kind of the first, or to what it is a kind of. ``calibration_error``: None without a verdict."""

    entries: int
    overall: Share
    in_list: int
    related: int
    by_month: tuple[Share, ...]
    by_diagnosis: tuple[Share, ...]
    by_finding: tuple[FindingAgreement, ...]
    calibration: tuple[Bin, ...]
    calibration_error: float | None


def agreement(entries: Sequence[Feedback]) -> Agreement:
    """What the entries say together. Reports that abstained, or have no diagnosis, count in none of the shares."""
    judged = [e for e in entries if e.verdict != "none" and e.first is not None and not e.abstained]
    corrected = [e for e in judged if e.verdict == "corrected"]
    chances = np.array([e.probability or 0.0 for e in judged])
    right = np.array([e.verdict == "accepted" for e in judged])
    return Agreement(
        entries=len(entries),
        overall=_share("all", judged),
        in_list=sum(e.correct_rank is not None for e in corrected),
        related=sum(e.related for e in corrected),
        by_month=_shares(judged, lambda e: e.day[:7]),
        by_diagnosis=tuple(
            sorted(_shares(judged, lambda e: e.first.name if e.first else ""), key=lambda s: (-s.n, s.name))
        ),
        by_finding=_findings(entries),
        calibration=tuple(_bins(judged)),
        calibration_error=expected_calibration_error(chances, right, BINS) if judged else None,
    )


def wilson(agreed: int, n: int) -> tuple[float, float]:
    """The 95 % interval; (0, 1) of nothing."""
    if n == 0:
        return 0.0, 1.0
    p = agreed / n
    middle, spread = p + _Z**2 / (2 * n), _Z * float(np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)))
    whole = 1 + _Z**2 / n
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def _counted(name: str, agreed: int, n: int) -> Share:
    low, high = wilson(agreed, n)
    return Share(name=name, agreed=agreed, n=n, share=agreed / n if n else 0.0, low=low, high=high)


def _share(name: str, entries: Iterable[Feedback]) -> Share:
    verdicts = [e.verdict == "accepted" for e in entries]
    return _counted(name, sum(verdicts), len(verdicts))


def _shares(entries: Iterable[Feedback], key: Callable[[Feedback], str]) -> tuple[Share, ...]:
    groups: dict[str, list[Feedback]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return tuple(_share(name, groups[name]) for name in sorted(groups))


def _bins(judged: Sequence[Feedback]) -> Iterable[Bin]:
    for i in range(BINS):
        here = [e for e in judged if min(int((e.probability or 0.0) * BINS), BINS - 1) == i]
        if here:
            low, high = i / BINS, (i + 1) / BINS
            mean = float(np.mean([e.probability or 0.0 for e in here]))
            yield Bin(low=low, high=high, probability=mean, right=_share(f"{low:.1f}-{high:.1f}", here))


def _findings(entries: Iterable[Feedback]) -> tuple[FindingAgreement, ...]:
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for entry in entries:
        for checked in entry.findings:
            groups[checked.finding.name].append((checked.said, checked.correct))
    found = []
    for name, pairs in groups.items():
        wrong = [f"{said} → {correct}" for said, correct in pairs if said != correct]
        counts = tuple(sorted((w, wrong.count(w)) for w in set(wrong)))
        confirmed = _counted(name, len(pairs) - len(wrong), len(pairs))
        found.append(FindingAgreement(confirmed=confirmed, corrections=counts))
    return tuple(sorted(found, key=lambda f: (-f.confirmed.n, f.confirmed.name)))
