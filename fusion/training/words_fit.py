"""Fitting how findings, prior, person and words are weighed, and how sure to be, on real patients in words.

Few parameters, so that they carry over: the settings of `kg.weight_of_evidence` from a grid, four weights beside that
of present findings (which is 1), a temperature, and five numbers for "none of these". Families of sources count
alike, and the patients of a family. What is claimed is measured on a source that took no part (`crossed`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fusion.calibration import (
    COVERAGE,
    Calibration,
    Known,
    conformal_threshold,
    expected_calibration_error,
    none_evidence,
    softmax,
)
from fusion.pipeline import abstention
from fusion.prior import Persons
from fusion.scorer import Parts
from fusion.training.text_cases import TextCase
from fusion.workup import SHORTLIST, Workup, WorkupRoom, observations
from kg.weight_of_evidence import FEATURES, Settings, WeightOfEvidence

GRID: Mapping[str, Sequence[float]] = {
    "noise": (0.1, 0.2, 0.3),
    "decay": (1.5,),
    "gamma": (0.3,),
    "rarest": (0.003, 0.01),
    "shared": (0.0, 0.5),
}
DEPTHS = (1, 3, 5, 10)
# `Calibration.length`; the likelihood is as good from 20 to 40.
LENGTH = 30.0
# Nats a patient that the network must gain to be heard: asking it takes most of the time of a diagnosis.
LEAST_GAIN = 0.01
LEVELS = tuple(round(float(level), 3) for level in np.arange(COVERAGE, 0.99, 0.005))
_FEWEST_SOURCES = 3
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Told:
    """What a case says of the candidates under some settings: ``features`` float64 (R, 5), ``right`` bool (R,), and how
    many words of its note count."""

    family: str
    source: str
    features: np.ndarray
    right: np.ndarray
    words: int = 0


def told(cases: Iterable[TextCase], evidence: WeightOfEvidence, persons: Persons, rows: np.ndarray) -> list[Told]:
    """The cases of which a right answer is among ``rows``, in order."""
    found = []
    for text in cases:
        if text.right[rows].any():
            case = text.case
            person = persons.ratio(case.age, case.sex, case.setting)
            features = evidence.features(observations(case), rows, person, case.said)
            found.append(Told(text.family, text.source, features, text.right[rows], len(case.stems)))
    return found


def fit_weights(cases: Sequence[Told]) -> tuple[np.ndarray, float, float]:
    """Weights float64 (5,) of the features, the first 1; the temperature; and the loss: the mean over families of the
    mean negative log likelihood of the right answers."""
    from scipy.optimize import minimize

    share = _shares(cases)
    scaled = [c.features / (1 + c.words / LENGTH) for c in cases]

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        total, gradient = 0.0, np.zeros(len(x))
        for case, features, own in zip(cases, scaled, share, strict=True):
            p = softmax(features @ x)
            kept = float(p[case.right].sum())
            posterior = np.where(case.right, p / max(kept, 1e-12), 0.0)
            total -= own * float(np.log(max(kept, 1e-12)))
            gradient += own * ((p - posterior) @ features)
        return total + _RIDGE * float(x @ x), gradient + 2 * _RIDGE * x

    bounds = [(0.05, 4.0)] + [(0.0, 4.0)] * (len(FEATURES) - 1)
    found = minimize(loss, np.array([0.5, 0.25, 0.2, 0.5, 0.5]), jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x / found.x[0], 1 / float(found.x[0]), float(found.fun)


def fit_settings(
    cases: Sequence[TextCase],
    build: Callable[[Settings], WeightOfEvidence],
    persons: Persons,
    rows: np.ndarray,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[Settings, list[Told]]:
    """The told cases under every combination of GRID, whose ``weights`` are still to be fitted."""
    combined = [
        Settings(noise=noise, decay=decay, gamma=gamma, rarest=rarest, shared=shared)
        for noise, decay, gamma, rarest, shared in itertools.product(*GRID.values())
    ]
    out = {}
    for number, settings in enumerate(combined, 1):
        out[settings] = told(cases, build(settings), persons, rows)
        if progress:
            progress("weigh the findings", number, len(combined))
    return out


def best_settings(under: Mapping[Settings, Sequence[Told]], without: str | None = None) -> tuple[Settings, float]:
    """The settings of the least loss, with their weights, and the temperature; cases of the source ``without`` take no
    part."""
    best: tuple[float, Settings, float] | None = None
    for settings, cases in under.items():
        weights, temperature, loss = fit_weights([c for c in cases if c.source != without])
        if best is None or loss < best[0]:
            rounded = tuple(round(float(w), 3) for w in weights)
            best = loss, replace(settings, weights=rounded), temperature
    if best is None:
        raise ValueError("no settings to choose from")
    return best[1], best[2]


def ranks(cases: Iterable[Told], weights: Sequence[float]) -> list[int]:
    """The rank (from 1) of the best right answer of each case; ties count against it."""
    found = []
    for case in cases:
        scores = case.features @ np.array(weights)
        best = scores[case.right].max()
        found.append(int((scores[~case.right] >= best).sum()) + 1)
    return found


def top(ranks: Sequence[int]) -> dict[str, float]:
    return {f"top{k}": round(float(np.mean([r <= k for r in ranks])), 3) for k in DEPTHS} if ranks else {}


# --- how sure to be


@dataclass(frozen=True, slots=True)
class Listed:
    """A shortlist: ``base`` and ``correction`` float64 (K,), the graph's scores and the network's; ``right`` bool
    (K + R,), of the candidates and of the rest of the diseases of the chest; ``kinds`` bool (K, K), row i the
    candidates that are the i-th or a kind of it; how much is known; and whether the patient's disease is none of the
    chest."""

    family: str
    source: str
    base: np.ndarray
    correction: np.ndarray
    right: np.ndarray
    kinds: np.ndarray
    known: Known
    outside: bool

    def scores(self, gate: float) -> np.ndarray:
        return self.base + gate * self.correction

    def everyone(self, gate: float) -> np.ndarray:
        """float64 (K + R,): the candidates' scores, and those of the rest."""
        return np.concatenate([self.scores(gate), self.known.rest])


