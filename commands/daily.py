"""The verbs of every day: diagnose, link, paths, search, cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

import whydx
from commands.patient import (
    AbsentOption,
    AgeOption,
    ImagesArgument,
    NoteOption,
    PresentOption,
    SettingOption,
    SexOption,
    StudyOption,
    readable,
)
from commands.reporting import (
    Beside,
    DateOption,
    IdentifiedOption,
    ReportFormatOption,
    WithAnswersOption,
    WithImageOption,
    WithNoteOption,
    WorkingOption,
    show_report,
)
from commands.terminal import (
    CollectionOption,
    CountOption,
    DeviceOption,
    FormatOption,
    HomeOption,
    OutputOption,
    Progress,
    progress,
    read_text,
    say,
    show,
    write,
    write_parts,
)
from errors import InputError

if TYPE_CHECKING:
    from commands.documents import Text, Texts

Ask = Callable[[Iterable[str]], Iterator[dict[str, Any]]]

app = typer.Typer()
_PANEL = "Every day"
_MOST_UNKNOWN = 10  # words that are named when a search does not know them


@app.command(rich_help_panel=_PANEL)
def diagnose(
    images: ImagesArgument = None,
    note: NoteOption = None,
    finding: PresentOption = None,
    absent: AbsentOption = None,
    age: AgeOption = None,
    sex: SexOption = None,
    setting: SettingOption = "neutral",
    study: StudyOption = None,
    k: CountOption = 5,
    layout: ReportFormatOption = "table",
    with_image: WithImageOption = False,
    with_note: WithNoteOption = False,
    with_answers: WithAnswersOption = False,
    working: WorkingOption = None,
    identified: IdentifiedOption = False,
    day: DateOption = None,
    output: OutputOption = None,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Rank the diagnoses that images, a note and stated findings point to, each with the evidence that moved it."""
    if not (images or note is not None or finding or absent):
        raise typer.BadParameter("give an image, --note or --finding", param_hint="IMAGE...")
    text = None if note is None else read_text(note, "note")
    both = sorted(set(finding or ()) & set(absent or ()))
    if both:
        raise InputError("a finding cannot be present and absent", value=both[0], expected="--finding or --absent")
    for image in images or ():
        readable(image, folder=True)
    beside = Beside(
        images=images or (),
        note=text,
        image_shown=with_image,
        note_shown=with_note,
        answers=with_answers,
        working=working or (),
        day=day,
        identified=identified,
    )
    beside.check(layout)
    dx = whydx.open(home, device=device)
    report = dx.diagnose(
        images or (), note=text, present=finding or (), absent=absent or (), age=age, sex=sex, setting=setting, k=k,
        study=study,
    )  # fmt: skip
    show_report(report, layout, output, home, dx, replace(beside, images=report.images))


