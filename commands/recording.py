"""The verbs of what a home remembers: feedback, audit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import whydx
from commands.explaining import CaseArgument, ConfirmOption, DenyOption
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
from commands.terminal import CountOption, FormatOption, HomeOption, OutputOption, read_text, say, show, write
from errors import ArtifactError, InputError
from home import home_folder

if TYPE_CHECKING:
    from kg.graph import KnowledgeGraph
    from ontologies.concept import Concept, Presence

app = typer.Typer()
audit = typer.Typer(no_args_is_help=True, help="The audit trail of diagnoses: show, verify, replay.")
app.add_typer(audit, name="audit", rich_help_panel="Keeping")
_FIGURES = (".png", ".svg")


@app.command(rich_help_panel="Every day")
def feedback(
    case: Annotated[
        str | None, typer.Argument(metavar="[REPORT|-]", help=CaseArgument.__metadata__[0].help, show_default=False)
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="The first diagnosis is right.")] = False,
    correct: Annotated[
        str | None, typer.Option("--correct", metavar="CURIE|NAME", help="What the diagnosis is instead.")
    ] = None,
    finding: Annotated[
        list[str] | None,
        typer.Option("--finding", metavar="CURIE=present|absent", help="What a finding is; may be repeated."),
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT|@FILE|-", help="A remark, kept as it is: name nobody in it.")
    ] = None,
    stats: Annotated[bool, typer.Option("--stats", help="Show how far clinicians agreed.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PNG|SVG", help="Draw that to a file.", show_default=False)
    ] = None,
    export: Annotated[bool, typer.Option("--export", help="Write all feedback as JSON lines.")] = False,
    read: Annotated[
        list[Path] | None, typer.Option("--import", metavar="JSONL", help="Take in feedback of another home.")
    ] = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Say whether a report was right, or show what was said; kept in the home, without what identifies a patient."""
    said = bool(accept or correct is not None or finding)
    looked = bool(stats or plot or export or read)
    if (case is None) != (not said) or said == looked or (note is not None and not said):
        hint = "give a REPORT with --accept, --correct or --finding; or --stats, --plot, --export or --import"
        raise typer.BadParameter(hint)
    folder = home_folder(home)
    from records import feedback as entries

    if case is not None:
        _say_of(case, folder, accept, correct, finding or (), note)
        return
    for path in read or ():
        added = entries.keep(folder, entries.read(path))
        say(f"{added} entries of {path.name} are new")
    if export:
        write(entries.export(entries.kept(folder)), output)
    if not (stats or plot):
        return
    from records.agreement import agreement
    from reports import agreement as drawn

    value = agreement(entries.kept(folder))
    if plot is not None:
        if plot.suffix.lower() not in _FIGURES:
            raise InputError("not a figure's name", value=plot.name, expected="a name that ends in .png or .svg")
        write(drawn.figure(value, "svg" if plot.suffix.lower() == ".svg" else "png"), plot)
    if stats:
        show(value, drawn.agreement, layout, output)


def _say_of(
    case: str, folder: Path, accept: bool, correct: str | None, findings: list[str] | tuple[()], note: str | None
) -> None:
    from records import feedback as entries
    from reports.json import dumps, loads

    report = loads(read_text("-" if case == "-" else f"@{case}", "report"))
    remark = None if note is None else " ".join(read_text(note, "remark").split())
    graph = None
    if correct is not None or findings:
        graph = whydx.open(folder).graph
    disease = None if correct is None or graph is None else graph.concept(graph.find(correct))
    checked = [] if graph is None else [_finding(graph, stated) for stated in findings]
    first = report.diagnoses[0].concept.curie if report.diagnoses else None
    related = False
    if disease is not None and graph is not None and first is not None and first in graph:
        related = first in graph.ancestors(disease.curie) or disease.curie in graph.ancestors(first)
    entry = entries.of(
        report, dumps(report), accept=accept, correct=disease, findings=checked, note=remark, related=related
    )
    new = entries.keep(folder, [entry])
    say(f"kept as {entry.id}" if new else f"this is known already, as {entry.id}")


def _finding(graph: KnowledgeGraph, stated: str) -> tuple[Concept, Presence]:
    """Raises InputError when the option is not CURIE=present or CURIE=absent."""
    found = re.fullmatch(r"(.+?)\s*=\s*(present|absent)", stated.strip())
    if found is None:
        raise InputError("not a statement on a finding", value=stated, expected="CURIE=present or CURIE=absent")
    presence: Presence = "present" if found[2] == "present" else "absent"
    return graph.concept(graph.find(found[1])), presence


