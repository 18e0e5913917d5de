"""Answers about what stands in the report and in the graph: what was seen, told and left out, and what a name means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from fusion import next_steps
from fusion.dialogue.answer import GRAPH, RANKING, REPORT, Sentence
from fusion.dialogue.names import bare
from fusion.dialogue.reported import listed, named_finding, read
from fusion.dialogue.topic import CannotAnswer, Refused, Topic
from fusion.why.figures import percent
from kg.triple import Triple
from ontologies.chest import layer as chest
from ontologies.concept import Concept, Presence
from vision.finding import NO_FINDING, Finding, in_words

Slots = Mapping[str, str]
_IMAGE = "the image"
_SAID = {"note": "the note", "image": "the image", "user": "what was stated"}
_HEART = "cardiothoracic ratio"
_LABELS = {"SNOMEDCT": "SNOMED CT", "ICD10CM": "ICD-10-CM", "HP": "HPO", "ORPHA": "Orphanet"}
_WORDS = re.compile(r"[^\W\d_]{2,}")
_PLAIN = re.compile(
    r"\b(?:the|an?|of|to|in|on|any|some|for|now|him|her|them|patient|this|that|it|chest|lungs?|high|resolution|drugs?|another|"
    r"repeat|first)\b",
    re.I,
)


def refuse(_: Topic, __: Slots, ___: str) -> Iterable[Sentence]:
    raise Refused("Doses, and whether a drug is safe with another, stand neither in the report nor in the graph.")


def image(topic: Topic, _: Slots, said: str) -> Iterable[Sentence]:
    """What is seen on the image: where, what is borderline, not assessed or measured, as far as the question asks."""
    seen = [f for f in topic.report.findings if f.origin == "image" and f.label != NO_FINDING]
    if not seen:
        raise CannotAnswer("The report was made without an image.")
    asked = said.lower()
    if re.search(r"\b(?:assess\w*|judge\w*|evaluate\w*|not (?:be )?(?:see|look))", asked):
        yield from _not_assessed(seen)
        return
    if re.search(r"\b(?:borderline|uncertain|doubtful|equivocal|unsure|questionable|possible|maybe)\b", asked):
        yield _of_presence(seen, "uncertain", cut=True)
        return
    if re.search(r"\b(?:measure\w*|ratio|angles?|widths?|size|numbers|abnormal|unusual|normal)\b", asked):
        yield from _measured(topic)
        if "measure" in asked or "ratio" in asked or "angle" in asked:
            return
    for presence in ("present", "uncertain"):
        yield _of_presence(seen, presence, cut=presence == "uncertain")
    if not re.search(r"\b(?:where|which side|what side|localis\w*|localiz\w*|location|part)\b", asked):
        yield from _not_assessed(seen)


def _of_presence(seen: Sequence[Finding], presence: Presence, *, cut: bool) -> Sentence:
    """With side, box and probability, and with the cut-off that was not reached."""
    parts = []
    for f in (f for f in seen if f.presence == presence):
        box = (
            None
            if f.box is None
            else f"box at {f.box.x:.0f}, {f.box.y:.0f}, {f.box.width:.0f} × {f.box.height:.0f} pixels"
        )
        limit = f"cut-off {f.threshold:.2f}" if cut and f.threshold is not None else None
        more = "; ".join(filter(None, (box, limit)))
        parts.append(named_finding(f) + (f" ({more})" if more else ""))
    return Sentence(text=f"On the image, {presence}: {', '.join(dict.fromkeys(parts)) or 'nothing'}.", rests_on=_IMAGE)


def _not_assessed(seen: Sequence[Finding]) -> Iterable[Sentence]:
    gone = {in_words(f.label): f.reason for f in seen if f.presence == "not assessed"}
    said = "; ".join(f"{name} ({reason})" if reason else name for name, reason in sorted(gone.items()))
    yield Sentence(text=f"Not assessed on the image: {said or 'nothing'}.", rests_on=_IMAGE)


def _measured(topic: Topic) -> Iterable[Sentence]:
    if not topic.report.measurements:
        yield Sentence(text="Nothing was measured on the image.", rests_on=REPORT)
        return
    said = "; ".join(
        f"{m.name} {m.value:.2f}{m.unit} ({'as usual' if m.usual else 'not as usual'}: {_range(m.low, m.high)})"
        for m in sorted(topic.report.measurements, key=lambda m: m.usual)
    )
    yield Sentence(text=f"Measured: {said}.", rests_on="outlines of lungs and heart on the image")


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at most {high:.2f}" if high is not None else f"at least {low:.2f}" if low is not None else "no range"
    return f"{low:.2f} to {high:.2f}"


def has(topic: Topic, slots: Slots, said: str) -> Iterable[Sentence]:
    """Whether a finding is there, and who says so, or that nobody does; a disease is left to the ranking."""
    words = bare(slots["finding"])
    found = _of_the_report(topic, words)
    if found:
        for f in found:
            yield Sentence(text=f"{_state(f)}, says {_SAID[f.origin]}.", rests_on=_SAID[f.origin])
        if any(f.label == "Cardiomegaly" for f in found):
            yield from (
                Sentence(text=f"The {m.name} is {m.value:.2f} (usual: {_range(m.low, m.high)}).", rests_on=_IMAGE)
                for m in topic.report.measurements
                if m.name == _HEART
            )
        return
    curie = topic.names.named(words)
    if curie is None:
        raise CannotAnswer(f"The graph knows no finding called “{words}”.")
    name = topic.explainer.graph.concept(curie).name
    told = re.search(r"\b(?:note|report|mention\w*|told|say|said|written|record\w*|image|film)\b", said, re.I)
    if topic.names.is_disease(curie) and not told:
        raise CannotAnswer(f"{name} is no finding of the report.")
    yield Sentence(
        text=f"Nobody has told of {name}: it is neither present nor absent here. Ask: what if there were {name}?",
        rests_on=REPORT,
    )


def _of_the_report(topic: Topic, words: str) -> list[Finding]:
    """The findings of the report that words name: by name, by a kind of it, or by what it is a kind of."""
    told = [f for f in topic.report.findings if f.concept and f.label != NO_FINDING and f.presence != "not assessed"]
    stem = words.lower().removesuffix("ies").removesuffix("s")
    plain = [f for f in told if stem and stem in (f.concept.name if f.concept else f.label).lower()]
    if plain:
        return plain
    graph = topic.explainer.graph
    curie = topic.names.finding(words)
    if curie is None:
        return []
    same = [f for f in told if f.concept and f.concept.curie == curie]
    below = [f for f in told if f.concept and f.concept.curie in graph and curie in graph.ancestors(f.concept.curie)]
    above = [f for f in told if f.concept and f.presence == "absent" and f.concept.curie in graph.ancestors(curie)]
    return same or below or above


def _state(finding: Finding) -> str:
    cut = "" if finding.threshold is None else f", cut-off {finding.threshold:.2f}"
    return f"{named_finding(finding)} is {finding.presence}{cut}"


def person(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    report = topic.report
    age = "not known" if report.age is None else f"{report.age:g} years"
    sex = {"F": "female", "M": "male"}.get(report.sex or "", "not known")
    place = report.provenance.get("setting", "neutral")
    yield Sentence(text=f"Age: {age}; sex: {sex}; setting: {place}.", rests_on=REPORT)


def open_set(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    """The diagnoses that cannot be ruled out."""
    report = topic.report
    members = [f"{d.rank}. {d.concept.name} ({percent(d.probability)})" for d in report.diagnoses if d.conformal_member]
    size = "an unknown number of" if report.set_size is None else str(report.set_size)
    yield Sentence(
        text=f"Of {size} candidates that cannot be ruled out at 90 % coverage the report shows: "
        f"{'; '.join(members) or 'none'}. The others stand below these; ask of one: why not …?",
        rests_on=RANKING,
    )


def codes(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    concept = _concept(topic, slots.get("disease"))
    said = "; ".join(
        f"{_LABELS.get(system, system)} {', '.join(codes)}" for system, codes in sorted(concept.codes.items())
    )
    if not said:
        raise CannotAnswer(f"{concept.name} has no code in a public system; it is {concept.curie}.")
    yield Sentence(text=f"{concept.name}: {said}.", rests_on=GRAPH)


def _concept(topic: Topic, words: str | None) -> Concept:
    """A disease, else a finding; the first diagnosis where nothing is named."""
    try:
        return topic.disease(words)
    except CannotAnswer:
        return topic.finding(words or "")


def not_suggested(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    """Why a treatment or an investigation that words name is not suggested, or that it is."""
    words = bare(slots["step"])
    report = topic.report
    left = [x for x in report.left_out if _names_step(words, f"{x.text} {x.treatment} {x.because}")]
    for x in left:
        yield Sentence(text=f"{x.disease}, left out: {x.objection}.", rests_on=x.reference)
    kept = [s for s in report.next_steps if _names_step(words, s.text)]
    for s in kept:
        yield Sentence(text=f"It is among the steps to consider: {s.disease}: {s.text}.", rests_on=s.reference)
    if left or kept:
        return
    if not _WORDS.search(_PLAIN.sub(" ", words)) or topic.find(words) or _of_the_report(topic, words):
        raise CannotAnswer(f"No step of the report is called “{words}”.")
    names = ", ".join(dict.fromkeys(s.disease for s in report.next_steps)) or "the first diagnoses"
    yield Sentence(
        text=f"No step of the curated layer for {names} names “{words}”. The report neither suggests nor forbids it.",
        rests_on="the chest layer's steps",
    )
    for s in report.next_steps[: next_steps.FIRST]:
        yield Sentence(text=f"Its steps: {s.disease}: {s.text}.", rests_on=s.reference)


def step_named(topic: Topic, slots: Slots, said: str) -> Iterable[Sentence]:
    """``not_suggested`` where a step of the report names it; else another reading is tried."""
    words = bare(slots["step"])
    texts = [f"{x.text} {x.treatment} {x.because}" for x in topic.report.left_out]
    if not any(_names_step(words, text) for text in (*texts, *(s.text for s in topic.report.next_steps))):
        raise CannotAnswer(f"No step of the report names “{words}”.")
    return not_suggested(topic, slots, said)


def when(_: Topic, __: Slots, ___: str) -> Iterable[Sentence]:
    yield Sentence(
        text="A report holds no time. The audit trail has the time of each: whydx audit show.", rests_on=REPORT
    )


def _names_step(words: str, text: str) -> bool:
    """Whether the words that tell stand in a step's text, by their first letters ("biopsy": "biopsies")."""
    asked = [w.lower() for w in _WORDS.findall(_PLAIN.sub(" ", words))]
    there = [w.lower() for w in re.findall(r"\w+", text)]
    return bool(asked) and all(any(t == w or (len(w) > 3 and t.startswith(w[:-2])) for t in there) for w in asked)


