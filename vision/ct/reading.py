"""A CT series in, the nodules in its lungs out, each with place, size and probability; or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from errors import InputError
from vision.ct.candidates import Candidate, find_candidates
from vision.ct.lungs import Lungs, find_lungs
from vision.ct.patches import Nodules, patch
from vision.ct.volume import Volume, read_metaimage, read_series, series_of
from vision.finding import BoundingBox, Finding

LABEL = "Nodule"
RATE = 1 / 400
"""How many candidates are nodules in a scan: 1,351 of the 551,065 of LUNA16 are."""

PRESENT, SHOWN = 0.1, 0.03
"""From which probability a nodule is present, and from which it is shown as uncertain."""

_MOST = 12
_THICK_MM = 2.5
_APART_MM = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNodule:
    """``centre_mm`` (x, y, z) in patient coordinates; ``slice`` counts from 1 at the feet; ``diameter_mm`` is of the
    ball of the same volume; ``side`` and ``zone`` (upper, middle, lower third) are the patient's; ``box`` lies in the
    slice's pixels.
    """

    probability: float
    centre_mm: tuple[float, float, float]
    diameter_mm: float
    side: str
    zone: str
    slice: int
    box: BoundingBox
    sop_instance_uid: str | None = None

    @property
    def present(self) -> bool:
        return self.probability >= PRESENT


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDetection:
    """What was seen on one series: its nodules, likeliest first, and ``findings``: a Nodule for each, or the one that
    is absent. Both are empty when ``refused`` holds a code of ``lungs.REFUSALS``. ``candidates`` is how many places
    were judged.
    """

    uid: str
    nodules: tuple[SeenNodule, ...] = ()
    findings: tuple[Finding, ...] = ()
    candidates: int = 0
    refused: str | None = None
    warnings: tuple[str, ...] = ()


def load_volume(series: Path | str | Sequence[Path]) -> Volume:
    """A folder with the slices of one series, whatever their names, these files, or a MetaImage file (``.mhd``,
    ``.mha``). Raises InputError for what cannot be read, and for a folder of several series.
    """
    if isinstance(series, Path | str):
        place = Path(series)
        if not place.exists():
            raise InputError("no such series", value=place, expected="a folder of DICOM slices, or an .mhd file")
        if not place.is_dir():
            return read_metaimage(place)
        found = series_of(p for p in sorted(place.iterdir()) if p.is_file())
        if len(found) != 1:
            what = "several series here" if found else "no CT slices here"
            raise InputError(what, value=place, expected="a folder with the slices of one series")
        series = next(iter(found.values()))
    return read_series(series)


def detect_series(series: Path | str | Volume, model: Nodules | None = None) -> SeriesDetection:
    """``read_nodules`` of a volume, or of what ``load_volume`` reads; by the shipped network unless ``model`` is
    given."""
    volume = series if isinstance(series, Volume) else load_volume(series)
    return read_nodules(volume, model or Nodules.open())


def read_nodules(volume: Volume, model: Nodules) -> SeriesDetection:
    """The nodules of a chest CT, at most 12; nothing is raised for a volume that is none."""
    lungs = find_lungs(volume)
    warnings = _cautions(volume)
    if isinstance(lungs, str):
        return SeriesDetection(uid=volume.uid, refused=lungs, warnings=warnings)
    places = find_candidates(volume, lungs)
    cut = [patch(volume, place.centre_mm) for place in places]
    p = model.probabilities(np.stack(cut), RATE) if cut else np.zeros(0)
    nodules = _nodules(volume, lungs, places, p)
    findings = tuple(
        Finding(
            label=LABEL,
            presence="present" if seen.present else "uncertain",
            probability=seen.probability,
            threshold=PRESENT,
            box=seen.box,
            laterality="left" if seen.side == "left" else "right",
            sop_instance_uid=seen.sop_instance_uid,
        )
        for seen in nodules
    )
    if not findings:
        most = round(float(p.max(initial=0.0)), 6)
        findings = (Finding(label=LABEL, presence="absent", probability=most, threshold=PRESENT),)
    return SeriesDetection(
        uid=volume.uid, nodules=nodules, findings=findings, candidates=len(places), warnings=warnings
    )


def _nodules(
    volume: Volume, lungs: Lungs, places: tuple[Candidate, ...], p: NDArray[np.float64]
) -> tuple[SeenNodule, ...]:
    """Those that are likely enough, likeliest first; of those that are closer than a nodule's size, the likeliest."""
    found: list[SeenNodule] = []
    for i in np.argsort(-p, kind="stable").tolist():
        if p[i] < SHOWN or len(found) == _MOST:
            break
        centre = np.array(places[i].centre_mm)
        near = (np.linalg.norm(centre - np.array(n.centre_mm)) < max(n.diameter_mm / 2, _APART_MM) for n in found)
        if not any(near):
            found.append(_seen(volume, lungs, places[i], float(p[i])))
    return tuple(found)


