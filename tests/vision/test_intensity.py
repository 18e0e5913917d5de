"""Standardisation: what exposure does to a film must hardly reach the network."""

from __future__ import annotations

import numpy as np
import pytest

from vision.intensity import equalise, resize, standardise


def scene(side: int = 128) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    picture = 0.5 + 0.2 * np.sin(3 * x) * np.cos(5 * y) + 0.1 * np.sin(20 * x * y)
    return picture.astype(np.float32)


def test_range_type_and_shape() -> None:
    out = standardise(scene())
    assert out.dtype == np.float32
    assert out.shape == (128, 128)
    assert -1 <= out.min() < -0.5 < 0.5 < out.max() <= 1


@pytest.mark.parametrize(("gain", "offset"), [(0.3, 0.0), (0.5, 0.4), (10.0, -3.0)])
def test_gain_and_offset_do_not_matter(gain: float, offset: float) -> None:
    change = np.abs(standardise(scene() * np.float32(gain) + np.float32(offset)) - standardise(scene()))
    assert change.mean() < 0.01


def test_constant_image_gives_a_constant() -> None:
    assert np.ptp(standardise(np.full((64, 64), 0.7, np.float32))) == 0


def test_equalisation_keeps_the_order_within_a_tile() -> None:
    ramp = np.tile(np.linspace(0, 1, 128, dtype=np.float32), (128, 1))
    out = equalise(ramp)
    assert (np.diff(out[64]) >= -0.02).all()
    assert 0 <= out.min() <= out.max() <= 1


def test_resize_averages_when_it_shrinks() -> None:
    checks = np.indices((128, 128)).sum(0) % 2
    small = resize(checks.astype(np.float32), 32)
    assert small.shape == (32, 32)
    assert np.allclose(small[4:-4, 4:-4], 0.5, atol=0.05)
