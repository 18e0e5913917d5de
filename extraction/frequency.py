"""How often findings are reported of patients with a disease, in a collection of cases, beside the curated frequencies.

A report does not say everything: a finding that is not mentioned may be there. So the share lies between two: those
who are said to show it among all cases with the disease (nobody else has it), and among those of whom it is said
either way (who is silent is like who speaks). The lower end of the 95 % interval of the first and the upper end of that
of the second bound it; a curated frequency outside of them is for somebody to look at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from extraction.layer import LEAST_CASES
from extraction.reading import Reading
from extraction.relation import topics_of
from extraction.statistics import wilson
from extraction.vocabulary import Vocabulary

Verdict = Literal["more", "less", "agrees", "not curated"]
_LEAST_SAID = 5  # cases that say it either way, before a curated frequency is called too high
_LEAST_SHARE = 0.1  # of the cases, of a finding that is not curated


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Of ``cases`` with the disease, ``shown`` are said to have the finding or something below it, and ``denied`` not
    to have it. ``low`` and ``high`` bound the share of patients. ``verdict``: reported "more" often or "less" often
    than ``curated`` (None: not annotated)."""

    disease: str
    disease_name: str
    finding: str
    finding_name: str
    cases: int
    shown: int
    denied: int
    low: float
    high: float
    curated: float | None
    verdict: Verdict
    chest: bool

    @property
    def gap(self) -> float:
        """How far the curated frequency lies outside the bounds; 0 inside."""
        return gap(asdict(self))


def gap(row: dict[str, Any]) -> float:
    """`Counted.gap` of a row as JSON has it."""
    curated = row.get("curated") or 0.0
    return float(max(row.get("low", 0.0) - curated, curated - row.get("high", 0.0), 0.0))


def counted(readings: Iterable[Reading], vocabulary: Vocabulary) -> Iterator[Counted]:
    """The findings of every disease with LEAST_CASES cases or more: those that are curated, and those that a tenth of
    the cases show; the largest gap first. None without cases."""
    diagnosed: Counter[int] = Counter()
    shown: Counter[tuple[int, int]] = Counter()
    denied: Counter[tuple[int, int]] = Counter()
    for reading in readings:
        if reading.kind != "case":
            continue
        present, absent = _stated(reading, vocabulary)
        for curie in topics_of(reading, vocabulary):
            disease = vocabulary.node(curie)
            if disease is not None:
                diagnosed[disease] += 1
                shown.update((disease, f) for f in present)
                denied.update((disease, f) for f in absent - present)
    rows = (
        _row(vocabulary, disease, finding, diagnosed[disease], shown, denied)
        for disease, finding in sorted(shown.keys() | denied.keys())
        if diagnosed[disease] >= LEAST_CASES
    )
    yield from sorted((row for row in rows if row is not None), key=lambda r: (-r.gap, r.disease, r.finding))


def _stated(reading: Reading, vocabulary: Vocabulary) -> tuple[set[int], set[int]]:
    """The findings that a case shows, with all above them, and those that it denies."""
    present: set[int] = set()
    absent: set[int] = set()
    for sentence in reading.sentences:
        for mention in sentence.mentions:
            node = None if mention.treated else vocabulary.node(mention.concept)
            if node is not None and mention.presence == "present":
                present |= vocabulary.above(node)
            elif node is not None and mention.presence == "absent":
                absent.add(node)
    return {n for n in present if vocabulary.is_finding(n)}, {n for n in absent if vocabulary.is_finding(n)}


def _row(
    vocabulary: Vocabulary,
    disease: int,
    finding: int,
    cases: int,
    shown: Counter[tuple[int, int]],
    denied: Counter[tuple[int, int]],
) -> Counted | None:
    curated = vocabulary.frequency(disease, finding)
    yes, no = shown[disease, finding], denied[disease, finding]
    low, high = wilson(yes, cases)[0], wilson(yes, yes + no)[1]
    if vocabulary.related(disease, finding) or (curated is None and yes < max(2, _LEAST_SHARE * cases)):
        return None
    verdict: Verdict = "agrees"
    if curated is None:
        verdict = "not curated"
    elif curated < low:
        verdict = "more"
    elif curated > high and yes + no >= _LEAST_SAID:
        verdict = "less"
    graph = vocabulary.graph
    return Counted(
        disease=graph.curie(disease),
        disease_name=graph.name(disease),
        finding=graph.curie(finding),
        finding_name=graph.name(finding),
        cases=cases,
        shown=yes,
        denied=no,
        low=round(low, 3),
        high=round(high, 3) if verdict != "not curated" else 1.0,
        curated=None if curated is None else round(curated, 4),
        verdict=verdict,
        chest=disease in vocabulary.chest,
    )
