"""What an adapted encoder must not lose: judged questions that every home can put, from what it was built of.

- papers: each title of 800 papers asks for its own abstract;
- reports of elsewhere: 200 Open-i reports coded abnormal ask 1,000 others; the gain is the agreement (Jaccard) of the
  codes that Open-i's readers gave, which nobody sees who asks or is searched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np

from ontologies.sources.store import member_path
from retrieval import openi
from retrieval.adapted import Move
from retrieval.encoder import Encoder
from retrieval.evaluation.evaluate import encoded
from retrieval.literature import LONGEST, Literature

PAPERS, REPORTS, ASKING = 800, 1000, 200
DEPTH = 10
Progress = Callable[[str, int, int], None]
_Thing = TypeVar("_Thing")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guard:
    """``queries`` (q, d) and ``documents`` (n, d) are vectors of the encoder as shipped, float32; ``gains`` (q, n)
    float64. ``own`` (q,) is the row of the document that is the query itself and is not found, -1 for none."""

    name: str
    queries: np.ndarray
    documents: np.ndarray
    gains: np.ndarray
    own: np.ndarray

    def ndcg(self, move: Move | None = None) -> np.ndarray:
        """nDCG@10 of each query by the moved vectors (None: as shipped), float64 (q,); 0 for a query that nothing
        answers. Ties in the order of the documents."""
        queries, documents = (side if move is None else move.of(side) for side in (self.queries, self.documents))
        scores = queries @ documents.T
        gains = self.gains.copy()
        asked = np.flatnonzero(self.own >= 0)
        scores[asked, self.own[asked]] = -np.inf
        gains[asked, self.own[asked]] = 0.0
        discount = 1 / np.log2(np.arange(2, DEPTH + 2))
        first = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
        best = -np.sort(-gains, axis=1)[:, :DEPTH] @ discount
        return (np.take_along_axis(gains, first, axis=1) @ discount) / np.maximum(best, 1e-12)


def guards(home: Path, encoder: Encoder, progress: Progress | None = None) -> tuple[Guard, ...]:
    """Both sets of a built home. Encoded once: the vectors are kept in the home. Raises ArtifactError when the papers
    are not built, SourceError when Open-i's archive is not there."""
    return papers(home, encoder, progress), reports(home, encoder, progress)


def papers(home: Path, encoder: Encoder, progress: Progress | None = None, *, keep: bool = True) -> Guard:
    """That of papers; without ``keep`` no vectors are kept. Raises as `guards` does."""
    place = home if keep else None
    documents = [d for d in Literature.open(home).index.documents if d.title and d.text]
    chosen = drawn(documents, [d.doc_id for d in documents], PAPERS)
    abstracts = encoded([_cut(d.text) for d in chosen], encoder, place, "guard: papers", progress)
    titles = encoded([d.title for d in chosen], encoder, place, "guard: titles", progress)
    n = len(chosen)
    return Guard(
        name="papers by their titles", queries=titles, documents=abstracts, gains=np.eye(n), own=np.full(n, -1)
    )


def _cut(text: str) -> str:
    """About what is indexed of a paper: LONGEST tokens, of which English has some four for three words."""
    return " ".join(text.split()[: LONGEST * 3 // 4])


def reports(home: Path, encoder: Encoder, progress: Progress | None = None) -> Guard:
    """That of reports. Raises as `guards` does."""
    archive = member_path(home, "openi", "NLMCXR_reports.tgz")
    read = [r for r in openi.read(archive) if r.findings or r.impression]
    chosen = drawn(read, [r.report_id for r in read], REPORTS)
    texts = [" ".join(filter(None, (r.findings, r.impression))) for r in chosen]
    vectors = encoded(texts, encoder, home, "guard: reports", progress)
    coded = [_codes(r) for r in chosen]
    asking = np.array([row for row, report in enumerate(chosen) if report.abnormal][:ASKING])
    gains = np.array([[len(coded[q] & own) / (len(coded[q] | own) or 1) for own in coded] for q in asking])
    return Guard(
        name="similar reports of elsewhere", queries=vectors[asking], documents=vectors, gains=gains, own=asking
    )


def _codes(report: openi.Report) -> frozenset[str]:
    """The headings, and each with its qualifiers."""
    parts = [code.split("/") for code in report.mesh]
    pairs = (f"{heading}/{qualifier}" for heading, *rest in parts for qualifier in rest)
    return frozenset([*(heading for heading, *_ in parts), *pairs])


def drawn(things: Sequence[_Thing], names: Sequence[str], most: int) -> list[_Thing]:
    """The ``most`` whose names have the smallest hashes."""
    order = sorted(range(len(things)), key=lambda row: sha256(names[row].encode()).hexdigest())
    return [things[row] for row in order[:most]]
