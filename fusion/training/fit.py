"""From curriculum to shipped weights: the linear start, the network, its calibration, and the figures of its card."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fusion import checkpoint as checkpoints
from fusion.calibration import Calibrations, softmax
from fusion.evidence_search import EvidenceSearch
from fusion.pipeline import Pipeline
from fusion.prior import bedside, published_likelihood
from fusion.reasoner import FEATURE_SCALE
from fusion.scorer import Scorer, none_features, questions
from fusion.training.curriculum import SHORTLIST, Curriculum
from fusion.training.imaged_cases import imaged_cases, separations
from fusion.training.report_cases import report_cases
from fusion.training.train import fresh_network, run, trained_state
from fusion.training.validation import calibrate, crossed, judge, judge_reports
from fusion.workup import FEATURES, WorkupRoom
from kg.graph import KnowledgeGraph
from kg.ranker import Ranker
from ontologies.chest import layer as chest
from ontologies.linking.linker import Linker
from ontologies.sources.store import member_path
from retrieval import openi
from retrieval.cases import Cases
from retrieval.literature import Literature
from vision import training_cases
from vision.detector import EMBEDDING_DIM, Detector

LINEAR_EXAMPLES = 1500
LEAST_ABSENT = 0.2
SOURCE_NAMES = {
    "chest": "simulated chest patients",
    "imaged": "images that the detector was not trained on",
    "published": "published patients of held-out diseases",
    "rare": "simulated patients of held-out rare diseases",
}
CALIBRATION_CASES = 240
Progress = Callable[[str, int, int], None]


def fit_linear(
    curriculum: Curriculum, n: int = LINEAR_EXAMPLES, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the scaled features, float32 (F,), and of "none of these", float32 (4,), by listwise maximum
    likelihood over the shortlists of the first ``n`` examples with a small ridge: what the graph alone can do, and what
    the network corrects."""
    from scipy.optimize import minimize

    rows, truths = [], []
    for i in range(n):
        if progress:
            progress("fit the features", i + 1, n)
        if (drawn := curriculum.draw(i)) is None:
            continue
        candidates, truth = curriculum.choose(drawn, SHORTLIST)
        workup = curriculum.room_of(drawn).bare(drawn.case, candidates)
        asked = questions(workup)
        rows.append(
            np.stack(
                [np.concatenate([q.candidate.features / np.array(FEATURE_SCALE), none_features(q)]) for q in asked]
            )
        )
        truths.append(truth)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros_like(w)
        for x, t in zip(rows, truths, strict=True):
            p = softmax(x @ w)
            total -= math.log(max(p[t], 1e-12))
            gradient += x.T @ p - x[t]
        return total / len(rows) + 1e-3 * float(w @ w), gradient / len(rows) + 2e-3 * w

    # Imaged and simulated patients alone tell what an absent finding is worth; it must be worth something.
    least = [LEAST_ABSENT if name == "absent" else 0.0 for name in FEATURES]
    bounds = [(x, None) for x in least] + [(None, None)] * 4
    start = np.full(len(FEATURES) + 4, 0.5)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x.astype(np.float32)
    return found[: len(FEATURES)], found[len(FEATURES) :]


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
    that was killed goes on from its last checkpoint in ``out``. Raises ArtifactError when the home is not built and
    SourceError when Open-i's reports are not fetched.
    """
    graph, linker = KnowledgeGraph.open(home / "graph"), Linker.open(home / "linker")
    archive = member_path(home, "openi", "NLMCXR_reports.tgz")
    detector = Detector.open()
    room = WorkupRoom(graph, *bedside(graph))
    published = published_likelihood(graph)
    flat = WorkupRoom(graph, Ranker(published, "published"))
    search = EvidenceSearch(graph, Literature.open(home), Cases.open(home, detector=detector.fingerprint))
    annotated = set(room.disease.tolist())
    named = [graph.resolve(d.id) for d in chest.load().diseases if d.commonness != "group"]
    diseases = [d for d in named if graph.node(d) in annotated]

    def curriculum(validation: bool, seed: int) -> Curriculum:
        bank = training_cases.read()
        imaged, imaging = imaged_cases(graph, bank, validation, detector)
        return Curriculum(
            room,
            flat,
            cases=cases,
            chest=diseases,
            imaged=imaged,
            imaging=imaging,
            separation=separations(graph, bank),
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
    reader = checkpoints.Checkpoint(
        network=network, tokenize=scorer.tokenize, calibration={"chest": Calibrations()}, fingerprint=""
    )
    pipeline = Pipeline(graph, linker, search, detector, reader)
    reports = judge_reports(scorer, pipeline, report_cases(openi.read(archive), graph, linker, diseases), progress)
    calibration, figures = {}, {}
    uses = {"chest": ("chest", "imaged"), "OMIM": ("published",) if cases else ("rare",)}
    for use, sources in uses.items():
        judged = judge(scorer, checking, sources, CALIBRATION_CASES, progress)
        words = reports if use == "chest" else []
        calibration[use] = calibrate(judged, " and ".join(SOURCE_NAMES[s] for s in sources), words)
        found = crossed(judged, words)
        figures[use] = found["judged"]
        if words:
            figures["reports"] = found["reports"]
    card = {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "detector": detector.manifest["sha256"],
        "graph": graph.manifest.sha256,
        "examples": seen,
        "sources": learning.sources,
        "linear_start": [round(float(w), 4) for w in (*network.weight.tolist(), *network.none.tolist())],
        "validation": figures,
    }
    checkpoints.save(out, trained_state(network), network.config, calibration, card)
    return figures