def listed(
    cases: Iterable[TextCase],
    room: WorkupRoom,
    ask: Callable[[TextCase], tuple[Workup, Parts]] | None = None,
) -> Iterator[Listed]:
    """The shortlists that `fusion.pipeline` would make, in order. ``ask`` lays a case out and asks the network; without
    it the graph speaks alone."""
    if room.evidence is None:
        raise ValueError("patients in words are weighed by their evidence")
    for text in cases:
        if ask is None or not text.right.any():
            workup = room.bare(text.case, room.shortlist(text.case, SHORTLIST))
            features = np.stack([c.features for c in workup.candidates[:-1]])[:, : len(FEATURES)]
            base, correction = room.evidence.scores(features), np.zeros(len(features))
        else:
            workup, parts = ask(text)
            base, correction = parts.base[:-1], parts.correction[:-1]
        names = [c.curie for c in workup.candidates[:-1]]
        above = [room.graph.ancestors(n) for n in names]
        listed_rows = np.searchsorted(room.disease, [room.graph.node(n) for n in names])
        yield Listed(
            text.family,
            text.source,
            base,
            correction,
            text.right[np.concatenate([listed_rows, room.rest(text.case, names)[0]])],
            np.array([[one in other for other in above] for one in names]),
            room.known(text.case, names),
            text.outside,
        )


def fit_calibration(cases: Sequence[Listed], named: str) -> Calibration:
    """Gate, temperature, "none of these" and the conformal threshold, by maximum likelihood over families that
    count alike; the gate is 0 where the network gains less than LEAST_GAIN.

    The gate and the temperature are fitted on the patients whose disease is one of the chest that the graph has, and
    the threshold covers them, listed or not, and those of a source that takes no part as often (`_level`); "none of
    these" tells those whose disease is none of the chest from them.
    """
    found = _nameable(cases)
    return covering(_uncovered(cases, named), found, _by_source(found), _level(cases))


def _uncovered(cases: Sequence[Listed], named: str) -> Calibration:
    """``fit_calibration`` without the threshold."""
    from scipy.optimize import minimize

    found = _nameable(cases)
    share = _shares(found)

    def loss(x: np.ndarray) -> float:
        kept = [float(softmax(c.everyone(x[1]), np.exp(x[0]) * _length(c))[c.right].sum()) for c in found]
        return float(-share @ np.log(np.maximum(kept, 1e-12)))

    asked = any(c.correction.any() for c in found)
    temperatures = (np.log(0.3), np.log(10))
    fit = partial(minimize, loss, np.array([0.5, 0.0]), method="L-BFGS-B")
    best, heard = (fit(bounds=[temperatures, (0.0, most)]) for most in (0.0, 2.0 if asked else 0.0))
    if best.fun - heard.fun >= LEAST_GAIN:
        best = heard
    log_temperature, gate = float(best.x[0]), round(float(best.x[1]), 3)
    return Calibration(
        gate=gate,
        none=fit_none(cases, gate, _shares(cases)),
        temperature=round(float(np.exp(log_temperature)), 4),
        length=LENGTH,
        on=named,
        n=len(cases),
    )


def _level(cases: Sequence[Listed]) -> float:
    """The least nominal coverage, of LEVELS, at which the patients of a source that takes no part are held COVERAGE
    often, in the mean over the sources: a hospital differs from those that were seen more than their patients from
    each other, so that a threshold which covers theirs covers its patients less often (cross-conformal prediction,
    Vovk 2015, with whole sources as folds). COVERAGE itself where there are not three sources."""
    sources = list(dict.fromkeys(c.source for c in _nameable(cases)))
    if len(sources) < _FEWEST_SOURCES:
        return COVERAGE
    held = np.zeros(len(LEVELS))
    for source in sources:
        others = [c for c in cases if c.source != source]
        known, calibration = _nameable(others), _uncovered(others, "")
        told = _right_probabilities(known, calibration)
        own = _right_probabilities([c for c in _nameable(cases) if c.source == source], calibration)
        for i, level in enumerate(LEVELS):
            held[i] += float((own >= conformal_threshold(told, level, _by_source(known))).mean()) / len(sources)
    return next((level for level, share in zip(LEVELS, held, strict=True) if share >= COVERAGE), LEVELS[-1])


