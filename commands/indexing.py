"""``whydx index``: what is built of the home, and the user's own collections of papers and cases."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands.terminal import DeviceOption, FormatOption, HomeOption, OutputOption, progress, say, show
from errors import InputError
from home import Part, build, collect, home_folder, manifests

if TYPE_CHECKING:
    from retrieval.collection.build import Built

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the collection is called.")]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="ADDRESS",
        help="Where the vectors lie: faiss (in the home), milvus://HOST:PORT, or a file of Milvus Lite (….db).",
        show_default="where they are; new ones in the home",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Let Ray link, encode and look at images: local (all cores here), or HOST:PORT of a cluster.",
        show_default="one process",
    ),
]
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)

app = typer.Typer(no_args_is_help=True, help="The graph, the linker, the indexes, and your own papers and cases.")


@app.command("build")
def index_build(
    parts: Annotated[
        list[Part] | None,
        typer.Argument(metavar="[PART]...", help="|".join(Part), show_default="all that are out of date"),
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", metavar="SIZE", help="What merging may take; beyond it, it goes to disk.")
    ] = "4GB",
    home: HomeOption = None,
) -> None:
    """Build the graph, the linker and the indexes from the fetched sources; what is up to date is left alone."""
    from ontologies.merging.registry import entries

    started = monotonic()
    with progress() as advance:
        built = build(
            home_folder(home),
            tuple(part.value for part in Part if not parts or part in parts),
            memory=memory,
            progress=advance,
            tell=say,
        )
    if Part.graph in built:
        for entry in entries(home_folder(home)):
            if lost := entry.problems + entry.omitted:
                say(f"of {entry.name} {lost:,} rows are left out; to see which: whydx ontology add {entry.path}")
    if built:
        say(f"built {', '.join(built)} in {monotonic() - started:.0f} s")


@app.command("show")
def index_show(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A collection.", show_default="all that is built")
    ] = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show what is built, or one of your collections: kind, size, hash, settings, columns, measured recall."""
    from reports.json import plain
    from reports.listing import records
    from retrieval.collection import catalogue

    rows: list[dict[str, Any]] = []
    folder = home_folder(home)
    if name is None:
        shown = [*manifests(folder, "size"), *catalogue.manifests(folder)]
    else:
        shown = [(name, catalogue.stored(folder, name))]
    for part, manifest in shown:
        size = sum(entry.size for entry in manifest.files.values()) / 1e6
        row: dict[str, Any] = {"part": part, "kind": manifest.kind, "version": manifest.version, "mb": round(size, 1)}
        if layout == "table":
            rows.append(row | {"sha256": manifest.sha256[:12], "settings": plain(manifest.settings)})
        else:
            rows.append(row | plain({n: getattr(manifest, n) for n in ("sha256", "settings", "inputs", "files")}))
    show(rows, records, layout, output)


@app.command("verify")
def index_verify(layout: FormatOption = "table", output: OutputOption = None, home: HomeOption = None) -> None:
    """Check every built file against the sha256 in its manifest; exit 1 at the first that does not match."""
    from reports.listing import records
    from retrieval.collection import catalogue

    folder = home_folder(home)
    rows = [
        {"part": part, "files": len(manifest.files), "sha256": manifest.sha256, "state": "verified"}
        for part, manifest in chain(manifests(folder, "sha256"), catalogue.manifests(folder, "sha256"))
    ]
    show(rows, records, layout, output)


@app.command("add")
def index_add(
    name: NameArgument,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Papers, a table of cases, or folders; DICOM files with reports."),
    ],
    kind: Annotated[
        Literal["papers", "cases"] | None,
        typer.Option("--kind", help="What the files hold.", show_default="told by the files"),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="PART=COLUMN", help="The column of a part, e.g. report=befund; may be repeated."
        ),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="COLUMN", help="A column to leave out; may be repeated.")
    ] = None,
    device: DeviceOption = "cpu",
    backend: BackendOption = None,
    ray: RayOption = None,
    home: HomeOption = None,
) -> None:
    """Make a collection of your own papers or cases, or add to one; who the patients are never enters it."""
    columns = dict(_part_and_column(one) for one in column or ())
    started = monotonic()
    with progress() as advance:
        built = collect(
            home_folder(home),
            name,
            paths,
            kind=kind,
            columns=columns,
            drop=drop or (),
            device=device,
            backend=backend,
            ray=ray,
            progress=advance,
            tell=say,
        )
    _tell(name, built, monotonic() - started)


