"""Scores to probabilities, and how many diagnoses cannot be ruled out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from errors import ArtifactError

COVERAGE = 0.9
NONE_INPUTS = 5
_LOG_TEMPERATURE = (float(np.log(0.05)), float(np.log(20)))


def softmax(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """float64, along the last axis; sums to 1."""
    scaled = np.asarray(scores, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How much is known of a patient: how many findings are ``present``, how many ``words`` of the note count, the best
    score that a disease ``elsewhere`` than in the chest reaches when it is thought as common as any, and the scores of
    the ``rest`` of the diseases of the chest (float64 (R,), falling), which are not listed but may be right."""

    present: int = 0
    words: int = 0
    elsewhere: float = 0.0
    rest: np.ndarray = field(default_factory=lambda: np.zeros(0), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How scores become probabilities over a shortlist: softmax((graph's score + gate × correction) / temperature). The
    words of a note say things twice and tell of other things, the more so the longer it is: with ``length``, the scores
    of a note of n words that count are first divided by 1 + n / length. A conformal set holds every candidate with a
    probability of at least ``conformal_threshold`` (coverage 90 % on the patients named by ``on``, ``n`` of them).

    "None of these" is the last of the candidates and takes part in the softmax with a score of its own; or, with
    ``none``, its probability is 1 / (1 + e^-(none · x)), x as `none_evidence` has it, and the others share the rest.
    Raises ArtifactError when ``none`` has another number of weights than x.
    """

    gate: float = 1.0
    none: tuple[float, ...] = ()
    temperature: float = 1.0
    length: float | None = None
    conformal_threshold: float = 0.0
    on: str = ""
    n: int = 0

    def __post_init__(self) -> None:
        if len(self.none) not in (0, NONE_INPUTS):
            raise ArtifactError(
                "the probabilities were fitted for another version",
                value=f"{len(self.none)} numbers for none of these",
                expected=f"{NONE_INPUTS} or none",
                run="whydx train reasoner",
            )

    def probabilities(self, scores: np.ndarray, known: Known = Known()) -> np.ndarray:
        """float64 (C,), of scores (C,) that the gate has passed, "none of these" last. What is missing to 1 is for the
        rest, where there is one (`with_rest`)."""
        listed = self.with_rest(scores, known)
        return np.append(listed[: len(scores) - 1], listed[-1])

    def with_rest(self, scores: np.ndarray, known: Known = Known()) -> np.ndarray:
        """float64 (C + R,): as `probabilities`, with those of the rest before "none of these"; sums to 1."""
        length = 1 + known.words / self.length if self.length else 1.0
        if not self.none or len(scores) < 2:
            everyone = np.concatenate([scores[:-1], known.rest, scores[-1:]])
            return softmax(everyone, self.temperature * length)
        none = _sigmoid(none_evidence(scores[:-1], known, length) @ np.array(self.none))
        everyone = np.concatenate([scores[:-1], known.rest])
        return np.append(softmax(everyone, self.temperature * length) * (1 - none), none)


def none_evidence(scores: np.ndarray, known: Known, length: float = 1.0) -> np.ndarray:
    """float64 (NONE_INPUTS,): x of `Calibration`, of the diseases' scores: 1; the best score, its lead on their mean,
    and the best score elsewhere, each divided by 10 × length; and the present findings / 10. A patient whom no
    candidate explains well, or none better than the others, or a disease elsewhere better, is probably ill elsewhere.
    """
    best = float(np.max(scores))
    said = np.array([best, best - float(np.mean(scores)), known.elsewhere]) / length
    return np.array([10.0, *said, known.present]) / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrations:
    """``words`` where somebody said something of the patient, ``images`` where images alone are known, ``both`` where
    both are (None: as words alone)."""

    words: Calibration = Calibration()
    images: Calibration = Calibration()
    both: Calibration | None = None

    def of(self, worded: bool, imaged: bool = False) -> Calibration:
        if not worded:
            return self.images
        return self.both if imaged and self.both else self.words


def fit_gate(base: Sequence[np.ndarray], correction: Sequence[np.ndarray], truth: Sequence[int]) -> float:
    """The gate, with the temperature that goes with it, of the least mean negative log likelihood of the true
    candidates under softmax((base + gate × correction) / temperature): how far the correction is to be trusted, in
    [0, 2].

    ``base[i]`` and ``correction[i]`` belong to one shortlist (any length), ``truth[i]`` is the position of the true
    candidate in it.
    """
    from scipy.optimize import minimize

    def loss(x: np.ndarray) -> float:
        scores = [(b + x[0] * c) / np.exp(x[1]) for b, c in zip(base, correction, strict=True)]
        return -float(np.mean([np.log(max(softmax(s)[i], 1e-12)) for s, i in zip(scores, truth, strict=True)]))

    bounds = [(0.0, 2.0), _LOG_TEMPERATURE]
    return float(minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds).x[0])


def fit_temperature(scores: Sequence[np.ndarray], truth: Sequence[int]) -> float:
    """The temperature, in [0.05, 20], with the least mean negative log likelihood of the true candidates (Guo et al.
    2017). Arguments as for `fit_gate`, whose scores these are.
    """
    from scipy.optimize import minimize_scalar

    def loss(x: float) -> float:
        return -float(
            np.mean([np.log(max(softmax(s, np.exp(x))[i], 1e-12)) for s, i in zip(scores, truth, strict=True)])
        )

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURE, method="bounded").x))


def conformal_threshold(
    true_probabilities: np.ndarray, coverage: float = COVERAGE, weight: np.ndarray | None = None
) -> float:
    """The probability that the true candidate reaches in ``coverage`` of exchangeable cases, with the finite-sample
    correction of split conformal prediction (Vovk et al. 2005; Sadinle et al. 2019): the ⌊(n + 1)(1 - coverage)⌋-th
    smallest; 0, so that nothing can be ruled out, when there are too few cases.

    With ``weight`` (float (n,)) cases count by their weight, and the new one by the mean weight (after Tibshirani et
    al. 2019); equal weights give the same as none.
    """
    order = np.argsort(true_probabilities, kind="stable")
    share = np.ones(len(order)) if weight is None else np.asarray(weight, np.float64)[order] / np.mean(weight)
    # A hair more, so that 20 × (1 - 0.9) is 2 and not 1.9999….
    rank = int(np.searchsorted(np.cumsum(share), (len(order) + 1) * (1 - coverage) + 1e-9, side="right"))
    return float(true_probabilities[order[rank - 1]]) if rank >= 1 else 0.0


def expected_calibration_error(probability: np.ndarray, correct: np.ndarray, bins: int = 10) -> float:
    """Mean |confidence - accuracy| over equal-width bins, weighted by their counts (Naeini et al. 2015)."""
    index = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    gap = np.bincount(index, probability, bins) - np.bincount(index, np.asarray(correct, float), bins)
    return float(np.abs(gap).sum() / max(len(index), 1))


def publication_seniority(pmid: str, newest: int) -> float | None:
    """ln(1 + millions of PMIDs by which a publication (a PMID CURIE) is older than the ``newest`` that the annotations
    cite); 0 for a newer one, None without a PMID. A disease first described after the annotations cannot be among
    them."""
    number = pmid.removeprefix("PMID:")
    return float(np.log1p(max(newest - int(number), 0) / 1e6)) if number.isdecimal() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """How likely the patient's disease is none of the list, 1 / (1 + e^(-weights · x)), and the threshold of the
    conformal set that goes with it. x: 1, the best score, its lead on the second, and, where it is known, the
    `publication_seniority`."""

    weights: tuple[float, ...]
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCalibration:
    """From a ranker's scores of a list of diseases to probabilities: a softmax at a temperature over the list, times
    the probability that the disease is among them. ``dated`` serves patients whose publication is known, ``undated``
    the others."""

    temperature: float
    dated: Remainder
    undated: Remainder

    def probabilities(self, scores: np.ndarray, seniority: float | None) -> tuple[np.ndarray, float]:
        """float64 (..., K + 1), the last being "none of these", of scores (..., K), K >= 1, -inf where there is no
        candidate; and the probability from which on a diagnosis belongs to the conformal set."""
        part = self.undated if seniority is None else self.dated
        none = _sigmoid(_evidence(scores, seniority) @ np.array(part.weights))
        return _with_none(scores, self.temperature, none), part.threshold

    def card(self) -> dict[str, Any]:
        """What `of` reads, as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> ListCalibration:
        """The calibration of a ranker's card. Raises ArtifactError when it has none."""
        try:
            stated = card["calibration"]
            parts = {
                k: Remainder(weights=tuple(stated[k]["weights"]), threshold=stated[k]["threshold"])
                for k in ("dated", "undated")
            }
            return cls(temperature=stated["temperature"], **parts)
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                "the ranker's card has no calibration",
                value=str(error),
                expected="temperature, dated, undated",
                run="python -m benchmarks.likelihood CASES --home HOME --calibrate DIR",
            ) from error


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(x)))


