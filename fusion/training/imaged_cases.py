"""The detector's training images as cases of the reasoner: what it would have said of them, and how far to trust it."""

from __future__ import annotations

import math

import numpy as np

from fusion.intake import whole_image
from fusion.prior import NORMAL, finding_odds, odds_ratio
from fusion.training.curriculum import ImagedCase
from fusion.workup import Observed
from kg.graph import KnowledgeGraph
from vision import training_cases
from vision.detector import Detector
from vision.finding import LABEL_CURIES, LABELS, NO_FINDING


def imaged_cases(
    graph: KnowledgeGraph,
    bank: training_cases.TrainingCases,
    held_out: bool,
    detector: Detector,
) -> tuple[list[ImagedCase], dict[int, np.ndarray]]:
    """The detector's training images as cases with a diagnosis, and region embeddings by finding node.

    An image is a case when its labels name a disease of the chest layer beyond doubt: nothing found, or pneumonia,
    pneumothorax, emphysema or hiatus hernia. What ``detector`` says of it is honest: the logits kept for an image are
    those of networks that never saw its patient. ``held_out``: the patients of the validation split; otherwise the
    others.
    """
    node = {label: graph.node(curie) for label, curie in LABEL_CURIES.items()}
    diseases = {"No Finding": graph.resolve(NORMAL)}
    diseases |= {
        label: graph.resolve(LABEL_CURIES[label]) for label in ("Pneumonia", "Pneumothorax", "Emphysema", "Hernia")
    }
    of_fold = {f: tuple(r.case_id for r in bank.rows if r.fold == f) for f in {r.fold for r in bank.rows}}
    cases: list[ImagedCase] = []
    regions: dict[int, list[np.ndarray]] = {n: [] for n in node.values()}
    for i, row in enumerate(bank.rows):
        positive = {node[label]: embedding for label, embedding in bank.regions_of(i).items()}
        for n, embedding in positive.items():
            regions[n].append(embedding)
        named = [diseases[label] for label in row.labels if label in diseases]
        if len(named) != 1 or row.held_out != held_out:
            continue
        cases.append(
            ImagedCase(
                leave_out=of_fold[row.fold],
                disease=named[0],
                positive=positive,
                age=row.age,
                sex=row.sex,
                detected=said_of(graph, bank, detector, i),
            )
        )
    regions[graph.node(NORMAL)] = []
    return cases, {n: np.stack(r) if r else np.zeros((0, bank.region.shape[1]), np.float32) for n, r in regions.items()}


def said_of(
    graph: KnowledgeGraph, bank: training_cases.TrainingCases, detector: Detector, row: int
) -> dict[int, Observed]:
    """What the detector says of one of its images, by finding node, as ``diagnose`` would take it."""
    found = {}
    probabilities = detector.probabilities(bank.logits[row], bank.rows[row].low_resolution)
    anything = float(probabilities[-1])
    judged = detector.judge(probabilities, bank.rows[row].low_resolution)
    for label, (p, _, presence) in zip(LABELS, judged, strict=True):
        if presence == "not assessed":
            continue
        node = graph.node(LABEL_CURIES[label])
        odds = finding_odds(p, anything, bank.base_rates[label], 1 - bank.base_rates[NO_FINDING])
        found[node] = Observed(curie=graph.curie(node), presence=presence, odds_ratio=odds)
    shown = any(o.presence == "present" for o in found.values())
    found[graph.node(NORMAL)] = Observed(
        curie=NORMAL,
        presence=whole_image(1 - anything, shown),
        odds_ratio=odds_ratio(1 - anything, bank.base_rates[NO_FINDING]),
    )
    return found


def separations(graph: KnowledgeGraph, bank: training_cases.TrainingCases) -> dict[int, float]:
    """The detector's d' by node: √2 Φ⁻¹(AUROC) on images that it did not see, drawn half way to that of all labels
    together, for few images show each; between 0.3 and 2.5."""
    from scipy.stats import norm, rankdata

    found = {}
    for k, label in enumerate((*LABELS, NO_FINDING)):
        shown = np.array([label in row.labels for row in bank.rows])
        if 0 < shown.sum() < len(shown):
            ranks = rankdata(bank.logits[:, k] if k < len(LABELS) else -bank.logits[:, k])
            wins = ranks[shown].sum() - shown.sum() * (shown.sum() + 1) / 2
            found[label] = math.sqrt(2) * float(norm.ppf(min(wins / (shown.sum() * (~shown).sum()), 0.99)))
    middle = float(np.mean(list(found.values()))) if found else 1.2
    return {
        graph.node(curie): float(np.clip((found.get(label, middle) + middle) / 2, 0.3, 2.5))
        for label, curie in {**LABEL_CURIES, NO_FINDING: NORMAL}.items()
    }
