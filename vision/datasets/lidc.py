"""LIDC-IDRI: ``LIDC-IDRI-0001/<study>/<series>/*.dcm`` with one XML file per series, four readers in each.

Armato et al. 2011. A reader's outline of a nodule of at least 3 mm is one edge map per slice; a smaller nodule is a
single point and is passed over here, as are marks of what is not a nodule.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from errors import InputError
from vision.ct.volume import Nodule, Volume, read_series


def series(root: Path) -> tuple[Path, ...]:
    """The folders that hold slices and an XML file of readings, sorted."""
    folders = {p.parent for p in root.rglob("*.xml")}
    return tuple(sorted(f for f in folders if next(f.glob("*.dcm"), None)))


def read(folder: Path) -> tuple[Volume, tuple[Nodule, ...]]:
    """A series and its nodules, each with the number of readers who outlined it, most readers first, then larger ones.

    Outlines of different readers are one nodule when they lie within its radius (Nodule.near); centre and diameter are
    the means. Raises InputError when slices or readings cannot be read, or an outline is on a slice that is not there.
    """
    volume = read_series(folder)
    marks = [mark for file in sorted(folder.glob("*.xml")) for mark in _marks(file, volume)]
    groups: list[list[tuple[int, Nodule]]] = []
    for reader, mark in marks:
        for group in groups:
            if any(mark.near(other) for _, other in group) and all(reader != who for who, _ in group):
                group.append((reader, mark))
                break
        else:
            groups.append([(reader, mark)])
    found = []
    for group in groups:
        x, y, z = (float(v) for v in np.mean([m.centre_mm for _, m in group], axis=0))
        size = float(np.mean([m.diameter_mm for _, m in group]))
        found.append(Nodule(series_uid=volume.uid, centre_mm=(x, y, z), diameter_mm=size, readers=len(group)))
    found.sort(key=lambda n: (-n.readers, -n.diameter_mm, n.centre_mm))
    return volume, tuple(found)


def _marks(file: Path, volume: Volume) -> list[tuple[int, Nodule]]:
    from lxml import etree

    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        document = etree.parse(str(file), parser).getroot()
    except (OSError, etree.XMLSyntaxError) as error:
        raise InputError(f"cannot read the readings ({error})", value=file, expected="LIDC-IDRI XML") from error
    slices = {uid: i for i, uid in enumerate(volume.sop_instance_uids)}
    marks = []
    for reader, session in enumerate(document.iterfind(".//{*}readingSession")):
        for nodule in session.iterfind("{*}unblindedReadNodule"):
            points = [p for roi in nodule.iterfind("{*}roi") for p in _outline(file, roi, slices, volume)]
            if len(points) > 1:
                marks.append((reader, _nodule(np.array(points), volume)))
    return marks


def _outline(file: Path, roi: Any, slices: dict[str, int], volume: Volume) -> list[tuple[float, float, float]]:
    """The points of one slice in mm; a hole in the nodule (inclusion FALSE) gives none."""
    if roi.findtext("{*}inclusion", "TRUE").strip().upper() != "TRUE":
        return []
    uid = roi.findtext("{*}imageSOP_UID", "").strip()
    if uid not in slices:
        raise InputError(
            "an outline lies on a slice that is not there", value=uid, expected=f"a slice of {file.parent}"
        )
    origin, spacing = volume.origin_mm, volume.spacing_mm
    try:
        edges = [(int(e.findtext("{*}xCoord")), int(e.findtext("{*}yCoord"))) for e in roi.iterfind("{*}edgeMap")]
    except (TypeError, ValueError) as error:
        raise InputError("an outline has no coordinates", value=file, expected="xCoord and yCoord") from error
    height = origin[2] + slices[uid] * spacing[2]
    return [(origin[0] + x * spacing[0], origin[1] + y * spacing[1], height) for x, y in edges]


def _nodule(points: np.ndarray, volume: Volume) -> Nodule:
    """Centre of the outline's extent; the diameter is its greatest width in any slice."""
    centre = (points.min(0) + points.max(0)) / 2
    widths = []
    for height in np.unique(points[:, 2]):
        level = points[points[:, 2] == height][:, :2]
        widths.append(float(np.sqrt(((level[:, None] - level[None]) ** 2).sum(2)).max()))
    x, y, z = (float(v) for v in centre)
    return Nodule(series_uid=volume.uid, centre_mm=(x, y, z), diameter_mm=max(widths))
