"""whydx ontology: the user's ontologies, and what can be done with the graph made of them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands import extracting
from commands.terminal import (
    CountOption,
    FormatOption,
    HomeOption,
    OutputOption,
    progress,
    read_text,
    say,
    show,
    write,
)
from errors import InputError
from home import home_folder

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from ontologies.problem import Problem

app = typer.Typer(no_args_is_help=True, help="The ontologies: add your own, list them, show, compare and export them.")

app.command("extract")(extracting.ontology_extract)
app.command("review")(extracting.ontology_review)

ConceptsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CONCEPT]...", help="CURIEs or names.", show_default="the whole graph"),
]
HopsOption = Annotated[int, typer.Option("--hops", min=0, max=6, help="How many edges away from them to go.")]
_SHOWN_PROBLEMS = 20


@app.command("add")
def ontology_add(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="OBO, OWL/RDF/SKOS, HPO annotations, SSSOM mappings, a UMLS or SNOMED CT release; also archived.",
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", help="obo, rdf, hpoa, sssom, icd10cm, umls or snomed.", show_default="told by its content"
        ),
    ] = None,
    on_error: Annotated[
        Literal["stop", "skip"],
        typer.Option("--on-error", help="At a malformed row: stop, or leave it out and say so."),
    ] = "stop",
    home: HomeOption = None,
) -> None:
    """Register an ontology of your own; the next `whydx index build` takes it in."""
    from ontologies.merging.registry import add
    from ontologies.problem import stop

    left_out = 0

    def leave_out(problem: Problem) -> None:
        nonlocal left_out
        left_out += 1
        if left_out <= _SHOWN_PROBLEMS:
            say(f"left out: {problem.error()}")

    with progress() as advance:
        report = leave_out if on_error == "skip" else stop
        entry = add(
            home_folder(home), path, kind, report=report, notice=lambda o: say(f"left out: {o}"), progress=advance
        )
    counts = {"malformed rows": entry.problems, "rows of absent concepts": entry.omitted}
    skipped = "".join(f" ({count:,} {what} left out)" for what, count in counts.items() if count)
    say(f"added {entry.name} ({entry.kind}){skipped}; run: whydx index build")


@app.command("list")
def ontology_list(layout: FormatOption = "table", output: OutputOption = None, home: HomeOption = None) -> None:
    """List the ontologies that the next build takes in."""
    from ontologies.merging.registry import entries
    from reports.json import plain
    from reports.listing import records

    rows = [plain(entry) for entry in entries(home_folder(home))]
    for row in rows:
        del row["stamp"]  # of use to the registry only
        if layout == "table":
            row["sha256"] = row["sha256"][:12]
    show(rows, records, layout, output)


@app.command("remove")
def ontology_remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `whydx ontology list` has it.")],
    home: HomeOption = None,
) -> None:
    """Take an ontology off the list; its files stay, and the next `whydx index build` leaves it out."""
    from ontologies.merging.registry import remove

    say(f"removed {remove(home_folder(home), name).name}; run: whydx index build")


@app.command("show")
def ontology_show(
    concept: Annotated[
        str, typer.Argument(metavar="CONCEPT", help="A code of any source, a name or an abbreviation, e.g. HP:0002202.")
    ],
    k: CountOption = 1000,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show a concept: its codes in every system, its definition, its edges with their sources."""
    from kg.overlay import open_in_use
    from reports import listing

    graph = open_in_use(home_folder(home))
    known = graph.find(concept)
    edges = (*graph.triples(known), *graph.triples(known, inverse=True))[:k]
    value = {"concept": graph.concept(known), "information_content": graph.information_content(known), "triples": edges}
    show(value, listing.concept, layout, output)


