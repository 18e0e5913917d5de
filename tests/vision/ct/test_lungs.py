"""The lungs of the computed scan, and what is refused because it has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vision.ct.lungs import REFUSALS, Lungs, find_lungs
from vision.ct.volume import Volume


def test_lungs_are_found_with_what_stands_in_them(volume: Volume, lungs: Lungs) -> None:
    coarse = volume.voxels[:: lungs.steps[0], :: lungs.steps[1], :: lungs.steps[2]]
    assert lungs.mask.shape == coarse.shape
    litres = lungs.mask.sum() * np.prod(lungs.steps) * np.prod(volume.spacing_mm) / 1e6
    assert 3.2 < litres < 4.4  # two ellipsoids of 2.07 litres less the heart
    air = coarse < -400
    outside = np.zeros_like(air)
    outside[:, 0] = outside[:, -1] = True
    assert not (lungs.mask & outside).any()
    assert lungs.mask.sum() > (lungs.mask & air).sum() * 1.01, "vessels are inside"


def test_places(lungs: Lungs) -> None:
    assert lungs.place((-80.0, 0.0, 20.0)) == ("right", "lower")
    assert lungs.place((80.0, 0.0, 108.0)) == ("left", "middle")
    assert lungs.place((80.0, 0.0, 190.0)) == ("left", "upper")


def body_without_lungs() -> np.ndarray:
    y, x = np.mgrid[-60:60, -80:80]
    return np.repeat(np.where(np.hypot(x / 70, y / 50) < 1, 40.0, -1000.0)[None], 60, 0).astype(np.float32)


def with_hole(value: float, radius: float = 40) -> np.ndarray:
    voxels = body_without_lungs()
    y, x = np.mgrid[-60:60, -80:80]
    voxels[5:55, np.hypot(x, y) < radius] = value
    return voxels


@pytest.mark.parametrize(
    ("voxels", "code"),
    [
        (body_without_lungs(), "not_a_chest_ct"),
        (with_hole(-995.0), "not_a_chest_ct"),  # gas
        (with_hole(-850.0, 15), "not_a_chest_ct"),  # too small
        (np.full((60, 120, 160), -1000, np.float32), "not_a_chest_ct"),
        (np.random.default_rng(0).normal(0, 400, (60, 120, 160)).astype(np.float32), "not_a_chest_ct"),
        (with_hole(-850.0)[:8], "too_few_slices"),
    ],
)
def test_what_is_no_chest_is_refused(voxels: np.ndarray, code: str) -> None:
    made = Volume(uid="1", voxels=voxels, spacing_mm=(2.0, 2.0, 3.0), origin_mm=(0, 0, 0))
    assert find_lungs(made) == code
    assert code in REFUSALS


def test_a_chest_is_read_unless_its_header_or_its_gaps_forbid_it() -> None:
    made = Volume(uid="1", voxels=with_hole(-850.0), spacing_mm=(2.0, 2.0, 3.0), origin_mm=(0, 0, 0))
    assert isinstance(find_lungs(made), Lungs)
    assert isinstance(find_lungs(replace(made, body_part="CHESTABDOMEN")), Lungs)
    assert find_lungs(replace(made, body_part="HEAD")) == "wrong_body_part"
    assert find_lungs(replace(made, spacing_mm=(2.0, 2.0, 7.5))) == "slices_too_thick"
