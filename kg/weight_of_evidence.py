"""Diseases weighed against what is known of a patient: a prior, and the weight of evidence of each finding.

The weight of evidence (Good 1950) of a finding q for a disease d is its log likelihood ratio

    W(q, d) = ln [(λ p + 1 - p) / (λ b + 1 - b)]      p = p(q | d), b = b(q)

for a finding whose odds were multiplied by λ (∞: present; 0: absent; 1: nobody knows). The background b(q) is the share
of patients with q among those who are examined: the mean of the frequencies over the diseases, each weighed by
prior^gamma. Let a be the narrowest concept at or above q that d is annotated with, with frequency f; then

    p(q | d) = (1 - η) f min(1, b(q) / b(a))^δ + η b(q)

δ = 1 says that who has a has q as often as anybody with a. η is the share of findings that have nothing to do with
the disease, or that nobody annotated: what a disease does not explain costs it at most ln η.

Findings that are special cases of one wider finding say the wider one more than once: consolidation beside ground-glass
opacity is "lung opacity" twice. Of what is said again of each concept a, by the findings below it,

    Σ_children W(a, d) - W(a, d)

the share ``shared`` is taken back. A wider finding beside a narrower one adds nothing, and an absent finding that lies
below another absent one is implied by it and not counted again.

What a note says in words that are no name of a finding is weighed apart (`kg.note_words`), together with how much it
reads like a portrait of the disease (`kg.portraits`): ``likeness`` nats for a whole unit of cosine.

score(d) = weights · (present, absent, prior, person, words); all natural logarithms. Nothing is fitted here; the
settings say where their values come from.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from kg.likelihood import Observation
from kg.note_words import NoteWords
from kg.portraits import Portraits


@dataclass(frozen=True, slots=True)
class Said:
    """A note's words: ``stems`` (`NoteWords.stems`), and ``meaning``, the sum of its sentences' vectors (float32
    (dimension,)), None when they were not read; ``heard``: by how much they count."""

    stems: Collection[str] = ()
    meaning: np.ndarray | None = None
    heard: float = 1.0


NOTHING_SAID = Said()
FEATURES = ("present", "absent", "prior", "person", "words")
_LARGEST_FREQUENCY = 0.98


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``noise`` is η, ``decay`` δ and ``gamma`` the power of the prior in the background, in which no finding is rarer
    than ``rarest``; ``shared`` in [0, 1] is how much of what is said again is taken back; ``likeness`` nats a unit of
    cosine count with the words; ``weights`` one a feature, in the order of FEATURES. Fitted on real notes of several
    sources by ``python -m benchmarks.chest.text --fit``, and rounded (docs/reasoning.md)."""

    noise: float = 0.3
    decay: float = 1.5
    gamma: float = 0.3
    rarest: float = 0.003
    shared: float = 0.5
    likeness: float = 20.0
    weights: tuple[float, ...] = (1.0, 0.35, 0.5, 2.5, 1.4)


