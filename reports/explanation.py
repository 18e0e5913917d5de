"""Why, why not, what if, a working differential and what changed, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from fusion.why.answer import Counterfactual, WhatIf, Why, WhyNot
from fusion.why.comparison import ReportComparison
from fusion.why.working import Own, Working
from reports.table import KINDS, codes, evidence, grid, heading, moves, percent, read_more, short, weight

STATUS = {
    "ranked": "on the shortlist, below the first",
    "low": "annotated, but too unlikely for the shortlist",
    "excluded": "the case shows what this disease is said never to show",
    "not annotated": "in the graph, but no source says what it looks like, so that it cannot be a candidate",
    "not in the graph": "no concept of the graph has this name",
}


def why(answer: Why, console: Console) -> None:
    """The diagnosis, its evidence by weight, what to read more in, sums by kind, interactions."""
    _warnings(answer.warnings, console)
    diagnosis = answer.diagnosis
    kinds = "" if diagnosis.with_kinds is None else f", {percent(diagnosis.with_kinds)} with its kinds"
    note = f"rank {diagnosis.rank}, {percent(diagnosis.probability)}{kinds}  {codes(diagnosis.concept)}"
    heading(diagnosis.concept.name, console, note)
    evidence(diagnosis, console)
    read_more("Read more", (), moves([diagnosis], "literature"), console)
    read_more("Similar cases", (), moves([diagnosis], "case"), console)
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


def working(value: Working, console: Console) -> None:
    """The clinician's list with where each stands in ours, then what only ours has, and where the two part."""
    heading("Beside your working differential", console)
    table = grid(("", "right"), ("yours", "wrap"), ("ours", "wrap"), ("what keeps it down most", "wrap"))
    for own in value.own:
        name = own.disease.name if own.disease else own.asked
        table.add_row(str(own.rank), Text(name), Text(_met(own)), Text(_kept_down(own.why_not), style="dim"))
    console.print(table)
    for diagnosis in value.only_ours:
        said = ", ".join(f"{e.text} ({weight(e.weight)})" for e in diagnosis.why[:3])
        line = f"only ours: {diagnosis.rank}. {diagnosis.concept.name}, {percent(diagnosis.probability)}"
        console.print(Text(f"{line}{': ' if said else ''}{said}"))
    parted = "the two do not part" if value.parts_at is None else f"the two part at place {value.parts_at}"
    console.print(Text(parted, style="bold"))


def _met(own: Own) -> str:
    if own.ours is None:
        return "not among ours" if own.disease else "not in the graph"
    place = f"{own.ours.rank}, {percent(own.ours.probability)}"
    if own.likeness == "same":
        return place
    return f"{own.ours.concept.name} ({'a kind of it' if own.likeness == 'kind of it' else 'wider'}), {place}"


def _kept_down(answer: WhyNot | None) -> str:
    """The two findings that demote a disease most, and where it stands."""
    if answer is None:
        return ""
    worst = [c for c in answer.comparisons if c.weight < c.weight_for_first][:2]
    said = [f"{c.finding} {c.presence} ({weight(c.weight)}; to the first {weight(c.weight_for_first)})" for c in worst]
    alike = [f"names like it: {', '.join(answer.suggestions)}"] if answer.suggestions else []
    return "; ".join([STATUS[answer.status], *said, *alike])


def comparison(value: ReportComparison, console: Console) -> None:
    """What changed: findings, the differential with the evidence that moved it, steps, who the patient is, versions."""
    if value.same:
        console.print("nothing changed")
        return
    heading("Findings", console, "" if value.findings else "none changed")
    table = grid(
        ("", "left"), ("finding", "wrap"), ("from", "left"), ("before", "left"), ("", "left"), ("after", "left")
    )
    for f in value.findings:
        before = _said(f.before, f.probability_before, f.side_before)
        table.add_row(f.kind, Text(f.name), f.origin, before, "→", _said(f.after, f.probability_after, f.side_after))
    if table.row_count:
        console.print(table)
    heading("Differential", console)
    table = grid(("diagnosis", "wrap"), ("rank", "right"), ("", "left"), ("p", "right"), ("", "left"), ("", "left"))
    for d in value.diagnoses:
        ruled = "" if d.member_before == d.member_after or None in (d.member_before, d.member_after) else (
            "can no longer be ruled out" if d.member_after else "can be ruled out now"
        )  # fmt: skip
        table.add_row(
            Text(d.disease.name),
            str(d.rank_before or "–"),
            f"→ {d.rank_after or '–'}",
            "–" if d.probability_before is None else percent(d.probability_before),
            f"→ {'–' if d.probability_after is None else percent(d.probability_after)}",
            ruled,
        )
    table.add_row("none of these", "", "", percent(value.none_before), f"→ {percent(value.none_after)}", "")
    console.print(table)
    console.print(Text("–: not among those shown", style="dim"))
    for before_after, line in ((value.abstention_before, "before"), (value.abstention_after, "after")):
        if before_after and value.abstention_before != value.abstention_after:
            console.print(Text(f"{line}, no diagnosis was named: {before_after}", style="yellow"))
    for d in value.diagnoses:
        if d.evidence:
            heading(f"What moved {d.disease.name}", console)
            pieces = grid(("before", "right"), ("", "left"), ("after", "right"), ("", "left"), ("", "wrap"))
            for e in d.evidence:
                weights = ["–" if w is None else weight(w) for w in (e.weight_before, e.weight_after)]
                pieces.add_row(weights[0], "→", weights[1], KINDS[e.evidence], Text(e.text))
            console.print(pieces)
    for title, lines in (("New next steps", value.steps_new), ("Next steps no longer", value.steps_gone)):
        if lines:
            heading(title, console)
            for line in lines:
                console.print(Text(f"· {line}"))
    for title, pairs in (("Who it is about", value.person), ("Made with other versions", value.versions)):
        if pairs:
            heading(title, console)
            for name, (then, now) in pairs.items():
                console.print(Text(f"{name}: {short(then)} → {short(now)}"))


def _said(presence: str | None, probability: float | None, side: str | None) -> str:
    chance = "" if probability is None else f"{probability:.2f}"
    return " ".join(filter(None, (presence or "–", chance, side)))
