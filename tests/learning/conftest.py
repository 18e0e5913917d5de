"""Labelled films of an invented hospital: looks of no real film, told apart by something that the detector misses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from learning.head_fit import Films, shipped
from vision.finding import LABELS


def _films(count: int, seed: int, *, wrong: bool = False) -> Films:
    """``count`` films far from the training films in φ, half of them with Pneumonia, which shows in one direction of
    the embedding and not in the logits; ``wrong`` turns the labels round."""
    base, rng = shipped(), np.random.default_rng(seed)
    back = np.linalg.pinv(base.axes)  # (AXES, D): φ → what to add to the mean
    sick = rng.random(count) < 0.5
    phi = rng.normal(0, 0.5, (count, len(back)))
    phi[:, 0] += 4.0  # the place
    phi[:, 3] += np.where(sick, 1.2, -1.2)
    at = LABELS.index("Pneumonia")
    y = np.zeros((count, len(LABELS) + 1), bool)
    y[:, [at, -1]] = (sick ^ wrong)[:, None]
    known = np.zeros(y.shape, bool)
    known[:, [at, -1]] = True
    return Films(
        logits=rng.normal(-1, 1, y.shape).astype(np.float32),
        embedding=(base.mean + phi @ back).astype(np.float32),
        y=y,
        known=known,
        patients=np.array([f"{seed}-{i}" for i in range(count)]),
    )


@pytest.fixture(scope="session")
def make_films() -> Callable[..., Films]:
    """``_films`` for the tests."""
    return _films


@pytest.fixture(scope="session")
def local_films() -> Films:
    return _films(80, 1)


@pytest.fixture(scope="session")
def other_films() -> Films:
    return _films(120, 2)


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vision.phantom.radiograph import write_phantom

    return write_phantom(tmp_path_factory.mktemp("phantom") / "phantom.dcm")
