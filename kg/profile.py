"""How a patient compares with what each candidate disease is annotated with: the features that order a shortlist.

Letters: q a present finding, t an annotated term of disease d with frequency f, IC information content (nats),
s(q, t) the IC of their most informative common ancestor (Resnik 1995), p(q | d) = max over t of
f e^(-δ (IC(q) - s(q, t))), LR = ln [((1 - η) p + η b) / b] with the background b(q). A finding that a more specific
present one implies is left out. Sums over findings weigh each by how sure it is, 1 - 1 / odds ratio.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from kg.likelihood import LikelihoodModel, Observation

FEATURES = (
    "match",  # Σ max s
    "exact",  # findings that d shows, or something below them
    "lr_sharp",  # Σ LR, δ 1.5, η .01
    "lr_broad",  # Σ LR, δ 1.0, η .02
    "lr_far",  # Σ LR, δ 0.7, η .003
    "lin",  # Σ max 2 s / (IC(q) + IC(t)) (Lin 1998)
    "square",  # Σ max s² / IC(q)
    "strong",  # Σ IC(q) over findings of which d explains three quarters of the IC
    "unmet",  # findings of which d explains less than a third of the IC
    "worst",  # the least share of a finding's IC that d explains
    "explained",  # Σ max s / Σ IC(q)
    "coverage",  # share of the IC of all that d shows (and above) that the findings imply
    "simgic",  # IC of what both show / IC of what either shows (Pesquita 2007)
    "reverse",  # mean over t, weighted by f, of max over q of s
    "typical",  # the same over Σ f IC(t)
    "met",  # Σ f IC(t) over terms of which the findings reach four fifths of the IC
    "missing",  # Σ ln(1 - f) over terms, times the share of IC(t) that no finding reaches
    "breadth",  # ln(1 + number of terms)
    "information",  # ln(1 + IC of all that d shows)
    "excluded",  # present findings that d's annotations exclude
    "onset",  # by how much the patient is younger than d's earliest onset: ln years
    "sex",  # for X-linked recessive d: 1 in a man, -1 in a woman
    "findings",  # ln(1 + number of findings)
)
# What the way in which patients get published says about a disease. Never used in front of a patient.
REPORTING_FEATURES = (
    "reported absent",  # Σ IC(q) over absent findings that d shows: authors report absent what d usually shows
    "absent",  # Σ ln [(1 - p) / (1 - b)] over absent findings
    "publications",  # ln(1 + publications that the annotations of d cite): published often, published again
    "counted",  # share of d's terms with a stated frequency
)
_DECAYS = (("lr_sharp", 1.5, 0.01), ("lr_broad", 1.0, 0.02), ("lr_far", 0.7, 0.003))
_LARGEST_FREQUENCY, _SMALLEST_BACKGROUND = 0.98, 1e-5
# First year of HPO's onset classes.
_ONSET_YEARS = {
    "HP:0030674": 0.0,
    "HP:0011460": 0.0,
    "HP:0011461": 0.0,
    "HP:0034199": 0.0,
    "HP:0034198": 0.0,
    "HP:0034197": 0.0,
    "HP:0003577": 0.0,
    "HP:0003623": 0.0,
    "HP:0003593": 0.08,
    "HP:0011463": 1.0,
    "HP:0003621": 5.0,
    "HP:0003581": 16.0,
    "HP:0011462": 16.0,
    "HP:0025708": 16.0,
    "HP:0025709": 19.0,
    "HP:0025710": 25.0,
    "HP:0003596": 40.0,
    "HP:0003584": 60.0,
}
_X_LINKED_RECESSIVE = "HP:0001419"


def _spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """int64: the positions starts[i] … starts[i] + lengths[i] - 1 of every i, laid end to end."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


