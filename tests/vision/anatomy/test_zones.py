"""Angles, heights, widths and densities of drawn lungs, whose truth is known, and of the computed film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vision.anatomy.organs import SIDE
from vision.anatomy.outliner import Anatomy
from vision.anatomy.ranges import Person, fit, usual
from vision.anatomy.zones import lungs_of, measure_more, measured, zones
from vision.image import load_image
from vision.intensity import resize
from vision.phantom.radiograph import Lesion, write_phantom


def polygon(points: Sequence[tuple[float, float]]) -> np.ndarray:
    picture = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(picture).polygon([(x, y) for x, y in points], fill=1)
    return np.asarray(picture, np.float32)


def drawn(angle: float, *, base: float = 100, other: float = 100, gap: float = 20) -> np.ndarray:
    """(3, S, S): upright walls at columns 14 and 113, apices on row 14, ``gap`` columns between the lungs; the bases
    leave the walls at ``angle`` degrees on rows ``base`` (right) and ``other``."""
    inner = (SIDE - 1 - gap) / 2
    rise = (inner - 14) / np.tan(np.radians(angle))
    right = polygon([(14, 14), (inner, 14), (inner, base - rise), (14, base)])
    left = polygon([(14, 14), (inner, 14), (inner, other - rise), (14, other)])[:, ::-1]
    return np.stack((right, left, np.zeros_like(right)))


@pytest.mark.parametrize("angle", [35, 50, 70, 90, 110])
def test_the_costophrenic_angle(angle: float) -> None:
    found = measured(drawn(angle, base=92 if angle < 100 else 80, other=92 if angle < 100 else 80))
    for side in ("right", "left"):
        assert found[f"costophrenic angle, {side}"] == pytest.approx(angle, abs=7)


def test_diaphragm_height_and_mediastinum() -> None:
    found = measured(drawn(90, base=94, other=100, gap=20))
    assert found["right diaphragm above left"] == pytest.approx(6 / 84, abs=0.015)
    assert found["mediastinal width"] == pytest.approx(20 / 100, abs=0.015)
    assert found["lung height, left"] - found["lung height, right"] == pytest.approx(6 / 100, abs=0.015)


def test_densities_by_side_and_zone() -> None:
    shares = drawn(90)
    pair = lungs_of(shares)
    assert pair is not None
    grey = np.full((SIDE, SIDE), 0.2, np.float32) + np.random.default_rng(0).normal(0, 0.01, (SIDE, SIDE))
    grey[zones(pair[0])["lower"]] += 0.5
    found = measured(shares, grey.astype(np.float32))
    assert found["density, lower zones, right less left"] > 1.5
    assert abs(found["density, upper zones, right less left"]) < 0.1
    assert found["density, right lung, lower less upper"] > 1.5
    assert abs(found["density, left lung, lower less upper"]) < 0.1
    brighter = measured(shares, (0.5 * grey + 0.3).astype(np.float32))
    assert brighter == pytest.approx(found, abs=1e-3)  # a film's greys have no scale
    mirrored = measured(shares[[1, 0, 2], :, ::-1].copy(), grey[:, ::-1].astype(np.float32).copy())
    lower = "density, lower zones, right less left"
    assert mirrored[lower] == pytest.approx(-found[lower], abs=1e-3)


def test_zones_part_a_lung() -> None:
    pair = lungs_of(drawn(60))
    assert pair is not None
    for lung in pair:
        found = zones(lung)
        assert sum(found[third].sum() for third in ("upper", "middle", "lower")) == lung.mask.sum()
        assert found["central"].sum() + found["peripheral"].sum() == lung.mask.sum()
        outer = np.nonzero(found["peripheral"])[1].mean() - np.nonzero(found["central"])[1].mean()
        assert np.sign(outer) == lung.lateral


def test_nothing_is_measured_without_two_lungs() -> None:
    shares = drawn(60)
    shares[1] = 0
    assert measured(shares) == {}
    assert measured(np.zeros_like(shares)) == {}


def test_the_usual_range_is_of_the_narrowest_group_with_enough_films() -> None:
    people = [Person(view="PA", sex="F", age=30.0)] * 80 + [Person(view="AP", sex="M", age=70.0)] * 40
    values = [{"x": float(i)} for i in range(80)] + [{"x": 1000.0}] * 40
    ranges = fit(people, values)
    low, high, whose = usual(ranges, "x", people[0]) or (0, 0, "")
    assert (low, high) == pytest.approx((2, 77), abs=1)
    assert whose == "80 films without a finding, PA, women, 16 to 39 years"
    assert usual(ranges, "x", people[-1]) == (ranges["x"][""][0], 1000.0, "120 films without a finding")
    assert usual(ranges, "x", Person(view="PA", age=4)) is None
    assert usual(ranges, "y", people[0]) is None


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return Anatomy.open()


def of_film(anatomy: Anatomy, path: Path, lesions: Sequence[Lesion]) -> dict[str, float]:
    picture = load_image(write_phantom(path, lesions)).upright
    (outlines,) = anatomy.outline([picture])
    assert outlines.trusted
    return measured(outlines.shares, resize(picture, SIDE))


def test_the_computed_film(anatomy: Anatomy, tmp_path: Path) -> None:
    plain = of_film(anatomy, tmp_path / "plain.dcm", ())
    # its domes stand at 76 and 86 mm, its lungs are about 200 mm high, its mediastinum is 60 of 270 mm wide
    assert plain["right diaphragm above left"] == pytest.approx(10 / 200, abs=0.04)
    assert plain["mediastinal width"] == pytest.approx(60 / 270, abs=0.06)
    fluid = of_film(anatomy, tmp_path / "fluid.dcm", (Lesion(kind="effusion", side="right"),))
    dense = of_film(anatomy, tmp_path / "dense.dcm", (Lesion(kind="consolidation", side="left", zone="upper"),))
    assert fluid["costophrenic angle, right"] > plain["costophrenic angle, right"] + 15
    assert fluid["costophrenic angle, left"] == pytest.approx(plain["costophrenic angle, left"], abs=12)
    name = "density, upper zones, right less left"
    assert dense[name] < plain[name] - 0.4


def test_the_shipped_ranges_stand_beside_each_measurement(anatomy: Anatomy) -> None:
    grey = np.random.default_rng(0).normal(0.4, 0.1, (SIDE, SIDE)).astype(np.float32)
    found = measure_more(drawn(45), grey, anatomy.manifest["ranges"], Person(view="PA", sex="F", age=50))
    angle = next(m for m in found if m.name == "costophrenic angle, right")
    assert (angle.unit, angle.value) == ("°", pytest.approx(45, abs=7))
    assert angle.low is not None
    assert angle.high is not None
    assert 10 < angle.low < angle.high < 110
    assert "films without a finding" in angle.basis
    assert all(m.low is not None for m in found), [m.name for m in found if m.low is None]
