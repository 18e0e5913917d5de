"""``whydx detect``: the findings on one image, on several, or on a folder of them."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import whydx
from commands.terminal import (
    DeviceOption,
    HomeOption,
    OutputOption,
    progress,
    show,
    write,
    write_parts,
)
from errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from commands.scanning import Scan
    from vision.detector import Detection
    from vision.explanation import Explanation, Method
    from vision.image import ImageInstance

app = typer.Typer()
_SUFFIXES = frozenset((".dcm", ".dicom", ".png", ".jpg", ".jpeg"))


@app.command(rich_help_panel="Every day")
def detect(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE|FOLDER", help="DICOM, PNG, JPEG; folders of them; a CT series.")
    ],
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="PNG", help="Also draw heat maps and boxes of what is present (one image)."),
    ] = None,
    explain: Annotated[
        Literal["patch", "rollout", "gradient"] | None,
        typer.Option("--explain", help="Where a finding comes from, by this method, and how faithful that is."),
    ] = None,
    layout: Annotated[
        Literal["table", "json", "jsonl"],
        typer.Option("--format", help="For a reader, or for a program."),
    ] = "table",
    output: OutputOption = None,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Look for the 14 ChestX-ray14 findings, with probability, cut-off, side and box; on a chest CT, for nodules.

    jsonl is a line an image. A folder of CT slices is one scan.
    """
    if overlay is not None and len(images) > 1:
        raise typer.BadParameter("takes exactly one image", param_hint="--overlay")
    scans, files = _sorted_out(images)
    several = len(images) > 1 or (images[0].is_dir() and (len(scans) != 1 or bool(files)))
    if overlay is not None and several:
        raise typer.BadParameter("takes exactly one image", param_hint="--overlay")
    if len(files) > 1 and overlay is not None:
        raise InputError("a DICOMDIR of several images", value=images[0], expected="one image for --overlay")
    several |= len(files) > 1
    dx = whydx.open(home, device=device)
    if not several and scans:
        from commands import scanning

        scanning.one(dx, scans[0], overlay, layout, output)
        return
    if not several:
        _one(dx, files[0], explain, overlay, layout, output)
        return
    with progress() as advance:
        rows = chain(
            (
                _row(path, seen, _explained(dx, path, seen, explain))
                for path, seen in dx.detect_all(files, progress=advance)
            ),
            _scanned(dx, scans),
        )
        if layout == "jsonl":
            write_parts((_line(row) for row in rows), output)
            return
        found = list(rows)
    from reports.listing import detections

    show(found, detections, layout, output)
    refused = [row for row in found if row["refused"]]
    if len(refused) == len(found) and not any(path.is_dir() for path in images):  # a lateral beside a frontal film
        from vision.quality import refused as said

        raise said(Path(refused[0]["image"]), refused[0]["refused"])


def _scanned(dx: whydx.Whydx, scans: Sequence[Scan]) -> Iterator[dict[str, Any]]:
    if scans:
        from commands import scanning

        yield from (scanning.row_or_reason(dx, scan) for scan in scans)


def _one(
    dx: whydx.Whydx,
    path: Path,
    method: Method | None,
    overlay: Path | None,
    layout: Literal["table", "json", "jsonl"],
    output: Path | None,
) -> None:
    from vision.image import load_image

    image = load_image(path)
    seen = dx.detect(image)
    if seen.refused:
        from vision.quality import refused

        raise refused(path, seen.refused)
    explained = _explained(dx, image, seen, method or ("patch" if overlay is not None else None))
    row = _row(path, seen, explained)
    if layout == "jsonl":
        write(_line(row), output)
    else:
        from reports.listing import detections

        show([row], detections, layout, output)
    if overlay is not None:
        from reports.overlay import draw

        maps = {e.label: e.heatmap for e in explained if e.faithfulness.passes}
        shown = [finding for finding in row["findings"] if finding.label in maps]
        from vision.intake.header import UPRIGHT

        upright = image.orientation == UPRIGHT
        write(draw(image.pixels, shown, maps, seen.outlines, seen.measurements, upright=upright), overlay)


def _explained(
    dx: whydx.Whydx, image: Path | ImageInstance, seen: Detection, method: Method | None
) -> tuple[Explanation, ...]:
    return () if method is None else dx.explain(image, seen, method)


def _row(path: Path, seen: Detection, explained: Sequence[Explanation]) -> dict[str, Any]:
    from vision.finding import in_words

    row: dict[str, Any] = {"image": str(path), "refused": seen.refused, "warnings": seen.warnings}
    if not seen.refused:
        row["no_finding"] = seen.no_finding
    hidden = tuple(
        f"no map shown for {in_words(e.label)}: it does not beat chance" for e in explained if not e.faithfulness.passes
    )
    row |= {"warnings": (*seen.warnings, *hidden), "findings": seen.findings}
    if not seen.refused:
        row["measurements"] = [{**asdict(m), "usual": m.usual} for m in seen.measurements]
    if explained:
        row["explanations"] = [
            {"label": e.label, "method": e.method, **asdict(e.faithfulness), "shown": e.faithfulness.passes}
            for e in explained
        ]
    return row


def _sorted_out(images: Sequence[Path]) -> tuple[list[Scan], list[Path]]:
    """The CT scans (series in folders, MetaImage files) and the other images. A few CT images together are no scan."""
    from vision.ct.lungs import LEAST_SLICES
    from vision.ct.volume import SUFFIXES, series_of

    scans: list[Scan] = []
    files: list[Path] = []
    for path in images:
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            scans.append((path, (path,)))
            continue
        found = image_files(path)
        slices: set[Path] = set()
        for own in series_of(found).values() if path.is_dir() else ():
            if len(own) >= LEAST_SLICES:
                slices |= {*own}
                scans.append((own[0].parent, own))
        files += [file for file in found if file not in slices]
    return scans, files


def image_files(path: Path) -> list[Path]:
    """The file itself, or the images of a folder and its sub-folders, sorted: by suffix or by content, since exports
    have no suffixes. InputError when there is none."""
    if not path.exists():
        raise InputError("no such file", value=path, expected="a DICOM, PNG or JPEG image")
    from vision.image import is_image
    from vision.intake.study import is_listing, listed

    if not path.is_dir():
        return [p for p in listed(path) if is_image(p)] if is_listing(path) else [path]

    shown = (p for p in path.rglob("*") if p.is_file() and not any(_hidden(q) for q in p.relative_to(path).parts))
    found = sorted(p for p in shown if p.suffix.lower() in _SUFFIXES or is_image(p))
    if not found:
        raise InputError("no images in this folder", value=path, expected="DICOM, PNG or JPEG files, of any name")
    return found


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _line(row: dict[str, Any]) -> str:
    import json

    from reports.json import plain

    return json.dumps(plain(row), ensure_ascii=False) + "\n"
