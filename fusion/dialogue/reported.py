"""Answers from the report itself, the curated chest layer and the literature index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from fusion import next_steps
from fusion.diagnosis import Diagnosis
from fusion.dialogue.answer import GRAPH, RANKING, REPORT, Sentence
from fusion.dialogue.intents import examples
from fusion.dialogue.names import bare
from fusion.dialogue.topic import CannotAnswer, Topic
from fusion.why.figures import percent
from ontologies.chest import contraindication
from ontologies.chest import layer as chest
from ontologies.chest.table import StepKind
from ontologies.concept import Concept, Presence
from retrieval.document import SearchHit
from vision.finding import NO_FINDING, Finding, in_words

Slots = Mapping[str, str]
_PAPERS = 5
_ORIGINS = {"note": "the note", "image": "the image", "user": "what was stated"}
_NOT_FITTED = (
    "First treatments, left out where age or a finding of this case speaks against them; what the case does not say "
    "is not fitted: ask for allergies, pregnancy, kidney function and other drugs."
)


def help(_: Topic, __: Slots, ___: str) -> Iterable[Sentence]:
    yield Sentence(text="You can ask: " + " ".join(examples()), rests_on="the table of questions")


def unread(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    report = topic.report
    if report.understood is None:
        yield Sentence(
            text="There was no note to read." if not _worded(report.findings) else "No note is recorded.",
            rests_on=REPORT,
        )
        return
    share = percent(report.understood)
    if not report.unread:
        yield Sentence(
            text=f"{share} of the note's words were understood: every phrase with a meaning.", rests_on=REPORT
        )
    elif topic.note is None:
        phrases = "1 phrase was" if len(report.unread) == 1 else f"{len(report.unread)} phrases were"
        said = f"{share} of the note's words were understood; {phrases} not."
        yield Sentence(text=f"{said} Give the note (--note) to see which.", rests_on=REPORT)
    else:
        phrases = ", ".join(f"“{span.of(topic.note)}”" for span in report.unread)
        yield Sentence(
            text=f"{share} of the note's words were understood. Not understood: {phrases}.", rests_on="the note"
        )


def read(topic: Topic, _: Slots, said: str) -> Iterable[Sentence]:
    report = topic.report
    seen = any(f.origin == "image" for f in report.findings)
    if not seen and re.search(r"\b(?:on|in) (?:the|this) (?:image|film|radiograph|x-?ray|picture)\b", said, re.I):
        raise CannotAnswer("The report was made without an image.")
    person = [f"age {report.age:g} years"] if report.age is not None else []
    person += [{"F": "female", "M": "male"}[report.sex]] if report.sex in ("F", "M") else []
    if person:
        yield Sentence(text=f"Patient: {', '.join(person)}.", rests_on=REPORT)
    for origin, place in _ORIGINS.items():
        parts: list[str] = []
        presences: tuple[Presence, ...] = ("present", "uncertain", "absent")
        for presence in presences:
            found = [f for f in report.findings if f.origin == origin and f.presence == presence]
            names = ", ".join(dict.fromkeys(named_finding(f) for f in found if f.label != NO_FINDING))
            parts += [f"{presence}: {names}"] if names else []
        gone = {in_words(f.label) for f in report.findings if (f.origin, f.presence) == (origin, "not assessed")}
        parts += [f"not assessed: {', '.join(sorted(gone))}"] if gone else []
        if parts:
            yield Sentence(text=f"From {place}, {'; '.join(parts)}.", rests_on=place)
    if report.understood is not None:
        yield Sentence(text=f"{percent(report.understood)} of the note's words were understood.", rests_on=REPORT)


def listed(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    report = topic.report
    if report.abstention:
        yield Sentence(text=f"No diagnosis is named: {report.abstention}.", rests_on=RANKING)
    said = [f"{d.rank}. {d.concept.name} ({percent(d.probability)})" for d in report.diagnoses]
    said.append(f"none of these ({percent(report.none_of_these)})")
    yield Sentence(text=f"{'; '.join(said)}.", rests_on=RANKING)


def sure(topic: Topic, slots: Slots, said: str) -> Iterable[Sentence]:
    report, words = topic.report, slots.get("disease")
    if words is None and re.search(r"\b(?:it|this|that)\b", said, re.I):
        words = "it"
    on = f"calibrated on {report.provenance.get('calibration', 'no patients that the report names')}"
    if words and bare(words).lower() in ("none of these", "none of them", "none", "something else", "another disease"):
        yield Sentence(text=f"None of these: {percent(report.none_of_these)}.", rests_on=on)
        return
    curie = topic.disease(words, kinds=True).curie if words else topic.first.concept.curie
    own = next((d for d in report.diagnoses if d.concept.curie == curie), None)
    if own is not None:
        kinds = "" if own.with_kinds is None else f"; with its kinds {percent(own.with_kinds)}"
        out = "" if own.conformal_member else "; it is ruled out at 90 % coverage"
        said = f"{own.concept.name}: {percent(own.probability)}{kinds}, rank {own.rank}{out}."
        yield Sentence(text=said, rests_on=on)
    else:
        name, place = topic.explainer.graph.concept(curie).name, topic.explainer.standings.get(curie)
        said = (
            f"{name}: {percent(place[1])}, rank {place[0]}."
            if place
            else f"{name} is not on the shortlist; ask: why not {name}?"
        )
        yield Sentence(text=said, rests_on=on)
    if report.abstention:
        yield Sentence(text=f"No diagnosis is named: {report.abstention}.", rests_on=RANKING)
    if report.set_size is not None:
        said = f"{report.set_size} candidates cannot be ruled out at 90 % coverage"
        yield Sentence(text=f"{said}; none of these: {percent(report.none_of_these)}.", rests_on=on)


def steps(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    return _steps(topic, slots.get("disease"), ("investigation", "treatment"))


def treatment(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    yield from _steps(topic, slots.get("disease"), ("treatment",))
    yield Sentence(text=_NOT_FITTED, rests_on="the chest layer's contraindications")


def _steps(topic: Topic, words: str | None, kinds: Sequence[StepKind]) -> Iterable[Sentence]:
    """The steps of the disease that is named, or of the first that cannot be ruled out, else of the first. Those that
    the report has are the report's, which was fitted with the whole note; others are fitted here the same way."""
    if words:
        named = topic.disease(words, kinds=True)
        asked = [Diagnosis(concept=named, probability=0.0, rank=1, score=0.0, conformal_member=True)]
    else:
        open_ones = [d for d in topic.report.diagnoses[: next_steps.FIRST] if next_steps.open_to(d)]
        asked = open_ones or [replace(topic.first, conformal_member=True)]
    layer = [s for d in asked for s in chest.next_steps(_codes(d.concept))]
    explainer, report = topic.explainer, topic.report
    reported = {s.disease for s in report.next_steps} | {left.disease for left in report.left_out}
    others = [d for d in asked if d.concept.name not in reported]
    names = {d.concept.name for d in asked}
    past = explainer.pipeline.intake.past(topic.note) if topic.note else ()
    refused = contraindication.refused(topic.note) if topic.note else ()
    steps, left_out = next_steps.fitted(others, report.findings, past, report.age, explainer.graph, refused)
    steps = (*(s for s in report.next_steps if s.disease in names), *steps)
    left_out = (*(left for left in report.left_out if left.disease in names), *left_out)
    steps = tuple(step for step in steps if (next_steps.kind_of(step.text, layer) or kinds[0]) in kinds)
    left_out = tuple(left for left in left_out if (next_steps.kind_of(left.text, layer) or kinds[0]) in kinds)
    if not steps and not left_out:
        raise CannotAnswer(f"The curated layer has no {' or '.join(kinds)} for {', '.join(sorted(names))}.")
    for step in steps:
        what = next_steps.kind_of(step.text, layer) or "step"
        yield Sentence(text=f"{step.disease}, {what}: {step.text}.", rests_on=step.reference)
    for left in left_out:
        yield Sentence(text=f"{left.disease}, left out: {left.objection}.", rests_on=left.reference)
    if others and topic.note is None and any(f.origin == "note" for f in report.findings):
        yield Sentence(text="Without the note (--note), nothing of the past was looked at for this.", rests_on=REPORT)


