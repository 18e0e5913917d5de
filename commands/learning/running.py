"""The verbs of run cards: runs list, compare, show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.terminal import FormatOption, HomeOption, OutputOption, show
from errors import InputError
from home import home_folder

if TYPE_CHECKING:
    from tracking.runs import Run

app = typer.Typer()
runs = typer.Typer(no_args_is_help=True, help="What was trained and adapted: list, compare, show.")
app.add_typer(runs, name="runs", rich_help_panel="Measuring")
InOption = Annotated[
    list[Path] | None,
    typer.Option("--in", metavar="FOLDER", help="Folders with runs below; may be repeated.", show_default="the home's"),
]


@runs.command("list")
def runs_list(
    folders: InOption = None, layout: FormatOption = "table", output: OutputOption = None, home: HomeOption = None
) -> None:
    """Every run, by its start."""
    from reports.learning.runs import listed

    show([run for _, run in _all(folders, home)], listed, layout, output)


@runs.command("show")
def runs_show(
    name: Annotated[str, typer.Argument(metavar="ID", help="How a run's id, or its folder, begins.")],
    folders: InOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """All that a run's card says."""
    from reports.learning.runs import shown
    from tracking.runs import chosen

    show(chosen(_all(folders, home), name)[1], shown, layout, output)


@runs.command("compare")
def runs_compare(
    names: Annotated[list[str], typer.Argument(metavar="ID ID...", help="How the runs' ids begin.")],
    folders: InOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """What differs between runs: settings, data, versions, figures."""
    if len(names) < 2:
        raise typer.BadParameter("give two runs or more")
    from reports.learning.runs import compared
    from tracking.runs import chosen, differing

    every = _all(folders, home)
    picked = [chosen(every, name)[1] for name in names]
    differ = differing(picked)
    if layout == "json":
        show({"runs": [run.id for run in picked], "differing": differ}, compared, layout, output)
    else:
        show((picked, differ), compared, layout, output)


def _all(folders: list[Path] | None, home: Path | None) -> list[tuple[Path, Run]]:
    from tracking.runs import read

    places = folders or [home_folder(home) / "runs"]
    if missing := next((p for p in folders or () if not p.is_dir()), None):
        raise InputError("no such folder", value=missing, expected="a folder with runs")
    found = read(places)
    if not found:
        raise InputError(
            "no runs there", value=places[0], expected="what train or adapt left", run="whydx adapt --help"
        )
    return found
