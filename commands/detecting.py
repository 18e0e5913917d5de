"""``whydx detect``: the findings on one image, on several, or on a folder of them."""

from __future__ import annotations

from dataclasses import asdict
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
    from collections.abc import Sequence

    from vision.detector import Detection
    from vision.explanation import Explanation, Method
    from vision.image import ImageInstance

app = typer.Typer()
_SUFFIXES = frozenset((".dcm", ".dicom", ".png", ".jpg", ".jpeg"))


@app.command(rich_help_panel="Every day")
def detect(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE|FOLDER", help="DICOM, PNG, JPEG; folders of them.")],
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
    """Look for the 14 ChestX-ray14 findings, with probability, cut-off, side and box; jsonl is a line an image."""
    several = len(images) > 1 or images[0].is_dir()
    if overlay is not None and several:
        raise typer.BadParameter("takes exactly one image", param_hint="--overlay")
    files = [file for path in images for file in image_files(path)]
    dx = whydx.open(home, device=device)
    if not several:
        _one(dx, files[0], explain, overlay, layout, output)
        return
    with progress() as advance:
        rows = (
            _row(path, seen, _explained(dx, path, seen, explain))
            for path, seen in dx.detect_all(files, progress=advance)
        )
        if layout == "jsonl":
            write_parts((_line(row) for row in rows), output)
            return
        found = list(rows)
    from reports.listing import detections

    show(found, detections, layout, output)
    refused = [row for row in found if row["refused"]]
    if len(refused) == len(found) and not any(path.is_dir() for path in images):  # a lateral beside a frontal film
        raise whydx.refusal(Path(refused[0]["image"]), refused[0]["refused"])


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
        raise whydx.refusal(path, seen.refused)
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
        write(draw(image.pixels, shown, maps, seen.outlines), overlay)


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


def image_files(path: Path) -> list[Path]:
    """The file itself, or the images of a folder and its sub-folders, sorted: by suffix or by content, since exports
    have no suffixes. InputError when there is none."""
    if not path.exists():
        raise InputError("no such file", value=path, expected="a DICOM, PNG or JPEG image")
    if not path.is_dir():
        return [path]
    from vision.image import is_image

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
