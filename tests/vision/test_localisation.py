"""Peaks, boxes and sides from patch maps."""

from __future__ import annotations

import numpy as np
import pytest

from vision import localisation


def bump(row: int, column: int, size: int = 16, level: float = 0.9) -> np.ndarray:
    heatmap = np.full((size, size), 0.01, np.float32)
    heatmap[row - 1 : row + 2, column - 1 : column + 2] = level
    return heatmap


def test_peak_is_in_input_pixels() -> None:
    x, y = localisation.peak(bump(4, 12), width=800, height=400)
    assert 11 / 16 * 800 < x < 14 / 16 * 800
    assert 3 / 16 * 400 < y < 6 / 16 * 400


def test_box_surrounds_the_bump() -> None:
    ((box, score),) = localisation.boxes(bump(4, 12), 0.5, width=512, height=512)
    assert score == pytest.approx(0.9, abs=0.02)
    assert box.x == pytest.approx(11 * 32, abs=16)
    assert box.y == pytest.approx(3 * 32, abs=16)
    assert box.width == pytest.approx(96, abs=24)


def test_two_bumps_give_two_boxes_best_first() -> None:
    heatmap = np.maximum(bump(4, 12, level=0.9), bump(10, 3, level=0.6))
    found = localisation.boxes(heatmap, 0.5, 512, 512)
    assert len(found) == 2
    assert found[0][1] > found[1][1]
    assert found[0][0].x > found[1][0].x


def test_nothing_found_is_empty() -> None:
    assert localisation.boxes(np.zeros((16, 16), np.float32), 0.5, 100, 100) == ()


@pytest.mark.parametrize(("column", "side"), [(3, "right"), (12, "left")])
def test_the_image_left_is_the_patient_right(column: int, side: str) -> None:
    assert localisation.laterality("Effusion", bump(8, column)) == side


def test_both_sides_midline_and_no_side() -> None:
    both = np.maximum(bump(8, 3), bump(8, 12, level=0.8))
    assert localisation.laterality("Edema", both) == "bilateral"
    assert localisation.laterality("Mass", bump(5, 8)) in ("midline", "bilateral")
    assert localisation.laterality("Cardiomegaly", bump(8, 12)) is None
