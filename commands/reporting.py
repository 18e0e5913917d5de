"""How the verbs that make or read a report show it: the formats, and what a page may hold beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands.terminal import progress, say, show, write

if TYPE_CHECKING:
    import whydx

ReportLayout = Literal["table", "json", "html", "pdf", "fhir", "plain", "csv", "dicom-sr", "dicom"]
_PAGES: tuple[ReportLayout, ...] = ("html", "pdf")

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
WithImageOption = Annotated[
    bool, typer.Option("--with-image", help="html, pdf: with the image and what was seen on it. Patient data.")
]
WithNoteOption = Annotated[
    bool, typer.Option("--with-note", help="html, pdf: with the note, what was not understood marked. Patient data.")
]
WithAnswersOption = Annotated[
    bool,
    typer.Option(
        "--with-answers", help="html, pdf: with why not, what if, and facts confirmed or denied, worked out. Slower."
    ),
]
WorkingOption = Annotated[
    list[str] | None,
    typer.Option("--working", metavar="DISEASE", help="A diagnosis of your own, likeliest first; may be repeated."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is asked for beside the report, and what it was made from: ``images`` and ``note``. ``day``,
    ``identified`` and ``pdf`` are for the archive: the date of the documents, whether the patient is named in them, and
    a PDF that goes with them."""

    images: Sequence[Path] = ()
    note: str | None = None
    image_shown: bool = False
    note_shown: bool = False
    answers: bool = False
    working: Sequence[str] = ()
    day: str | None = None
    identified: bool = False
    pdf: Path | None = None

    def check(self, layout: ReportLayout) -> None:
        """Say at once what does not go together, or is missing. Raises typer.BadParameter, and DependencyError for a
        PDF without a Chromium."""
        asked: tuple[tuple[str, bool, tuple[ReportLayout, ...]], ...] = (
            ("--date", self.day is not None, ("dicom-sr", "dicom")),
            ("--identified", self.identified, ("dicom-sr", "dicom", "fhir")),
            ("--pdf", self.pdf is not None, ("dicom",)),
            ("--with-image", self.image_shown, _PAGES),
            ("--with-note", self.note_shown, _PAGES),
            ("--with-answers", self.answers, _PAGES),
            ("--working", bool(self.working), ("table", *_PAGES)),
        )
        for option, given, layouts in asked:
            if given and layout not in layouts:
                raise typer.BadParameter(f"only for --format {', '.join(layouts)}", param_hint=option)
        if self.image_shown and not self.images:
            raise typer.BadParameter("give the image, too", param_hint="--with-image")
        if self.note_shown and self.note is None:
            raise typer.BadParameter("give the note, too, with --note", param_hint="--with-note")
        if layout == "pdf":
            from reports.page.pdf import chromium

            chromium()

    @property
    def needs_home(self) -> bool:
        """Whether more is asked than the report says."""
        return bool(self.image_shown or self.answers or self.working)


def show_report(
    report: Any, layout: ReportLayout, output: Path | None, home: Path | None, dx: whydx.Whydx | None, beside: Beside
) -> None:
    """``show`` for a diagnostic report, which has more formats. Names for the patient are those of the home's graph, if
    there is one. ``dx`` answers what is asked beside the report; None where that is nothing."""
    beside.check(layout)
    if layout in ("dicom-sr", "dicom") or beside.identified:
        _archive(report, layout, output, home, dx, beside)
        return
    if layout == "json":
        show(report, _nothing, "json", output)
        return
    images, note = beside.images, beside.note
    working = dx.working(report, beside.working, images=images, note=note) if dx and beside.working else None
    if layout == "table":
        from reports.explanation import working as draw_working
        from reports.report import Report
        from reports.table import render

        report = report if note is None else Report.of(report, images=tuple(images), note=note)  # names what was unread

        def draw(value: Any, console: Any) -> None:
            render(value, console)
            if working is not None:
                draw_working(working, console)

        show(report, draw, "table", output)
    elif layout in _PAGES:
        from reports.html import HtmlReporter, PdfReporter

        with progress() as advance:
            answers = dx.answers(report, images=images, note=note, progress=advance) if dx and beside.answers else None
        page = (PdfReporter if layout == "pdf" else HtmlReporter)(
            pictures=dx.pictures(report, beside.images) if dx and beside.image_shown else (),
            answers=answers,
            working=working,
            note=beside.note if beside.note_shown else None,
        )
        write(page.render(report), output)
    else:
        from reports.reporter import reporter

        write(reporter(layout, _lay_names(report, home) if layout == "plain" else None).render(report), output)


def _nothing(value: Any, console: Any) -> None:
    """JSON is not drawn."""


def _lay_names(report: Any, home: Path | None) -> dict[str, str]:
    from home import Part, home_folder, part_folder
    from reports.plain import concepts_of, lay_names

    return lay_names(part_folder(home_folder(home), Part.graph) / "terms.parquet", concepts_of(report))


def _archive(
    report: Any, layout: ReportLayout, output: Path | None, home: Path | None, dx: whydx.Whydx | None, beside: Beside
) -> None:
    """What goes into an archive, or names the patient. Raises InputError when the images are not the report's, or
    ``day`` is no date."""
    from commands import archiving

    images, day, identified = beside.images, beside.day, beside.identified
    if layout == "dicom-sr":
        write(archiving.sr_of(report, images, day=day, identified=identified), output)
    elif layout == "fhir":
        write(archiving.fhir_of(report, images), output)
    else:
        dx = dx or _open(home)
        for line in archiving.write_archive(report, images, output, dx, day=day, identified=identified, pdf=beside.pdf):
            say(line)


def _open(home: Path | None) -> whydx.Whydx:
    import whydx

    return whydx.open(home)
