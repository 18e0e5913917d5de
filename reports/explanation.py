"""Why, why not and what if, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from fusion.why.answer import Counterfactual, WhatIf, Why, WhyNot
from reports.table import KINDS, codes, evidence, grid, heading, percent, weight

STATUS = {
    "ranked": "on the shortlist, below the first",
    "low": "annotated, but too unlikely for the shortlist",
    "excluded": "the case shows what this disease is said never to show",
    "not annotated": "in the graph, but no source says what it looks like, so that it cannot be a candidate",
    "not in the graph": "no concept of the graph has this name",
}


def why(answer: Why, console: Console) -> None:
    """The diagnosis, its evidence by weight, sums by kind, interactions."""
    _warnings(answer.warnings, console)
    diagnosis = answer.diagnosis
    kinds = "" if diagnosis.with_kinds is None else f", {percent(diagnosis.with_kinds)} with its kinds"
    note = f"rank {diagnosis.rank}, {percent(diagnosis.probability)}{kinds}  {codes(diagnosis.concept)}"
    heading(diagnosis.concept.name, console, note)
    evidence(diagnosis, console)
    if answer.by_kind:
        sums = ", ".join(f"{KINDS[kind]} {weight(value)}" for kind, value in sorted(answer.by_kind.items()))
        heading("By kind of evidence", console, sums)
    if answer.interactions:
        heading("Pieces that work together", console)
    for pair in answer.interactions:
        more = "more" if abs(pair.together) > abs(pair.apart) else "less"
        line = f"together {weight(pair.together)}, {more} than the sum of each alone ({weight(pair.apart)}): "
        console.print(Text(f"{line}{pair.first} — and — {pair.second}"))


def why_not(answer: WhyNot, console: Console) -> None:
    """What keeps a disease from being the answer."""
    _warnings(answer.warnings, console)
    name = answer.disease.name if answer.disease else answer.asked
    heading(name, console, codes(answer.disease) if answer.disease else "")
    console.print(Text(STATUS[answer.status]))
    if answer.suggestions:
        console.print(Text(f"did you mean: {', '.join(answer.suggestions)}"))
    if answer.rank is not None:
        console.print(Text(f"by the graph's score: rank {answer.rank} of {answer.candidates} diseases"))
    if answer.shortlist_rank is not None and answer.first is not None:
        chance = percent(answer.probability or 0.0)
        console.print(Text(f"by the reasoner: rank {answer.shortlist_rank}, {chance}"))
        console.print(Text(f"the first is {answer.first.name}, {answer.score_gap or 0.0:.2f} above it in score"))
    for triple in answer.excluding:
        source = f"{triple.source} {triple.reference}".strip()
        console.print(Text(f"excluded by: {triple.subject_name} never shows {triple.object_name} [{source}]"))
    if answer.comparisons and answer.first is not None:
        heading("What each finding does to it", console, f"beside {answer.first.name}")
        table = grid(("finding", "wrap"), ("", "left"), ("to this", "right"), ("to the first", "right"))
        for row in answer.comparisons:
            table.add_row(row.finding, row.presence, weight(row.weight), weight(row.weight_for_first))
        console.print(table)
    if answer.expected:
        heading("Typical of it, and not in this case", console)
        for triple in answer.expected:
            often = percent(triple.frequency or 0.0)
            console.print(Text(f"{triple.object_name} ({often}) [{triple.source}]"))
    if answer.status in ("not annotated", "not in the graph"):
        versions = ", ".join(f"{name} {version}" for name, version in sorted(answer.sources.items()))
        console.print(Text(f"the graph's open sources: {versions}", style="dim"))
        console.print(Text("add one that has it: whydx ontology add FILE; between two graphs: whydx ontology diff"))


def what_if(answer: WhatIf, console: Console) -> None:
    """The changes, then each disease before and after."""
    _warnings(answer.warnings, console)
    heading("If " + changes(answer), console)
    _shifts(answer, console)


def counterfactual(answer: Counterfactual, console: Console) -> None:
    """The smallest changes of findings that change the first diagnosis."""
    _warnings(answer.warnings, console)
    if not answer.flips:
        heading(f"{answer.first.name} stays the first", console)
        console.print(Text(f"whatever one or two findings are changed, among the {answer.tried} changes tried"))
    for flip in answer.flips:
        heading(f"{answer.first.name} would no longer be the first if " + changes(flip), console)
        _shifts(flip, console)


def changes(answer: WhatIf) -> str:
    """What is different, in words."""
    said = [f"{c.finding.name} were {c.after} (it is {c.before})" for c in answer.changes]
    return " and ".join(said) or "age or sex were different"


def _shifts(answer: WhatIf, console: Console) -> None:
    table = grid(("disease", "wrap"), ("rank", "right"), ("", "left"), ("p", "right"), ("", "left"))
    for shift in answer.shifts:
        table.add_row(
            shift.disease.name,
            str(shift.rank_before or "–"),
            f"→ {shift.rank_after or '–'}",
            percent(shift.probability_before),
            f"→ {percent(shift.probability_after)}",
        )
    table.add_row("none of these", "", "", percent(answer.none_before), f"→ {percent(answer.none_after)}")
    console.print(table)


def _warnings(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(Text(f"! {line}", style="yellow"))
