"""Answers from the explainer: what moved a diagnosis, what would, and what to look for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from errors import InputError
from fusion.diagnosis import Evidence
from fusion.dialogue.answer import GRAPH, RANKING, REMOVED, RESCORED, Sentence
from fusion.dialogue.names import Supposed, bare
from fusion.dialogue.topic import CannotAnswer, Topic
from fusion.why.answer import Informative, WhatIf, Why
from fusion.why.counterfactual import smallest_change
from fusion.why.figures import percent, weight
from fusion.why.information import most_informative, telling_apart
from kg.triple import Triple
from ontologies.chest.table import FindingKind
from ontologies.concept import Concept, Presence

Slots = Mapping[str, str]
_MOST = 4
_STATES = ("finding", "person", "words")
_HOW: dict[FindingKind | None, str] = {
    "symptom": "ask for",
    "context": "ask about",
    "course": "ask about",
    "sign": "examine for",
    "laboratory": "test for",
    "imaging": "look on the image for",
    "normal": "look for",
    None: "look for",
}
_ASKED: tuple[tuple[str, tuple[FindingKind, ...]], ...] = (
    ("ask", ("symptom", "context", "course")),
    ("question", ("symptom", "context", "course")),
    ("symptom", ("symptom",)),
    ("examin", ("sign",)),
    ("sign", ("sign",)),
    ("lab", ("laboratory",)),
    ("measure", ("laboratory",)),
    ("test", ("laboratory", "imaging")),
    ("order", ("laboratory", "imaging")),
    ("image", ("imaging",)),
    ("imaging", ("imaging",)),
)
_INFORMATION = f"{GRAPH}'s frequencies: expected fall of the differential's entropy (Lindley 1956)"


def why(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    disease = topic.disease(slots.get("disease"), kinds=True)
    if disease.curie not in topic.explainer.standings:
        yield Sentence(text=f"{disease.name} is not among the diagnoses.", rests_on=RANKING)
        yield from why_not(topic, {"disease": disease.curie}, "")
        return
    answer = topic.explainer.why(disease.curie)
    yield _rank(answer)
    yield from _pieces(answer, supports=True)
    yield from _pieces(answer, supports=False, most=2)
    for e in [e for e in answer.diagnosis.evidence if e.kind == "kg_path"][:1]:
        yield Sentence(text=f"The heaviest path of the graph: {e.text} ({weight(e.weight)}).", rests_on=_sources(e))
    # A finding and its own path say one thing (docs/clinician.md); that is no news.
    paths = {e.text for e in answer.diagnosis.evidence if e.kind == "kg_path"}
    for pair in [i for i in answer.interactions if not {i.first, i.second} & paths][:1]:
        more = "more" if abs(pair.together) > abs(pair.apart) else "less"
        said = f"{pair.first} and {pair.second} together weigh {weight(pair.together)}, {more} than each alone in sum"
        yield Sentence(text=f"{said} ({weight(pair.apart)}).", rests_on=REMOVED)


def against(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    disease = topic.disease(slots.get("disease"), kinds=True)
    if disease.curie in topic.explainer.standings:
        answer = topic.explainer.why(disease.curie)
        yield _rank(answer)
        yield from _pieces(answer, supports=False)
    missing = topic.explainer.expected(disease.curie)
    if missing:
        yield Sentence(
            text=f"Typical of {disease.name} and not in this case: {_often(missing)}.", rests_on=_of(missing)
        )


def why_not(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    words = slots.get("disease", "")
    curie = topic.find(words)
    if curie is not None and topic.explainer.standings.get(curie, (None, 0.0))[0] == 1:
        yield Sentence(text=f"{topic.explainer.graph.concept(curie).name} is the first diagnosis.", rests_on=RANKING)
        yield from why(topic, {"disease": curie}, "")
        return
    answer = topic.explainer.why_not(curie or bare(words))
    name = answer.disease.name if answer.disease else answer.asked
    first = answer.first.name if answer.first else "none"
    if answer.status in ("not in the graph", "not annotated"):
        lacks = (
            "no concept of the graph is called so" if answer.disease is None else "no source says what it looks like"
        )
        yield Sentence(text=f"{name}: {lacks}, so that it cannot be a candidate. The first is {first}.", rests_on=GRAPH)
        if answer.suggestions:
            yield Sentence(text=f"Names like it: {', '.join(answer.suggestions)}.", rests_on=GRAPH)
        return
    place = (
        "" if answer.status == "ranked" else f" (by the graph's score {answer.rank} of {answer.candidates} diseases)"
    )
    chance = percent(answer.probability or 0.0)
    gap = f"{first} is {answer.score_gap or 0.0:.2f} above it in score"
    said = f"{name} is rank {answer.shortlist_rank}{place}, at {chance}; {gap}."
    yield Sentence(text=said, rests_on=RANKING)
    for triple in answer.excluding[:2]:
        yield Sentence(text=f"{name} never shows {triple.object_name}, which this case has.", rests_on=_of([triple]))
    rows = [c for c in answer.comparisons if c.weight < c.weight_for_first][:_MOST]
    if rows:
        said = "; ".join(
            f"{c.finding} ({c.presence}): {weight(c.weight)} here, {weight(c.weight_for_first)} for {first}"
            for c in rows
        )
        yield Sentence(text=f"What keeps it below {first}: {said}.", rests_on=REMOVED)
    if answer.expected:
        yield Sentence(
            text=f"Typical of it and not in this case: {_often(answer.expected)}.", rests_on=_of(answer.expected)
        )


def could_be(topic: Topic, slots: Slots, said: str) -> Iterable[Sentence]:
    if not topic.names.known(slots["disease"]):
        topic.disease(slots["disease"])
    return why_not(topic, slots, said)


def what_if(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    gone: Presence | None = "absent" if slots.keys() & {"without", "lacking"} else None
    if "ignoring" in slots:
        gone = "not assessed"
    return suppose(topic, topic.names.supposed(slots["clause"], gone), slots["clause"])


def suppose(topic: Topic, supposed: Supposed, clause: str) -> Iterable[Sentence]:
    """What the ranking would be. Raises CannotAnswer when the clause supposes nothing, or nothing would change."""
    if not supposed:
        raise CannotAnswer(f"No finding, age or sex was understood in “{clause}”.")
    try:
        answer = topic.explainer.what_if(supposed.changes, age=supposed.age, sex=supposed.sex)
    except InputError as error:
        names = ", ".join(topic.explainer.graph.concept(c).name for c in supposed.changes)
        reason = "It is so already" if "change" in error.what else error.what.capitalize()
        raise CannotAnswer(f"{reason}: {names or clause}.") from error
    changes = [f"{c.finding.name} {c.after} (it is {c.before})" for c in answer.changes]
    if supposed.age is not None:
        changes.append(f"age {supposed.age:g} years (it is {_known(topic.report.age)})")
    if supposed.sex is not None:
        changes.append(f"sex {_sex(supposed.sex)} (it is {_sex(topic.report.sex)})")
    yield Sentence(text=f"If {' and '.join(changes)}: {_moved(answer)}.", rests_on=RESCORED)
    stays, was = answer.shifts[0].disease, next(s.disease for s in answer.shifts if s.rank_before == 1)
    same = (
        f"{stays.name} stays the first." if stays == was else f"{stays.name} would be the first instead of {was.name}."
    )
    none = f" None of these: {percent(answer.none_before)} → {percent(answer.none_after)}."
    yield Sentence(text=same + none, rests_on=RESCORED)


def change(topic: Topic, _: Slots, __: str) -> Iterable[Sentence]:
    answer = smallest_change(topic.explainer)
    if not answer.flips:
        said = f"{answer.first.name} stays the first whatever one or two findings are changed"
        yield Sentence(text=f"{said} ({answer.tried} changes tried).", rests_on=RESCORED)
    for flip in answer.flips:
        said = " and ".join(f"{c.finding.name} were {c.after} (it is {c.before})" for c in flip.changes)
        then = f"{flip.shifts[0].disease.name} would be the first, at {percent(flip.shifts[0].probability_after)}"
        yield Sentence(text=f"{answer.first.name} would no longer be the first if {said}: {then}.", rests_on=RESCORED)


def weightiest(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    disease = topic.disease(slots.get("disease"), kinds=True)
    answer = _why(topic, disease)
    pieces = [e for e in answer.diagnosis.evidence if e.kind in _STATES]
    # Asked for a finding, a sentence's words come after what they name.
    pieces.sort(key=lambda e: (e.kind == "words", -abs(e.weight)))
    if not pieces:
        yield Sentence(text=f"No single finding moves {disease.name}.", rests_on=REMOVED)
        return
    best, *rest = pieces
    others = f" Then: {_listed(rest[: 2 * _MOST])}." if rest else ""
    yield Sentence(
        text=f"For {disease.name}, {best.text} matters most ({weight(best.weight)}).{others}", rests_on=REMOVED
    )


def weigh(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    finding = topic.finding(slots["finding"])
    disease = topic.disease(slots.get("disease"), kinds=True)
    if finding.curie not in {o.curie for o in topic.explainer.case.observed}:
        raise CannotAnswer(
            f"{finding.name} is not known in this case; ask: what if {finding.name.lower()} were present?"
        )
    rows = topic.explainer.compared(disease.curie, topic.first.concept.curie)
    row = next((r for r in rows if r.finding == finding.name), None)
    if row is None:
        raise CannotAnswer(f"{finding.name} is uncertain in this case and weighs nothing.")
    beside = (
        ""
        if disease.curie == topic.first.concept.curie
        else f"; for {topic.first.concept.name} {weight(row.weight_for_first)}"
    )
    stance = "speaks for" if row.weight > 0 else "speaks against" if row.weight < 0 else "says nothing of"
    said = f"{finding.name} ({row.presence}) {stance} {disease.name}, with {weight(row.weight)}{beside}."
    yield Sentence(text=said, rests_on=REMOVED)


def apart(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    one, other = topic.disease(slots.get("disease")), topic.disease(slots.get("other"))
    if one == other:
        raise CannotAnswer(f"Both are {one.name}.")
    try:
        found = telling_apart(topic.explainer, one.curie, other.curie)
    except InputError as error:
        raise CannotAnswer(f"{str(error).capitalize()}.") from error
    ranked = topic.explainer.standings
    stands = " and ".join(
        f"{d.name} ({percent(ranked[d.curie][1]) if d.curie in ranked else 'not on the shortlist'})"
        for d in (one, other)
    )
    yield Sentence(text=f"Now: {stands}.", rests_on=RANKING)
    rows = topic.explainer.compared(one.curie, other.curie)
    told = [r for r in (*rows[:2], *rows[-2:]) if abs(r.weight - r.weight_for_first) >= 0.1]
    if told:
        said = "; ".join(
            f"{r.finding} ({r.presence}) for {(one if r.weight > r.weight_for_first else other).name}"
            f" by {abs(r.weight - r.weight_for_first):.2f}"
            for r in dict.fromkeys(told)
        )
        yield Sentence(text=f"What is known already tells them apart: {said}.", rests_on=REMOVED)
    for i in found:
        yield Sentence(
            text=f"{_look(i)}: it is seen more often in {_rarer(i)} ({i.gain:.2f} bits).", rests_on=_INFORMATION
        )
    if not found:
        yield Sentence(text="Nothing that is not known yet tells them apart by the graph.", rests_on=GRAPH)


def following(topic: Topic, _: Slots, said: str) -> Iterable[Sentence]:
    """What to look for next: the findings with the most expected information, and what the best one would do."""
    kinds = next((kinds for word, kinds in _ASKED if word in said.lower()), ())
    found = most_informative(topic.explainer, kinds=kinds)
    if not found:
        raise CannotAnswer("The graph knows no further finding that would tell the candidates apart.")
    best = found[0]
    for i in found:
        seen = ", ".join(f"{percent(often)} of {name}" for name, often in i.frequency.items())
        said = f"{_look(i)}: {i.gain:.2f} bits; it would raise {i.raises.name} most (seen in {seen})."
        yield Sentence(text=said, rests_on=_INFORMATION)
    presences: tuple[Presence, ...] = ("present", "absent")
    for presence in presences:
        answer = topic.explainer.what_if({best.finding.curie: presence})
        yield Sentence(text=f"If {best.finding.name} were {presence}: {_moved(answer, 3)}.", rests_on=RESCORED)


def typical(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    disease = topic.disease(slots.get("disease"))
    triples: dict[str, Triple] = {}
    shown = topic.explainer.graph.triples(disease.curie, "has_phenotype")
    for triple in sorted(shown, key=lambda t: (-(t.frequency or 0.0), t.object_name)):
        triples.setdefault(triple.object, triple)
    if not triples:
        raise CannotAnswer(f"No source says what {disease.name} looks like.")
    most = list(triples.values())[: 2 * _MOST]
    yield Sentence(text=f"{disease.name}: {_often(most)}.", rests_on=_of(most))


def define(topic: Topic, slots: Slots, _: str) -> Iterable[Sentence]:
    words = slots.get("disease", "")
    curie = topic.names.disease(words) or topic.names.finding(words)
    concept = None if curie is None else topic.explainer.graph.concept(curie)
    if concept is None:
        raise CannotAnswer(f"The graph knows nothing called “{words}”.")
    if not concept.definition:
        yield Sentence(text=f"The graph has no definition of {concept.name}.", rests_on=GRAPH)
        if topic.names.is_disease(concept.curie):
            yield from typical(topic, {"disease": words}, "")
        return
    yield Sentence(text=f"{concept.name}: {concept.definition}", rests_on=f"{GRAPH}: {concept.curie}")


def _why(topic: Topic, disease: Concept) -> Why:
    try:
        return topic.explainer.why(disease.curie)
    except InputError as error:
        raise CannotAnswer(f"{disease.name} is not among the diagnoses; ask: why not {disease.name}?") from error


def _rank(answer: Why) -> Sentence:
    d = answer.diagnosis
    kinds = "" if d.with_kinds is None else f", {percent(d.with_kinds)} with its kinds"
    return Sentence(text=f"{d.concept.name} is rank {d.rank}, at {percent(d.probability)}{kinds}.", rests_on=RANKING)


def _pieces(answer: Why, *, supports: bool, most: int = _MOST) -> Iterable[Sentence]:
    pieces = [e for e in answer.diagnosis.why if (e.weight > 0) == supports and e.kind != "kg_path"][:most]
    name = answer.diagnosis.concept.name
    if pieces:
        yield Sentence(text=f"{'For' if supports else 'Against'} {name}: {_listed(pieces)}.", rests_on=REMOVED)
    elif not supports and most == _MOST:
        yield Sentence(text=f"Nothing in this case speaks against {name}.", rests_on=REMOVED)


def _listed(pieces: Sequence[Evidence]) -> str:
    return "; ".join(f"{e.text} ({weight(e.weight)})" for e in pieces)


def _sources(evidence: Evidence) -> str:
    triples = evidence.path.triples if evidence.path else ()
    return f"{REMOVED}; {_of(triples)}" if triples else REMOVED


def _of(triples: Iterable[Triple]) -> str:
    found = dict.fromkeys(f"{t.source} {t.reference}".strip() for t in triples)
    return f"{GRAPH}: {', '.join(list(found)[:3])}"


def _often(triples: Iterable[Triple]) -> str:
    return ", ".join(
        t.object_name if t.frequency is None else f"{t.object_name} ({percent(t.frequency)})" for t in triples
    )


def _moved(answer: WhatIf, most: int = 5) -> str:
    said = [
        f"{s.disease.name} {percent(s.probability_before)} → {percent(s.probability_after)}"
        + ("" if s.rank_before == s.rank_after else f" (rank {s.rank_before or 'none'} → {s.rank_after or 'none'})")
        for s in answer.shifts
        if min(s.rank_before or 99, s.rank_after or 99) <= most
    ]
    return "; ".join(said)


def _look(i: Informative) -> str:
    how = _HOW[i.kind]
    return f"{how[0].upper()}{how[1:]} {i.finding.name}"


def _rarer(i: Informative) -> str:
    (often, name), (seldom, other) = sorted(((f, n) for n, f in i.frequency.items()), reverse=True)[:2]
    return f"{name} ({percent(often)}) than in {other} ({percent(seldom)})"


def _known(age: float | None) -> str:
    return "not known" if age is None else f"{age:g}"


def _sex(sex: str | None) -> str:
    return {"F": "female", "M": "male"}.get(sex or "", "not known")
