"""The slices of a CT scan on which nodules are seen, with their boxes, as one picture."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vision.ct.reading import SeriesDetection
    from vision.ct.volume import Volume

_SIDE, _ACROSS, _MOST = 448, 3, 6
_RED, _YELLOW = (255, 64, 32), (255, 200, 0)


def draw(volume: Volume, seen: SeriesDetection) -> bytes:
    """A PNG with a slice for each of the six likeliest nodules, in the lung window: red boxes for what is present,
    yellow for uncertain, with size and probability. Without nodules the middle slice alone.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    from vision.ct.volume import lung_window

    shown = seen.nodules[:_MOST]
    tiles = []
    for nodule in shown or (None,):
        at = nodule.slice - 1 if nodule else len(volume.voxels) // 2
        plane = (lung_window(volume.voxels[at]) * 255).round().astype(np.uint8)
        height_mm, width_mm = plane.shape[0] * volume.spacing_mm[1], plane.shape[1] * volume.spacing_mm[0]
        size = round(_SIDE * min(1.0, width_mm / height_mm)), round(_SIDE * min(1.0, height_mm / width_mm))
        tile = Image.fromarray(plane).convert("RGB").resize(size, Image.Resampling.BILINEAR)
        canvas = ImageDraw.Draw(tile)
        words = f"slice {at + 1}"
        if nodule:
            colour, box = _RED if nodule.present else _YELLOW, nodule.box
            x, y = size[0] / plane.shape[1], size[1] / plane.shape[0]
            edge = (box.x * x - 3, box.y * y - 3, (box.x + box.width) * x + 3, (box.y + box.height) * y + 3)
            canvas.rectangle(edge, outline=colour, width=2)
            words += f": {nodule.diameter_mm:.0f} mm, {nodule.probability:.2f}"
        canvas.text((6, 4), words, fill=(255, 255, 255))
        tiles.append(tile)
    columns = min(_ACROSS, len(tiles))
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * width, i // columns * height))
    data = BytesIO()
    sheet.save(data, "PNG")
    return data.getvalue()