def _codes(concept: Concept) -> list[str]:
    return [concept.curie, *(f"{system}:{code}" for system, codes in concept.codes.items() for code in codes)]


def papers(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    about = slots.get("about") or slots.get("topic")
    if about is None or bare(about).lower() in ("it", "this", "this case", "case", "patient"):
        hits: Sequence[SearchHit] = topic.report.literature
    else:
        linker = topic.explainer.pipeline.intake.linker
        named = {m.concept.curie for m in linker.link(about) if m.presence == "present"}
        search = partial(topic.explainer.pipeline.search.literature.search, about, k=_PAPERS)
        # Papers of which the linker read the very concept come first; what is told of it in other words, without them.
        hits = (search(concepts=sorted(named)) or search()) if named else ()
    if not hits:
        raise CannotAnswer(f"No paper of the index speaks of “{about or 'this case'}”.")
    for hit in hits[:_PAPERS]:
        d = hit.document
        where = ", ".join(filter(None, (d.metadata.get("journal"), d.metadata.get("year"))))
        yield Sentence(text=f"{d.title} {where} [{d.source_curie}]", rests_on=f"the literature index: {d.source_curie}")


def cases(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    if not topic.report.cases:
        raise CannotAnswer("The report names no similar case.")
    for hit in topic.report.cases:
        d = hit.document
        found = " ".join((d.metadata.get("impression") or d.text).split())[:160]
        parts = ", ".join(f"{name} {value:.2f}" for name, value in sorted(hit.explanation.items()))
        yield Sentence(
            text=f"case {d.doc_id}, {d.title}: {found} ({parts})", rests_on=f"the case index: {d.source_curie}"
        )


def provenance(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    yield Sentence(
        text="Decision support, not a medical device, and no language model: a physician decides.", rests_on=REPORT
    )
    said = "; ".join(f"{name} {value[:16]}" for name, value in sorted(topic.report.provenance.items()))
    yield Sentence(text=f"Made with {said}.", rests_on=REPORT)
    if topic.report.provenance.get("graph"):
        yield Sentence(text="The graph's sources: whydx data list; what is built: whydx index show.", rests_on=GRAPH)


def named_finding(finding: Finding) -> str:
    """With its side and probability."""
    chance = "" if finding.probability is None else f" ({percent(finding.probability)})"
    side = f" ({finding.laterality})" if finding.laterality else ""
    return f"{in_words(finding.label)}{side}{chance}"


def _worded(findings: Sequence[Finding]) -> bool:
    return any(f.origin == "note" for f in findings)
