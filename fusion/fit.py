"""From curriculum to shipped weights: the linear start, the network, its calibration, and the figures of its card."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fusion import checkpoint as checkpoints
from fusion.calibration import (
    Gates,
    conformal_threshold,
    expected_calibration_error,
    fit_gate,
    fit_temperature,
    patient_groups,
    softmax,
)
from fusion.checkpoint import Calibration
from fusion.curriculum import SHORTLIST, Curriculum, ImagedCase
from fusion.evidence_search import EvidenceSearch
from fusion.pipeline import Pipeline, whole_image
from fusion.prior import NORMAL, chest_prior, finding_odds, odds_ratio, published_likelihood
from fusion.reasoner import FEATURE_SCALE
from fusion.report_cases import ReportCase, report_cases
from fusion.scorer import Parts, Scorer, none_features, questions
from fusion.train import fresh_network, run, trained_state
from fusion.workup import FEATURES, Observed, WorkupRoom
from kg.graph import KnowledgeGraph
from kg.likelihood import LikelihoodModel
from kg.ranker import Ranker
from ontologies import chest
from ontologies.linker import Linker
from ontologies.sources import member_path
from retrieval import openi
from retrieval.cases import Cases
from retrieval.literature import Literature
from vision import training_cases
from vision.detector import EMBEDDING_DIM, Detector
from vision.finding import LABEL_CURIES, LABELS

LINEAR_EXAMPLES = 1500
LEAST_ABSENT = 0.2
SOURCE_NAMES = {
    "chest": "simulated chest patients",
    "imaged": "images that the detector was not trained on",
    "published": "published patients of held-out diseases",
    "rare": "simulated patients of held-out rare diseases",
}
CALIBRATION_CASES, COMPARED_CASES = 240, 80
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The whole shortlist of a validation case, in the graph's order: its scores, in parts, with the evidence ("on"),
    with none ("off"), and with that of the next candidate ("shuffled"), the last two for some cases only; the position
    of the truth (the last, "none of these", when the shortlist lacks it); the patient's age and sex; whether anybody
    said something of the patient (`Case.worded`)."""

    parts: dict[str, Parts]
    truth: int
    age: float | None
    sex: str | None
    worded: bool


CONDITIONS = ("on", "off", "shuffled")


def scores(judged: Judged, how: str, gates: Gates) -> np.ndarray:
    """float64 (C,): the scores under a condition, or the graph's own ("graph")."""
    if how == "graph":
        return judged.parts["on"].base
    return judged.parts[how].base + gates.of(judged.worded) * judged.parts[how].correction


def judge(
    scorer: Scorer, curriculum: Curriculum, sources: Sequence[str], n: int, progress: Progress | None = None
) -> list[Judged]:
    """The reasoner on ``n`` cases of each source (of images, on each at most once), with the shortlist and the branches
    it would have in use; every condition on the first COMPARED_CASES of each."""
    out: list[Judged] = []
    for source in sources:
        count = min(n, len(curriculum.imaged)) if source == "imaged" else n
        for i in range(count):
            if progress:
                progress(f"validate on {source} cases", i + 1, count)
            if (drawn := curriculum.draw(i, source)) is None:
                continue
            workup = curriculum.lay_out(drawn, curriculum.shortlist(drawn)[:SHORTLIST])
            asked = CONDITIONS if i < COMPARED_CASES else ("on",)
            names = [c.curie for c in workup.candidates]
            out.append(
                Judged(
                    parts={how: scorer.parts(questions(workup, how)) for how in asked},
                    truth=names.index(drawn.truth) if drawn.truth in names else len(names) - 1,
                    age=drawn.case.age,
                    sex=drawn.case.sex,
                    worded=drawn.case.worded,
                )
            )
    return out


def judge_reports(
    scorer: Scorer, pipeline: Pipeline, cases: Iterable[ReportCase], progress: Progress | None = None
) -> list[Judged]:
    """The reasoner on real reports, as `Pipeline.diagnose` would take them as notes; those that mention nothing that is
    there are left out. Of several diagnoses the one that the graph has first is the truth."""
    out: list[Judged] = []
    for number, case in enumerate(cases, 1):
        if progress:
            progress("validate on reports", number, 0)
        gathered = pipeline.gather(note=case.note)
        if not any(o.presence == "present" for o in gathered.case.observed):
            continue
        workup, _ = pipeline.lay_out(gathered.case, leave_out=(case.case_id,))
        names = [c.curie for c in workup.candidates]
        found = [i for i, name in enumerate(names) if name in case.diagnoses]
        parts = {"on": scorer.parts(questions(workup))}
        out.append(Judged(parts=parts, truth=min(found, default=len(names) - 1), age=None, sex=None, worded=True))
    return out