class WeightOfEvidence:
    """Weighs the annotated diseases of a graph. ``prior`` maps node → log prior of the diseases that the background is
    the mean of; every other annotated disease has ``default_prior`` and takes no part in it."""

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        prior: Mapping[int, float],
        default_prior: float,
        settings: Settings | None = None,
    ) -> None:
        self.graph, self.settings = graph, settings or Settings()
        self.annotations = AnnotationMatrix.open(graph.path)
        self._information = np.asarray(graph.information, np.float64)
        disease = self.annotations.disease
        self.prior = np.full(len(disease), default_prior)
        share = np.zeros(len(disease))
        for node, value in prior.items():
            row = int(np.searchsorted(disease, node))
            if row < len(disease) and disease[row] == node:
                self.prior[row], share[row] = value, np.exp(self.settings.gamma * value)
        self.unlisted = np.flatnonzero(share == 0)  # rows of the diseases that ``prior`` does not list
        self._share = share / max(share.sum(), 1e-300)
        self.portraits = Portraits(graph, disease)
        self.words = NoteWords(graph, self.annotations, self._share, self.portraits)
        self._excluded: dict[int, list[int]] = {}
        subject, excluded, _ = graph.all_edges("excludes_phenotype")
        for s, o in zip(subject.tolist(), excluded.tolist(), strict=True):
            row = int(np.searchsorted(disease, s))
            if row < len(disease) and disease[row] == s:
                self._excluded.setdefault(o, []).append(row)
        self._above = lru_cache(maxsize=1 << 14)(self._ancestors)
        self._background = lru_cache(maxsize=1 << 14)(self._mean_frequency)
        self._shown = lru_cache(maxsize=1 << 9)(self._probability)

    def background(self, node: int) -> float:
        """b(q): the share of examined patients who show the concept or anything below it."""
        return self._background(node)

    def frequency(self, node: int) -> np.ndarray:
        """float64 (D,): p(q | d) of a present finding, for every annotated disease."""
        return self._shown(node)

    def features(
        self,
        observations: Sequence[Observation],
        only: np.ndarray | None = None,
        person: np.ndarray | None = None,
        said: Said = NOTHING_SAID,
    ) -> np.ndarray:
        """float64 (D, 5): FEATURES of every annotated disease, or (R, 5) of the rows ``only`` of
        ``annotations.disease``. ``person`` float64 (D,): the log ratio that age and sex give each disease; zeros when
        None. ``said``: the words of a note.

        The order of ``observations`` does not matter, and one given twice counts once. Raises InputError for a CURIE
        the graph does not know.
        """
        chosen = slice(None) if only is None else only
        out = np.zeros((len(self.prior[chosen]), len(FEATURES)))
        odds = {self.graph.node(o.curie): o.odds_ratio for o in observations}
        out[:, 0] = self._present({n: x for n, x in odds.items() if x > 1}, chosen)
        absent = {n: x for n, x in odds.items() if x < 1}
        for node in sorted(absent):
            if not any(a in absent and a != node and absent[a] <= absent[node] for a in self._above(node)):
                out[:, 1] += self._absent(node, absent[node], chosen)
        out[:, 2] = self.prior[chosen]
        if person is not None:
            out[:, 3] = person[chosen]
        out[:, 4] = self.text(said, chosen)
        return out

    def text(self, said: Said, chosen: slice | np.ndarray) -> np.ndarray:
        """float64 (R,): what a note's words weigh, name by name and as a whole."""
        out = self.words.total(said.stems, chosen)
        if said.meaning is not None:
            out += self.settings.likeness * self.portraits.likeness(said.meaning)[chosen]
        return said.heard * out

    def scores(self, features: np.ndarray) -> np.ndarray:
        """float64 (..., D) of features (..., D, 5)."""
        return np.asarray(features, np.float64) @ np.array(self.settings.weights)

    def rows_with_code(self, system: str) -> np.ndarray:
        """bool (D,): the diseases that have a code in ``system`` (a CURIE prefix such as OMIM)."""
        nodes = np.array(sorted(self.graph.node(c) for c in self.graph.codes_in(system).values()), np.int64)
        return np.isin(self.annotations.disease, nodes)

    def _present(self, odds: Mapping[int, float], chosen: slice | np.ndarray) -> np.ndarray:
        surest: dict[int, float] = {}  # of every concept at or above a finding, the odds of the surest below it
        for node, own in odds.items():
            for a in self._above(node):
                surest[a] = max(surest.get(a, 0.0), own)
        wider = {a for node in odds for a in self._above(node) if a != node}
        narrowest = sorted(odds.keys() - wider)
        total = np.zeros(len(self.prior[chosen]))
        for node in narrowest:
            total += self._weight(node, odds[node], chosen)
        if self.settings.shared:
            for node, below in sorted(self._below(narrowest, surest.keys()).items()):
                again = sum(self._weight(node, surest[child], chosen) for child in below)
                total -= self.settings.shared * (again - self._weight(node, surest[node], chosen))
        return total

    def _below(self, findings: Collection[int], concepts: Collection[int]) -> dict[int, list[int]]:
        """Each of ``concepts`` to which several findings go up, from each concept to the narrowest one above it, with
        the last concepts before it. A finding that has two parents says nothing twice, so it goes up once."""
        found: dict[int, list[int]] = {}
        seen: set[int] = set()
        for finding in findings:
            node = finding
            while node not in seen:
                seen.add(node)
                above = [a for a in self._above(node) if a != node and a in concepts]
                if not above:
                    break
                wider = max(above, key=lambda a: (self._information[a], a))
                found.setdefault(wider, []).append(node)
                node = wider
        return {node: sorted(below) for node, below in found.items() if len(below) > 1}

    def _weight(self, node: int, odds: float, chosen: slice | np.ndarray) -> np.ndarray:
        return _log_ratio(odds, self._shown(node)[chosen], self._background(node))

    def _absent(self, node: int, odds: float, chosen: slice | np.ndarray) -> np.ndarray:
        noise, background = self.settings.noise, min(self._background(node), _LARGEST_FREQUENCY)
        p = np.full(len(self.prior), noise * background)
        rows, values = self.annotations.column(node)
        p[rows] += (1 - noise) * np.minimum(values, _LARGEST_FREQUENCY)
        return _log_ratio(odds, p[chosen], background)

    def _ancestors(self, node: int) -> tuple[int, ...]:
        """The concept and all above it, from the widest to the narrowest."""
        above = self.graph.ancestor_nodes(node)
        return tuple(above[np.argsort(self._information[above], kind="stable")].tolist())

    def _mean_frequency(self, node: int) -> float:
        rows, values = self.annotations.column(node)
        return max(float(self._share[rows] @ values), self.settings.rarest)

    def _probability(self, node: int) -> np.ndarray:
        noise, own = self.settings.noise, self._background(node)
        p = np.zeros(len(self.prior))
        above = self._above(node)
        for a in above:
            rows, values = self.annotations.column(a)
            p[rows] = values * min(1.0, own / self._background(a)) ** self.settings.decay
        for a in above:
            p[self._excluded.get(a, [])] = 0.0
        p = np.minimum((1 - noise) * p + noise * own, _LARGEST_FREQUENCY)
        p.flags.writeable = False
        return p


def _log_ratio(odds: float, p: np.ndarray, background: float) -> np.ndarray:
    """ln [(λ p + 1 - p) / (λ b + 1 - b)]; ln (p / b) when λ is infinite."""
    if np.isinf(odds):
        return np.log(p / background)
    return np.log((odds * p + 1 - p) / (odds * background + 1 - background))
