"""How much more often two things are said together than by chance."""

from __future__ import annotations

import numpy as np


def log_likelihood_ratio(together: np.ndarray, one: np.ndarray, other: np.ndarray, texts: int) -> np.ndarray:
    """Dunning's G² (Comput Linguist 1993;19:61-74) of 2 × 2 tables, float64: ``together`` texts have both, ``one`` and
    ``other`` have each, of ``texts``. Negative where the two come together less often than by chance; 0 where one of
    them never comes."""
    a = together.astype(np.float64)
    b, c = one - a, other - a
    d = texts - a - b - c
    total = np.zeros(len(a))
    for cell, row, column in (
        (a, one, other),
        (b, one, texts - other),
        (c, texts - one, other),
        (d, texts - one, texts - other),
    ):
        expected = np.maximum(row * column / max(texts, 1), 1e-12)
        total += np.where(cell > 0, cell * np.log(np.maximum(cell, 1e-12) / expected), 0.0)
    return 2 * total * np.where(a * texts >= one * other, 1.0, -1.0)


def positive_information(together: np.ndarray, one: np.ndarray, other: np.ndarray, texts: int) -> np.ndarray:
    """Positive pointwise mutual information in bits, float64: log2 of how many times more often than by chance, 0 where
    not more often."""
    chance = np.maximum(one * other / max(texts, 1), 1e-12)
    return np.maximum(np.log2(np.maximum(together, 1e-12) / chance), 0.0)


def chance(ratio: np.ndarray) -> np.ndarray:
    """The probability of a log-likelihood ratio at least so high when two things have nothing to do with each other
    (χ² with one degree of freedom)."""
    from scipy.stats import chi2

    return np.asarray(chi2.sf(np.maximum(ratio, 0.0), 1), np.float64)


def wilson(shown: int, examined: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) when nobody was examined."""
    if not examined:
        return 0.0, 1.0
    z, p = 1.959963984540054, shown / examined
    middle = (p + z * z / (2 * examined)) / (1 + z * z / examined)
    half = z * np.sqrt(p * (1 - p) / examined + z * z / (4 * examined**2)) / (1 + z * z / examined)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
