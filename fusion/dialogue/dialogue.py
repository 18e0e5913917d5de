"""A conversation about one report: each question is matched against the table of intents and answered by a function.

Nothing is generated: the sentences are fixed, and what fills them comes from the report, the explainer and the graph. A
question that no row matches, or whose names mean nothing, is said not to be answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from errors import InputError
from fusion.diagnosis import DiagnosticReport
from fusion.dialogue import explained, reported, told
from fusion.dialogue.answer import Answer, Sentence
from fusion.dialogue.cues import guesses
from fusion.dialogue.grounding import Grounding
from fusion.dialogue.intents import Asked, examples, matches
from fusion.dialogue.topic import CannotAnswer, Refused, Topic
from fusion.why.explainer import Explainer

Answering = Callable[[Topic, Mapping[str, str], str], Iterable[Sentence]]
# Intent of the table → what answers it. It says its sentences, or raises CannotAnswer.
ANSWERS: Mapping[str, Answering] = {
    "help": reported.help,
    "unread": reported.unread,
    "read": reported.read,
    "papers": reported.papers,
    "cases": reported.cases,
    "treatment": reported.treatment,
    "steps": reported.steps,
    "apart": explained.apart,
    "next": explained.following,
    "sure": reported.sure,
    "change": explained.change,
    "weightiest": explained.weightiest,
    "weigh": explained.weigh,
    "against": explained.against,
    "what_if": explained.what_if,
    "why_not": explained.why_not,
    "could_be": explained.could_be,
    "why": explained.why,
    "typical": explained.typical,
    "define": explained.define,
    "list": reported.listed,
    "provenance": reported.provenance,
    "refuse": told.refuse,
    "image": told.image,
    "has": told.has,
    "person": told.person,
    "set": told.open_set,
    "codes": told.codes,
    "not_suggested": told.not_suggested,
    "step_named": told.step_named,
    "when": told.when,
    "unexplained": told.unexplained,
    "frequency": told.frequency,
    "common": told.common,
    "simply": told.simply,
    "summary": told.summary,
}
# What "and Y?" asks after an answer of this kind, if it is about a disease.
_AGAIN = ("why", "why_not", "against", "weightiest", "sure", "steps", "treatment", "typical")
_SAME_AS = {"could_be": "why_not", "step_named": "not_suggested"}


class Dialogue:
    """Answers questions about ``report``. ``explain`` makes the explainer of its case, when a question first needs it;
    ``note`` is the report's note, where it is at hand."""

    def __init__(self, report: DiagnosticReport, explain: Callable[[], Explainer], note: str | None = None) -> None:
        self._topic = Topic(report, explain, note)

    def ask(self, question: str) -> Answer:
        """The answer, by the first row that matches and can be answered. Raises InputError for an empty question."""
        if not question.strip():
            raise InputError("the question is empty", expected="a question", run='whydx ask REPORT "What can I ask?"')
        reason = ""
        for asked in self._readings(question):
            try:
                intent, sentences = self._answered(asked, question)
            except Refused as error:
                reason = str(error)
                break
            except (CannotAnswer, InputError) as error:
                reason = reason or str(error)
                continue
            self._topic.last_intent = intent
            warnings = self._topic.explainer.warnings if "explainer" in vars(self._topic) else ()
            return Answer(
                question=question,
                intent=_SAME_AS.get(intent, intent),
                answered=True,
                sentences=sentences,
                pattern=asked.pattern,
                warnings=warnings,
            )
        said = f"I cannot answer that. {reason}".strip()
        nothing = Sentence(text=said, rests_on="the table of questions")
        return Answer(question=question, intent="unknown", answered=False, sentences=(nothing,), can_ask=examples())

    def call(self, intent: str, **slots: str) -> Answer:
        """The answer of one kind of ANSWERS, without a question: ``call("why", disease="pneumonia")``. Where there is
        none, ``answered`` is False and the sentence says why."""
        question = " ".join((intent, *slots.values()))
        try:
            _, sentences = self._answered(Asked(intent, "", slots), question)
        except (CannotAnswer, InputError) as error:
            sentences = (Sentence(text=str(error), rests_on="the table of questions"),)
            return Answer(question=question, intent=intent, answered=False, sentences=sentences)
        return Answer(question=question, intent=intent, answered=True, sentences=sentences)

    def grounding(self, answered: Iterable[Answer]) -> Grounding:
        """What sentences about the report are held against: it and what was ``answered``."""
        return Grounding(self._topic, answered)

    def _readings(self, question: str) -> Iterator[Asked]:
        """What the question may ask, the surest first."""
        yield from matches(question)
        yield from guesses(question, self._topic.names)

    def _answered(self, asked: Asked, question: str) -> tuple[str, tuple[Sentence, ...]]:
        intent, slots = asked.intent, dict(asked.slots)
        if intent == "follow":
            intent, slots = self._followed(slots)
        self._topic.forget()
        sentences = tuple(ANSWERS[intent](self._topic, slots, question))
        if not sentences:
            raise CannotAnswer("There is nothing to say about it.")
        return intent, (*self._topic.readings, *sentences)

    def _followed(self, slots: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """What "and Y?" asks: the same as before of a disease, else why not; of a finding, what it weighs."""
        words, topic = slots["topic"], self._topic
        has = {o.curie for o in topic.explainer.case.observed}
        finding = topic.names.finding(words)
        if finding in has:
            return "weigh", {"finding": words}
        topic.disease(words)
        return (topic.last_intent if topic.last_intent in _AGAIN else "why_not"), {"disease": words}