@app.command("update")
def index_update(
    name: NameArgument,
    anew: Annotated[
        bool, typer.Option("--anew", help="Read, link and encode everything again; the result is the same.")
    ] = False,
    device: DeviceOption = "cpu",
    backend: BackendOption = None,
    ray: RayOption = None,
    home: HomeOption = None,
) -> None:
    """Bring a collection up to date with its files: only what is new or changed is linked and encoded."""
    started = monotonic()
    with progress() as advance:
        built = collect(
            home_folder(home), name, anew=anew, device=device, backend=backend, ray=ray, progress=advance, tell=say
        )
    _tell(name, built, monotonic() - started)


@app.command("list")
def index_list(layout: FormatOption = "table", output: OutputOption = None, home: HomeOption = None) -> None:
    """List your collections: what they hold, how much, from where."""
    from reports.listing import records
    from retrieval.collection import catalogue

    folder = home_folder(home)
    rows = []
    for name, manifest in catalogue.manifests(folder):
        sources = catalogue.sources(folder, name)
        size = sum(entry.size for entry in manifest.files.values()) / 1e6
        row: dict[str, Any] = {"name": name, "kind": sources.kind, "documents": manifest.settings["documents"]}
        row |= {"images": manifest.settings["counts"]["images"], "mb": round(size, 1)}
        rows.append(row | {"sources": list(sources.roots) if layout == "json" else ", ".join(sources.roots)})
    show(rows, records, layout, output)


@app.command("remove")
def index_remove(name: NameArgument, home: HomeOption = None) -> None:
    """Take a collection away; the files that it was made from stay."""
    from retrieval.collection import catalogue

    documents = catalogue.remove(home_folder(home), name, tell=say)
    say(f"removed {name} with {documents:,} documents")


@app.command("plan")
def index_plan(
    vectors: Annotated[int, typer.Argument(metavar="N", min=0, help="How many vectors.")],
    dimension: Annotated[int, typer.Argument(metavar="DIM", min=1, help="How long each is; 384 for texts.")],
    memory: Annotated[str, typer.Option("--memory", metavar="SIZE", help="What the open index may take.")] = "4GB",
    recall: Annotated[float, typer.Option("--recall", help="The share of true neighbours among ten to find.")] = 0.95,
    layout: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say which vector index would be built of so many vectors, how large and how fast it is, and why."""
    from indexes.planner import plan
    from reports.listing import metrics

    size = _SIZE.fullmatch(memory.strip())
    if size is None:
        raise InputError("not a size of memory", value=memory, expected="a size such as 4GB or 500MB")
    budget = int(float(size[1]) * 1024 ** " KMGT".index(size[2].upper() or " "))
    chosen = plan(vectors, dimension, budget, recall)
    row: dict[str, Any] = {"index": chosen.kind, "mb": round(chosen.estimated_bytes / 1e6, 1)}
    for name, value in (("build_s", chosen.build_seconds), ("ms_a_query", chosen.query_ms)):
        row[name] = None if value is None else float(f"{value:.2g}")
    show(row | {"reason": chosen.reason, "parameters": dict(chosen.parameters)}, metrics, layout, output)


def _part_and_column(said: str) -> tuple[str, str]:
    part, mark, column = said.partition("=")
    if not (part and mark and column):
        raise InputError("not a part and its column", value=said, expected="report=befund, for example")
    return part, column


def _tell(name: str, built: Built, seconds: float) -> None:
    """What a build did, and what it left out, on stderr."""
    notes = built.notes
    if notes.left_out:
        say(f"left out, as they can say who somebody is or as asked: {', '.join(sorted(notes.left_out))}")
    if notes.burned_in:
        some = ", ".join(sorted(notes.burned_in)[:3])
        say(f"warning: {len(notes.burned_in):,} images show who the patient is, as their headers say: {some}")
    for reason, count in built.refused.items():
        say(f"{count:,} images are found by text only: {reason}")
    if notes.repeated:
        say(f"{notes.repeated:,} came more than once; the last is kept")
    done = f"{built.new:,} new, {built.changed:,} changed, {built.gone:,} gone"
    say(f"{name}: {built.documents:,} documents ({done}) in {seconds:.0f} s")
