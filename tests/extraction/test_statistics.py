"""Ratios and intervals against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, chi2_contingency

from extraction.statistics import chance, log_likelihood_ratio, positive_information, wilson


@pytest.mark.parametrize(("together", "one", "other", "texts"), [(10, 30, 50, 1000), (3, 4, 5, 100), (40, 60, 70, 200)])
def test_the_ratio_is_that_of_a_contingency_table(together: int, one: int, other: int, texts: int) -> None:
    table = [[together, one - together], [other - together, texts - one - other + together]]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood")
    found = log_likelihood_ratio(*(np.array([float(n)]) for n in (together, one, other)), texts)
    assert found[0] == pytest.approx(expected.statistic)
    assert chance(found)[0] == pytest.approx(expected.pvalue)


def test_rarer_than_by_chance_is_negative() -> None:
    found = log_likelihood_ratio(np.array([1.0]), np.array([100.0]), np.array([100.0]), 200)
    assert found[0] < 0
    assert chance(found)[0] == 1


def test_information_is_never_negative() -> None:
    found = positive_information(np.array([8.0, 1.0]), np.array([10.0, 100.0]), np.array([10.0, 100.0]), 200)
    assert found.tolist() == [4.0, 0.0]


@pytest.mark.parametrize(("shown", "examined"), [(0, 10), (3, 10), (10, 10), (500, 1000)])
def test_the_interval_is_wilsons(shown: int, examined: int) -> None:
    expected = binomtest(shown, examined).proportion_ci(method="wilson")
    assert wilson(shown, examined) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nobody_examined_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
