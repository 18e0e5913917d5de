"""How common diseases are among adults who have a chest image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kg.graph import KnowledgeGraph
from kg.likelihood import PUBLISHED_PATIENTS, LikelihoodModel
from kg.weight_of_evidence import WeightOfEvidence
from ontologies.chest import layer as chest
from ontologies.chest import people
from ontologies.chest.people import SETTINGS, Setting

# Rough shares of imaged adults, one order of magnitude apart; an editorial judgement, like the classes
# (docs/knowledge-card.md).
SHARE = {"very common": 5e-2, "common": 1e-2, "uncommon": 1e-3, "rare": 1e-4, "group": 1e-9}
# A disease outside the chest layer comes from HPO's annotations of rare diseases (Orphanet's median prevalence class).
RARE_DISEASE_SHARE = 1e-6
# In front of a patient it counts as rarer still: those annotations list whatever was ever seen with a syndrome, and
# among twelve thousand of them some explain any patient by chance.
OUTSIDE_THE_LAYER = math.exp(-40)
# Most chest radiographs show nothing acute.
NORMAL, NORMAL_SHARE = "CHEST:normal-chest-radiograph", 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Log prior by node of the graph, and for every other disease."""

    by_node: dict[int, float]
    default: float


def odds_ratio(probability: float, base_rate: float) -> float:
    """Posterior odds over prior odds of a detector's finding: what the image adds to what was known before it. The
    probability is kept within [0.001, 0.999]."""
    p = min(max(probability, 1e-3), 1 - 1e-3)
    return (p / (1 - p)) / (base_rate / (1 - base_rate))


def finding_odds(probability: float, anything: float, base_rate: float, any_rate: float) -> float:
    """What a detector says of one finding, given that the image shows anything at all: posterior over prior odds of
    P(finding | anything) = probability / anything, whose base rate is base_rate / any_rate.

    A detector's labels rise and fall together with how abnormal a film looks. That is one piece of evidence, and it is
    weighed once, for "no acute disease"; what is left of a label says which finding it is.
    """
    return odds_ratio(min(probability / max(anything, 1e-6), 1.0), min(base_rate / any_rate, 1 - 1e-3))


def chest_prior(graph: KnowledgeGraph) -> Prior:
    """The prior of the curated chest layer's commonness classes over a graph that was built with it.

    A disease is at least as common as its kinds together; a row that only gathers others stays what it is.
    """
    levels = {graph.node(curie): level for curie, level in chest.commonness().items() if curie in graph}
    share = coherent({n: SHARE[level] for n, level in levels.items() if level != "group"}, graph)
    share |= {n: SHARE[level] for n, level in levels.items() if level == "group"}
    share[graph.node(NORMAL)] = NORMAL_SHARE
    return Prior(by_node={n: math.log(s) for n, s in share.items()}, default=math.log(RARE_DISEASE_SHARE))


def coherent(share: Mapping[int, float], graph: KnowledgeGraph) -> dict[int, float]:
    """The shares by node, each raised to the sum of its nearest kinds' where that is more."""
    above = {n: set(graph.ancestor_nodes(n).tolist()) & share.keys() - {n} for n in share}
    kinds: dict[int, list[int]] = {n: [] for n in share}
    for n, general in above.items():
        for parent in general:
            if not any(parent in above[other] for other in general):
                kinds[parent].append(n)
    raised: dict[int, float] = {}
    for n in sorted(share, key=lambda n: -len(above[n])):
        raised[n] = max(share[n], sum(raised[kind] for kind in kinds[n]))
    return raised


class Persons:
    """What age, sex and the place where a patient is seen say of the diseases of a graph that has the chest layer.
    ``disease``: their nodes (int (D,)), in whose order ratios are."""

    def __init__(self, graph: KnowledgeGraph, disease: np.ndarray) -> None:
        self._count = len(disease)
        row_of = {int(node): row for row, node in enumerate(disease)}
        in_layer = {graph.node(d.id): d for d in chest.load().diseases if d.id in graph}
        self._course = [(row_of[n], d.course) for n, d in in_layer.items() if n in row_of and d.course]
        known = [(graph.node(curie), own) for curie, own in people.load().items() if curie in graph]
        self._people = [(row_of[node], own) for node, own in known if node in row_of]
        self._ratio = lru_cache(maxsize=64)(self._sum)  # a case is weighed many times over

    def ratio(self, age: float | None, sex: str | None, setting: Setting = "neutral") -> np.ndarray:
        """float64 (D,), read only: ln of how they change each disease's odds; 0 where nothing is known. ``age`` in
        years, ``sex`` "F" or "M"."""
        return self._ratio(age, sex, setting)

    def _sum(self, age: float | None, sex: str | None, setting: Setting) -> np.ndarray:
        out = np.zeros(self._count)
        if age is not None:
            for row, own in self._people:
                out[row] += own.age_ratio(age)
        if sex in ("F", "M"):
            for row, own in self._people:
                out[row] += own.sex_ratio(str(sex))
        for row, course in self._course:
            out[row] += SETTINGS[setting][course]
        out.flags.writeable = False
        return out


def layer_diseases(graph: KnowledgeGraph, annotated: np.ndarray) -> tuple[str, ...]:
    """Canonical CURIEs of the chest layer's diseases, without groups, that are ``annotated`` (int (D,): nodes), in the
    layer's order."""
    nodes = set(annotated.tolist())
    named = [graph.resolve(d.id) for d in chest.load().diseases if d.commonness != "group" and d.id in graph]
    return tuple(d for d in named if graph.node(d) in nodes)


def bedside(graph: KnowledgeGraph) -> tuple[WeightOfEvidence, Persons]:
    """How diseases are judged in front of a patient: by the chest layer's prior, and what it knows of persons."""
    evidence = WeightOfEvidence(graph, prior=chest_prior(graph).by_node, default_prior=math.log(OUTSIDE_THE_LAYER))
    return evidence, Persons(graph, evidence.annotations.disease)


def published_likelihood(graph: KnowledgeGraph) -> LikelihoodModel:
    """The likelihood for published patients of rare diseases: no disease likelier than another, absent findings
    ignored."""
    return LikelihoodModel(graph, settings=PUBLISHED_PATIENTS, default_prior=math.log(RARE_DISEASE_SHARE))
