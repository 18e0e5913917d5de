"""Heat maps and boxes on the image."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from reports.overlay import draw
from vision.finding import BoundingBox, Finding

PIXELS = np.full((40, 60), 0.5, np.float32)
MASS = Finding(label="Mass", presence="present", box=BoundingBox(x=10, y=5, width=20, height=15))


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)


def test_nothing_present_is_the_image_alone() -> None:
    image = decoded(draw(PIXELS, [replace(MASS, presence="absent")], {"Mass": np.ones((2, 2))}))
    assert image.shape == (40, 60, 3)
    assert np.ptp(image) == 0


def test_heat_is_red_where_the_map_is_high() -> None:
    heat = np.array([[0.0, 0.0], [0.0, 3.0]])
    image = decoded(draw(PIXELS, [replace(MASS, box=None)], {"Mass": heat}))
    assert image[39, 59, 0] - image[39, 59, 2] > 60
    assert image[0, 0].tolist() == [127, 127, 127] or image[0, 0].tolist() == [128, 128, 128]


def test_box_is_drawn_in_pixels_of_the_image() -> None:
    image = decoded(draw(PIXELS, [MASS], {}))
    assert image[5, 10].tolist() == [255, 64, 32]
    assert image[20, 30].tolist() == [255, 64, 32]
    assert image[30, 50].tolist() != [255, 64, 32]


def test_outlines_are_a_blue_line_where_they_cross_a_half() -> None:
    share = np.zeros((20, 30), np.float32)
    share[5:15, 10:20] = 1
    image = decoded(draw(PIXELS, [], {}, {"heart": share}))
    blue = (image == [64, 160, 255]).all(2)
    rows, columns = np.nonzero(blue)
    assert (rows.min(), rows.max()) == (10, 29)
    assert (columns.min(), columns.max()) == (20, 39)
    assert not blue[15:25, 25:35].any()  # a line, not an area
    assert not blue[0].any()


def test_a_large_film_is_made_smaller_with_all_that_is_drawn_on_it() -> None:
    film = np.linspace(0, 1, 3000, dtype=np.float32)[:, None].repeat(2000, axis=1)
    box = BoundingBox(x=500, y=1500, width=1000, height=750)
    image = decoded(draw(film, [replace(MASS, box=box)], {}))
    assert image.shape == (2048, 1365, 3)
    assert abs(image[1024, 100] - 128).max() <= 1
    rows, columns = np.nonzero((image == [255, 64, 32]).all(2))
    drawn = np.array([rows.min(), rows.max(), columns.min(), columns.max()])
    assert abs(drawn - [1024, 1536, 341, 1024]).max() <= 2
