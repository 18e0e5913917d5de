"""LUNA16: ``annotations.csv`` and ``subset0/ … subset9/*.mhd`` with their ``.raw`` files.

Setio et al. 2017: nodules of at least 3 mm that at least three of LIDC-IDRI's four readers marked.
"""

from __future__ import annotations

from pathlib import Path

from vision.ct import Nodule
from vision.datasets.table import number, rows


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
