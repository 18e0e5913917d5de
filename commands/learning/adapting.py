"""The verbs that fit a home to its place: adapt, worklist."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands.detecting import image_files
from commands.keeping import TrackOption, command_line
from commands.learning.watching import looks_of
from commands.terminal import DeviceOption, FormatOption, HomeOption, OutputOption, progress, say, show, write
from errors import InputError
from home import home_folder

if TYPE_CHECKING:
    from learning.head_fit import Films
    from tracking.runs import Card

app = typer.Typer()
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="CSV",
        help="A row a film: image, labels (names separated by |), perhaps patient, unknown.",
        show_default="the folder's own tables",
    ),
]


@app.command(rich_help_panel="Keeping")
def adapt(
    cases: Annotated[
        Path | None, typer.Option("--cases", metavar="DIR", help="Labelled films: fit the detector's head to them.")
    ] = None,
    labels: LabelsOption = None,
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="DIR", help="Labelled films, or reports, that judge it; else each left out."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="FINDING", help="Only this output; may be repeated.")
    ] = None,
    counts: Annotated[
        Path | None, typer.Option("--counts", metavar="CSV", help="disease, count: learn --setting local from it.")
    ] = None,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Learn --setting local from the home's feedback.")
    ] = False,
    notes: Annotated[
        list[Path] | None,
        typer.Option("--notes", metavar="FILE|FOLDER", help="Notes, a text file each: suggest words for the linker."),
    ] = None,
    words: Annotated[
        Path | None, typer.Option("--words", metavar="TSV", help="Suggestions with an x at those that are right.")
    ] = None,
    patients: Annotated[
        Path | None,
        typer.Option("--patients", metavar="JSONL", help="note, diagnosis a row: fit how sure the reasoner is."),
    ] = None,
    reports: Annotated[
        list[str] | None,
        typer.Option(
            "--reports",
            metavar="PATH|COLLECTION",
            help="Reports, as index add reads them: fit the encoder that finds similar cases; may be repeated.",
        ),
    ] = None,
    try_only: Annotated[bool, typer.Option("--try", help="Say how it would do, and keep nothing.")] = False,
    versions: Annotated[bool, typer.Option("--list", help="List the versions.")] = False,
    back: Annotated[bool, typer.Option("--back", help="Use again what was in use before.")] = False,
    use: Annotated[
        int | None, typer.Option("--use", metavar="N", min=0, help="Use this version; 0 is what was shipped.")
    ] = None,
    track: TrackOption = "tensorboard",
    layout: FormatOption = "table",
    output: OutputOption = None,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Fit the detector, how sure the reasoner is, how common diseases are, the words that are read, or the encoder that
    finds similar cases, to this place; what is worse is refused.

    What is fitted becomes a numbered version in the home; what was shipped stays as it is.
    """
    asked = [cases, patients, reports, counts, notes, words, feedback or None, versions or None, back or None, use]
    if sum(given is not None for given in asked) != 1:
        raise typer.BadParameter(
            "give one of --cases, --patients, --reports, --counts, --feedback, --notes, --words, --list, --back, --use"
        )
    if test is not None and cases is None and reports is None:
        raise typer.BadParameter("it judges --cases or --reports", param_hint="--test")
    folder = home_folder(home)
    if cases is not None:
        _head(folder, cases, labels, test, only or [], try_only, track, layout, output, device)
    elif patients is not None:
        _sureness(folder, patients, try_only, track, layout, output, device)
    elif reports:
        _encoder(folder, reports, test, try_only, track, layout, output)
    elif counts is not None or feedback:
        _prior(folder, counts, try_only, layout, output)
    elif notes:
        _suggest(folder, notes, layout, output)
    elif words is not None:
        _words(folder, words)
    else:
        _versions(folder, back, use, layout, output)


def _head(
    folder: Path,
    cases: Path,
    labels: Path | None,
    test: Path | None,
    only: list[str],
    try_only: bool,
    track: Any,
    layout: Literal["table", "json"],
    output: Path | None,
    device: str,
) -> None:
    from learning import adapt as adapting
    from reports.learning.adapted import card
    from tracking.runs import Card, new_folder

    config = {"only": only, "films": cases.name, "test": None if test is None else test.name}
    with (
        progress() as advance,
        Card(new_folder(folder, "adapt"), "adapt", command=command_line(), config=config) as run,
    ):
        looks = looks_of(folder, device)
        run.versions["detector"] = looks.detector
        run.data = _hashes(cases, labels, test)
        adapted = adapting.adapt_folder(folder, looks, cases, labels=labels, test=test, only=only, progress=advance)
        run.metrics = {
            f"{judged.output}.{name}.{when}": pair[i]
            for judged in adapted.judged
            for name, pair in (("auroc", judged.auroc), ("loss", judged.loss))
            for i, when in enumerate(("before", "after"))
        } | {f"{judged.output}.guard": judged.guard for judged in adapted.judged}
        _track(run, track, config)
        show(adapting.card(adapted), card, layout, output)
        _end(run, adapted.refusals, try_only, partial(adapting.keep, folder, adapted))


