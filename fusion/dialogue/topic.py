"""What a question is answered from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from fusion.diagnosis import Diagnosis, DiagnosticReport
from fusion.dialogue.answer import GRAPH, Sentence
from fusion.dialogue.names import Names
from fusion.why.explainer import Explainer
from ontologies.concept import Concept


class CannotAnswer(Exception):
    """A question whose words were taken for one that can be answered, and cannot; the message says why."""


class Refused(CannotAnswer):
    """A question that is understood, and about something that nobody here knows; no other reading is tried."""


class Topic:
    """A report, its note where that is at hand, and the explainer of its case, made when it is first needed."""

    def __init__(self, report: DiagnosticReport, explain: Callable[[], Explainer], note: str | None = None) -> None:
        self.report, self.note, self._explain = report, note, explain
        self.last_intent = ""
        self._readings: dict[str, Sentence] = {}

    @property
    def readings(self) -> tuple[Sentence, ...]:
        """Which names of the question were taken for a kind of what they name."""
        return tuple(self._readings.values())

    def forget(self) -> None:
        """Begin a new answer."""
        self._readings.clear()

    @cached_property
    def explainer(self) -> Explainer:
        return self._explain()

    @cached_property
    def names(self) -> Names:
        listed = [d.concept.curie for d in self.report.diagnoses]
        return Names(self.explainer, self.explainer.pipeline.intake.linker, listed)

    def disease(self, words: str | None, *, kinds: bool = False) -> Concept:
        """The disease that is meant. Raises CannotAnswer when the words name none."""
        found = self.names.disease(words, kinds=kinds)
        if found is None:
            raise CannotAnswer(f"The graph knows no disease called “{words}”." if words else "No diagnosis is named.")
        return self.explainer.graph.concept(self._noted(found))

    def find(self, words: str) -> str | None:
        """``disease`` without an error: its canonical CURIE, or None."""
        found = self.names.disease(words)
        return None if found is None else self._noted(found)

    def _noted(self, found: str) -> str:
        if self.names.read_as is not None:
            asked, kind = (self.explainer.graph.concept(c).name for c in self.names.read_as)
            said = (
                f"{asked} is no candidate itself, or not on the shortlist; taken for its likeliest kind here, {kind}."
            )
            self._readings[found] = Sentence(text=said, rests_on=GRAPH)
        return found

    def finding(self, words: str) -> Concept:
        """The finding that is meant. Raises CannotAnswer when the words name none."""
        found = self.names.finding(words)
        if found is None:
            raise CannotAnswer(f"The graph knows no finding called “{words}”.")
        return self.explainer.graph.concept(found)

    @property
    def first(self) -> Diagnosis:
        """Raises CannotAnswer when no candidate was found."""
        if not self.report.diagnoses:
            raise CannotAnswer("The report names no diagnosis.")
        return self.report.diagnoses[0]
