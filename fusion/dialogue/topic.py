"""What a question is answered from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from fusion.dialogue.names import Names
from fusion.diagnosis import Diagnosis, DiagnosticReport
from fusion.why.explainer import Explainer
from ontologies.concept import Concept


class CannotAnswer(Exception):
    """A question whose words were taken for one that can be answered, and cannot; the message says why."""


class Topic:
    """A report, its note where that is at hand, and the explainer of its case, which is made when it is first needed."""

    def __init__(self, report: DiagnosticReport, explain: Callable[[], Explainer], note: str | None = None) -> None:
        self.report, self.note, self._explain = report, note, explain
        self.last_intent = ""

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
        return self.explainer.graph.concept(found)

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
