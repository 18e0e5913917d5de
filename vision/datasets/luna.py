"""LUNA16: ``annotations.csv``, ``candidates.csv`` and ``subset0/ … subset9/*.mhd`` with their ``.raw`` files.

Setio et al. 2017: nodules of at least 3 mm that at least three of LIDC-IDRI's four readers marked, and the places that
five detection systems had found, each with whether it is one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from errors import InputError
from vision.ct.volume import Nodule
from vision.datasets.table import number, rows

_CANDIDATES = ("candidates_V2.csv", "candidates.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A candidate: its centre in patient coordinates, and whether it is of a nodule."""

    centre_mm: tuple[float, float, float]
    nodule: bool


def read(root: Path) -> tuple[tuple[Path, tuple[Nodule, ...]], ...]:
    """(header file, its nodules) of every scan that is there, sorted by path; a scan without nodules has none."""
    file = root / "annotations.csv"
    nodules: dict[str, list[Nodule]] = {}
    for line, row in rows(file, ("seriesuid", "coordX", "coordY", "coordZ", "diameter_mm")):
        x, y, z = (number(row[k], file, line) for k in ("coordX", "coordY", "coordZ"))
        found = Nodule(
            series_uid=row["seriesuid"], centre_mm=(x, y, z), diameter_mm=number(row["diameter_mm"], file, line)
        )
        nodules.setdefault(found.series_uid, []).append(found)
    scans = sorted([*root.glob("subset*/*.mhd"), *root.glob("*.mhd")])
    return tuple((path, tuple(nodules.get(path.stem, ()))) for path in scans)


def candidates(root: Path) -> dict[str, tuple[Place, ...]]:
    """Series → its candidates in the table's order: of ``candidates_V2.csv``, or of ``candidates.csv``. Raises
    InputError when neither is there or a row cannot be read.
    """
    file = next((root / name for name in _CANDIDATES if (root / name).is_file()), None)
    if file is None:
        raise InputError("no candidates here", value=root, expected=" or ".join(_CANDIDATES))
    found: dict[str, list[Place]] = {}
    for line, row in rows(file, ("seriesuid", "coordX", "coordY", "coordZ", "class")):
        x, y, z = (number(row[k], file, line) for k in ("coordX", "coordY", "coordZ"))
        place = Place(centre_mm=(x, y, z), nodule=number(row["class"], file, line) == 1)
        found.setdefault(row["seriesuid"], []).append(place)
    return {uid: tuple(places) for uid, places in found.items()}
