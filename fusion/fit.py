"""From curriculum to shipped weights: the linear start, the network, its calibration, and the figures of its card."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fusion import checkpoint as checkpoints
from fusion.calibration import conformal_threshold, expected_calibration_error, fit_temperature, softmax
from fusion.checkpoint import Calibration
from fusion.curriculum import SHORTLIST, Curriculum, ImagedCase
from fusion.evidence_search import EvidenceSearch
from fusion.prior import NORMAL, chest_prior, published_likelihood
from fusion.reasoner import FEATURE_SCALE
from fusion.scorer import Question, Scorer, none_features
from fusion.train import fresh_network, run, trained_state
from fusion.workup import WorkupRoom
from kg.graph import KnowledgeGraph
from kg.likelihood import FEATURES, LikelihoodModel
from ontologies import chest
from retrieval.cases import Cases
from retrieval.literature import Literature
from vision import training_cases
from vision.detector import EMBEDDING_DIM, Detector
from vision.finding import LABEL_CURIES

LINEAR_EXAMPLES = 300
LEAST_ABSENT = 0.2
SOURCE_NAMES = {
    "chest": "simulated chest patients",
    "imaged": "held-out training images of the detector",
    "published": "published patients of held-out diseases",
    "rare": "simulated patients of held-out rare diseases",
}
CALIBRATION_CASES = 120
Progress = Callable[[str, int, int], None]


def fit_linear(
    curriculum: Curriculum, n: int = LINEAR_EXAMPLES, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the scaled features, float32 (F,), and of "none of these", float32 (2,), by listwise maximum
    likelihood over the first ``n`` examples with a small ridge: what the graph alone can do, and where the network
    starts."""
    from scipy.optimize import minimize

    rows, truths = [], []
    for i in range(n):
        if progress:
            progress("fit the features", i + 1, n)
        if (example := curriculum.example(i)) is None:
            continue
        questions = [Question(workup=example.workup, candidate=c) for c in example.workup.candidates]
        rows.append(
            np.stack(
                [np.concatenate([q.candidate.features / np.array(FEATURE_SCALE), none_features(q)]) for q in questions]
            )
        )
        truths.append(example.truth)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros_like(w)
        for x, t in zip(rows, truths, strict=True):
            p = softmax(x @ w)
            total -= math.log(max(p[t], 1e-12))
            gradient += x.T @ p - x[t]
        return total / len(rows) + 1e-3 * float(w @ w), gradient / len(rows) + 2e-3 * w

    # Imaged and simulated patients alone tell what an absent finding is worth; it must be worth something.
    least = [LEAST_ABSENT if name == "absent" else 0.0 for name in FEATURES]
    bounds = [(x, None) for x in least] + [(None, None)] * 2
    found = minimize(loss, np.full(len(FEATURES) + 2, 0.5), jac=True, method="L-BFGS-B", bounds=bounds).x.astype(
        np.float32
    )
    return found[: len(FEATURES)], found[len(FEATURES) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The whole shortlist of a validation case, in the likelihood's order: scores float64 (C,), and the position of the
    truth (the last, "none of these", when the shortlist lacks it)."""

    scores: np.ndarray
    truth: int


def judge(
    scorer: Scorer, curriculum: Curriculum, sources: Sequence[str], n: int, progress: Progress | None = None
) -> list[Judged]:
    """The reasoner on ``n`` cases of each source, with the shortlist and the branches it would have in use."""
    out: list[Judged] = []
    for source in sources:
        for i in range(n):
            if progress:
                progress(f"validate on {source} cases", i + 1, n)
            if (drawn := curriculum.draw(i, source)) is None:
                continue
            workup = curriculum.lay_out(drawn, curriculum.shortlist(drawn)[:SHORTLIST])
            scores = scorer.scores([Question(workup=workup, candidate=c) for c in workup.candidates])
            names = [c.curie for c in workup.candidates]
            truth = names.index(drawn.truth) if drawn.truth in names else len(names) - 1
            out.append(Judged(scores=scores, truth=truth))
    return out


def calibrate(judged: Sequence[Judged], on: str) -> tuple[Calibration, dict[str, float]]:
    """A calibration, and figures: top-1/3 of the reasoner and of the likelihood's order, and the calibration error."""
    scores, truth = [j.scores for j in judged], [j.truth for j in judged]
    temperature = fit_temperature(scores, truth)
    probabilities = [softmax(s, temperature) for s in scores]
    of_truth = np.array([p[t] for p, t in zip(probabilities, truth, strict=True)])
    best = np.array([p.max() for p in probabilities])
    right = np.array([int(np.argmax(p)) == t for p, t in zip(probabilities, truth, strict=True)])

    def top(k: int, reasoner: bool) -> float:
        hits = []
        for j in judged:
            order = np.argsort(-j.scores[:-1], kind="stable") if reasoner else np.arange(len(j.scores) - 1)
            hits.append(bool({*order[:k].tolist()} & ({j.truth} - {len(j.scores) - 1})))
        return round(float(np.mean(hits)), 4)

    figures = {
        "n": len(judged),
        "reasoner_top1": top(1, True),
        "reasoner_top3": top(3, True),
        "likelihood_top1": top(1, False),
        "likelihood_top3": top(3, False),
        "ece": round(expected_calibration_error(best, right), 4),
    }
    return Calibration(
        temperature=temperature, conformal_threshold=conformal_threshold(of_truth), on=on, n=len(judged)
    ), figures


def imaged_cases(
    graph: KnowledgeGraph, bank: training_cases.TrainingCases, held_out: bool
) -> tuple[list[ImagedCase], dict[int, np.ndarray]]:
    """The detector's training images as cases with a diagnosis, and region embeddings by finding node.

    An image is a case when its labels name a disease of the chest layer beyond doubt: nothing found, or pneumonia,
    pneumothorax, emphysema, hiatus hernia, or edema with nothing else. One case in five is held out.
    """
    node = {label: graph.node(curie) for label, curie in LABEL_CURIES.items()}
    diseases = {"No Finding": graph.resolve(NORMAL)}
    diseases |= {
        label: graph.resolve(LABEL_CURIES[label]) for label in ("Pneumonia", "Pneumothorax", "Emphysema", "Hernia")
    }
    cases: list[ImagedCase] = []
    regions: dict[int, list[np.ndarray]] = {n: [] for n in node.values()}
    for i, row in enumerate(bank.rows):
        positive = {node[label]: embedding for label, embedding in bank.regions_of(i).items()}
        for n, embedding in positive.items():
            regions[n].append(embedding)
        named = [diseases[label] for label in row.labels if label in diseases]
        if len(named) == 1 and (i % 5 == 0) == held_out:
            cases.append(ImagedCase(case_id=row.case_id, disease=named[0], positive=positive, age=row.age, sex=row.sex))
    return cases, {n: np.stack(r) if r else np.zeros((0, bank.region.shape[1]), np.float32) for n, r in regions.items()}


def train_reasoner(
    home: Path,
    out: Path,
    *,
    cases: Path | None = None,
    steps: int = 4000,
    seconds: float | None = None,
    seed: int = 0,
    command: str = "whydx train reasoner",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train, calibrate and write ``reasoner.safetensors`` + ``reasoner.json`` to ``out``; returns the figures of the
    card.

    ``cases``: published patients (JSON lines), of which the training diseases are learnt from and the others validate
    and calibrate; without them only simulated patients are. ``steps`` examples at most, in ``seconds`` at most. A run
    that was killed goes on from its last checkpoint in ``out``. Raises ArtifactError when the home is not built.
    """
    graph = KnowledgeGraph.open(home / "graph")
    detector = Detector.open()
    prior = chest_prior(graph)
    room = WorkupRoom(graph, LikelihoodModel(graph, prior=prior.by_node, default_prior=prior.default))
    flat = WorkupRoom(graph, published_likelihood(graph))
    search = EvidenceSearch(graph, Literature.open(home), Cases.open(home, detector=detector.fingerprint))
    annotated = set(room.likelihood.annotations.disease.tolist())
    named = [graph.resolve(d.id) for d in chest.load().diseases if d.commonness != "group"]
    diseases = [d for d in named if graph.node(d) in annotated]

    def curriculum(validation: bool, seed: int) -> Curriculum:
        imaged, imaging = imaged_cases(graph, training_cases.read(), held_out=validation)
        return Curriculum(
            room,
            flat,
            cases=cases,
            chest=diseases,
            imaged=imaged,
            imaging=imaging,
            search=search,
            validation=validation,
            seed=seed,
        )

    learning, checking = curriculum(False, seed), curriculum(True, seed + 1)
    weights, none = fit_linear(learning, progress=progress)
    network = fresh_network(weights, none, region_dim=EMBEDDING_DIM)
    settings: dict[str, object] = {
        "graph": graph.manifest.sha256,
        "detector": detector.manifest["sha256"],
        "cases": str(cases),
    }
    seen = run(network, learning, out, steps=steps, seconds=seconds, seed=seed, settings=settings, progress=progress)
    scorer = Scorer(network, checkpoints.open_tokenizer())
    calibration, figures = {}, {}
    uses = {"chest": ("chest", "imaged"), "OMIM": ("published",) if cases else ("rare",)}
    for use, sources in uses.items():
        judged = judge(scorer, checking, sources, CALIBRATION_CASES, progress)
        calibration[use], figures[use] = calibrate(judged, " and ".join(SOURCE_NAMES[s] for s in sources))
    card = {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "detector": detector.manifest["sha256"],
        "graph": graph.manifest.sha256,
        "examples": seen,
        "sources": learning.sources,
        "linear_start": [round(float(w), 4) for w in (*weights, *none)],
        "validation": figures,
    }
    checkpoints.save(out, trained_state(network), network.config, calibration, card)
    return figures
