"""Expected information by its formula, and where it is highest."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fusion.why.information import expected_information


def entropy(p: list[float]) -> float:
    return -sum(x * math.log2(x) for x in p if x > 0)


def test_it_is_the_expected_fall_of_entropy() -> None:
    prior, shown = [0.5, 0.3, 0.2], [0.9, 0.2, 0.5]
    there = sum(p * f for p, f in zip(prior, shown, strict=True))
    after = [p * f / there for p, f in zip(prior, shown, strict=True)]
    without = [p * (1 - f) / (1 - there) for p, f in zip(prior, shown, strict=True)]
    expected = entropy(prior) - there * entropy(after) - (1 - there) * entropy(without)
    assert expected_information(np.array(prior), np.array([shown])) == pytest.approx([expected])


def test_a_finding_that_only_one_of_two_has_tells_a_bit_and_one_that_both_have_nothing() -> None:
    even = np.array([0.5, 0.5])
    gains = expected_information(even, np.array([[1.0, 0.0], [0.7, 0.7], [1.0, 1.0], [0.0, 0.0]]))
    assert gains == pytest.approx([1.0, 0.0, 0.0, 0.0])


def test_never_negative_nor_more_than_is_open() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        prior = draw.dirichlet(np.ones(6))
        gains = expected_information(prior, draw.random((20, 6)))
        assert (gains > -1e-12).all()
        assert gains.max() <= min(1.0, entropy(prior.tolist()))
