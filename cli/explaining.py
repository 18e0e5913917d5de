"""The verbs that explain a saved report: why, why-not, what-if."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli.terminal import FormatOption, HomeOption, OutputOption, home_folder, read_text, show
from errors import InputError

if TYPE_CHECKING:
    from fusion.explain import Explainer
    from ontologies.concept import Presence

app = typer.Typer()
_PANEL = "Every day"
CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE|-", help="A report as JSON: whydx diagnose … --format json -o CASE; - is stdin.")
]
ImageOption = Annotated[
    list[Path] | None, typer.Option("--image", metavar="IMAGE", help="The report's image, which it does not hold.")
]
NoteOption = Annotated[
    str | None, typer.Option("--note", metavar="TEXT|@FILE", help="The report's note, which it does not hold.")
]


@app.command(rich_help_panel=_PANEL)
def why(
    case: CaseArgument,
    disease: Annotated[
        str | None, typer.Argument(metavar="[DISEASE]", help="CURIE or name; the first diagnosis by default.")
    ] = None,
    image: ImageOption = None,
    note: NoteOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show what carries a diagnosis: paths, findings, papers and cases by measured weight, and which work together."""
    from reports import explanation

    show(_explainer(case, image, note, home).why(disease), explanation.why, layout, output)


@app.command("why-not", rich_help_panel=_PANEL)
def why_not(
    case: CaseArgument,
    disease: Annotated[str, typer.Argument(metavar="DISEASE", help="CURIE or name of the disease that is missing.")],
    image: ImageOption = None,
    note: NoteOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Say what demotes a disease, or that the graph does not know it."""
    from reports import explanation

    show(_explainer(case, image, note, home).why_not(disease), explanation.why_not, layout, output)


@app.command("what-if", rich_help_panel=_PANEL)
def what_if(
    case: CaseArgument,
    present: Annotated[
        list[str] | None, typer.Option("--present", metavar="FINDING", help="Were it present; may be repeated.")
    ] = None,
    absent: Annotated[
        list[str] | None, typer.Option("--absent", metavar="FINDING", help="Were it absent; may be repeated.")
    ] = None,
    unknown: Annotated[
        list[str] | None, typer.Option("--unknown", metavar="FINDING", help="Were it not assessed; may be repeated.")
    ] = None,
    age: Annotated[float | None, typer.Option("--age", metavar="Y", min=0, max=130, help="Were the age this.")] = None,
    sex: Annotated[
        Literal["F", "M"] | None, typer.Option("--sex", metavar="F|M", case_sensitive=False, help="Were the sex this.")
    ] = None,
    counterfactual: Annotated[
        bool, typer.Option("--counterfactual", help="Find the smallest change that changes the first diagnosis.")
    ] = False,
    image: ImageOption = None,
    note: NoteOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Rank again with findings changed, or find the smallest change that changes the first diagnosis."""
    stated = bool(present or absent or unknown or age is not None or sex)
    if stated == counterfactual:
        raise typer.BadParameter("give a change (--present, --absent, --unknown, --age, --sex) or --counterfactual")
    from reports import explanation

    explainer = _explainer(case, image, note, home)
    if counterfactual:
        show(explainer.counterfactual(), explanation.counterfactual, layout, output)
        return
    changes: dict[str, Presence] = {}
    named: tuple[tuple[list[str] | None, Presence], ...] = (
        (present, "present"),
        (absent, "absent"),
        (unknown, "not assessed"),
    )
    for names, presence in named:
        for name in names or ():
            curie = _finding(explainer, name)
            if changes.get(curie, presence) != presence:
                raise InputError("a finding cannot be two things", value=name, expected="--present or --absent")
            changes[curie] = presence
    show(explainer.what_if(changes, age=age, sex=sex), explanation.what_if, layout, output)


def _explainer(case: str, images: list[Path] | None, note: str | None, home: Path | None) -> Explainer:
    text = read_text("-" if case == "-" else f"@{case}", "report")
    told = None if note is None else read_text(note, "note")
    from reports.json import loads

    report = loads(text)
    from fusion.explain import Explainer, recall
    from fusion.pipeline import Pipeline

    pipeline = Pipeline.open(home_folder(home))
    return Explainer(pipeline, recall(pipeline, report, images or (), told))


def _finding(explainer: Explainer, name: str) -> str:
    """The canonical CURIE of a finding: the one of the case whose name holds ``name``, else a CURIE or name of the
    graph."""
    graph = explainer.graph
    named = {o.curie: graph.name(graph.node(o.curie)).casefold() for o in explainer.case.observed}
    held = [curie for curie, full in named.items() if name.casefold() in full]
    return held[0] if len(held) == 1 else graph.find(name)