@app.command("rivals")
def ontology_rivals(
    disease: Annotated[
        str, typer.Argument(metavar="DISEASE", help="A disease of the chest layer, by code or name, e.g. Croup.")
    ],
    k: CountOption = 5,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """List the diseases that are hardest to tell from a disease, and what tells them apart."""
    from fusion.prior import bedside, layer_diseases
    from kg.rivals import rivals
    from reports import listing

    graph = _graph(home)
    evidence, _ = bedside(graph)
    known = graph.find(disease)
    others = layer_diseases(graph, evidence.annotations.disease)
    if known not in others:
        raise InputError("not an annotated disease of the chest layer", value=disease, expected="such as Croup")
    show(rivals(evidence, known, others, k), listing.rivals, layout, output)


@app.command("conflicts")
def ontology_conflicts(
    kind: Annotated[
        str | None, typer.Option("--kind", help='Only one kind, e.g. "same system".', show_default="all")
    ] = None,
    k: CountOption = 20,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Count what the sources disagree about, and list the first of each kind with what was done."""
    from kg.diff import conflicts
    from reports.listing import conflicts as draw

    show(conflicts(home_folder(home) / "graph", kind, k), draw, layout, output)


@app.command("export")
def ontology_export(
    concepts: ConceptsArgument = None,
    hops: HopsOption = 1,
    layout: Annotated[
        Literal["turtle", "graphml", "json"], typer.Option("--format", help="For a reader, or for a program.")
    ] = "turtle",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Write concepts and what is around them, or the whole graph (as Turtle lines), for other tools."""
    from kg.export import views

    graph = _graph(home)
    if concepts:
        view = views.neighbourhood(graph, [graph.find(c) for c in concepts], hops)
        write(rendered(view, layout), output)
        return
    if layout != "turtle":
        raise typer.BadParameter("the whole graph goes out as turtle only", param_hint="--format")
    if output is None or str(output) == "-":
        raise typer.BadParameter("the whole graph goes to a file", param_hint="--output")
    with progress() as advance:
        views.write_triples(graph, output, advance)


@app.command("query")
def ontology_query(
    text: Annotated[str, typer.Argument(metavar="SPARQL|@FILE|-", help="SELECT, ASK, CONSTRUCT or DESCRIBE.")],
    around: Annotated[
        list[str] | None,
        typer.Option(
            "--around", metavar="CONCEPT", help="Ask only what is near this; may be repeated.", show_default=False
        ),
    ] = None,
    hops: HopsOption = 2,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Ask the graph, or what is around some concepts, in SPARQL; the first question to the whole prepares its store."""
    content = read_text(text, "query")
    from kg.export import sparql, views
    from reports.listing import answer

    graph = _graph(home)
    if around:
        store = sparql.of_subgraph(views.neighbourhood(graph, [graph.find(c) for c in around], hops))
    else:
        with progress() as advance:
            store = sparql.of_graph(graph, home_folder(home) / "sparql", advance)
    show(sparql.query(store, content), answer, layout, output)


@app.command("diff")
def ontology_diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A home, or the folder of a graph.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another.")],
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="JSONL", help="Rank these cases with both; rows as for `whydx eval diagnose`."),
    ] = None,
    vocab: Annotated[
        str | None,
        typer.Option(
            "--vocab",
            help="Rank only diseases with a code in this system, e.g. OMIM, as published rare patients.",
            show_default="all, as patients with a chest image",
        ),
    ] = None,
    k: CountOption = 20,
    layout: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Compare two graphs: concepts and edges added, removed, merged; with --cases the diagnoses that moved, and why."""
    from kg.diff import compare
    from reports.listing import difference

    value: dict[str, Any] = compare(_graph_folder(old), _graph_folder(new), k)
    if cases is not None:
        from fusion.diff import moved

        with progress() as advance:
            value["cases"] = moved(_graph_folder(old), _graph_folder(new), cases, k, vocab=vocab, progress=advance)
    show(value, difference, layout, output)


def rendered(view: Any, layout: str) -> bytes | str:
    """A subgraph as Turtle, GraphML or JSON."""
    from kg.export import views
    from reports.json import dumps

    if layout == "json":
        return dumps({"concepts": view.concepts, "triples": view.triples})
    return views.to_turtle(view) if layout == "turtle" else views.to_graphml(view)


def _graph(home: Path | None) -> KnowledgeGraph:
    from kg.graph import KnowledgeGraph

    return KnowledgeGraph.open(home_folder(home) / "graph")


def _graph_folder(path: Path) -> Path:
    """The folder of a graph, of itself or of its home."""
    folder = path.expanduser()
    for found in (folder / "graph", folder):
        if (found / "manifest.json").is_file():
            return found
    raise InputError("no graph here", value=path, expected="a home or the folder of a graph", run="whydx index build")
