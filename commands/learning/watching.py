"""``whydx monitor``: what has drifted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.detecting import image_files
from commands.terminal import DeviceOption, FormatOption, HomeOption, OutputOption, progress, say, show, write
from errors import InputError
from home import home_folder

if TYPE_CHECKING:
    from vision.films.looks import Looks

app = typer.Typer()
DRIFT = 3
"""The exit status that says that something drifted."""
_FIGURES = (".png", ".svg")
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="PNG|SVG", help="Draw it to a file.", show_default=False)
]


@app.command(rich_help_panel="Measuring")
def monitor(
    images: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[IMAGE|FOLDER]...", help="Films to watch, by name; without any, the home's diagnoses."),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option("--reference", metavar="FOLDER", help="Films of before, which the others are compared with."),
    ] = None,
    baseline: Annotated[
        int, typer.Option("--baseline", min=50, help="How many of the home's diagnoses are what was before.")
    ] = 300,
    rate: Annotated[
        int,
        typer.Option(
            "--rate", min=100, help="At most one false alarm in so many films or diagnoses; of verdicts, in a tenth."
        ),
    ] = 100_000,
    rebase: Annotated[
        bool, typer.Option("--rebase", help="A change is meant: what the home does from now on is the new before.")
    ] = False,
    plot: PlotOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Watch for drift: of films, findings, confidence, unread words and agreement with feedback.

    Exit status 0: no drift; 3: drift; 1: it cannot be told.
    """
    if bool(images) != bool(reference):
        raise typer.BadParameter("films to watch need films of before", param_hint="--reference")
    if plot is not None and plot.suffix.lower() not in _FIGURES:
        raise InputError("not a figure's name", value=plot.name, expected="a name that ends in .png or .svg")
    from learning import monitor as watching
    from reports.learning import drift as drawn

    folder = home_folder(home)
    if rebase:
        say(f"the baseline begins with record {watching.rebase(folder)}")
        return
    if images and reference:
        with progress() as advance:
            new, known = (tuple(f for path in paths for f in image_files(path)) for paths in (images, reference))
            watched = [watching.images(looks_of(folder, device), known, new, limit=rate, progress=advance)]
    else:
        watched = [watching.diagnoses(folder, baseline=baseline, limit=rate)]
        if (agreed := watching.agreement(folder, limit=rate)) is not None:
            watched.append(agreed)
    if plot is not None:
        write(drawn.figure(watched, "svg" if plot.suffix.lower() == ".svg" else "png"), plot)
    show(watched if layout == "table" else [_plain(one) for one in watched], drawn.drift, layout, output)
    if any(one.drift.alarm is not None for one in watched):
        raise typer.Exit(DRIFT)


def _plain(one: Any) -> dict[str, Any]:
    found = one.drift
    return {
        "of": one.of,
        "reference": found.reference,
        "watched": found.watched,
        "left_out": one.left_out,
        "limit": found.limit,
        "alarm": found.alarm,
        "alarm_at": None if found.alarm is None else one.times[found.alarm - 1],
        "evidence": found.evidence,
        "streams": found.streams,
    }


def looks_of(home: Path, device: str) -> Looks:
    """What the shipped detector, without a local head, makes of files; kept in the home."""
    from vision.detector import Detector
    from vision.films.looks import Looks

    return Looks(Detector.open(device=device), home / "local" / "looks.jsonl")
