"""``whydx ontology extract`` and ``review``: relations read out of texts, and what reviewers make of them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commands.terminal import CountOption, FormatOption, HomeOption, OutputOption, progress, say, show, write
from errors import InputError
from home import home_folder

if TYPE_CHECKING:
    from extraction.layer import Edge, Layer
    from extraction.review import Decision, Review


class KindName(StrEnum):
    finding_disease = "finding-disease"
    treatment = "treatment"
    location = "location"


def ontology_extract(
    sources: Annotated[
        list[str],
        typer.Option(
            "--from",
            metavar="COLLECTION",
            help='"medline", one of your collections, or files or folders of papers or cases; may be repeated.',
            show_default=False,
        ),
    ],
    kinds: Annotated[
        list[KindName] | None, typer.Option("--kind", help="May be repeated.", show_default="all kinds")
    ] = None,
    meaning: Annotated[
        bool, typer.Option("--meaning/--no-meaning", help="Look at what sentences mean too; takes some minutes more.")
    ] = False,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Read relations out of texts into a layer of their own, which takes no part until it is reviewed or switched on.

    What was read before is not read again, also after a kill. The layer holds what this run read, in place of the
    layer before; decisions of reviewers stay.
    """
    from extraction.extract import extract
    from extraction.promotion import apply
    from extraction.relation import KINDS
    from extraction.review import Review, orphaned
    from extraction.source import sources as found
    from home import open_linker
    from kg import overlay
    from kg.graph import KnowledgeGraph
    from reports.json import plain
    from reports.listing import metrics

    folder, started = home_folder(home), monotonic()
    chosen = found(folder, sources)
    graph, linker = KnowledgeGraph.open(folder / "graph"), open_linker(folder)
    wanted = [kind for kind in KINDS if not kinds or KindName(kind) in kinds]
    encoder = None
    if meaning:
        from retrieval.encoder import Encoder

        encoder = Encoder.load()
    with progress() as advance:
        made = extract(folder, graph, linker, chosen, kinds=wanted, encoder=encoder, progress=advance)
    if (state := overlay.state(folder)) != "off":
        apply(folder, graph, state)
    for name in made.withdrawn:
        say(f"{name} was retracted; its edges are gone")
    from extraction.layer import Layer

    if lost := orphaned(Layer.open(folder), Review(folder)):
        say(f"{len(lost):,} accepted edges have no text any more: {', '.join(d.edge for d in lost[:3])}")
    say(f"{made.texts:,} texts in {monotonic() - started:.0f} s; next: whydx ontology review")
    show(plain(made), metrics, layout, output)