def unexplained(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    """The present findings that no source gives a disease, neither as they are nor as a kind or parent of them."""
    disease = topic.disease(slots.get("disease"), kinds=True)
    graph = topic.explainer.graph
    shown = {t.object for d in {disease.curie} for t in graph.triples(d, "has_phenotype")}
    shown_above = {a for curie in shown for a in graph.ancestors(curie)}
    told = [f for f in topic.report.findings if f.presence == "present" and f.concept and f.concept.curie in graph]
    told = [f for f in told if f.label != NO_FINDING and f.concept and f.concept.curie != disease.curie]
    rest = [
        in_words(f.label)
        for f in told
        if f.concept and f.concept.curie not in shown_above and shown.isdisjoint(graph.ancestors(f.concept.curie))
    ]
    rest = list(dict.fromkeys(rest))
    said = f"no source gives {disease.name} these: {', '.join(rest)}" if rest else f"a source gives {disease.name} each"
    yield Sentence(text=f"Of the findings that are present, {said}.", rests_on=GRAPH)


def frequency(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    """How often a finding is seen in a disease, by each source."""
    disease = topic.disease(slots["disease"], kinds=True)
    graph = topic.explainer.graph
    curie = topic.finding(slots["finding"]).curie
    name = graph.concept(curie).name
    shown = graph.triples(disease.curie, "has_phenotype")
    near = [t for t in shown if t.object == curie] or [
        t for t in shown if curie in graph.ancestors(t.object) or t.object in graph.ancestors(curie)
    ]
    if not near:
        yield Sentence(text=f"No source says that {name} is seen in {disease.name}.", rests_on=GRAPH)
        return
    for t in sorted(near, key=lambda t: -(t.frequency or 0.0))[:3]:
        often = "how often is not said" if t.frequency is None else f"in {percent(t.frequency)}"
        yield Sentence(text=f"{t.object_name} is seen in {disease.name}: {often}.", rests_on=_source(t))


def _source(triple: Triple) -> str:
    return f"{GRAPH}: {triple.source} {triple.reference}".strip()


def common(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    """How common a disease is, by the layer's editor."""
    disease = topic.disease(slots["disease"])
    table = chest.commonness()
    names = (disease.curie, *(f"{system}:{code}" for system, own in disease.codes.items() for code in own))
    how = next((table[name] for name in names if name in table), None)
    if how is None or how == "group":
        raise CannotAnswer(f"No source says how common {disease.name} is.")
    yield Sentence(
        text=f"{disease.name} is {how} behind an adult's chest radiograph, by the chest layer's editor. "
        "The graph has no incidence or prevalence in figures.",
        rests_on="the chest layer",
    )


def simply(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    """The result in short sentences, for a layperson."""
    report = topic.report
    if report.abstention or not report.diagnoses:
        yield Sentence(text="The computer cannot name an illness.", rests_on=RANKING)
    for d in report.diagnoses[:3]:
        yield Sentence(text=f"It could be {d.concept.name}. The chance is {percent(d.probability)}.", rests_on=RANKING)
    yield Sentence(
        text=f"It may be none of these. The chance of that is {percent(report.none_of_these)}. Your doctor decides.",
        rests_on=RANKING,
    )
    yield Sentence(text="The whole in plain words: whydx report REPORT --format plain.", rests_on=REPORT)


def summary(topic: Topic, slots: Slots, said: str) -> Iterable[Sentence]:
    yield from read(topic, slots, said)
    yield from listed(topic, slots, said)
