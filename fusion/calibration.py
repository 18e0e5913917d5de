"""Scores to probabilities, and how many diagnoses cannot be ruled out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def softmax(scores: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """float64, along the last axis; sums to 1."""
    scaled = np.asarray(scores, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def fit_gate(base: Sequence[np.ndarray], correction: Sequence[np.ndarray], truth: Sequence[int]) -> tuple[float, float]:
    """(gate, temperature) with the least mean negative log likelihood of the true candidates under softmax((base + gate
    × correction) / temperature) (Guo et al. 2017): the gate, in [0, 2], is how far the correction is to be trusted.

    ``base[i]`` and ``correction[i]`` belong to one shortlist (any length), ``truth[i]`` is the position of the true
    candidate in it. The temperature is within [0.05, 20].
    """
    from scipy.optimize import minimize

    def loss(x: np.ndarray) -> float:
        scores = [(b + x[0] * c) / np.exp(x[1]) for b, c in zip(base, correction, strict=True)]
        return -float(np.mean([np.log(max(softmax(s)[i], 1e-12)) for s, i in zip(scores, truth, strict=True)]))

    bounds = [(0.0, 2.0), (np.log(0.05), np.log(20))]
    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=bounds).x
    return float(found[0]), float(np.exp(found[1]))


def conformal_threshold(true_probabilities: np.ndarray, coverage: float = 0.9) -> float:
    """The probability that the true candidate reaches in ``coverage`` of exchangeable cases, with the finite-sample
    correction of split conformal prediction (Vovk et al. 2005; Sadinle et al. 2019): the ⌊(n + 1)(1 - coverage)⌋-th
    smallest; 0, so that nothing can be ruled out, when there are too few cases."""
    # A hair more, so that 20 × (1 - 0.9) is 2 and not 1.9999….
    rank = int(np.floor((len(true_probabilities) + 1) * (1 - coverage) + 1e-9))
    return float(np.sort(true_probabilities)[rank - 1]) if rank >= 1 else 0.0


def expected_calibration_error(probability: np.ndarray, correct: np.ndarray, bins: int = 10) -> float:
    """Mean |confidence - accuracy| over equal-width bins, weighted by their counts (Naeini et al. 2015)."""
    index = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    gap = np.bincount(index, probability, bins) - np.bincount(index, np.asarray(correct, float), bins)
    return float(np.abs(gap).sum() / max(len(index), 1))
