"""Simulated patients to learn from, drawn from a disease's annotations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fusion.prior import NORMAL
from fusion.workup import Case, Observed
from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from ontologies.concept import Presence

# A detector with the separation d' has an AUROC of Φ(d'/√2) and gives log likelihood ratios ~ N(±d'²/2, d'²) (signal
# detection theory, Green and Swets 1966). This one has .80.
_DETECTOR_D = 1.2
_LEAST_IMPRECISE_INFORMATION = 2.0
_MOST_FINDINGS = 12


class PatientSimulator:
    """Draws patients of a disease from its annotations: each finding with its frequency, some named less precisely,
    some that have nothing to do with it, some looked for and absent.

    ``imaging`` maps the nodes that a detector reports to region embeddings (float32 (n, R)) of images that show them:
    in an imaged patient these findings come with a detector's odds and a region instead of certainty. ``separation``
    maps them to the detector's d' for them.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        annotations: AnnotationMatrix,
        imaging: Mapping[int, np.ndarray] | None = None,
        separation: Mapping[int, float] | None = None,
    ) -> None:
        self.graph, self.annotations, self.imaging = graph, annotations, dict(imaging or {})
        self.separation = dict(separation or {})

    def draw(
        self, row: int, rng: np.random.Generator, *, imaged: bool = False, others: np.ndarray | None = None
    ) -> Case:
        """One patient of ``annotations.disease[row]``; ``others`` (rows) are diseases from which noise and absent
        findings come."""
        annotations, graph = self.annotations, self.graph
        pool = np.arange(len(annotations.disease)) if others is None else others
        terms, frequencies = self._direct(row)
        shown = terms[rng.random(len(terms)) < frequencies]
        if not len(shown) and len(terms):
            shown = terms[[rng.choice(len(terms), p=frequencies / frequencies.sum())]]
        if len(shown) > _MOST_FINDINGS:
            shown = rng.choice(shown, int(rng.integers(3, _MOST_FINDINGS + 1)), replace=False)
        present: set[int] = set()
        for term in shown.tolist():
            if rng.random() < 0.15:
                vague = [
                    p
                    for p in graph.neighbours(term, "is_a").tolist()
                    if graph.information[p] >= _LEAST_IMPRECISE_INFORMATION
                ]
                term = int(rng.choice(vague)) if vague else term
            present.add(term)
        for _ in range(int(rng.poisson(0.4))):
            stray, _ = self._direct(int(rng.choice(pool)))
            if len(stray):
                present.add(int(rng.choice(stray)))
        absent: set[int] = set()
        for _ in range(int(rng.integers(0, 4))):
            looked_for, _ = self._direct(int(rng.choice(pool)))
            if len(looked_for):
                term = int(rng.choice(looked_for))
                if term not in present and rng.random() >= annotations.frequency_of(row, term):
                    absent.add(term)
        observed: list[Observed] = []
        for node in sorted(present | absent):
            if imaged and node in self.imaging:
                continue
            observed.append(Observed(curie=graph.curie(node), presence="present" if node in present else "absent"))
        worded = bool(observed)
        if imaged:
            closure = {int(a) for n in present for a in graph.ancestor_nodes(n)}
            seen = closure & self.imaging.keys() or {graph.node(NORMAL)}
            observed += [self.detect(node, node in seen, rng) for node in sorted(self.imaging)]
        age = float(rng.integers(18, 90)) if imaged and rng.random() < 0.7 else None
        sex = str(rng.choice(["F", "M"])) if rng.random() < 0.7 else None
        return Case(observed=tuple(observed), age=age, sex=sex, worded=worded)

    def detect(self, node: int, shown: bool, rng: np.random.Generator) -> Observed:
        """What a detector would say of a finding that is, or is not, on the image."""
        d = self.separation.get(node, _DETECTOR_D)
        log_odds = rng.normal(d**2 / 2 * (1 if shown else -1), d)
        presence: Presence = "present" if log_odds > 1 else "uncertain" if log_odds > 0.3 else "absent"
        regions = self.imaging[node]
        region = regions[int(rng.integers(len(regions)))] if presence == "present" and len(regions) else None
        return Observed(
            curie=self.graph.curie(node),
            presence=presence,
            odds_ratio=float(np.exp(log_odds)),
            region=region,
            region_ref=f"{self.graph.name(node)}@simulated",
        )

    def _direct(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        annotations = self.annotations
        part = slice(annotations.direct_indptr[row], annotations.direct_indptr[row + 1])
        return annotations.direct_term[part], annotations.direct_frequency[part].astype(np.float64)