@app.command(rich_help_panel=_PANEL)
def link(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT|@FILE|FILE...|FOLDER|-", help="A text, files, a folder of .txt and .pubtator files, or stdin."
        ),
    ],
    vocab: Annotated[
        str | None,
        typer.Option("--vocab", metavar="SYSTEM", help="Only concepts with a code in this system, e.g. HP."),
    ] = None,
    all_spans: Annotated[
        bool, typer.Option("--all-spans", help="Also the mentions that stand inside longer ones.")
    ] = False,
    similar: Annotated[
        bool,
        typer.Option("--similar", help="Also phrases that mean what a name means, and why others do not. Slower."),
    ] = False,
    note: Annotated[
        bool, typer.Option("--note", help="Read as diagnose reads a note: also measured values, such as CRP 106 mg/L.")
    ] = False,
    lines: Annotated[
        bool, typer.Option("--lines", help="Every line is a text; so it is for stdin as jsonl or pubtator.")
    ] = False,
    layout: Annotated[
        Literal["table", "json", "jsonl", "pubtator"], typer.Option("--format", help="For a reader, or for a program.")
    ] = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Find the concepts that texts mention: present, absent or uncertain, where, how large, how changed."""
    from commands import documents

    many = layout in ("jsonl", "pubtator")
    read = documents.read(sources, lines=lines or (many and list(sources) == ["-"]))
    from reports.listing import text as one_text
    from reports.listing import texts

    dx = whydx.open(home)
    dx.linker  # noqa: B018 - what is missing is said before a text is read
    with progress() as advance:
        if similar:
            from retrieval.similar_names import SimilarNames

            names = SimilarNames.of_home(dx.home, dx.linker, progress=advance)
            systems = None if vocab is None else (vocab,)
            ask: Ask = partial(_with_nil, partial(names.link_all, systems=systems, nested=all_spans, note=note))
        else:
            ask = partial(_matches, partial(dx.link_all, vocab=vocab, nested=all_spans, note=note))
        found = _read_all(ask, read, advance, note, whole=vocab is None)
        if many:
            write_parts((_rendered(text, row, layout, vocab) for text, row in found), output)
            return
        rows = [{"id": text.identifier, **row} for text, row in found]
    reader: Any = layout  # table or json
    if not read.single or similar:
        show(rows, texts, reader, output)
    elif layout == "json":
        show(rows[0]["matches"], one_text, reader, output)
    else:
        show(rows[0], one_text, reader, output)


@app.command(rich_help_panel=_PANEL)
def paths(
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="CURIE or name of a finding, e.g. HP:0002202.")],
    disease: Annotated[str, typer.Argument(metavar="DISEASE", help="CURIE or name of a disease, e.g. ICD10CM:I50.9.")],
    k: CountOption = 5,
    max_hops: Annotated[int, typer.Option("--max-hops", min=1, max=6, help="At most so many edges.")] = 4,
    layout: Annotated[
        Literal["table", "json", "turtle", "graphml"], typer.Option("--format", help="For a reader, or for a program.")
    ] = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Explain by paths through the knowledge graph how a finding hangs together with a disease, or any two concepts.

    A file that ends in .png or .svg gets a picture.
    """
    from commands.ontology import rendered
    from kg.export import picture, views
    from reports.listing import walks

    dx = whydx.open(home)
    found, graph = dx.paths(finding, disease, k=k, max_hops=max_hops), dx.graph
    drawn = next((f for f in picture.FORMATS if output is not None and output.suffix.lower() == f".{f}"), None)
    if drawn:
        write(picture.draw(graph, found, graph.find(finding), graph.find(disease), drawn), output)
    elif layout in ("turtle", "graphml"):
        write(rendered(views.of_paths(graph, found), layout), output)
    else:
        show(found, walks, "json" if layout == "json" else "table", output)


