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
        settings, annotations, information = self.settings, self.annotations, self._information
        count = len(annotations.disease) if only is None else len(only)

        def column(node: int) -> tuple[np.ndarray, np.ndarray]:
            """Positions in the result of the diseases that show a concept, and how often they do."""
            rows, values = annotations.column(node)
            if only is None or not len(rows):
                return rows, values
            at = np.minimum(np.searchsorted(rows, only), len(rows) - 1)
            shown = np.flatnonzero(rows[at] == only)
            return shown, values[at[shown]]

        chosen = slice(None) if only is None else only
        out = np.zeros((count, len(FEATURES)))
        by_node = {self.graph.node(o.curie): o.odds_ratio for o in observations}
        present = sorted(n for n, odds in by_node.items() if odds > 1)
        # What a more specific present finding implies adds nothing of its own.
        implied = {int(a) for n in present for a in self.graph.ancestor_nodes(n) if int(a) != n}
        seen = np.zeros(len(self.graph))  # how sure it is that each concept is there
        informative = 0
        for node, odds in sorted(by_node.items()):
            if odds > 1 and node in implied:
                continue
            above = self.graph.ancestor_nodes(node)
            above = above[np.argsort(information[above], kind="stable")]
            best = np.zeros(count)
            frequency = np.zeros(count)
            for a in above:
                rows, values = column(int(a))
                best[rows] = information[a]
                frequency[rows] = values
            rows, values = column(node)
            background = max(float(annotations.background[node]), _SMALLEST_BACKGROUND)
            if odds > 1:
                decayed = frequency * np.exp(-settings.decay * (information[node] - best))
                decayed[rows] = values
                p = np.minimum((1 - settings.noise) * decayed + settings.noise * background, _LARGEST_FREQUENCY)
                ratio = (
                    np.log(p / background)
                    if np.isinf(odds)
                    else np.log((odds * p + 1 - p) / (odds * background + 1 - background))
                )
                certainty = 1.0 if np.isinf(odds) else 1 - 1 / odds
                never = settings.noise * background
                against = (
                    np.log(settings.noise)
                    if np.isinf(odds)
                    else np.log((odds * never + 1 - never) / (odds * background + 1 - background))
                )
                for a in above:
                    excluded = self.excluded_rows(int(a))
                    if len(excluded):
                        ratio[excluded if only is None else np.isin(only, excluded)] = against
                out[:, 2] += ratio
                out[:, 0] += certainty * best
                out[rows, 1] += certainty
                seen[above] = np.maximum(seen[above], certainty)
                informative += 1
            elif odds < 1 and settings.absent:
                p = np.zeros(count)
                p[rows] = np.minimum(values, _LARGEST_FREQUENCY)
                background = min(background, _LARGEST_FREQUENCY)
                out[:, 3] += np.log((odds * p + 1 - p) / (odds * background + 1 - background))
        if informative:
            for a in np.flatnonzero(seen):
                rows, _ = column(int(a))
                out[rows, 4] += seen[a] * information[a]
            out[:, 4] /= np.maximum(annotations.breadth[chosen], 1e-6)
            matched = seen[self._term_ancestors] * information[self._term_ancestors]
            best_match = np.maximum.reduceat(matched, self._term_starts)[self._term_position]
            out[:, 5] = (annotations.sum_by_disease(best_match * self._direct_weight) / self._direct_total)[chosen]
        out[:, 6] = self._breadth[chosen]
        out[:, 7] = self.prior[chosen]
        return out

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
