"""Candidate diagnoses: every disease of the graph scored against what was observed, in one pass over sparse columns.

For finding q and disease d let a be the most informative concept that is above q (or q itself) and that d shows, with
frequency f and information content IC. Then

- match(q, d) = IC(a): Resnik's similarity (1995) between the finding and the disease's annotations;
- p(q | d) = (1 - η) f exp(-δ (IC(q) - IC(a))) + η b(q): the frequency, decayed for each nat by which the disease is
  annotated less specifically, mixed with the background b(q), the share of patients of any disease who show q. η is
  the noise model: a finding that has nothing to do with the disease (a comorbidity, an incidental finding) costs at
  most ln η;
- for a finding seen with odds λ times its prior odds (λ → ∞: present; 0: absent; 1: nobody knows), the log likelihood
  ratio ln [(λ p + 1 - p) / (λ b + 1 - b)].

The features of a disease are sums over the findings, plus how much of the disease the findings account for. A finding
that a detector suspects counts there, and in match and exact, by 1 - 1 / λ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph

FEATURES = ("match", "exact", "present", "absent", "coverage", "reverse", "breadth", "prior")
_LARGEST_FREQUENCY = 0.98
_SMALLEST_BACKGROUND = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A finding (any CURIE) and how it changes the odds that it is there: ``odds_ratio`` is infinite for a finding
    known to be present, 0 for one known to be absent, and posterior odds / prior odds for what a detector says."""

    curie: str
    odds_ratio: float = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodSettings:
    """``noise`` is η and ``decay`` δ of the module's formula; ``weights`` one a feature, in the order of FEATURES.

    ``absent`` False leaves absent findings out of account. Case reports list as absent what the disease usually
    shows, so that among published patients an absent finding speaks *for* the diseases that have it; in front of a
    patient it must not. The weights were fitted on published patients by ``python -m benchmarks.likelihood --fit``;
    the weight of absent findings is that of present ones.
    """

    noise: float = 0.01
    decay: float = 1.5
    absent: bool = True
    weights: tuple[float, ...] = (0.042, 0.9, 0.181, 0.181, 2.943, 0.883, 0.062, 0.3)


