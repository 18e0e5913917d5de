"""From curriculum to shipped weights: the linear start, the network, its calibration, and the figures of its card."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fusion import checkpoint as checkpoints
from fusion.calibration import Calibrations, softmax
from fusion.evidence_search import EvidenceSearch
from fusion.pipeline import Pipeline
from fusion.prior import bedside, layer_diseases, published_likelihood
from fusion.reasoner import FEATURE_SCALE
from fusion.scorer import Parts, Scorer, none_features, questions
from fusion.training import words_fit
from fusion.training.curriculum import SHORTLIST, Curriculum
from fusion.training.imaged_cases import imaged_cases, separations
from fusion.training.report_cases import report_cases
from fusion.training.text_cases import TextCase, text_cases
from fusion.training.train import fresh_network, run, trained_state
from fusion.training.validation import Judged, calibrate, crossed, judge, judge_reports
from fusion.workup import FEATURES, Workup, WorkupRoom
from kg.graph import KnowledgeGraph
from kg.ranker import Ranker
from kg.weight_of_evidence import FEATURES as PATIENT_FEATURES
from kg.weight_of_evidence import Settings
from ontologies.linking.linker import Linker
from ontologies.sources.store import member_path
from retrieval import openi
from retrieval.cases import Cases
from retrieval.literature import Literature
from tracking.tracker import Track
from vision import training_cases
from vision.detector import EMBEDDING_DIM, Detector

if TYPE_CHECKING:
    from torch import Tensor

    from fusion.reasoner import Reasoner

LINEAR_EXAMPLES = 1500
SOURCE_NAMES = {
    "chest": "simulated chest patients",
    "imaged": "images that the detector was not trained on",
    "published": "published patients of held-out diseases",
    "rare": "simulated patients of held-out rare diseases",
}
CALIBRATION_CASES = 240
TEXTS = "patients in words of several sources, with and without chest disease"
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

    # What findings, prior and person weigh was fitted on real patients in words, and stays.
    fixed = np.array(Settings().weights) * np.array(FEATURE_SCALE[: len(PATIENT_FEATURES)])
    bounds = [(w, w) for w in fixed.tolist()] + [(0.0, None)] * (len(FEATURES) - len(fixed)) + [(None, None)] * 4
    start = np.concatenate([fixed, np.full(len(FEATURES) - len(fixed) + 4, 0.5)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x.astype(np.float32)
    return found[: len(FEATURES)], found[len(FEATURES) :]


def train_reasoner(
    home: Path,
    out: Path,
    *,
    cases: Path | None = None,
    texts: Sequence[Path] = (),
    steps: int = 4000,
    seconds: float | None = None,
    seed: int = 0,
    command: str = "whydx train reasoner",
    track: Track = "tensorboard",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train, calibrate and write ``reasoner.safetensors`` + ``reasoner.json`` to ``out``; returns the figures of the
    card.

    ``cases``: published patients (JSON lines), of which the training diseases are learnt from and the others validate
    and calibrate; without them only simulated patients are. ``texts``: patients in words with a known diagnosis (files
    or folders of JSON lines, `fusion.training.text_cases`), on which the probabilities of patients in words are fitted;
    without them on Open-i's reports. ``steps`` examples at most, in ``seconds`` at most; 0 leaves the shipped network
    as it is and only fits what is said around it. ``track`` says where scalars go. A run that was
    killed goes on from its last checkpoint in ``out``.
    Raises ArtifactError when the home is not built, SourceError when Open-i's reports are not fetched, and InputError
    for texts that cannot be read.
    """
    graph, linker = KnowledgeGraph.open(home / "graph"), Linker.open(home / "linker")
    archive = member_path(home, "openi", "NLMCXR_reports.tgz")
    detector = Detector.open()
    room = WorkupRoom(graph, *bedside(graph))
    published = published_likelihood(graph)
    flat = WorkupRoom(graph, Ranker(published, "published"))
    search = EvidenceSearch(graph, Literature.open(home), Cases.open(home, detector=detector.fingerprint))
    diseases = layer_diseases(graph, room.disease)

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
    network = fresh_network(weights, none, region_dim=EMBEDDING_DIM) if steps else shipped_network(weights, none)
    settings: dict[str, object] = {
        "graph": graph.manifest.sha256,
        "detector": detector.manifest["sha256"],
        "cases": str(cases),
    }
    seen = 0
    if steps:
        seen = run(
            network,
            learning,
            out,
            steps=steps,
            seconds=seconds,
            seed=seed,
            settings=settings,
            track=track,
            progress=progress,
        )
    scorer = Scorer(network, checkpoints.open_tokenizer())
    reader = checkpoints.Checkpoint(
        network=network, tokenize=scorer.tokenize, calibration={"chest": Calibrations()}, fingerprint=""
    )
    pipeline = Pipeline(graph, linker, search, detector, reader)
    told: list[words_fit.Listed] = []
    reports: list[Judged] = []
    if texts:
        told = list(words_fit.listed(_read(texts, pipeline), room, partial(_ask, pipeline, scorer)))
    else:
        reports = judge_reports(scorer, pipeline, report_cases(openi.read(archive), graph, linker, diseases), progress)
    calibration: dict[str, Calibrations] = {}
    figures: dict[str, Any] = {}
    uses = {"chest": ("chest", "imaged"), "OMIM": ("published",) if cases else ("rare",)}
    if not steps:  # how published patients are scored does not depend on what is fitted anew
        calibration["OMIM"] = checkpoints.load().calibration["OMIM"]
        del uses["OMIM"]
    for use, drawn in uses.items():
        judged = judge(scorer, checking, drawn, CALIBRATION_CASES, progress)
        words = reports if use == "chest" else []
        calibration[use] = calibrate(judged, " and ".join(SOURCE_NAMES[s] for s in drawn), words)
        found = crossed(judged, words)
        figures[use] = found["judged"]
        if words:
            figures["reports"] = found["reports"]
    # Of notes beside images the network is not asked, so what was fitted on them holds for any.
    both = checkpoints.load().calibration["chest"].both
    calibration["chest"] = replace(calibration["chest"], both=both)
    if told:
        own = words_fit.fit_calibration(told, TEXTS)
        calibration["chest"] = replace(calibration["chest"], words=own)
        figures["texts"] = words_fit.crossed(told)
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
    state = trained_state(network) if steps else shipped_state(network)
    checkpoints.save(out, state, network.config, calibration, card)
    return figures


def _read(texts: Sequence[Path], pipeline: Pipeline) -> Iterator[TextCase]:
    return text_cases(texts, pipeline.intake, pipeline.graph, pipeline.room.disease)


def _ask(pipeline: Pipeline, scorer: Scorer, text: TextCase) -> tuple[Workup, Parts]:
    workup, _ = pipeline.lay_out(text.case)
    return workup, scorer.parts(questions(workup))


def shipped_network(weights: np.ndarray, none: np.ndarray) -> Reasoner:
    """The shipped reasoner with other weights of the features and of "none of these"."""
    import torch

    network = checkpoints.load().network
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(weights))
        network.none.copy_(torch.from_numpy(none))
    return network


def shipped_state(network: Reasoner) -> dict[str, Tensor]:
    """What `fusion.checkpoint.save` takes of a `shipped_network`: its low-rank updates are merged and cannot be told
    from BERT any more, but they are those of the shipped file."""
    from safetensors.torch import load_file

    state = load_file(checkpoints.PACKAGED_WEIGHTS / "reasoner.safetensors")
    return state | {"weight": network.weight, "none": network.none}
