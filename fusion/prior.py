"""How common diseases are among adults who have a chest image."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kg.graph import KnowledgeGraph
from kg.likelihood import PUBLISHED_PATIENTS, LikelihoodModel
from ontologies import chest

# Rough shares of imaged adults, one order of magnitude apart; an editorial judgement, like the classes
# (docs/knowledge-card.md).
SHARE = {"very common": 5e-2, "common": 1e-2, "uncommon": 1e-3, "rare": 1e-4, "group": 1e-9}
# A disease outside the chest layer comes from HPO's annotations of rare diseases (Orphanet's median prevalence class).
RARE_DISEASE_SHARE = 1e-6
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


def chest_prior(graph: KnowledgeGraph) -> Prior:
    """The prior of the curated chest layer's commonness classes over a graph that was built with it."""
    by_node = {
        graph.node(curie): math.log(SHARE[level]) for curie, level in chest.commonness().items() if curie in graph
    }
    by_node[graph.node(NORMAL)] = math.log(NORMAL_SHARE)
    return Prior(by_node=by_node, default=math.log(RARE_DISEASE_SHARE))


def published_likelihood(graph: KnowledgeGraph) -> LikelihoodModel:
    """The likelihood for published patients of rare diseases: no disease likelier than another, absent findings
    ignored."""
    return LikelihoodModel(graph, settings=PUBLISHED_PATIENTS, default_prior=math.log(RARE_DISEASE_SHARE))
