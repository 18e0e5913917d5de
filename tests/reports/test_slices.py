"""The picture of a scan's nodules."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

from reports.slices import draw
from vision.ct.reading import SeenNodule, SeriesDetection
from vision.ct.volume import Volume
from vision.finding import BoundingBox

VOLUME = Volume(
    uid="1", voxels=np.full((20, 64, 64), -600, np.float32), spacing_mm=(1.0, 1.0, 2.0), origin_mm=(0.0, 0.0, 0.0)
)


def nodule(p: float, x: float) -> SeenNodule:
    return SeenNodule(
        probability=p,
        centre_mm=(x, 30.0, 20.0),
        diameter_mm=8.0,
        side="left",
        zone="upper",
        slice=11,
        box=BoundingBox(x=x - 4, y=26, width=8, height=8),
    )


def picture(*nodules: SeenNodule) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(draw(VOLUME, SeriesDetection(uid="1", nodules=nodules)))), np.int64)


def test_a_tile_a_nodule_with_its_box_where_it_is() -> None:
    seen = picture(nodule(0.9, 48), nodule(0.05, 16))
    assert seen.shape == (448, 2 * 448, 3)
    red = (seen[..., 0] > 200) & (seen[..., 1] < 100)
    yellow = (seen[..., 0] > 200) & (seen[..., 1] > 150) & (seen[..., 2] < 50)
    assert abs(np.nonzero(red)[1].mean() - 48 * 7) < 8
    assert abs(np.nonzero(yellow)[1].mean() - 448 - 16 * 7) < 8
    assert abs(np.nonzero(red)[0].mean() - 30 * 7) < 8


def test_without_nodules_the_middle_slice() -> None:
    assert picture().shape == (448, 448, 3)
