"""The verbs on a saved report: report, why, why-not, what-if."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import whydx
from commands.reporting import (
    Beside,
    DateOption,
    IdentifiedOption,
    PdfOption,
    ReportFormatOption,
    WithAnswersOption,
    WithImageOption,
    WithNoteOption,
    WorkingOption,
    show_report,
)
from commands.terminal import FormatOption, HomeOption, OutputOption, read_text, show

app = typer.Typer()
CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE|-", help="A report as JSON: whydx diagnose … --format json -o CASE; - is stdin.")
]
ImageOption = Annotated[
    list[Path] | None, typer.Option("--image", metavar="IMAGE", help="The report's image, or its folder.")
]
NoteOption = Annotated[
    str | None, typer.Option("--note", metavar="TEXT|@FILE", help="The report's note, which it does not hold.")
]
ConfirmOption = Annotated[
    list[str] | None,
    typer.Option("--confirm", metavar="FINDING", help="A finding of the report is there; ranks anew. Repeatable."),
]
DenyOption = Annotated[
    list[str] | None,
    typer.Option("--deny", metavar="FINDING", help="A finding of the report is not there; ranks anew. Repeatable."),
]
# Asks of a report, with what it was made from, and says which function of reports.explanation draws the answer.
Ask = Callable[..., tuple[Any, str]]


@app.command(rich_help_panel="Every day")
def report(
    case: CaseArgument,
    image: ImageOption = None,
    note: NoteOption = None,
    confirm: ConfirmOption = None,
    deny: DenyOption = None,
    layout: ReportFormatOption = "table",
    with_image: WithImageOption = False,
    with_note: WithNoteOption = False,
    with_answers: WithAnswersOption = False,
    working: WorkingOption = None,
    identified: IdentifiedOption = False,
    day: DateOption = None,
    pdf: PdfOption = None,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Show a saved report again, in another format, or ranked anew with its findings confirmed or denied. dicom-sr
    and dicom need the image, in whose study they lie; dicom is a folder (-o) of all documents. A home is needed for
    what the report does not hold."""
    beside = Beside(
        images=image or (),
        note=None if note is None else read_text(note, "note"),
        image_shown=with_image,
        note_shown=with_note,
        answers=with_answers,
        working=working or (),
        day=day,
        identified=identified,
        pdf=pdf,
    )
    beside.check(layout)
    text = read_text("-" if case == "-" else f"@{case}", "report")
    from reports.json import loads

    shown = loads(text)
    dx = whydx.open(home) if beside.needs_home or confirm or deny else None
    if dx is not None and (confirm or deny):
        shown = dx.review(shown, confirm=confirm or (), deny=deny or (), images=beside.images, note=beside.note)
    show_report(shown, layout, output, home, dx, beside)


@app.command(rich_help_panel="Every day")
def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="The report of before, as JSON; - is stdin.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The report of after, as JSON; - is stdin.")],
    layout: FormatOption = "table",
    output: OutputOption = None,
) -> None:
    """Say what changed from one saved report to another: findings, ranks, probabilities, and the evidence that moved
    them. Needs no home."""
    if before == after == "-":
        raise typer.BadParameter("only one of the two can be stdin", param_hint="B")
    from fusion.why.comparison import compare as changed
    from reports import explanation
    from reports.json import loads

    reports = [loads(read_text("-" if case == "-" else f"@{case}", "report")) for case in (before, after)]
    show(changed(*reports), explanation.comparison, layout, output)


def _verb(name: str) -> Callable[[Ask], Ask]:
    """Make a verb of ``ask(dx, report, given, …)``: its own arguments and options, and around them those that all
    three verbs have."""

    def shared(
        case: CaseArgument,
        image: ImageOption = None,
        note: NoteOption = None,
        layout: FormatOption = "table",
        output: OutputOption = None,
        home: HomeOption = None,
    ) -> None:
        """Only its signature is used."""

    def register(ask: Ask) -> Ask:
        case, *rest = inspect.signature(shared, eval_str=True).parameters.values()
        own = list(inspect.signature(ask, eval_str=True).parameters.values())[3:]

        @wraps(ask)
        def command(
            case: str, image: Any, note: str | None, layout: Any, output: Path | None, home: Path | None, **options: Any
        ) -> None:
            text = read_text("-" if case == "-" else f"@{case}", "report")
            given = {"images": image or (), "note": None if note is None else read_text(note, "note")}
            from reports import explanation
            from reports.json import loads

            answer, draw = ask(whydx.open(home), loads(text), given, **options)
            show(answer, getattr(explanation, draw), layout, output)

        parameters = [case, *own, *rest]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name, rich_help_panel="Every day")(command)
        return ask

    return register


@_verb("why")
def why(
    dx: whydx.Whydx,
    report: Any,
    given: dict[str, Any],
    disease: Annotated[
        str | None, typer.Argument(metavar="[DISEASE]", help="CURIE or name; the first diagnosis by default.")
    ] = None,
) -> tuple[Any, str]:
    """Show what carries a diagnosis: what weighs how much, which pieces work together, what to read more in."""
    return dx.why(report, disease, **given), "why"


@_verb("why-not")
def why_not(
    dx: whydx.Whydx,
    report: Any,
    given: dict[str, Any],
    disease: Annotated[str, typer.Argument(metavar="DISEASE", help="CURIE or name of the disease that is missing.")],
) -> tuple[Any, str]:
    """Say what demotes a disease, or that the graph does not know it."""
    return dx.why_not(report, disease, **given), "why_not"


@_verb("what-if")
def what_if(
    dx: whydx.Whydx,
    report: Any,
    given: dict[str, Any],
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
) -> tuple[Any, str]:
    """Rank again with findings changed, or find the smallest change that changes the first diagnosis."""
    stated = bool(present or absent or unknown or age is not None or sex)
    if stated == counterfactual:
        raise typer.BadParameter("give a change (--present, --absent, --unknown, --age, --sex) or --counterfactual")
    if counterfactual:
        return dx.counterfactual(report, **given), "counterfactual"
    changed: dict[str, Any] = {"present": present or (), "absent": absent or (), "unknown": unknown or ()}
    return dx.what_if(report, **changed, age=age, sex=sex, **given), "what_if"