def calibrate(judged: Sequence[Judged], named: str, reports: Sequence[Judged] = ()) -> Calibration:
    """Temperature and conformal threshold by maximum likelihood on the cases ``judged``; so the gates, on those of them
    of which words say something, where there are any, and the gate for words on real ``reports`` too.

    What the network adds on images is largely which labels their two sets have: every abnormal film of one is called
    pneumonia. So no gate is fitted on images. What it adds on simulated patients is in part how they are simulated,
    and a gate fitted on these alone would carry that to the notes of other hospitals.
    """
    told = [j for j in judged if j.worded] or judged
    gates = Gates(words=_gate([*told, *reports]), images=_gate(told))
    temperature = fit_temperature([scores(j, "on", gates) for j in judged], [j.truth for j in judged])
    of_truth = [softmax(scores(j, "on", gates), temperature)[j.truth] for j in judged]
    return Calibration(
        temperature=temperature,
        gates=gates,
        conformal_threshold=conformal_threshold(np.array(of_truth)),
        on=named,
        n=len(judged),
    )


def _gate(judged: Sequence[Judged]) -> float:
    parts = [j.parts["on"] for j in judged]
    return fit_gate([p.base for p in parts], [p.correction for p in parts], [j.truth for j in judged])


def crossed(judged: Sequence[Judged], reports: Sequence[Judged] = ()) -> dict[str, dict[str, Any]]:
    """Figures of the cases ("judged") and, when there are any, of the ``reports``, each with a calibration fitted on
    the other half of both, even and odd in turn."""
    halves = (calibrate(judged[1::2], "", reports[1::2]), calibrate(judged[::2], "", reports[::2]))
    return {"judged": measured(judged, halves)} | ({"reports": measured(reports, halves)} if reports else {})


def measured(judged: Sequence[Judged], halves: tuple[Calibration, Calibration]) -> dict[str, Any]:
    """Figures of the cases with the first calibration for the even and the second for the odd ones.

    Top-1 and top-3 and mean reciprocal rank of the graph's order and of the reasoner's; the same for the ``compared``
    cases under each condition, with the differences of on to the others and their paired bootstrap intervals (95 %);
    the expected calibration error; the coverage of the conformal sets, overall and by sex and age group, and their mean
    size.
    """
    ranks: dict[str, list[int]] = {how: [] for how in ("graph", *CONDITIONS)}
    confidence, correct, covered, size = [], [], [], []
    for i, j in enumerate(judged):
        fitted = halves[i % 2]
        for how in ("graph", *j.parts):
            scored = scores(j, how, fitted.gates)
            last = len(scored) - 1
            order = np.argsort(-scored[:last], kind="stable").tolist()
            ranks[how].append(order.index(j.truth) + 1 if j.truth < last else 10**6)
        p = softmax(scores(j, "on", fitted.gates), fitted.temperature)
        confidence.append(p.max())
        correct.append(int(np.argmax(p)) == j.truth)
        covered.append(bool(p[j.truth] >= fitted.conformal_threshold))
        size.append(int((p >= fitted.conformal_threshold).sum()))
    everyone = {how: metric_values(ranks[how]) for how in ("graph", "on")}
    groups: dict[str, list[bool]] = {}
    for j, inside in zip(judged, covered, strict=True):
        for group in patient_groups(j.age, j.sex):
            groups.setdefault(group, []).append(inside)
    return {
        "n": len(judged),
        **means(everyone),
        **_compared(ranks, everyone, [len(j.parts) > 1 for j in judged]),
        "ece": round(expected_calibration_error(np.array(confidence), np.array(correct)), 4),
        "coverage": round(float(np.mean(covered)), 4),
        "set_size": round(float(np.mean(size)), 2),
        "coverage_by_group": {k: [round(float(np.mean(v)), 4), len(v)] for k, v in sorted(groups.items())},
    }