def _evidence(scores: np.ndarray, seniority: float | np.ndarray | None) -> np.ndarray:
    """float64 (..., 3 or 4): x of `Remainder`."""
    best = np.sort(scores, axis=-1)[..., ::-1]
    second = best[..., min(1, best.shape[-1] - 1)]
    lead = best[..., 0] - np.where(np.isfinite(second), second, best[..., 0])
    columns = [np.ones_like(lead), best[..., 0], lead]
    return np.stack(columns if seniority is None else [*columns, np.broadcast_to(seniority, lead.shape)], axis=-1)


def _with_none(scores: np.ndarray, temperature: float, none: np.ndarray) -> np.ndarray:
    none = np.asarray(none)[..., None]
    return np.concatenate([softmax(scores, temperature) * (1 - none), none], axis=-1)


def fit_lists(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray, seniority: np.ndarray) -> ListCalibration:
    """The calibration with the least weighted negative log likelihood, and its conformal thresholds.

    ``scores`` float64 (N, K), -inf where there is no candidate, of rankers that did not learn from these patients;
    ``truth`` int (N,), K for none of the list; ``weight`` (N,); ``seniority`` float64 (N,), NaN where it is not known.
    """
    from scipy.optimize import minimize, minimize_scalar

    count = scores.shape[1]
    listed = truth < count

    def surprise(log_temperature: float) -> float:
        p = softmax(scores[listed], np.exp(log_temperature))[np.arange(listed.sum()), truth[listed]]
        return -float(weight[listed] @ np.log(np.maximum(p, 1e-12)))

    temperature = float(np.exp(minimize_scalar(surprise, bounds=(np.log(0.05), np.log(20)), method="bounded").x))

    def remainder(of: np.ndarray, seniority: np.ndarray | None) -> Remainder:
        x, missing, w = _evidence(scores[of], seniority), ~listed[of], weight[of] / weight[of].sum()

        def loss(b: np.ndarray) -> float:
            # The penalty is for separable data only.
            return float(w @ (np.logaddexp(0, x @ b) - missing * (x @ b)) + 1e-4 * (b[1:] ** 2).sum())

        weights = minimize(loss, np.zeros(x.shape[1]), method="L-BFGS-B").x
        p = _with_none(scores[of], temperature, _sigmoid(x @ weights))[np.arange(len(x)), truth[of]]
        return Remainder(
            weights=tuple(round(float(b), 4) for b in weights), threshold=conformal_threshold(p, weight=weight[of])
        )

    known = ~np.isnan(seniority)
    undated = remainder(np.ones(len(truth), bool), None)
    dated = remainder(known, seniority[known]) if known.any() else replace(undated, weights=(*undated.weights, 0.0))
    return ListCalibration(temperature=round(temperature, 4), dated=dated, undated=undated)


def patient_groups(age: float | None, sex: str | None) -> tuple[str, str]:
    """The groups by sex and by age (years) in which coverage is reported."""
    by_sex = {"F": "women", "M": "men"}.get(sex or "", "sex unknown")
    if age is None:
        return by_sex, "age unknown"
    return by_sex, "under 40" if age < 40 else "40 to 64" if age < 65 else "65 and over"