@audit.command("show")
def audit_show(
    k: CountOption = 20, layout: FormatOption = "table", output: OutputOption = None, home: HomeOption = None
) -> None:
    """List the last records: when, what was done, how much was given, digests, versions; nothing of the patient."""
    from records import audit as trail
    from records import chain
    from reports import agreement as drawn

    rows = [row for _, row in chain.records(home_folder(home) / trail.NAME) if row is not None]
    show(rows[-k:], drawn.audit, layout, output)


@audit.command("verify")
def audit_verify(
    expected: Annotated[
        str | None, typer.Option("--head", metavar="HASH", help="A head noted elsewhere: it must be part of the chain.")
    ] = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Check that no record was changed, removed, moved or cut off; exit 1 with the place when one was."""
    from records import audit as trail
    from records import chain
    from reports import agreement as drawn

    value = chain.verify(home_folder(home) / trail.NAME, expected)
    show(value, drawn.verified, layout, output)
    if value.problems:
        first = value.problems[0]
        place = "its end" if first.line is None else f"line {first.line}"
        raise ArtifactError(f"the audit trail is broken at {place}", value=f"{first.kind}: {first.text}")


@audit.command("replay")
def audit_replay(
    sequence: Annotated[int, typer.Argument(metavar="N", min=1, help="The record's number.")],
    images: ImagesArgument = None,
    note: NoteOption = None,
    finding: PresentOption = None,
    absent: AbsentOption = None,
    age: AgeOption = None,
    sex: SexOption = None,
    setting: SettingOption = "neutral",
    study: StudyOption = None,
    k: CountOption = 5,
    case: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE|-", help="Of a review: the report as JSON, as it was before."),
    ] = None,
    confirm: ConfirmOption = None,
    deny: DenyOption = None,
    home: HomeOption = None,
) -> None:
    """Diagnose, or rank a report, anew with the inputs of a record, which it does not hold, and compare the bytes of
    the answer.

    Exit 1 when the inputs are others, or the answer is: then with the version that differs.
    """
    for image in images or ():
        readable(image, folder=True)
    if case is None and (confirm or deny):
        raise typer.BadParameter(
            "give the report that was reviewed, too, with --report", param_hint="--confirm, --deny"
        )
    if case is not None and (finding or absent or age is not None or sex):
        raise typer.BadParameter("a review is asked with --confirm, --deny, images and --note", param_hint="--report")
    text = None if note is None else read_text(note, "note")
    from fusion.intake import Patient
    from records import audit as trail
    from reports.json import dumps, loads
    from vision.intake.study import of_images, one_study

    folder = home_folder(home)
    record = trail.find(folder, sequence)
    yes, no = tuple(confirm or ()), tuple(deny or ())
    before = None if case is None else loads(read_text("-" if case == "-" else f"@{case}", "report"))
    patient = Patient(
        images=one_study(images or (), study) if before is None else (),
        note=text,
        present=tuple(finding or ()),
        absent=tuple(absent or ()),
        age=age,
        sex=sex,
        setting=setting,
    )
    inputs = trail.Inputs.of(patient, k)
    if before is not None:
        films = of_images(images or (), {f.sop_instance_uid for f in before.findings})
        inputs = trail.Inputs.of_review(dumps(before), yes, no, films, text)
    if inputs.digest(record["salt"]) != record["inputs"]:
        given = ", ".join(f"{n} {kind}" for kind, n in record["given"].items())
        what = f"what the {record['event']} was made from ({given})"
        raise InputError(f"these are not the inputs of record {sequence}", expected=what, run="whydx audit show")
    dx = whydx.open(folder)
    with trail.threads_of(record):
        if before is not None:
            report = dx.review(before, confirm=yes, deny=no, images=inputs.images, note=text, audited=False)
        else:
            report = dx.diagnose(
                patient.images,
                note=text,
                present=patient.present,
                absent=patient.absent,
                age=age,
                sex=sex,
                setting=setting,
                k=k,
                audited=False,
            )
        now = trail.versions(report.provenance)
    if trail.answer_digest(report.to_json()) == record["answer"]:
        say(f"record {sequence}: the same answer, byte for byte")
        return
    moved = trail.differing(record, now)
    said = "; ".join(f"{name} {then[:16]} → {now[:16]}" for name, (then, now) in moved.items())
    raise ArtifactError(f"record {sequence}: another answer", value=said or "no version differs")
