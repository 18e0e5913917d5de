"""An image with what was seen on it, as the layers of an SVG: the film, boxes, outlines and heat maps."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from errors import InputError
from fusion.why.figures import percent
from vision.finding import Finding, in_words

if TYPE_CHECKING:
    import numpy as np

    from fusion.diagnosis import DiagnosticReport
    from vision.detector import Detector
    from vision.image import ImageInstance
    from vision.intake.header import Orientation

MOST_PIXELS = 1024
"""The longer side of the film in the page."""
_RED = (255, 64, 32)
_STRONGEST = 150  # opacity of a heat map's maximum, of 255
_GRID = 128
_LINES = 32  # of text, one under the other, in as much as the film is wide


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The box of a finding, in units of the picture; ``said`` is the finding with its probability, and stands at
    ``label_y``, under those of other boxes. ``sure``: it is present, not uncertain."""

    x: float
    y: float
    width: float
    height: float
    said: str
    sure: bool = True
    label_y: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An organ's outline as the path of an SVG, in units of the picture."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Where a finding comes from: a transparent PNG (base64) that is stretched over the film."""

    name: str
    png: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A film the way it is looked at (the patient's left on the right), at most 1,024 pixels a side and in 256 greys;
    ``width`` and ``height`` are those of the original, in which all places are given. ``png`` is base64."""

    width: int
    height: int
    png: str
    frames: tuple[Frame, ...] = ()
    outlines: tuple[Outline, ...] = ()
    heat_maps: tuple[HeatMap, ...] = ()
    remarks: tuple[str, ...] = ()


def of_image(detector: Detector, path: Path, report: DiagnosticReport) -> Picture | None:
    """The picture of an image that ``report`` was made from; None when the detector refuses it. A heat map that does
    not change the probability more than random parts of the image do is left out, and a remark says so. Raises
    InputError when it cannot be read or is not the report's."""
    from vision.explanation import explain
    from vision.image import load_image

    image = load_image(path)
    seen = detector.detect(image)
    if seen.refused:
        return None
    own = [f for f in report.findings if f.origin == "image" and f.sop_instance_uid == image.sop_instance_uid]
    if not own:
        raise InputError("not an image of this report", value=path, expected="an image it was made from")
    present = [finding.label for finding in seen.findings if finding.presence == "present"]
    explained = explain(detector, image, present) if present else ()
    hidden = [in_words(e.label) for e in explained if not e.faithfulness.passes]
    return picture(
        image,
        own,
        {e.label: e.heatmap for e in explained if e.faithfulness.passes},
        seen.outlines,
        [f"No map shown for {name}: it does not beat chance." for name in hidden],
    )


def picture(
    image: ImageInstance,
    findings: Sequence[Finding],
    heat_maps: Mapping[str, np.ndarray],
    outlines: Mapping[str, np.ndarray],
    remarks: Sequence[str] = (),
) -> Picture:
    """``findings`` of the image: those that are present or uncertain and have a box are framed. ``heat_maps`` {label:
    (h, w)} and ``outlines`` {organ: (h, w) in [0, 1]} lie as the image is stored; of a map its upper half is shown."""
    import numpy as np
    from PIL import Image

    film = np.clip(image.upright, 0, 1)
    height, width = film.shape
    grey = Image.fromarray((np.ascontiguousarray(film) * 255).round().astype(np.uint8))
    grey.thumbnail((MOST_PIXELS, MOST_PIXELS))
    shown = [f for f in findings if f.presence in ("present", "uncertain")]
    return Picture(
        width=width,
        height=height,
        png=_png(grey),
        frames=_frames([f for f in shown if f.box is not None], image),
        outlines=tuple(
            Outline(name=name.replace("_", " "), path=_path(image.orientation.upright(share), width, height))
            for name, share in outlines.items()
        ),
        heat_maps=tuple(
            HeatMap(name=in_words(label), png=_heat(image.orientation.upright(heat)))
            for label, heat in heat_maps.items()
        ),
        remarks=tuple(remarks),
    )


def _png(image: object) -> str:
    data = BytesIO()
    image.save(data, "PNG")  # type: ignore[attr-defined]
    return base64.b64encode(data.getvalue()).decode("ascii")


def _heat(heat: np.ndarray) -> str:
    """The map's upper half in red, the stronger the less transparent; as `reports.overlay` draws it."""
    import numpy as np
    from PIL import Image

    scaled = np.asarray(heat, np.float32)
    scaled = np.clip(2 * (scaled - scaled.min()) / max(float(np.ptp(scaled)), 1e-6) - 1, 0, 1)
    large = Image.fromarray(scaled).resize((_GRID, _GRID), Image.Resampling.BILINEAR)
    pixels = np.zeros((_GRID, _GRID, 4), np.uint8)
    pixels[..., :3] = _RED
    pixels[..., 3] = (np.clip(np.asarray(large), 0, 1) * _STRONGEST).round()
    return _png(Image.fromarray(pixels))


def _path(share: np.ndarray, width: int, height: int) -> str:
    """The line along which ``share`` crosses a half; "" where it does not."""
    import contourpy
    import numpy as np

    rows, columns = share.shape
    padded = np.pad(np.asarray(share, np.float32), 1)  # so that every line is closed, also at the film's edge
    parts = []
    for points in contourpy.contour_generator(z=padded).lines(0.5):
        line = np.asarray(points)  # (N, 2)
        # A pixel's value is that of its middle.
        x, y = (line[:, 0] - 0.5) * width / columns, (line[:, 1] - 0.5) * height / rows
        places = (f"{a:.0f},{b:.0f}" for a, b in zip(np.clip(x, 0, width), np.clip(y, 0, height), strict=True))
        parts.append("M" + " ".join(dict.fromkeys(places)) + "Z")
    return " ".join(parts)


def _frames(findings: Sequence[Finding], image: ImageInstance) -> tuple[Frame, ...]:
    """From the top down, so that no label lies on another."""
    rows, columns = image.pixels.shape
    line = image.upright.shape[1] / _LINES
    found = []
    for finding in findings:
        box = finding.box
        assert box is not None
        places = turned((box.x, box.y, box.width, box.height), columns, rows, image.orientation)
        chance = "" if finding.probability is None else f" {percent(finding.probability)}"
        sure = finding.presence == "present"
        said = f"{in_words(finding.label)}{'' if sure else '?'}{chance}"
        found.append((places[1], not sure, said, places))
    last, frames = float("-inf"), []
    for y, unsure, said, (x, _, width, height) in sorted(found):
        last = max(y + line, last + line)
        frames.append(Frame(x=x, y=y, width=width, height=height, said=said, sure=not unsure, label_y=last))
    return tuple(frames)


def turned(
    box: tuple[float, float, float, float], columns: int, rows: int, orientation: Orientation
) -> tuple[float, float, float, float]:
    """A box (x, y, width, height) of the stored picture (``columns`` × ``rows``) where it is in the upright one."""
    x, y, width, height = box
    if orientation.transposed:
        x, y, width, height, columns, rows = y, x, height, width, rows, columns
    if orientation.mirrored:
        x = columns - x - width
    if orientation.upside_down:
        y = rows - y - height
    return x, y, width, height
