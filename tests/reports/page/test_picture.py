"""The film and what lies on it: places, also on a film that is stored turned."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from reports.page.picture import MOST_PIXELS, Picture, picture, turned
from vision.finding import BoundingBox, Finding
from vision.image import ImageInstance
from vision.intake.header import Orientation

TURNED = [
    Orientation(transposed=t, mirrored=m, upside_down=u)
    for t in (False, True)
    for m in (False, True)
    for u in (False, True)
]


def opened(png: str) -> Image.Image:
    return Image.open(BytesIO(base64.b64decode(png)))


def marked(orientation: Orientation) -> tuple[ImageInstance, BoundingBox]:
    """A stored picture that is bright inside a box."""
    pixels = np.zeros((30, 40), np.float32)
    pixels[5:11, 20:32] = 1
    image = ImageInstance(
        sop_instance_uid="1", study_instance_uid="1", pixels=pixels, orientation=orientation
    )  # fmt: skip
    return image, BoundingBox(x=20, y=5, width=12, height=6)


def of_box(image: ImageInstance, box: BoundingBox, heat: np.ndarray) -> Picture:
    found = Finding(label="Mass", presence="present", probability=0.8, box=box)
    return picture(image, [found], {"Mass": heat}, {"heart": heat})


@pytest.mark.parametrize("orientation", TURNED, ids=str)
def test_box_outline_and_heat_map_lie_where_the_film_shows_it(orientation: Orientation) -> None:
    image, box = marked(orientation)
    shown = of_box(image, box, image.pixels)
    film = np.asarray(opened(shown.png)) > 127
    (frame,) = shown.frames
    inside = np.zeros_like(film)
    inside[int(frame.y) : int(frame.y + frame.height), int(frame.x) : int(frame.x + frame.width)] = True
    assert np.array_equal(film, inside)
    numbers = np.array([list(map(int, pair.split(","))) for pair in re.findall(r"\d+,\d+", shown.outlines[0].path)])
    x, y = numbers[:, 0], numbers[:, 1]
    assert abs(np.array([x.min() - frame.x, y.min() - frame.y])).max() <= 1
    assert abs(np.array([x.max() - frame.x - frame.width, y.max() - frame.y - frame.height])).max() <= 1
    strength = np.asarray(opened(shown.heat_maps[0].png).resize((shown.width, shown.height)))[..., 3]
    assert strength[inside].mean() > 4 * strength[~inside].mean()


def test_a_large_film_is_made_smaller_and_its_places_stay_those_of_the_original() -> None:
    image, box = marked(Orientation())
    large = replace(image, pixels=np.kron(image.pixels, np.ones((60, 60), np.float32)))
    shown = of_box(large, BoundingBox(x=box.x * 60, y=box.y * 60, width=720, height=360), image.pixels)
    assert (shown.width, shown.height) == (2400, 1800)
    assert max(opened(shown.png).size) == MOST_PIXELS
    assert shown.frames[0].x == 1200


def test_labels_of_boxes_do_not_lie_on_one_another() -> None:
    image, box = marked(Orientation())
    found = [
        Finding(label=label, presence="uncertain", probability=0.1, box=box) for label in ("Mass", "Nodule", "Fibrosis")
    ]
    frames = picture(image, found, {}, {}).frames
    assert [f.sure for f in frames] == [False] * 3
    gaps = np.diff(sorted(f.label_y for f in frames))
    assert gaps.min() >= 40 / 32 - 1e-9
    assert {f.said for f in frames} == {"Mass? 10 %", "Nodule? 10 %", "Fibrosis? 10 %"}


def test_what_is_absent_or_has_no_box_is_not_framed() -> None:
    image, box = marked(Orientation())
    found = [Finding(label="Mass", presence="absent", box=box), Finding(label="Nodule", presence="present")]
    assert picture(image, found, {}, {}).frames == ()
    assert turned((1, 2, 3, 4), 10, 20, Orientation(mirrored=True)) == (6, 2, 3, 4)
