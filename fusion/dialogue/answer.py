"""An answer in sentences, each with what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

RANKING = "the ranking of this case"
REMOVED = "measured: the score with everything, less the score without it"
RESCORED = "measured: the case scored again with the change"
REPORT = "the report"
GRAPH = "the knowledge graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """``rests_on`` says where the sentence comes from: the report, a measurement, a source, a guideline, a paper."""

    text: str
    rests_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``intent`` is what the question was taken for, "unknown" when it could not be answered; ``pattern`` the row of
    the table that matched it ("" for none). ``can_ask``: examples of what can be asked, of an answer that is none.
    ``warnings`` are those of the explainer."""

    question: str
    intent: str
    answered: bool
    sentences: tuple[Sentence, ...]
    pattern: str = ""
    can_ask: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The sentences, a line each."""
        return "\n".join(sentence.text for sentence in self.sentences)