PUBLISHED_PATIENTS = LikelihoodSettings(absent=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Scored diseases, best first, ties by CURIE. ``nodes`` int32 (K,), ``scores`` float64 (K,), ``features`` float32
    (K, 8)."""

    nodes: np.ndarray
    scores: np.ndarray
    features: np.ndarray


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of the annotations, of all diseases or of the rows ``only``, in their order."""

    annotations: AnnotationMatrix
    only: np.ndarray | None

    @property
    def count(self) -> int:
        return len(self.annotations.disease) if self.only is None else len(self.only)

    def of(self, node: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the diseases that show a concept, and how often they do."""
        rows, values = self.annotations.column(node)
        if self.only is None or not len(rows):
            return rows, values
        at = np.minimum(np.searchsorted(rows, self.only), len(rows) - 1)
        shown = np.flatnonzero(rows[at] == self.only)
        return shown, values[at[shown]]

    def positions(self, rows: Sequence[int]) -> np.ndarray:
        """Where these rows are."""
        return np.asarray(rows) if self.only is None else np.flatnonzero(np.isin(self.only, rows))


def _log_ratio(odds: float, p: float | np.ndarray, background: float) -> np.ndarray:
    """ln [(λ p + 1 - p) / (λ b + 1 - b)]; ln (p / b) when λ is infinite."""
    if np.isinf(odds):
        return np.log(p / background)
    return np.log((odds * p + 1 - p) / (odds * background + 1 - background))


class LikelihoodModel:
    """Scores diseases of a graph. ``prior`` maps node → log prior; a disease not named there has ``default_prior``."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        settings: LikelihoodSettings | None = None,
        prior: Mapping[int, float] | None = None,
        default_prior: float = 0.0,
    ) -> None:
        self.graph = graph
        self.settings = settings or LikelihoodSettings()
        self.annotations = AnnotationMatrix.open(graph.path)
        self._information = np.asarray(graph.information, np.float64)
        self.prior = np.full(len(self.annotations.disease), default_prior)
        for node, value in (prior or {}).items():
            row = int(np.searchsorted(self.annotations.disease, node))
            if row < len(self.annotations.disease) and self.annotations.disease[row] == node:
                self.prior[row] = value
        subject, excluded, _ = graph.all_edges("excludes_phenotype")
        self._excluded: dict[int, list[int]] = {}
        for s, o in zip(subject.tolist(), excluded.tolist(), strict=True):
            row = int(np.searchsorted(self.annotations.disease, s))
            if row < len(self.annotations.disease) and self.annotations.disease[row] == s:
                self._excluded.setdefault(o, []).append(row)
        self._terms = np.unique(self.annotations.direct_term)
        self._term_position = np.searchsorted(self._terms, self.annotations.direct_term)
        indptr, ancestor = graph.closure
        lengths = indptr[self._terms + 1] - indptr[self._terms]
        self._term_starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        offsets = np.repeat(indptr[self._terms] - self._term_starts, lengths)
        self._term_ancestors = ancestor[offsets + np.arange(lengths.sum())]
        weight = self.annotations.direct_frequency.astype(np.float64)
        self._direct_weight = weight
        self._direct_total = np.maximum(self.annotations.sum_by_disease(weight), 1e-9)
        sizes = np.diff(self.annotations.direct_indptr)
        self._breadth = np.log1p(sizes)

    def excluded_rows(self, node: int) -> Sequence[int]:
        """Rows of the diseases whose annotations exclude the finding; () when none does."""
        return self._excluded.get(node, ())

    def features(self, observations: Sequence[Observation], only: np.ndarray | None = None) -> np.ndarray:
        """float64 (D, 8): the features of every annotated disease, in the order of FEATURES; with ``only`` (int (R,),
        rows of ``annotations.disease``) float64 (R, 8), of those alone and in their order.

        The order of ``observations`` does not matter, and an observation given twice counts once. Raises InputError
        for a CURIE the graph does not know.
        """
        columns = _Columns(self.annotations, only)
        chosen = slice(None) if only is None else only
        out = np.zeros((columns.count, len(FEATURES)))
        by_node = {self.graph.node(o.curie): o.odds_ratio for o in observations}
        present = sorted(n for n, odds in by_node.items() if odds > 1)
        # What a more specific present finding implies adds nothing of its own.
        implied = {int(a) for n in present for a in self.graph.ancestor_nodes(n) if int(a) != n}
        seen = np.zeros(len(self.graph))  # how sure it is that each concept is there
        for node, odds in sorted(by_node.items()):
            if odds > 1 and node not in implied:
                certainty = 1 - 1 / odds
                match, exact, ratio = self._present(columns, node, odds)
                out[:, 0] += certainty * match
                out[exact, 1] += certainty
                out[:, 2] += ratio
                above = self.graph.ancestor_nodes(node)
                seen[above] = np.maximum(seen[above], certainty)
            elif odds < 1 and self.settings.absent:
                out[:, 3] += self._absent(columns, node, odds)
        if present:
            out[:, 4], out[:, 5] = self._accounted(columns, seen, chosen)
        out[:, 6] = self._breadth[chosen]
        out[:, 7] = self.prior[chosen]
        return out

    def _present(self, columns: _Columns, node: int, odds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of a finding that is there, or likely: match, the positions of the diseases that show it, and the log
        likelihood ratio."""
        noise, information = self.settings.noise, self._information
        best, frequency = np.zeros(columns.count), np.zeros(columns.count)
        above = self.graph.ancestor_nodes(node)
        for a in above[np.argsort(information[above], kind="stable")].tolist():
            rows, values = columns.of(a)
            best[rows], frequency[rows] = information[a], values
        decayed = frequency * np.exp(-self.settings.decay * (information[node] - best))
        exact, values = columns.of(node)
        decayed[exact] = values
        background = max(float(self.annotations.background[node]), _SMALLEST_BACKGROUND)
        ratio = _log_ratio(odds, np.minimum((1 - noise) * decayed + noise * background, _LARGEST_FREQUENCY), background)
        for a in above.tolist():
            if len(excluded := self.excluded_rows(a)):
                ratio[columns.positions(excluded)] = _log_ratio(odds, noise * background, background)
        return best, exact, ratio

    def _absent(self, columns: _Columns, node: int, odds: float) -> np.ndarray:
        """The log likelihood ratio of a finding that is not there, or unlikely."""
        p = np.zeros(columns.count)
        rows, values = columns.of(node)
        p[rows] = np.minimum(values, _LARGEST_FREQUENCY)
        background = max(float(self.annotations.background[node]), _SMALLEST_BACKGROUND)
        return _log_ratio(odds, p, min(background, _LARGEST_FREQUENCY))

    def _accounted(
        self, columns: _Columns, seen: np.ndarray, chosen: slice | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The share of each disease's information that is seen, and the reverse match: how well, on average, what it
        is annotated with is met by what is seen."""
        coverage = np.zeros(columns.count)
        for a in np.flatnonzero(seen).tolist():
            rows, _ = columns.of(a)
            coverage[rows] += seen[a] * self._information[a]
        matched = seen[self._term_ancestors] * self._information[self._term_ancestors]
        best_match = np.maximum.reduceat(matched, self._term_starts)[self._term_position]
        reverse = self.annotations.sum_by_disease(best_match * self._direct_weight) / self._direct_total
        return coverage / np.maximum(self.annotations.breadth[chosen], 1e-6), reverse[chosen]

    def candidates(
        self, observations: Sequence[Observation], *, k: int | None = 50, within: np.ndarray | None = None
    ) -> Candidates:
        """The ``k`` best diseases (all when None); ``within`` (bool (D,), over ``annotations.disease``) restricts
        them."""
        features = self.features(observations)
        scores = features @ np.array(self.settings.weights)
        rows = np.arange(len(scores)) if within is None else np.flatnonzero(within)
        # rows ascend by CURIE, and the sort is stable: ties go to the first CURIE
        rows = rows[np.argsort(-scores[rows], kind="stable")][: len(rows) if k is None else k]
        return Candidates(
            nodes=self.annotations.disease[rows], scores=scores[rows], features=features[rows].astype(np.float32)
        )

    def rows_with_code(self, system: str) -> np.ndarray:
        """bool (D,): the diseases that have a code in ``system`` (a CURIE prefix such as OMIM)."""
        nodes = np.array(sorted(self.graph.node(c) for c in self.graph.codes_in(system).values()), np.int64)
        return np.isin(self.annotations.disease, nodes)
