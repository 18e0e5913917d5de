"""A report whose facts a clinician has confirmed or denied, ranked anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from errors import InputError
from fusion.diagnosis import DiagnosticReport, LeftOut, NextStep
from fusion.intake import Intake
from fusion.pipeline import Pipeline
from fusion.workup import Case, Observed, observations
from kg.graph import KnowledgeGraph
from ontologies.concept import Concept, Presence
from vision.finding import Finding, in_words

_MOST_NAMED = 12
_STEP = "; "
_NO_NOTE = (
    "the note was not given again: what it says the patient once had is not known here, and what was not suggested "
    "because of it is still left out"
)


def facts(report: DiagnosticReport) -> tuple[Finding, ...]:
    """The findings that somebody can confirm or deny: what was read or stated, and what the image shows or may show;
    each concept once, in the order of the report. What was looked for on the image and not seen is not among them."""
    found: dict[str, Finding] = {}
    for finding in report.findings:
        if finding.concept is None or finding.presence == "not assessed":
            continue
        if finding.origin != "image" or finding.presence != "absent":
            found[finding.concept.curie] = finding  # what is said last outweighs what was said before
    return tuple(found.values())


def named(report: DiagnosticReport, name: str, graph: KnowledgeGraph) -> Concept:
    """The concept of a finding of the report: by its label or name, a part of it, or whatever the graph knows it by.
    Raises InputError when no finding has it, or several have."""
    concepts: dict[str, tuple[Concept, set[str]]] = {}
    for finding in report.findings:
        if (concept := finding.concept) is not None:
            own = {in_words(finding.label).casefold(), concept.name.casefold(), concept.curie.casefold()}
            concepts.setdefault(concept.curie, (concept, set()))[1].update(own)
    wanted = name.strip().casefold()
    for alike in (lambda own: wanted == own, lambda own: wanted in own):
        held = [concept for concept, names in concepts.values() if any(map(alike, names))] if wanted else []
        if len(held) == 1:
            return held[0]
        if held:
            expected = "one of " + ", ".join(c.name for c in held[:_MOST_NAMED])
            raise InputError("several findings of the report have this name", value=name, expected=expected)
    try:
        curie = graph.find(name)
    except InputError:
        curie = ""
    for concept, _ in concepts.values():
        if concept.curie in graph and graph.resolve(concept.curie) == curie:
            return concept
    expected = ", ".join(in_words(f.label) for f in facts(report)[:_MOST_NAMED]) or "a report that holds findings"
    run = f'whydx diagnose … --finding "{name}"'
    raise InputError("not a finding of this report", value=name, expected=expected, run=run)


def stated(report: DiagnosticReport, confirmed: Sequence[Concept], denied: Sequence[Concept]) -> DiagnosticReport:
    """``report`` with what the clinician says added to its findings, as ``whydx diagnose --finding`` adds it: it
    outweighs the note and the image. Raises InputError when something is both."""
    if both := {c.curie: c.name for c in confirmed}.items() & {c.curie: c.name for c in denied}.items():
        raise InputError("a finding cannot be confirmed and denied", value=min(both)[1], expected="one of the two")
    said: dict[str, tuple[Concept, Presence]] = {c.curie: (c, "present") for c in confirmed}
    said |= {c.curie: (c, "absent") for c in denied}
    kept = [f for f in report.findings if f.origin != "user" or f.concept is None or f.concept.curie not in said]
    told = [Finding(label=c.name, presence=p, origin="user", concept=c) for c, p in said.values()]
    return replace(report, findings=(*kept, *told))


def told(case: Case, curie: str, presence: Presence, intake: Intake, note: str | None) -> Case:
    """``case`` with a finding (canonical CURIE) as the clinician states it: the case of ``stated``."""
    odds = float("inf") if presence == "present" else 0.0
    mine = Observed(curie=curie, presence=presence, odds_ratio=odds)
    rest = (o for o in case.observed if o.curie != curie)
    passages = case.passages if case.worded or not note else intake.passages(note)
    observed = tuple(sorted((*rest, mine), key=lambda o: o.curie))
    return replace(case, observed=observed, worded=True, passages=passages)


def review(
    pipeline: Pipeline,
    report: DiagnosticReport,
    confirmed: Sequence[str] = (),
    denied: Sequence[str] = (),
    *,
    images: Sequence[Path] = (),
    note: str | None = None,
) -> DiagnosticReport:
    """The report anew, with findings of it (by CURIE, name or part of a name) confirmed or denied.

    ``images`` and ``note`` are those it was made from; without them it is ranked by its findings alone, and its
    warnings say so. As many diagnoses are shown as before. Raises InputError when nothing is said, when a finding is
    not one of the report or is said to be both, or when an image is not the report's.
    """
    if not (confirmed or denied):
        raise InputError("nothing is confirmed or denied", expected="--confirm FINDING or --deny FINDING")
    graph = pipeline.graph
    yes, no = ([named(report, name, graph) for name in names] for names in (confirmed, denied))
    changed = stated(report, yes, no)
    recalled = pipeline.intake.recall(changed, images, note)
    if not observations(recalled.case):
        raise InputError("nothing would be left to reason from", expected="a finding that stays")
    workup, found = pipeline.lay_out(recalled.case, recalled.embedding)
    unknown_past = note is None and report.understood is not None
    lines = (*report.warnings, *recalled.warnings, *((_NO_NOTE,) if unknown_past else ()))
    new = pipeline.report(
        workup,
        found,
        changed.findings,
        max(len(report.diagnoses), 1),
        tuple(dict.fromkeys(lines)),
        pipeline.intake.past(note) if note else (),
    )
    if unknown_past:
        steps, left_out = _still_left_out(new, report.left_out)
        new = replace(new, next_steps=steps, left_out=left_out)
    return replace(new, understood=report.understood, unread=report.unread)


def _still_left_out(
    new: DiagnosticReport, before: Sequence[LeftOut]
) -> tuple[tuple[NextStep, ...], tuple[LeftOut, ...]]:
    """The steps less the parts that were not suggested before, and those parts."""
    old = {(left.disease, left.text): left for left in before}
    again = {(left.disease, left.text) for left in new.left_out}
    steps, left_out = [], list(new.left_out)
    for step in new.next_steps:
        parts = step.text.split(_STEP)
        gone = [old[step.disease, part] for part in parts if (step.disease, part) in old]
        left_out += [left for left in gone if (left.disease, left.text) not in again]
        if kept := _STEP.join(part for part in parts if (step.disease, part) not in old):
            steps.append(replace(step, text=kept))
    return tuple(steps), tuple(left_out)