@app.command(rich_help_panel=_PANEL)
def search(
    query: Annotated[str, typer.Argument(metavar="QUERY|@FILE|-", help="What to read about.")],
    k: CountOption = 10,
    collection: CollectionOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Search the literature, or your own papers, by words, meaning and concepts."""
    content = read_text(query, "query")
    from reports.listing import hits

    opened = whydx.open(home)
    found = opened.search(content, k=k, collection=collection)
    show(found, hits, layout, output)
    if not found:
        say("nothing matched")
    if unknown := opened.literature(collection).unknown(content):
        say(f"no paper has: {', '.join(unknown[:_MOST_UNKNOWN])}{', …' if len(unknown) > _MOST_UNKNOWN else ''}")


@app.command(rich_help_panel=_PANEL)
def cases(
    image: Annotated[
        Path | None, typer.Argument(metavar="[IMAGE]", help="Find cases that look like this image.", show_default=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option("--text", metavar="TEXT|@FILE|-", help="Find cases whose report says something like this."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="ID", help="Find cases like this one, by the id that a search shows."),
    ] = None,
    but_not: Annotated[
        str | None, typer.Option("--but-not", metavar="FINDING", help="Leave out the cases that state this.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help='Keep only some, e.g. "age>60 and finding:effusion".')
    ] = None,
    export: Annotated[
        Literal["csv", "parquet"] | None, typer.Option("--export", help="Write the cases as a table file (with -o).")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count all cases that match: age, sex, findings, time, groups.")
    ] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN,…", help="Group the summary, e.g. by finding,sex.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw the summary, too: .png or .svg.")
    ] = None,
    k: CountOption = 10,
    collection: CollectionOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Find similar cases by image, text and concepts, or a cohort by --where, also among your own."""
    if summary or by is not None or plot is not None:
        if any(asked is not None for asked in (image, text, like, but_not, export)):
            raise typer.BadParameter(
                "a summary is of all cases, or of those that --where keeps", param_hint="--summary"
            )
        _summary(where, collection, [name.strip().lower() for name in (by or "").split(",") if name.strip()], plot,
                 layout, output, home)  # fmt: skip
        return
    if image is None and text is None and where is None and like is None:
        raise typer.BadParameter("give an image, --text, --like, --where or --summary", param_hint="[IMAGE]")
    content = None if text is None else read_text(text, "text")
    if image is not None:
        readable(image)
    from reports.listing import hits

    found = whydx.open(home, device=device).cases(
        image, text=content, like=like, but_not=but_not, where=where, k=k, collection=collection
    )
    if not found:
        say("no case matched")
    if export is None:
        show(found, hits, layout, output)
        return
    from reports.cohort import table_file

    write(table_file(found, export), output)


def _summary(
    where: str | None,
    collection: str | None,
    by: list[str],
    plot: Path | None,
    layout: Literal["table", "json"],
    output: Path | None,
    home: Path | None,
) -> None:
    from reports import summary

    drawn = next((f for f in summary.PICTURES if plot is not None and plot.suffix.lower() == f".{f}"), None)
    if plot is not None and drawn is None:
        raise InputError("no picture of this kind", value=plot, expected="a file that ends in .png or .svg")
    found = summary.summarise(whydx.open(home).cohort(where, collection=collection), by)
    if plot is not None and drawn is not None:
        write(summary.plot(found, drawn), plot)
    show(found, summary.draw, layout, output)


def _matches(link_all: Callable[..., Any], texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    return ({"matches": matches} for matches in link_all(texts))


def _with_nil(link_all: Callable[..., Any], texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    return ({"matches": matches, "nil": nil} for matches, nil in link_all(texts))


def _read_all(
    ask: Ask, read: Texts, advance: Progress | None, note: bool, *, whole: bool
) -> Iterator[tuple[Text, dict[str, Any]]]:
    """Each text with its matches, as they are read; of a note, what was not understood, where the ``whole`` vocabulary
    was looked for; of one that is not English, that."""
    from ontologies.linking.context.language import NAMES, language
    from ontologies.linking.unread import understanding

    given, read_ahead = tee(read.texts)
    found = ask(text.text for text in read_ahead)
    for done, (text, row) in enumerate(zip(given, found, strict=True), 1):
        if advance:
            advance("link", done, read.total or 0)
        if note and (other := language(text.text)):
            say(f"not read: {text.identifier} seems to be in {NAMES[other]}, and only English is read")
            row["language"] = other
        elif note and whole:
            understood = understanding(text.text, row["matches"])
            row["understood"] = understood.share
            row["unread"] = [
                {"phrase": span.of(text.text), "start": span.start, "end": span.end} for span in understood.unread
            ]
        yield text, row


def _rendered(text: Text, row: Mapping[str, Any], layout: str, vocab: str | None) -> str:
    if layout == "jsonl":
        from reports.json import dump_lines

        return dump_lines([{"id": text.identifier, **row}])
    from ontologies.linking.pubtator import render

    return render(text.identifier, text.text, row["matches"], vocab)
