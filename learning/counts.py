"""A local prior from counts of confirmed diagnoses: from a table, or from what clinicians said of reports."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError, UnknownConceptError
from fusion.checkpoint import load
from fusion.local import NAME, LocalPrior
from fusion.workup import PRIOR
from kg.graph import KnowledgeGraph
from kg.weight_of_evidence import Settings
from learning import kept
from learning.adapt import LOCAL
from records.feedback import Feedback

LEAST = 20
# Words that count in a note (median of the patients of `benchmarks.learning.feedback_replay`).
_USUAL_WORDS = 41
_EXPECTED = "columns disease (a CURIE or a name) and count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A local prior, and how it does where that can be told: mean ln p of the right diagnosis in ``n`` entries of
    feedback before, and with a prior that was learnt without the entry; ``loss`` None for counts of a table. ``left
    out``: what the graph does not know."""

    prior: LocalPrior
    n: int
    likelihood: tuple[float, float] | None
    left_out: tuple[str, ...]

    @property
    def worse(self) -> bool:
        return self.likelihood is not None and self.likelihood[1] <= self.likelihood[0]


def of_table(path: Path, graph: KnowledgeGraph) -> Weighed:
    """From a CSV or TSV table of a row a disease. Raises InputError for what cannot be read, for a count that is none,
    and for fewer than LEAST diagnoses."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the counts", value=path, expected=_EXPECTED) from error
    rows = list(csv.DictReader(lines, delimiter="\t" if lines and "\t" in lines[0] else ","))
    if not rows or not {"disease", "count"} <= set(rows[0]):
        raise InputError("no table of counts", value=path.name, expected=_EXPECTED)
    counts: Counter[str] = Counter()
    left_out = []
    for number, row in enumerate(rows, 2):
        said, count = (row["disease"] or "").strip(), (row["count"] or "").strip()
        if not count.isdecimal():
            raise InputError(f"{path.name}, line {number}: not a count", value=count, expected="a whole number")
        try:
            counts[graph.find(said)] += int(count)
        except UnknownConceptError:
            left_out.append(said)
    return _weighed(counts, path.name, None, sum(counts.values()), left_out)


def of_feedback(entries: Sequence[Feedback], graph: KnowledgeGraph) -> Weighed:
    """From feedback: what was accepted, and what was right instead. Raises InputError for fewer than LEAST
    verdicts."""
    said = [(e, e.first if e.verdict == "accepted" else e.correct) for e in entries if e.verdict != "none"]
    named = [(e, right.curie) for e, right in said if right is not None]
    known = [(e, graph.resolve(curie)) for e, curie in named if curie in graph]
    counts = Counter(curie for _, curie in known)
    left_out = sorted({curie for _, curie in named if curie not in graph})
    found = _weighed(counts, "feedback", None, len(known), left_out)
    shown = [(e, curie) for e, curie in known if _own(e) is not None]
    if not shown:
        return found
    before, after = zip(*(_likelihood(e, curie, found.prior, graph) for e, curie in shown), strict=True)
    return replace(found, n=len(shown), likelihood=(float(np.mean(before)), float(np.mean(after))))


def _own(entry: Feedback) -> float | None:
    """The probability that the report gave to what was right, None when it was not shown."""
    return entry.probability if entry.verdict == "accepted" else entry.correct_probability


def _likelihood(entry: Feedback, right: str, prior: LocalPrior, graph: KnowledgeGraph) -> tuple[float, float]:
    """ln p of what was right, before, and under the prior without this entry, the other diagnoses but the first left
    where they were."""
    left = dict(prior.counts)
    left[right] -= 1
    p = min(max(_own(entry) or 0.0, 1e-4), 0.999)
    first = graph.resolve(entry.first.curie) if entry.first and entry.first.curie in graph else right
    others = 1 - p if first == right else min(max(entry.probability or 0.0, 1e-4), 1 - p)
    nodes = np.array([graph.node(right), graph.node(first)])
    mine, theirs = np.exp(reach() * replace(prior, counts=left).ratio(graph, nodes))
    rest = 0.0 if first == right else 1 - p - others
    scaled = p * mine, others * (1.0 if first == right else theirs)
    return float(np.log(p)), float(np.log(scaled[0] / (sum(scaled) + rest)))


@cache
def reach() -> float:
    """How far a move of the prior reaches the log odds of a diagnosis from a note of usual length: the prior's weight
    over the temperature, both as shipped."""
    words = load().calibration["chest"].words
    length = 1 + _USUAL_WORDS / words.length if words.length else 1.0
    return Settings().weights[PRIOR] / (words.temperature * length)


def _weighed(
    counts: Counter[str], source: str, likelihood: tuple[float, float] | None, n: int, left_out: Sequence[str]
) -> Weighed:
    if sum(counts.values()) < LEAST:
        raise InputError(
            "too few confirmed diagnoses", value=sum(counts.values()), expected=f"{LEAST} or more that the graph knows"
        )
    prior = LocalPrior(counts=dict(sorted(counts.items())), source=source)
    return Weighed(prior=prior, n=n, likelihood=likelihood, left_out=tuple(left_out))


def card(found: Weighed) -> dict[str, Any]:
    """What a reader of the version needs."""
    lines = [
        f"{found.prior.total} confirmed diagnoses of {len(found.prior.counts)} diseases, from {found.prior.source}"
    ]
    if found.likelihood is not None:
        before, after = found.likelihood
        lines.append(
            f"mean ln p of the right diagnosis in {found.n} entries, each left out: {before:.3f} → {after:.3f}"
        )
    if found.left_out:
        lines.append(f"the graph does not know: {', '.join(found.left_out[:5])}")
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"made": made, "what": "local setting", "lines": lines}


def keep(home: Path, found: Weighed) -> int:
    """Write it as a new version of the home, and use it; returns its number. Raises ArtifactError when it makes the
    right diagnoses of the feedback no likelier."""
    refusals: tuple[str, ...] = ()
    if found.worse and found.likelihood is not None:
        refusals = (f"mean ln p of the right diagnosis {found.likelihood[0]:.3f} → {found.likelihood[1]:.3f}",)
    return kept.keep(
        home / LOCAL,
        {NAME: found.prior.text()},
        card(found),
        what="the local setting",
        refusals=refusals,
        expected="likelier than without it",
    )