def _seen(volume: Volume, lungs: Lungs, place: Candidate, p: float) -> SeenNodule:
    z, y, x = volume.index(place.centre_mm)
    size = diameter(volume, place)
    side, zone = lungs.place(place.centre_mm)
    at = int(np.clip(round(z), 0, len(volume.voxels) - 1))
    width, height = (size / step for step in volume.spacing_mm[:2])
    return SeenNodule(
        probability=round(p, 6),
        centre_mm=(round(place.centre_mm[0], 1), round(place.centre_mm[1], 1), round(place.centre_mm[2], 1)),
        diameter_mm=round(size, 1),
        side=side,
        zone=zone,
        slice=at + 1,
        box=BoundingBox(
            x=round(x - width / 2, 1), y=round(y - height / 2, 1), width=round(width, 1), height=round(height, 1)
        ),
        sop_instance_uid=volume.sop_instance_uids[at] if volume.sop_instance_uids else None,
    )


def diameter(volume: Volume, place: Candidate) -> float:
    """mm: of the ball with the volume of what is denser than half way from lung to the candidate's middle and hangs
    together with it, within its own size and a half. The candidate's own size where that reaches further, as when the
    nodule sits on the chest wall.
    """
    from scipy.ndimage import label

    reach = 0.75 * place.diameter_mm + 1.5
    middle = volume.index(place.centre_mm)
    sizes = volume.spacing_mm[::-1]
    ends = [
        (max(int(m - reach / s), 0), min(int(m + reach / s) + 2, n))
        for m, s, n in zip(middle, sizes, volume.voxels.shape, strict=True)
    ]
    box = volume.voxels[tuple(slice(a, b) for a, b in ends)]
    axes = [(np.arange(a, b) - m) * s for (a, b), m, s in zip(ends, middle, sizes, strict=True)]
    far = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
    core = float(np.median(box[far <= max(1.2, float(far.min()) + 1e-6)]))
    parts, _ = label((box > (min(core, 100.0) - 850) / 2) & (far <= reach))
    own = parts == parts[np.unravel_index(int(far.argmin()), far.shape)]
    own &= parts > 0
    if not own.any() or (own & (far > reach - max(sizes))).sum() > 0.1 * own.sum():
        return place.diameter_mm
    return float((6 * own.sum() * np.prod(sizes) / np.pi) ** (1 / 3))


def _cautions(volume: Volume) -> tuple[str, ...]:
    """Lines for the reader."""
    lines = ["PHANTOM: a computed scan, not a patient"] if volume.is_phantom else []
    lines.append("a CT is searched for lung nodules alone: nothing else on it is assessed")
    if volume.spacing_mm[2] > _THICK_MM:
        lines.append(f"slices {volume.spacing_mm[2]:.1f} mm apart: the network learnt from scans of at most 2.5 mm")
    return tuple(lines)