def fit_none(cases: Sequence[Listed], gate: float, share: np.ndarray) -> tuple[float, ...]:
    """``Calibration.none``, by maximum likelihood: what tells the patients ill elsewhere from the others. ``share``
    float64 (N,), sums to 1: how much each counts."""
    from scipy.optimize import minimize

    outside = np.array([c.outside for c in cases], float)
    evidence = np.stack([none_evidence(c.scores(gate), c.known, _length(c)) for c in cases])

    def doubt(b: np.ndarray) -> float:
        z = evidence @ b
        return float(share @ (np.logaddexp(0, z) - outside * z) + 1e-4 * (b[1:] ** 2).sum())

    return tuple(round(float(b), 4) for b in minimize(doubt, np.zeros(evidence.shape[1]), method="BFGS").x)


def covering(
    calibration: Calibration, found: Sequence[Listed], share: np.ndarray, level: float = COVERAGE
) -> Calibration:
    """The calibration with the threshold that covers ``level`` of the patients ``found``, each of whom has a right
    disease; ``share`` float64 (N,): how much each counts."""
    threshold = conformal_threshold(_right_probabilities(found, calibration), level, share)
    return replace(calibration, conformal_threshold=round(threshold, 6))


def _right_probabilities(found: Sequence[Listed], calibration: Calibration) -> np.ndarray:
    """float64 (N,): the largest probability of a right disease, of patients who have one."""
    return np.array([_probabilities(c, calibration)[:-1][c.right].max() for c in found])


def crossed(cases: Sequence[Listed]) -> dict[str, dict[str, float]]:
    """Each source by the calibration of the others."""
    names = dict.fromkeys(c.source for c in cases)
    out = {}
    for name in names:
        calibration = fit_calibration([c for c in cases if c.source != name], "")
        out[name] = believed([c for c in cases if c.source == name], calibration) | {"gate": calibration.gate}
    return out


def _nameable(cases: Sequence[Listed]) -> list[Listed]:
    """The patients whose disease is one of the chest that the graph has."""
    return [c for c in cases if c.right.any() and not c.outside]


def _length(case: Listed) -> float:
    return 1 + case.known.words / LENGTH


def _probabilities(case: Listed, calibration: Calibration) -> np.ndarray:
    """float64 (K + R + 1,), "none of these" last."""
    return calibration.with_rest(np.append(case.scores(calibration.gate), 0.0), case.known)


def believed(cases: Sequence[Listed], calibration: Calibration) -> dict[str, float]:
    """How probabilities and abstention fare, as ``whydx eval chest`` counts them; "none" is how often nothing is named
    or "none of these" is first."""
    right, abstained, none, first, correct, covered, size = [], [], [], [], [], [], []
    for case in cases:
        p, k = _probabilities(case, calibration), len(case.base)
        shown = np.maximum(p[:k], case.kinds @ p[:k])
        members = p >= calibration.conformal_threshold
        best = int(np.argmax(case.scores(calibration.gate)))
        silent = abstention(float(p[-1]), float(shown[best]), int(members.sum()), len(p)) is not None
        abstained.append(silent)
        none.append(silent or p[-1] > p[:-1].max())
        right.append(float(shown[case.right[:k]].max()) if case.right[:k].any() else 0.0)
        first.append(float(shown[best]))
        correct.append(bool(case.right[best]))
        covered.append(bool(members[:-1][case.right].any()))
        size.append(int(members[:-1].sum()))
    return {
        "n": len(cases),
        "p_right": round(float(np.mean(right)), 3),
        "abstained": round(float(np.mean(abstained)), 3),
        "none": round(float(np.mean(none)), 3),
        "ece": round(expected_calibration_error(np.array(first), np.array(correct, float)), 3),
        "coverage": round(float(np.mean(covered)), 3),
        "set_size": round(float(np.mean(size)), 1),
    }


def _by_source(cases: Sequence[Listed]) -> np.ndarray:
    """float64, sums to 1: sources alike, and the patients of a source. By families the made-up patients would be half
    of all, and the real ones covered too seldom."""
    sizes = Counter(c.source for c in cases)
    return np.array([1 / (len(sizes) * sizes[c.source]) for c in cases])


def _shares(cases: Sequence[Told] | Sequence[Listed]) -> np.ndarray:
    """float64, sums to 1: families alike, and the patients of a family."""
    sizes = Counter(c.family for c in cases)
    return np.array([1 / (len(sizes) * sizes[c.family]) for c in cases])