def _hashes(*given: Path | None, films: bool = True) -> dict[str, str]:
    """Name → sha256 of each file, and of a folder's images (or all its files) with their names; what is not there is
    left out."""
    from hashlib import sha256

    from indexes.manifest import file_sha256

    found = {}
    for path in given:
        if path is not None and path.is_dir():
            files = image_files(path) if films else sorted(file for file in path.rglob("*") if file.is_file())
            rows = (f"{file.relative_to(path)} {file_sha256(file)}\n" for file in files)
            found[path.name] = sha256("".join(rows).encode()).hexdigest()
        elif path is not None and path.is_file():
            found[path.name] = file_sha256(path)
    return found


def _track(run: Card, where: Any, config: dict[str, Any]) -> None:
    """What a run measured, once more where `--track` says."""
    from tracking.tracker import open_tracker

    tracker = open_tracker(where, run.folder, 0, config)
    for name, value in run.metrics.items():
        tracker.scalar(name.replace(" ", "_").replace(".", "/"), value, 0)
    tracker.close()


def _end(run: Card, refusals: Sequence[str], try_only: bool, keep: Callable[..., int]) -> None:
    """Keep what a run fitted, unless it was only tried; ``keep`` raises what is refused."""
    if try_only:
        run.state = "tried"
        say("nothing is kept: " + ("; ".join(refusals) or "it may be kept"))
        return
    run.state = "refused" if refusals else ""
    number = keep(said={"run": run.folder.name})
    say(f"version {number} is in use; whydx adapt --back undoes it")


def _sureness(
    folder: Path,
    patients: Path,
    try_only: bool,
    track: Any,
    layout: Literal["table", "json"],
    output: Path | None,
    device: str,
) -> None:
    from fusion.pipeline import Pipeline
    from learning import sureness
    from reports.learning.adapted import card
    from tracking.runs import Card, new_folder

    config = {"patients": patients.name}
    with (
        progress() as advance,
        Card(new_folder(folder, "adapt"), "adapt", command=command_line(), config=config) as run,
    ):
        pipeline = Pipeline.open(folder, device=device)
        run.versions["reasoner"] = pipeline.checkpoint.fingerprint
        run.data = _hashes(patients)
        found = sureness.fit_file(patients, pipeline, progress=advance)
        run.metrics = {
            f"{name}.{when}": pair[i]
            for name in ("loss", "calibration", "coverage", "set_size")
            for pair in (getattr(found, name),)
            for i, when in enumerate(("before", "after"))
        }
        _track(run, track, config)
        show(sureness.card(found), card, layout, output)
        _end(run, found.refusals, try_only, partial(sureness.keep, folder, found))


def _encoder(
    folder: Path,
    reports: list[str],
    test: Path | None,
    try_only: bool,
    track: Any,
    layout: Literal["table", "json"],
    output: Path | None,
) -> None:
    from learning import encoder as encoding
    from reports.learning.adapted import card
    from retrieval.encoder import PACKAGED_SHA256
    from tracking.runs import Card, new_folder

    config = {"reports": [Path(one).name for one in reports], "test": None if test is None else test.name}
    with (
        progress() as advance,
        Card(new_folder(folder, "adapt"), "adapt", command=command_line(), config=config) as run,
    ):
        run.versions["encoder"] = PACKAGED_SHA256
        run.data = _hashes(*map(Path, reports), test, films=False)
        found = encoding.adapt_reports(folder, reports, test=test, progress=advance)
        run.metrics = {
            f"{name}.{when}": pair[i]
            for name, pair in (("mrr", found.fused), ("mrr of vectors", found.vectors), *found.guard.items())
            for i, when in enumerate(("before", "after"))
        }
        _track(run, track, config)
        show(encoding.card(found), card, layout, output)
        _end(run, found.refusals, try_only, partial(encoding.keep, folder, found))
    if not try_only:
        _behind(folder)


def _behind(folder: Path) -> None:
    """Say which collections are still of another encoder, and how that ends."""
    from retrieval.collection.catalogue import behind

    if names := behind(folder):
        say("encoded otherwise, until: " + ", ".join(f"whydx index update {name}" for name in names))