def ontology_review(
    kind: Annotated[KindName | None, typer.Option("--kind", help="Only edges of one kind.", show_default="all")] = None,
    contradicting: Annotated[
        bool, typer.Option("--contradicting", help="Only edges that contradict the curated layer.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List them and do not ask.")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="ID", help="Accept an edge; may be repeated.", show_default=False),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option("--reject", metavar="ID", help="Reject an edge; may be repeated.", show_default=False),
    ] = None,
    edit: Annotated[
        str | None, typer.Option("--edit", metavar="ID", help="Accept an edge with changes.", show_default=False)
    ] = None,
    frequency: Annotated[
        float | None, typer.Option("--frequency", min=0.001, max=1.0, help="--edit: the share of patients.")
    ] = None,
    finding: Annotated[
        str | None, typer.Option("--finding", help="--edit: another finding, by CURIE or name.", show_default=False)
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last decision.")] = False,
    by: Annotated[str, typer.Option("--by", metavar="WHO", help="Who decides, for the log and the rows.")] = "",
    promote: Annotated[
        Path | None,
        typer.Option(
            "--promote",
            metavar="FILE",
            help="Write accepted edges: .tsv for a pull request, .hpoa for `whydx ontology add`.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[
        Literal["off", "review", "on"] | None,
        typer.Option("--layer", help="Diagnose without it, with what was accepted, or with all that is likely."),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(
            "--least", min=0.0, max=1.0, help="--layer on: the least score.", show_default="as before, or 0.2"
        ),
    ] = None,
    frequencies: Annotated[
        bool, typer.Option("--frequencies", help="List findings that cases report more or less often than is curated.")
    ] = False,
    k: CountOption = 20,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Decide on extracted edges, at the keyboard or by options; switch the layer on or off; pass on what is accepted.

    At the keyboard: a accept, r reject, e edit, s skip, u undo, q quit.
    """
    from extraction.layer import Layer
    from extraction.promotion import apply
    from extraction.review import Review, waiting
    from kg import overlay
    from kg.graph import KnowledgeGraph

    folder = home_folder(home)
    opened, review = Layer.open(folder), Review(folder)
    if edit is None and (frequency is not None or finding is not None):
        raise typer.BadParameter("only with --edit", param_hint="--frequency" if finding is None else "--finding")
    if frequencies:
        _show_frequencies(opened, k, layout, output)
        return
    graph = KnowledgeGraph.open(folder / "graph")
    before = len(review.log)
    # all are looked up before any is decided
    accepted, rejected = ([opened.edge(name) for name in names or ()] for names in (accept, reject))
    for edge in rejected:
        say(f"rejected {_line(review.decide(edge, 'reject', by=by))}")
    for edge in accepted:
        say(f"accepted {_line(review.decide(edge, 'accept', by=by))}")
    if edit is not None:
        changes: dict[str, Any] = {} if frequency is None else {"frequency": frequency}
        if finding is not None:
            curie = graph.find(finding)
            changes |= {"object": curie, "object_name": graph.name(graph.node(curie))}
        say(f"accepted {_line(review.decide(opened.edge(edit), 'edit', by=by, changes=changes))}")
    if undo:
        say(_undone(opened, review.undo(by=by)))
    asked = not (len(review.log) > before or promote or layer or listed)
    if listed or asked:
        edges = waiting(opened, review, kind, ("contradicts",) if contradicting else ())
        if asked and _at_a_terminal(output, layout):
            _ask(opened, review, edges, by)
        else:
            show([_row(edge) for edge in edges[:k]], _draw_rows, layout, output)
    if promote is not None:
        _promote(graph, opened, review, promote)
    state = layer or overlay.state(folder)
    if layer is not None or (state != "off" and len(review.log) > before):
        count = apply(folder, graph, state, least=least)
        say(f"the layer is {state}" + (f": {count:,} edges take part in diagnoses" if state != "off" else ""))


def _at_a_terminal(output: Path | None, layout: str) -> bool:
    import sys

    return output is None and layout == "table" and sys.stdin.isatty() and sys.stdout.isatty()


def _ask(layer: Layer, review: Review, edges: list[Edge], by: str) -> None:
    """Ask about one edge after the other, until there is none or the user has enough."""
    from rich.console import Console

    console = Console(highlight=False)
    place = 0
    while place < len(edges):
        edge = edges[place]
        _draw(edge, place + 1, len(edges), console)
        console.print("[bold]a[/]ccept  [bold]r[/]eject  [bold]e[/]dit  [bold]s[/]kip  [bold]u[/]ndo  [bold]q[/]uit")
        key = typer.getchar().lower()
        if key in ("q", "\x1b", "\x04", ""):
            break
        try:
            if key == "a":
                review.decide(edge, "accept", by=by)
            elif key == "r":
                review.decide(edge, "reject", by=by)
            elif key == "e":
                said = console.input("share of patients who show it (0 to 1; empty: leave it): ").strip()
                review.decide(edge, "edit", by=by, changes=_share(said))
            elif key == "u":
                undone = review.undo(by=by)
                console.print(_undone(layer, undone))
                place = next((i for i, e in enumerate(edges) if e.id == undone.edge), place)
                continue
            elif key != "s":
                continue
        except InputError as error:
            console.print(f"{error}", style="yellow", markup=False)
            continue
        place += 1
    decided = len(review.held)
    say(f"{decided:,} edges are decided on; {len(edges) - place:,} of these wait")


def _share(said: str) -> dict[str, Any]:
    try:
        share = float(said)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise InputError("not a share of patients", value=said, expected="a number above 0 and up to 1")
    return {"frequency": share}


def _draw(edge: Edge, number: int, of: int, console: Any) -> None:
    from rich.text import Text

    console.rule(f"{number} of {of}")
    console.print(
        Text.assemble((edge.subject_name, "bold"), f"  {_VERBS[edge.predicate]}  ", (edge.object_name, "bold"))
    )
    if edge.against:
        console.print(Text(f"contradicts the curated layer: {edge.against}", style="red"))
    counts = f"score {edge.score:.2f}, {edge.sentences} in a sentence, {edge.texts} as a topic, ratio {edge.llr:.1f}"
    counted = f", {edge.shown} of {edge.examined} cases" if edge.examined else ""
    console.print(Text(f"{edge.id}  {edge.standing}, {counts}{counted}", style="dim"))
    for quote in edge.quotes:
        console.print(Text(f"  {quote.doc_id}: {quote.sentence}{'  (in doubt)' if quote.doubt else ''}"))


_VERBS = {
    "has_phenotype": "shows",
    "excludes_phenotype": "does not show",
    "treated_with": "is treated with",
    "located_in": "lies in",
}


def _line(edge: Edge) -> str:
    return f"{edge.id}: {edge.subject_name} {_VERBS[edge.predicate]} {edge.object_name}"


def _undone(layer: Layer, decision: Decision) -> str:
    edge = layer.by_id.get(decision.edge)
    return f"taken back: {decision.verdict} {decision.edge if edge is None else _line(edge)}"


def _row(edge: Edge) -> dict[str, Any]:
    return {
        "id": edge.id,
        "relation": f"{edge.subject_name} {_VERBS[edge.predicate]} {edge.object_name}",
        "subject": edge.subject,
        "predicate": edge.predicate,
        "object": edge.object,
        "standing": edge.standing,
        "against": edge.against,
        "score": edge.score,
        "llr": edge.llr,
        "sentences": edge.sentences,
        "texts": edge.texts,
        "cases": [edge.shown, edge.examined],
        "model": edge.model,
        "papers": list(edge.references),
        "quotes": [{"id": q.doc_id, "said": q.said, "doubt": q.doubt, "sentence": q.sentence} for q in edge.quotes],
    }


def _draw_rows(rows: list[dict[str, Any]], console: Any) -> None:
    from reports.listing import records

    names = ("id", "relation", "standing", "score", "sentences", "texts")
    first = [{name: row[name] for name in names} | {"paper": (row["papers"] or [""])[0]} for row in rows]
    records(first, console)


def _show_frequencies(layer: Layer, k: int, layout: Any, output: Path | None) -> None:
    from extraction.frequency import gap
    from reports.listing import records

    rows = [row for row in layer.frequencies() if row["verdict"] in ("more", "less")]
    rows.sort(key=lambda row: -gap(row))
    if layout == "json":
        show(rows[:k], records, layout, output)
        return
    shown = [
        {
            "disease": row["disease_name"],
            "finding": row["finding_name"],
            "curated": row.get("curated", 0.0),
            "reported": f"{row.get('low', 0.0):.2f} to {row.get('high', 0.0):.2f}",
            "cases": f"{row.get('shown', 0)} of {row['cases']}",
            "so": f"reported {row['verdict']} often",
        }
        for row in rows[:k]
    ]
    show(shown, records, layout, output)


def _promote(graph: Any, layer: Layer, review: Review, path: Path) -> None:
    from extraction.promotion import rows

    table = {".tsv": "chest", ".hpoa": "hpoa"}.get(path.suffix)
    if table is None:
        raise InputError("no layout for these rows", value=path.name, expected="a name that ends in .tsv or .hpoa")
    made = rows(graph, layer, review, table=table)
    write("".join(f"{line}\n" for line in made.lines), path)
    for edge, why in made.left_out:
        say(f"left out {_line(edge)}: {why}")
    then = f"; next: whydx ontology add {path}" if table == "hpoa" else ""
    say(f"wrote {len(made.lines) - (1 if table == 'chest' else 2):,} rows to {path}{then}")
