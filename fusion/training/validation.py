"""The reasoner judged on cases that it did not learn from: its calibration, and the figures of its card."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fusion.calibration import (
    Calibration,
    Calibrations,
    conformal_threshold,
    expected_calibration_error,
    fit_gate,
    fit_temperature,
    patient_groups,
    softmax,
)
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from fusion.scorer import Parts, Scorer, questions
from fusion.training.curriculum import SHORTLIST, Curriculum
from fusion.training.report_cases import ReportCase

COMPARED_CASES = 80
CONDITIONS = ("on", "off", "shuffled")
REPORTS = "reports of Open-i without the words of their diagnosis"
Progress = Callable[[str, int, int], None]


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


def scores(judged: Judged, how: str, calibrations: Calibrations) -> np.ndarray:
    """float64 (C,): the scores under a condition, or the graph's own ("graph")."""
    if how == "graph":
        return judged.parts["on"].base
    return judged.parts[how].base + calibrations.of(judged.worded).gate * judged.parts[how].correction


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
        gathered = pipeline.intake.gather(Patient(note=case.note))
        if not any(o.presence == "present" for o in gathered.case.observed):
            continue
        workup, _ = pipeline.lay_out(gathered.case, leave_out=(case.case_id,))
        names = [c.curie for c in workup.candidates]
        found = [i for i, name in enumerate(names) if name in case.diagnoses]
        parts = {"on": scorer.parts(questions(workup))}
        out.append(Judged(parts=parts, truth=min(found, default=len(names) - 1), age=None, sex=None, worded=True))
    return out


def calibrate(judged: Sequence[Judged], named: str, reports: Sequence[Judged] = ()) -> Calibrations:
    """Gates, temperatures and conformal thresholds by maximum likelihood: for words on the real ``reports`` where there
    are any, and on the cases ``judged`` otherwise.

    What the network adds on images is largely which labels their two sets have: every abnormal film of one is called
    pneumonia. So no gate is fitted on images, but on those of the cases judged of which words say something. What it
    adds on simulated patients is in part how they are simulated, and a gate fitted on these alone would carry that to
    the notes of other hospitals; so the gate for words is fitted on both. Temperature and threshold say how sure to be,
    and simulated patients are far easier than real ones: those for words are fitted on the reports alone.
    """
    told = [j for j in judged if j.worded] or judged
    gates = Calibrations(words=Calibration(gate=_gate([*told, *reports])), images=Calibration(gate=_gate(told)))

    def fitted(cases: Sequence[Judged], gate: float, named: str) -> Calibration:
        gated, truth = [scores(j, "on", gates) for j in cases], [j.truth for j in cases]
        temperature = fit_temperature(gated, truth)
        of_truth = np.array([softmax(s, temperature)[t] for s, t in zip(gated, truth, strict=True)])
        threshold = conformal_threshold(of_truth)
        return Calibration(gate=gate, temperature=temperature, conformal_threshold=threshold, on=named, n=len(cases))

    images = fitted(judged, gates.images.gate, named)
    words = fitted(reports, gates.words.gate, REPORTS) if reports else replace(images, gate=gates.words.gate)
    return Calibrations(words=words, images=images)


def _gate(judged: Sequence[Judged]) -> float:
    parts = [j.parts["on"] for j in judged]
    return fit_gate([p.base for p in parts], [p.correction for p in parts], [j.truth for j in judged])


Calibrated = Sequence[tuple[Judged, Calibrations]]


def crossed(judged: Sequence[Judged], reports: Sequence[Judged] = ()) -> dict[str, dict[str, Any]]:
    """Figures of the cases ("judged") and, when there are any, of the ``reports``, each with calibrations fitted on the
    other half of both, even and odd in turn."""
    halves = (calibrate(judged[1::2], "", reports[1::2]), calibrate(judged[::2], "", reports[::2]))
    found = {"judged": judged, "reports": reports}
    return {k: measured([(j, halves[i % 2]) for i, j in enumerate(v)]) for k, v in found.items() if v}


def measured(cases: Calibrated) -> dict[str, Any]:
    """Top-1 and top-3 and mean reciprocal rank of the graph's order and of the reasoner's; the same for the
    ``compared`` cases under each condition, with the differences of on to the others and their paired bootstrap
    intervals (95 %); and, where words say something of the patient and where images alone are known, how far the
    probabilities can be believed."""
    ranks: dict[str, list[int]] = {how: [] for how in ("graph", *CONDITIONS)}
    for j, calibrations in cases:
        for how in ("graph", *j.parts):
            scored = scores(j, how, calibrations)
            last = len(scored) - 1
            order = np.argsort(-scored[:last], kind="stable").tolist()
            ranks[how].append(order.index(j.truth) + 1 if j.truth < last else 10**6)
    everyone = {how: metric_values(ranks[how]) for how in ("graph", "on")}
    known = {how: [c for c in cases if c[0].worded == (how == "words")] for how in ("words", "images")}
    return {
        "n": len(cases),
        **means(everyone),
        **_compared(ranks, everyone, [len(j.parts) > 1 for j, _ in cases]),
        "believed": {how: believed(own) for how, own in known.items() if own},
    }


def believed(cases: Calibrated) -> dict[str, Any]:
    """The mean probability of the likeliest candidate, how often it is the true one, and the expected calibration error
    of the two; the coverage of the conformal sets, overall and by sex and age group, and their mean size."""
    confidence, correct, covered, size = [], [], [], []
    groups: dict[str, list[bool]] = {}
    for j, calibrations in cases:
        own = calibrations.of(j.worded)
        p = own.probabilities(scores(j, "on", calibrations))
        confidence.append(p.max())
        correct.append(int(np.argmax(p)) == j.truth)
        covered.append(bool(p[j.truth] >= own.conformal_threshold))
        size.append(int((p >= own.conformal_threshold).sum()))
        for group in patient_groups(j.age, j.sex):
            groups.setdefault(group, []).append(covered[-1])
    return {
        "n": len(cases),
        "said": round(float(np.mean(confidence)), 4),
        "right": round(float(np.mean(correct)), 4),
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
