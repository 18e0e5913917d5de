"""Candidates and patches of the computed scan, whose nodules are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from vision.ct.candidates import Candidate, find_candidates
from vision.ct.lungs import Lungs, find_lungs
from vision.ct.patches import SIDE, patch
from vision.ct.reading import diameter
from vision.ct.volume import Volume
from vision.phantom.scan import NODULES, Ball


def nearest(places: tuple[Candidate, ...], ball: Ball) -> Candidate:
    return min(places, key=lambda place: math.dist(place.centre_mm, ball.centre_mm))


@pytest.mark.parametrize("ball", NODULES)
def test_every_nodule_is_a_candidate_of_its_size(volume: Volume, candidates: tuple[Candidate, ...], ball: Ball) -> None:
    found = nearest(candidates, ball)
    assert math.dist(found.centre_mm, ball.centre_mm) < 1.5
    assert found.diameter_mm == pytest.approx(ball.diameter_mm, rel=0.35)
    assert diameter(volume, found) == pytest.approx(ball.diameter_mm, abs=0.8)


def test_tubes_and_walls_are_not_the_most(candidates: tuple[Candidate, ...]) -> None:
    assert 20 < len(candidates) < 400
    strongest = candidates[: len(NODULES)]
    for ball in NODULES:
        assert any(math.dist(c.centre_mm, ball.centre_mm) < 2 for c in strongest)


def test_a_nodule_on_the_chest_wall_is_found(volume: Volume) -> None:
    z, y, x = np.ogrid[: volume.voxels.shape[0], : volume.voxels.shape[1], : volume.voxels.shape[2]]
    # the right lung's outer wall is at x = −136 on the slice of its middle
    centre = (-132.0, 5.0, 108.0)
    at = volume.index(centre)
    far = ((z - at[0]) * 2) ** 2 + (y - at[1]) ** 2 + (x - at[2]) ** 2
    made = replace(volume, voxels=np.where(far < 25, 40, volume.voxels).astype(np.float32))
    found = find_lungs(made)
    assert isinstance(found, Lungs)
    places = find_candidates(made, found)
    assert min(math.dist(place.centre_mm, centre) for place in places) < 4


def test_a_patch_has_the_point_in_its_middle(volume: Volume) -> None:
    for ball in NODULES:
        cut = patch(volume, ball.centre_mm)
        assert (cut.shape, cut.dtype) == ((SIDE, SIDE), np.uint8)
        assert cut[SIDE // 2, SIDE // 2] > 160
        rows, columns = np.indices(cut.shape) - SIDE // 2
        ring = np.abs(np.hypot(rows, columns) * 0.9 - ball.diameter_mm / 2 - 2) < 0.6
        assert cut[ring].mean() < 70


def test_a_patch_is_cut_on_the_scans_own_grid(volume: Volume) -> None:
    fine = replace(volume, spacing_mm=(0.7, 0.7, 2.0))
    centre = fine.point((50.0, 100.0, 120.0))
    cut = patch(fine, centre)
    own = fine.voxels[50, 75:125, 95:145]
    assert np.array_equal(cut, ((np.clip(own, -1000, 400) + 1000) / 1400 * 255).astype(np.uint8))


def test_outside_the_volume_is_air(volume: Volume) -> None:
    assert (patch(volume, (-400.0, 0.0, 50.0)) == 0).all()
