"""The heat maps and boxes of an image's findings, drawn on the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from vision.finding import Finding, in_words

if TYPE_CHECKING:
    import numpy as np
    from PIL import ImageDraw

    from vision.anatomy.measures import Measurement

MOST_PIXELS = 2048
"""The longer side of the picture."""
_OPACITY = 0.45
_RUNS = 3  # zlib's Z_RLE: as small as the default on films, in a fifth of the time
_RED = (255, 64, 32)
_BLUE = (64, 160, 255)


def draw(
    pixels: np.ndarray,
    findings: Sequence[Finding],
    heatmaps: Mapping[str, np.ndarray],
    outlines: Mapping[str, np.ndarray] | None = None,
    measurements: Sequence[Measurement] = (),
    *,
    upright: bool = True,
) -> bytes:
    """A PNG of ``pixels`` (float32 (H, W) in [0, 1]) with the findings that are present; of a film that is longer than
    2,048 pixels a side, made smaller to that.

    Their ``heatmaps`` (float (h, w), any scale; stretched over the image) are each scaled to [0, 1]; their upper
    half is laid over in red, the largest winning, and boxes are outlined and named. Nothing present gives the image
    alone. ``outlines`` (float (h, w) in [0, 1], stretched over the image) are drawn in blue where they cross a half,
    with the borders of the lungs' thirds where the picture is ``upright``; of the ``measurements`` those that are not
    as usual are written below, beside the first.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    scale = min(1.0, MOST_PIXELS / max(pixels.shape))
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    level = pixels * np.float32(255)
    np.rint(np.clip(level, 0, 255, out=level), out=level)
    grey = Image.fromarray(level.astype(np.uint8))
    image = (grey if scale == 1 else grey.resize((width, height))).convert("RGB")
    present = [finding for finding in findings if finding.presence == "present"]
    heat = np.zeros((height, width), np.uint8)
    for finding in present:
        if finding.label in heatmaps:
            scaled = np.asarray(heatmaps[finding.label], np.float32)
            scaled = np.clip(2 * (scaled - scaled.min()) / max(float(np.ptp(scaled)), 1e-6) - 1, 0, 1)
            small = Image.fromarray((scaled * (_OPACITY * 255)).round().astype(np.uint8))
            np.maximum(heat, np.asarray(small.resize((width, height), Image.Resampling.BILINEAR)), out=heat)
    image.paste(_RED, mask=Image.fromarray(heat))
    if outlines:
        edges = np.maximum.reduce([_edge(share, width, height) for share in outlines.values()])
        image.paste(_BLUE, mask=Image.fromarray(edges))
    canvas = ImageDraw.Draw(image)
    if outlines and upright and {"right_lung", "left_lung"} <= set(outlines):
        _thirds(canvas, outlines, width, height)
    lines = [_worded(m) for i, m in enumerate(measurements) if i == 0 or not m.usual]
    for row, line in enumerate(reversed(lines), 1):
        canvas.text((6, height - 4 - 12 * row), line, fill=_BLUE)
    for row, finding in enumerate(present):
        if finding.box is not None:
            box = finding.box
            left, top = box.x * scale, box.y * scale
            right, bottom = left + box.width * scale, top + box.height * scale
            canvas.rectangle((left, top, right, bottom), outline=_RED, width=max(1, width // 400))
            canvas.text((left + 3, top + 3 + 12 * row), in_words(finding.label), fill=_RED)
    data = BytesIO()
    image.save(data, "PNG", compress_type=_RUNS)
    return data.getvalue()


def _thirds(canvas: ImageDraw.ImageDraw, outlines: Mapping[str, np.ndarray], width: int, height: int) -> None:
    """A dashed line across each lung where its thirds meet."""
    import numpy as np

    from vision.anatomy.zones import lungs_of

    pair = lungs_of(np.stack([outlines["right_lung"], outlines["left_lung"]]))
    for lung in pair or ():
        for part in (1, 2):
            row = round(lung.top + part * (lung.bottom + 1 - lung.top) / 3)
            across = np.flatnonzero(lung.mask[row]) * width / lung.mask.shape[1]
            y, dash = row * height / lung.mask.shape[0], max(3, width // 100)
            for x in np.arange(across[0], across[-1], 2 * dash) if len(across) else ():
                canvas.line((x, y, min(x + dash, across[-1]), y), fill=_BLUE, width=max(1, width // 500))


def _worded(measured: Measurement) -> str:
    value = f"{measured.value:.0f} degrees" if measured.unit else f"{measured.value:.2f}"
    return f"{measured.name}: {value}" + ("" if measured.usual else " (not as usual)")


def _edge(share: np.ndarray, width: int, height: int) -> np.ndarray:
    """(height, width) uint8: 255 along the line where ``share`` crosses a half, about a 300th of the width thick."""
    import numpy as np
    from PIL import Image
    from scipy.ndimage import binary_erosion

    stretched = Image.fromarray(np.asarray(share, np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    inside = np.asarray(stretched) >= 0.5
    thick = max(1, width // 300)
    return (inside & ~binary_erosion(inside, iterations=thick, border_value=1)).astype(np.uint8) * 255
