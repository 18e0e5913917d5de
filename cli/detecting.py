"""``whydx detect``: the findings on one image, on several, or on a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.terminal import (
    DeviceOption,
    HomeOption,
    OutputOption,
    Progress,
    home_folder,
    progress,
    show,
    write,
    write_parts,
)
from errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kg.graph import KnowledgeGraph
    from vision.detector import Detection, Detector
    from vision.explanation import Explanation, Method
    from vision.finding import Finding
    from vision.image import ImageInstance

app = typer.Typer()
_SUFFIXES = frozenset((".dcm", ".dicom", ".png", ".jpg", ".jpeg"))
_BATCH = 8


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
    files = [file for path in images for file in _files(path)]
    from vision.detector import Detector
    from vision.image import load_image

    first = None if several else load_image(files[0])  # an unreadable file is reported before the detector is loaded
    detector = Detector.open(device=device)
    graph = _graph(home_folder(home))
    if first is not None:
        _one(files[0], first, detector, graph, explain, overlay, layout, output)
        return
    with progress() as advance:
        rows = _rows(files, detector, graph, explain, advance)
        if layout == "jsonl":
            write_parts((_line(row) for row in rows), output)
            return
        found = list(rows)
    from reports.listing import detections

    show(found, detections, layout, output)
    refused = [row for row in found if row["refused"]]
    if refused and not any(path.is_dir() for path in images):
        raise _refusal(Path(refused[0]["image"]), refused[0]["refused"])


def _one(
    path: Path,
    image: ImageInstance,
    detector: Detector,
    graph: KnowledgeGraph | None,
    method: Method | None,
    overlay: Path | None,
    layout: Literal["table", "json", "jsonl"],
    output: Path | None,
) -> None:
    seen = detector.detect(image)
    if seen.refused:
        raise _refusal(path, seen.refused)
    explained = _explained(detector, image, seen, method or ("patch" if overlay is not None else None))
    row = _row(path, seen, graph, explained)
    if layout == "jsonl":
        write(_line(row), output)
    else:
        from reports.listing import detections

        show([row], detections, layout, output)
    if overlay is not None:
        from reports.overlay import draw

        maps = {e.label: e.heatmap for e in explained if e.faithfulness.passes}
        shown = [finding for finding in row["findings"] if finding.label in maps]
        write(draw(image.pixels, shown, maps), overlay)


def _rows(
    files: Sequence[Path],
    detector: Detector,
    graph: KnowledgeGraph | None,
    method: Method | None,
    advance: Progress | None,
) -> Iterator[dict[str, Any]]:
    """A row an image, in order; a file that cannot be read is a refused row, so that one of many does not end a run."""
    from vision.image import load_image

    for start in range(0, len(files), _BATCH):
        some = files[start : start + _BATCH]
        loaded: dict[Path, ImageInstance] = {}
        reasons: dict[Path, str] = {}
        for path in some:
            try:
                loaded[path] = load_image(path)
            except InputError as error:
                reasons[path] = " ".join(str(error).split())
        found = dict(zip(loaded, detector.detect_batch(list(loaded.values())), strict=True))
        for path in some:
            if path in reasons:
                yield {"image": str(path), "refused": "unreadable", "warnings": (reasons[path],), "findings": ()}
            else:
                explained = _explained(detector, loaded[path], found[path], method)
                yield _row(path, found[path], graph, explained)
        if advance:
            advance("detecting", min(start + _BATCH, len(files)), len(files))


def _row(path: Path, seen: Detection, graph: KnowledgeGraph | None, explained: Sequence[Explanation]) -> dict[str, Any]:
    row: dict[str, Any] = {"image": str(path), "refused": seen.refused, "warnings": seen.warnings}
    if not seen.refused:
        row["no_finding"] = seen.no_finding
    hidden = tuple(
        f"no map shown for {e.label}: it does not beat chance" for e in explained if not e.faithfulness.passes
    )
    row |= {"warnings": (*seen.warnings, *hidden), "findings": _linked(seen.findings, graph)}
    if explained:
        row["explanations"] = [
            {"label": e.label, "method": e.method, **asdict(e.faithfulness), "shown": e.faithfulness.passes}
            for e in explained
        ]
    return row


def _explained(
    detector: Detector, image: ImageInstance, seen: Detection, method: Method | None
) -> tuple[Explanation, ...]:
    """Explanations of what is present."""
    if method is None or seen.refused:
        return ()
    from vision.explanation import explain

    return explain(detector, image, [f.label for f in seen.findings if f.presence == "present"], method)


def _linked(findings: Sequence[Finding], graph: KnowledgeGraph | None) -> tuple[Finding, ...]:
    """The findings with their concepts from the graph; as they are when no graph is built."""
    from vision.finding import LABEL_CURIES

    if graph is None:
        return tuple(findings)
    return tuple(replace(finding, concept=graph.concept(LABEL_CURIES[finding.label])) for finding in findings)


def _graph(home: Path) -> KnowledgeGraph | None:
    if not (home / "graph").exists():
        return None
    from kg.graph import KnowledgeGraph

    return KnowledgeGraph.open(home / "graph")


def _files(path: Path) -> list[Path]:
    """The file itself, or the images of a folder and its sub-folders, sorted. InputError when there is none."""
    if not path.exists():
        raise InputError("no such file", value=path, expected="a DICOM, PNG or JPEG image")
    if not path.is_dir():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not found:
        raise InputError("no images in this folder", value=path, expected=", ".join(sorted(_SUFFIXES)))
    return found


def _line(row: dict[str, Any]) -> str:
    import json

    from reports.json import plain

    return json.dumps(plain(row), ensure_ascii=False) + "\n"


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(f"the image is refused ({reason})", value=path, expected="a frontal chest radiograph")
