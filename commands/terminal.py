"""What all commands share: the common options, reading and writing, progress."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    import whydx

Progress = Callable[[str, int, int], None]
Layout = Literal["table", "json"]
ReportLayout = Literal["table", "json", "html", "fhir", "plain", "csv", "dicom-sr", "dicom"]

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="WHYDX_HOME",
        help="Folder of sources, graph and indexes.",
        show_default="the platform's data folder",
    ),
]
CountOption = Annotated[int, typer.Option("-k", min=1, max=1000, help="How many to show.")]
CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", metavar="NAME", help="One of your own.", show_default="those of whydx"),
]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write to this file instead of stdout.", show_default=False)
]
FormatOption = Annotated[Layout, typer.Option("--format", help="For a reader, or for a program.")]
ReportFormatOption = Annotated[ReportLayout, typer.Option("--format", help="For a reader, or for a program.")]
DateOption = Annotated[
    str | None,
    typer.Option("--date", metavar="YYYY-MM-DD", help="dicom, dicom-sr: the date, in place of all dates of the study."),
]
IdentifiedOption = Annotated[
    bool, typer.Option("--identified", help="dicom, dicom-sr, fhir: with the patient's name and identifiers.")
]
PdfOption = Annotated[
    Path | None, typer.Option("--pdf", metavar="FILE", help="dicom: a PDF that goes with the documents, as it is.")
]
DeviceOption = Annotated[
    Literal["cpu", "cuda", "mps"], typer.Option("--device", help="Where the detector's networks run.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]


def read_text(source: str, what: str) -> str:
    """The text that ``source`` stands for: "-" is stdin, "@FILE" a file, anything else the text itself.

    Raises InputError when it is empty, cannot be read, or is not UTF-8; ``what`` names it in the message.
    """
    if source == "-":
        data, shown = sys.stdin.buffer.read(), "stdin"
    elif source.startswith("@") and len(source) > 1:
        shown = source[1:]
        try:
            data = Path(shown).read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot read the {what} ({error.strerror})", value=shown, expected="a UTF-8 text file"
            ) from error
    else:
        data, shown = os.fsencode(source), source
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the {what} is not UTF-8 text", value=shown, expected="UTF-8 text") from error
    if "\0" in text:
        raise InputError(f"the {what} is not text", value=shown, expected="UTF-8 text without NUL bytes")
    if not text.strip():
        raise InputError(f"the {what} is empty", value=source, expected="some text, @FILE, or - for stdin")
    return text


def write(content: str | bytes, output: Path | None) -> None:
    """Write ``content`` to stdout (``output`` None or "-") or to a file, beside and then renamed."""
    write_parts([content], output)


def write_parts(parts: Iterable[str | bytes], output: Path | None) -> None:
    """``write`` for content that comes in parts; a file appears when all of them are written."""
    data = (part.encode("utf-8") if isinstance(part, str) else part for part in parts)
    if output is not None and str(output) != "-":
        from reports.file import write_file

        write_file(data, output)
        return
    sys.stdout.flush()
    for chunk in data:
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def show(value: Any, draw: Callable[[Any, Console], None], layout: Layout, output: Path | None) -> None:
    """Print ``value``: as JSON, or as ``draw`` draws it; colours only on a terminal."""
    if layout == "json":
        from reports.json import dumps

        write(dumps(value), output)
        return
    from reports.text import WIDTH, as_text

    if output is not None and str(output) != "-":
        write(as_text(value, draw), output)
        return
    from reports.text import console as plain_console

    console = plain_console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    from reports.cleaning import without_controls

    draw(without_controls(value), console)


def show_report(
    report: Any,
    layout: ReportLayout,
    output: Path | None,
    dx: whydx.Whydx,
    *,
    images: Sequence[Path] = (),
    day: str | None = None,
    identified: bool = False,
    pdf: Path | None = None,
) -> None:
    """``show`` for a diagnostic report, which has more formats. Names for the patient are those of the home's graph,
    if there is one. ``images``, ``day`` and ``identified`` are for DICOM: what the report was made of, the date of the
    document, and whether the patient is named in it (FHIR, too); ``pdf`` is for "dicom" alone."""
    if pdf is not None and layout != "dicom":
        raise typer.BadParameter("only for --format dicom", param_hint="--pdf")
    if layout in ("dicom-sr", "dicom"):
        from commands import archiving

        if layout == "dicom-sr":
            write(archiving.sr_of(report, images, day=day, identified=identified), output)
            return
        for line in archiving.write_archive(report, images, output, dx, day=day, identified=identified, pdf=pdf):
            say(line)
        return
    if day is not None:
        raise typer.BadParameter("only for --format dicom-sr and dicom", param_hint="--date")
    if identified and layout != "fhir":
        raise typer.BadParameter("only for --format dicom-sr, dicom and fhir", param_hint="--identified")
    if identified:
        from commands.archiving import fhir_of

        write(fhir_of(report, images), output)
        return
    if layout in ("table", "json"):
        from reports.table import render

        show(report, render, "json" if layout == "json" else "table", output)
        return
    from reports.reporter import reporter

    names = None
    if layout == "plain":
        from home import Part, part_folder
        from reports.plain import concepts_of, lay_names

        names = lay_names(part_folder(dx.home, Part.graph) / "terms.parquet", concepts_of(report))
    write(reporter(layout, names).render(report), output)


def say(line: str) -> None:
    """One line of log, on stderr."""
    print(line, file=sys.stderr)


@contextlib.contextmanager
def progress() -> Iterator[Progress | None]:
    """A callable for ``progress=``: a bar for each stage on stderr, or None when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total or None)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield advance