def _compared(
    ranks: dict[str, list[int]], everyone: dict[str, dict[str, np.ndarray]], both: list[bool]
) -> dict[str, Any]:
    """Figures of the cases that were judged under every condition; nothing when there are none."""
    if not any(both):
        return {}
    values = {how: {m: v[both] for m, v in found.items()} for how, found in everyone.items()}
    values |= {how: metric_values(ranks[how]) for how in ("off", "shuffled")}
    return {
        "compared": {"n": sum(both), **means(values)},
        "differences": {
            f"on - {how}": {m: paired_difference(values["on"][m], values[how][m]) for m in values["on"]}
            for how in ("graph", "off", "shuffled")
        },
    }


def means(values: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, float]]:
    return {how: {m: round(float(v.mean()), 4) for m, v in found.items()} for how, found in values.items()}


def metric_values(ranks: Sequence[int]) -> dict[str, np.ndarray]:
    """Float64 (n,) by metric: whether each rank is within the first 1 and 3, and its reciprocal."""
    found = np.array(ranks, np.float64)
    return {"top1": (found <= 1).astype(float), "top3": (found <= 3).astype(float), "mrr": 1 / found}


def paired_difference(one: np.ndarray, other: np.ndarray, *, samples: int = 2000, seed: int = 0) -> list[float]:
    """[mean of one - other, lower, upper]: the 95 % percentile bootstrap over pairs (Efron 1979)."""
    difference = one - other
    drawn = np.random.default_rng(seed).integers(0, len(difference), (samples, len(difference)))
    means = difference[drawn].mean(1)
    return [round(float(x), 4) for x in (difference.mean(), *np.percentile(means, (2.5, 97.5)))]


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
        node = graph.node(LABEL_CURIES[label])
        odds = finding_odds(p, anything, bank.base_rates[label], 1 - bank.base_rates[training_cases.NO_FINDING])
        found[node] = Observed(curie=graph.curie(node), presence=presence, odds_ratio=odds)
    shown = any(o.presence == "present" for o in found.values())
    found[graph.node(NORMAL)] = Observed(
        curie=NORMAL,
        presence=whole_image(1 - anything, shown),
        odds_ratio=odds_ratio(1 - anything, bank.base_rates[training_cases.NO_FINDING]),
    )
    return found


def separations(graph: KnowledgeGraph, bank: training_cases.TrainingCases) -> dict[int, float]:
    """The detector's d' by node: √2 Φ⁻¹(AUROC) on images that it did not see, drawn half way to that of all labels
    together, for few images show each; between 0.3 and 2.5."""
    from scipy.stats import norm, rankdata

    found = {}
    for k, label in enumerate((*LABELS, training_cases.NO_FINDING)):
        shown = np.array([label in row.labels for row in bank.rows])
        if 0 < shown.sum() < len(shown):
            ranks = rankdata(bank.logits[:, k] if k < len(LABELS) else -bank.logits[:, k])
            wins = ranks[shown].sum() - shown.sum() * (shown.sum() + 1) / 2
            found[label] = math.sqrt(2) * float(norm.ppf(min(wins / (shown.sum() * (~shown).sum()), 0.99)))
    middle = float(np.mean(list(found.values()))) if found else 1.2
    return {
        graph.node(curie): float(np.clip((found.get(label, middle) + middle) / 2, 0.3, 2.5))
        for label, curie in {**LABEL_CURIES, training_cases.NO_FINDING: NORMAL}.items()
    }


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
    prior = chest_prior(graph)
    room = WorkupRoom(graph, LikelihoodModel(graph, prior=prior.by_node, default_prior=prior.default))
    published = published_likelihood(graph)
    flat = WorkupRoom(graph, published, Ranker(published, "published"))
    search = EvidenceSearch(graph, Literature.open(home), Cases.open(home, detector=detector.fingerprint))
    annotated = set(room.likelihood.annotations.disease.tolist())
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
    unfitted = Calibration(temperature=1.0, gates=Gates(), conformal_threshold=0.0, on="", n=0)
    reader = checkpoints.Checkpoint(
        network=network, tokenize=scorer.tokenize, calibration={"chest": unfitted}, fingerprint=""
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
