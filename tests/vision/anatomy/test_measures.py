"""The cardiothoracic ratio and its neighbours, on outlines whose measures are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.anatomy.measures import Measurement, largest_part, measure, ratio, ratio_limit, span


def outlines(heart: tuple[int, int], thorax: tuple[int, int], side: int = 100) -> np.ndarray:
    """Boxes: the lungs from edge to edge of the thorax, the heart between two columns."""
    shares = np.zeros((3, side, side), np.float32)
    middle = sum(thorax) // 2
    shares[0, 10:80, thorax[0] : middle - 5] = 1
    shares[1, 10:80, middle + 5 : thorax[1]] = 1
    shares[2, 50:80, heart[0] : heart[1]] = 1
    return shares


@pytest.mark.parametrize(("heart", "expected"), [((30, 70), 40 / 80), ((38, 70), 32 / 80), ((20, 80), 60 / 80)])
def test_the_ratio_is_the_hearts_width_over_the_thorax(heart: tuple[int, int], expected: float) -> None:
    assert ratio(outlines(heart, (10, 90))) == pytest.approx(expected)


@given(st.integers(12, 40), st.integers(55, 88), st.floats(0.55, 1.0))
def test_soft_edges_move_the_ratio_by_less_than_a_pixel(low: int, high: int, strength: float) -> None:
    sharp = outlines((low, high), (10, 90))
    soft = sharp * np.float32(strength)
    first, second = ratio(sharp), ratio(soft)
    assert first is not None
    assert second == pytest.approx(first, abs=0.025)


def test_what_is_not_connected_to_an_organ_is_not_measured() -> None:
    shares = outlines((30, 70), (10, 90))
    shares[2, 2:4, 2:4] = 1
    assert ratio(shares) == pytest.approx(0.5)
    assert largest_part(shares[2])[2:4, 2:4].max() == 0


@pytest.mark.parametrize("organ", [0, 1, 2])
def test_without_an_organ_there_is_no_ratio(organ: int) -> None:
    shares = outlines((30, 70), (10, 90))
    shares[organ] = 0
    assert ratio(shares) is None
    assert span(shares[organ], 0) is None
    assert "cardiothoracic ratio" not in {m.name for m in measure(shares, {})}


def test_a_span_reaches_the_edges_of_the_picture() -> None:
    assert span(np.ones((8, 8), np.float32), 1) == pytest.approx((0.0, 1.0))


@pytest.mark.parametrize(
    ("view", "age", "limit"),
    [("PA", 60, 0.5), ("", None, 0.5), ("AP", 60, 0.55), ("AP SUPINE", None, 0.55), ("AP", 1, 0.6)],
)
def test_the_usual_range_is_of_the_view_and_the_age(view: str, age: float | None, limit: float) -> None:
    assert ratio_limit(view, age)[0] == limit
    found = measure(outlines((30, 72), (10, 90)), {}, view=view, age=age)
    first = next(m for m in found if m.name == "cardiothoracic ratio")
    assert (first.value, first.high) == (0.525, limit)
    assert first.usual == (limit > 0.525)


def test_an_open_range_holds_everything() -> None:
    assert Measurement(name="x", value=-5).usual
    assert not Measurement(name="x", value=1, low=2).usual