def _prior(
    folder: Path, counts: Path | None, try_only: bool, layout: Literal["table", "json"], output: Path | None
) -> None:
    from home import open_graph
    from learning import counts as counting
    from records.feedback import kept
    from reports.learning.adapted import card

    graph = open_graph(folder)
    found = counting.of_feedback(kept(folder), graph) if counts is None else counting.of_table(counts, graph)
    show(counting.card(found), card, layout, output)
    if try_only:
        say("nothing is kept" + (": it is worse" if found.worse else ""))
        return
    say(f"version {counting.keep(folder, found)} is in use: whydx diagnose … --setting local")


def _suggest(folder: Path, notes: list[Path], layout: Literal["table", "json"], output: Path | None) -> None:
    from commands.terminal import read_text
    from fusion.local import open_linker
    from home import open_graph
    from learning import words as wording
    from reports.learning.adapted import words as drawn
    from retrieval.encoder import Encoder

    files = [f for path in notes for f in (sorted(path.rglob("*.txt")) if path.is_dir() else [path])]
    if not files:
        raise InputError("no notes there", value=notes[0], expected="text files (.txt)")
    with progress() as advance:
        texts = (read_text(f"@{file}", "note") for file in files)
        rows = wording.suggest(texts, open_linker(folder), open_graph(folder), Encoder.load(), progress=advance)
    if not rows:
        raise InputError("no phrase is unread in three notes", value=f"{len(files)} notes", expected="more notes")
    if output is not None and output.suffix == ".tsv":
        write(wording.table(rows), output)
    else:
        show(rows, drawn, layout, output)


def _words(folder: Path, table: Path) -> None:
    from fusion.local import open_linker
    from home import open_graph
    from learning import words as wording

    found = wording.accepted(table, open_linker(folder), open_graph(folder))
    say(f"version {wording.keep(folder, found)} is in use: {len(found)} phrases are read")


def _versions(folder: Path, back: bool, use: int | None, layout: Literal["table", "json"], output: Path | None) -> None:
    from indexes import versions
    from learning.adapt import LOCAL
    from reports.learning import adapted

    place = folder / LOCAL
    if back or use is not None:
        if use is None:
            number = versions.back(place)
        else:
            versions.use(place, use)
            number = use
        say(f"version {number} is in use" + (", what was shipped" if number == 0 else ""))
        _behind(folder)
        return
    now = versions.used(place)[-1]
    rows: list[dict[str, Any]] = [{"version": 0, "in_use": now == 0}]
    rows += [{"version": number, "in_use": number == now, **card} for number, card in versions.listed(place)]
    show(rows, adapted.versions, layout, output)


@app.command(rich_help_panel="Keeping")
def worklist(
    films: Annotated[Path, typer.Argument(metavar="DIR", help="Films, of which some may have labels.")],
    labels: LabelsOption = None,
    finding: Annotated[
        str, typer.Option("--finding", metavar="NAME", help="The output whose labels are wanted.")
    ] = "any finding",
    count: Annotated[int, typer.Option("-k", min=1, max=100_000, help="How many films.")] = 20,
    layout: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="For a reader, or for a program.")
    ] = "table",
    output: OutputOption = None,
    device: DeviceOption = "cpu",
    home: HomeOption = None,
) -> None:
    """Which films without labels would help most if somebody labelled them, and why."""
    from indexes.versions import current
    from learning import worklist as working
    from learning.adapt import LOCAL
    from learning.cases import read
    from learning.head_fit import films_of
    from reports.learning import adapted
    from vision.datasets.record import Record
    from vision.local_head import LocalHead

    folder = home_folder(home)
    known = {r.path.resolve(): r for r in read(films, labels)} if labels or _has_table(films) else {}
    paths = image_files(films)
    looks = looks_of(folder, device)
    with progress() as advance:
        seen = list(looks.at(paths, progress=advance))
    nobody = {"patient_id": "", "age": None, "sex": None, "view": None, "labels": ()}
    records = [known.get(p.resolve()) or Record.of_file(p, films, **nobody) for p in paths]
    pairs = [(look, r) for look, r in zip(seen, records, strict=True) if look.refused is None]

    def some(labelled: bool) -> tuple[Films, list[str]]:
        mine = [(look, r) for look, r in pairs if bool(r.labels) == labelled]
        return films_of([look for look, _ in mine], [r for _, r in mine])[0], [r.image for _, r in mine]

    unlabelled, names = some(False)
    if refused := len(seen) - len(pairs):
        say(f"{refused} films are refused")
    place = folder / LOCAL
    head = LocalHead.open(place, looks.detector) if current(place) is not None else None
    rows = working.wanted(unlabelled, names, count=count, output=finding, head=head, labelled=some(True)[0])
    if layout == "csv":
        write("image,labels,unknown\n" + "".join(f"{_quoted(row.image)},,\n" for row in rows), output)
    else:
        show(rows, adapted.worklist, layout, output)


def _has_table(folder: Path) -> bool:
    return (folder / "annotations.jsonl").is_file()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name
