"""``whydx detect`` on CT: a row a scan, and a picture of its nodules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from commands.terminal import show, write
from errors import InputError

if TYPE_CHECKING:
    import whydx
    from vision.ct.reading import SeriesDetection

Scan = tuple[Path, tuple[Path, ...]]
"""Where a scan lies, and its slices, or the one file that it is."""


def one(
    dx: whydx.Whydx, scan: Scan, overlay: Path | None, layout: Literal["table", "json", "jsonl"], output: Path | None
) -> None:
    """The nodules of one scan; InputError when it is refused."""
    from reports.json import dump_lines
    from reports.listing import detections

    place, files = scan
    volume = _volume(files)
    seen = dx.detect_series(volume)
    if seen.refused:
        raise InputError(f"the scan is refused ({seen.refused})", value=place, expected="a CT series of the chest")
    row = _row(place, seen)
    if layout == "jsonl":
        write(dump_lines([row]), output)
    else:
        show([row], detections, layout, output)
    if overlay is not None:
        from reports.slices import draw

        write(draw(volume, seen), overlay)


def row_or_reason(dx: whydx.Whydx, scan: Scan) -> dict[str, Any]:
    """A row of one of many: what cannot be read is refused as unreadable, with the reason among the warnings."""
    place, files = scan
    try:
        return _row(place, dx.detect_series(_volume(files)))
    except InputError as error:
        reason = " ".join(str(error).split())
        return {"image": str(place), "refused": "unreadable", "warnings": (reason,), "findings": (), "nodules": ()}


def _volume(files: tuple[Path, ...]) -> Any:
    from vision.ct.reading import load_volume

    return load_volume(files[0] if len(files) == 1 else files)


def _row(place: Path, seen: SeriesDetection) -> dict[str, Any]:
    return {
        "image": str(place),
        "refused": seen.refused,
        "warnings": seen.warnings,
        "findings": seen.findings,
        "nodules": [{**asdict(n), "present": n.present} for n in seen.nodules],
        "candidates": seen.candidates,
    }