class ProfileComparer:
    """Compares patients with the profiles of a likelihood's diseases (rows of its annotations).

    ``term_at`` int64: the position, in the order of `similarity`, of each direct annotation's term.
    ``newest_publication``: the highest PMID that the annotations cite, 0 if they cite none. PMIDs are given out in
    order, so it tells how far the annotations' knowledge goes.
    """

    def __init__(self, likelihood: LikelihoodModel) -> None:
        self.graph, self.annotations = likelihood.graph, likelihood.annotations
        self._likelihood = likelihood
        self._information = np.asarray(self.graph.information, np.float64)
        annotations, graph = self.annotations, self.graph
        self._terms, self.term_at = np.unique(annotations.direct_term, return_inverse=True)
        indptr, ancestor = graph.closure
        lengths = np.diff(indptr)[self._terms]
        above = ancestor[_spans(np.asarray(indptr)[self._terms], lengths)]
        order = np.argsort(above, kind="stable")
        self._below = np.repeat(np.arange(len(self._terms)), lengths)[order]
        self._below_indptr = np.searchsorted(above[order], np.arange(len(graph) + 1))
        # The annotation matrix by disease: its columns are by finding.
        count = len(annotations.disease)
        nodes = np.repeat(np.arange(len(graph)), np.diff(annotations.indptr))
        by_disease = np.argsort(annotations.row, kind="stable")
        self._shown = nodes[by_disease]
        self._shown_indptr = np.searchsorted(annotations.row[by_disease], np.arange(count + 1))
        self._onset = self._related_year(count)
        self._x_linked = np.zeros(count, bool)
        if _X_LINKED_RECESSIVE in graph:
            self._x_linked[self._rows_related_to(_X_LINKED_RECESSIVE)] = True
        self._publications, self._counted, self.newest_publication = self._reporting(count)

    def _rows_related_to(self, curie: str) -> np.ndarray:
        nodes = self.graph.neighbours(self.graph.node(curie), "related_to", inverse=True)
        return np.flatnonzero(np.isin(self.annotations.disease, nodes))

    def _related_year(self, count: int) -> np.ndarray:
        """float64 (D,): the earliest onset in years; 0, from birth on, where none is annotated."""
        year = np.full(count, np.inf)
        for curie, first in _ONSET_YEARS.items():
            if curie in self.graph:
                rows = self._rows_related_to(curie)
                year[rows] = np.minimum(year[rows], first)
        return np.where(np.isinf(year), 0.0, year)

    def _reporting(self, count: int) -> tuple[np.ndarray, np.ndarray, int]:
        """float64 (D,) twice: ln(1 + cited publications), and the share of annotations with a stated frequency; the
        highest PMID."""
        edges = np.concatenate([self.graph.edges(n, "has_phenotype") for n in self.annotations.disease.tolist()])
        row = np.searchsorted(self.annotations.disease, self.graph.subject_of(edges))
        reference = self.graph.references_of(edges)
        numbers = np.unique(reference)
        named = [self.graph.reference(int(n)) for n in numbers]
        published = numbers[[name.startswith("PMID:") for name in named]]
        newest = max((int(pmid) for name in named for pmid in re.findall(r"PMID:(\d+)", name)), default=0)
        pairs = np.unique(np.stack([row, reference])[:, np.isin(reference, published)], axis=1)
        publications = np.log1p(np.bincount(pairs[0], minlength=count))
        stated = np.bincount(row, weights=~np.isnan(self.graph.frequency_of(edges)), minlength=count)
        return publications, stated / np.maximum(np.bincount(row, minlength=count), 1), newest

    def similarity(self, node: int) -> np.ndarray:
        """float64 (T,): s(node, t) for every annotated term, in the order of their nodes."""
        out = np.zeros(len(self._terms))
        above = self.graph.ancestor_nodes(node)
        for a in above[np.argsort(self._information[above], kind="stable")].tolist():
            out[self._below[self._below_indptr[a] : self._below_indptr[a + 1]]] = self._information[a]
        return out

    def features(
        self,
        observations: Sequence[Observation],
        rows: np.ndarray,
        *,
        age: float | None = None,
        sex: str | None = None,
    ) -> np.ndarray:
        """float32 (R, F): FEATURES and then REPORTING_FEATURES of the diseases in ``rows`` (int (R,)).

        The order of ``observations`` does not matter. ``age`` in years, ``sex`` "F" or "M". Without a present finding
        all that compares is 0. Raises InputError for a CURIE the graph does not know.
        """
        graph, annotations, information = self.graph, self.annotations, self._information
        rows, count = np.asarray(rows, np.int64), len(rows)
        lengths = np.diff(annotations.direct_indptr)[rows]
        direct = _spans(annotations.direct_indptr[rows], lengths)
        owner = np.repeat(np.arange(count), lengths)
        term = self.term_at[direct]
        frequency = annotations.direct_frequency[direct].astype(np.float64)
        of_term = information[annotations.direct_term[direct]]
        starts, has_terms = (np.cumsum(lengths) - lengths)[lengths > 0], lengths > 0

        def best(values: np.ndarray) -> np.ndarray:
            out = np.zeros(count)
            if len(starts):
                out[has_terms] = np.maximum.reduceat(values, starts)
            return out

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(owner, weights=values, minlength=count)

        out = {name: np.zeros(count) for name in (*FEATURES, *REPORTING_FEATURES)}
        odds = {graph.node(o.curie): o.odds_ratio for o in observations}
        certain = {n: 1.0 if np.isinf(x) else 1 - 1 / x for n, x in odds.items() if x > 1}
        implied = {int(a) for n in certain for a in graph.ancestor_nodes(n) if int(a) != n}
        present = sorted(set(certain) - implied)
        reached, worst = np.zeros(len(term)), np.ones(count)
        seen, sought = np.zeros(len(graph), bool), 0.0
        for node in present:
            sure, own = certain[node], max(float(information[node]), 1e-6)
            s = self.similarity(node)[term]
            reached = np.maximum(reached, sure * s)
            nearest, background = best(s), max(float(annotations.background[node]), _SMALLEST_BACKGROUND)
            share = nearest / own
            above = graph.ancestor_nodes(node)
            excluded = sorted({r for a in above.tolist() for r in self._likelihood.excluded_rows(a)})
            shut = np.isin(rows, excluded)
            for name, decay, noise in _DECAYS:
                p = best(frequency * np.exp(-decay * np.maximum(own - s, 0.0)))
                p = np.where(shut, 0.0, p)
                mixed = np.minimum((1 - noise) * p + noise * background, _LARGEST_FREQUENCY)
                out[name] += sure * np.log(mixed / background)
            out["match"] += sure * nearest
            out["exact"] += sure * (nearest >= own - 1e-6)
            out["lin"] += sure * best(2 * s / (own + of_term))
            out["square"] += sure * nearest * share
            out["strong"] += sure * own * (share > 0.75)
            out["unmet"] += sure * (share < 1 / 3)
            out["excluded"] += sure * shut
            worst = np.minimum(worst, 1 - sure * (1 - share))
            seen[above] = True
            sought += sure * own
        shown_lengths = np.diff(self._shown_indptr)[rows]
        shown = self._shown[_spans(self._shown_indptr[rows], shown_lengths)]
        shown_owner = np.repeat(np.arange(count), shown_lengths)
        breadth = annotations.breadth[rows].astype(np.float64)
        shared = np.bincount(shown_owner, weights=np.where(seen[shown], information[shown], 0.0), minlength=count)
        if present:
            out["worst"], out["explained"] = worst, out["match"] / sought
        out["coverage"] = shared / np.maximum(breadth, 1e-6)
        out["simgic"] = shared / np.maximum(breadth + float(information[seen].sum()) - shared, 1e-6)
        out["reverse"] = total(frequency * reached) / np.maximum(total(frequency), 1e-9)
        out["typical"] = total(frequency * reached) / np.maximum(total(frequency * of_term), 1e-9)
        part = reached / np.maximum(of_term, 1e-6)
        out["met"] = total((part > 0.8) * frequency * of_term)
        out["missing"] = total((1 - part) * np.log(1 - np.minimum(frequency, 0.95)))
        out["breadth"], out["information"] = np.log1p(lengths), np.log1p(breadth)
        if age is not None:
            out["onset"] = np.maximum(np.log1p(self._onset[rows]) - np.log1p(age), 0.0)
        out["sex"] = {"M": 1.0, "F": -1.0}.get(sex or "", 0.0) * self._x_linked[rows]
        out["findings"][:] = np.log1p(len(present))
        for node in sorted(n for n, x in odds.items() if x < 1):
            sure = 1 - odds[node]
            p = np.minimum(
                best(np.where(self.similarity(node)[term] >= information[node] - 1e-6, frequency, 0.0)), 0.98
            )
            background = min(float(annotations.background[node]), _LARGEST_FREQUENCY)
            out["reported absent"] += sure * (p > 0) * information[node]
            out["absent"] += sure * np.log((1 - p) / (1 - background))
        out["publications"], out["counted"] = self._publications[rows], self._counted[rows]
        return np.stack(list(out.values()), axis=1).astype(np.float32)
