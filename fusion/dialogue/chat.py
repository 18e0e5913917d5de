"""A chat model that answers with the dialogue's functions as its tools; its text is held against the facts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, StructuredTool

from errors import DependencyError, InputError, SourceError
from fusion.dialogue.answer import Answer, Sentence
from fusion.dialogue.dialogue import Dialogue
from fusion.dialogue.grounding import sentences

Unsupported = Literal["drop", "mark"]
_INSTRUCTIONS = (
    "You answer a clinician's question about one diagnostic report. Call the tools; say only what they or the report "
    "say, with the same figures and names, in short plain sentences of one claim each. Name the disease and the "
    "finding in every sentence. Cite papers as [PMID:…]. Add nothing of your own knowledge: what is not in the facts "
    "is taken out."
)
_ALWAYS = ("read", "list", "sure")  # the facts of the report itself
_IN_EXTRA = ("ollama", "openai")  # whose packages the extra llm installs
_MOST_STEPS = 25  # of the agent: a model that calls tools for ever is stopped


def open_model(name: str) -> BaseChatModel:
    """The chat model that "PROVIDER:NAME" names ("ollama:llama3.1"). Raises InputError for a name without provider or
    of an unknown one, DependencyError when the provider's package is missing."""
    provider, colon, model = name.partition(":")
    if not (provider and colon and model):
        raise InputError("not a chat model", value=name, expected="PROVIDER:NAME, e.g. ollama:llama3.1")
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(model, model_provider=provider)
    except ImportError as error:
        named = re.search(r"pip install (?:-U )?([\w.-]+)", str(error))
        run = f"pip install {named[1]}" if named and provider not in _IN_EXTRA else "pip install 'whydx[llm]'"
        raise DependencyError(f"the package of {provider} is not installed", value=name, run=run) from error
    except Exception as error:  # each provider has its own errors: a missing key, a bad name
        said = " ".join(str(error).split())[:200]
        expected = "PROVIDER:NAME, and what the provider's package asks for (a key)"
        raise InputError(f"the chat model cannot be opened ({said})", value=name, expected=expected) from error


class Chat:
    """Answers questions as ``Dialogue`` does, in a model's words. ``unsupported`` says what becomes of a sentence that
    the facts do not support: dropped, or marked as such."""

    def __init__(self, dialogue: Dialogue, model: BaseChatModel, unsupported: Unsupported = "drop") -> None:
        self._dialogue, self._model, self._unsupported = dialogue, model, unsupported

    def ask(self, question: str) -> Answer:
        """The model's sentences that the facts support; the dialogue's own answer when none is left. What was dropped
        is the last sentence. Raises InputError for an empty question, SourceError when the model does not answer."""
        plain = self._dialogue.ask(question)
        answered = [self._dialogue.call(intent) for intent in _ALWAYS]
        report = "\n".join(a.text for a in answered)
        answered.append(plain)
        text = self._written(question, report, answered)
        grounding = self._dialogue.grounding([a for a in answered if a.answered])
        kept: list[Sentence] = []
        refused = 0
        for said in sentences(text):
            wrong = grounding.wrong(said)
            refused += bool(wrong)
            if not wrong:
                kept.append(Sentence(text=said, rests_on="a chat model's words, held against the report and its tools"))
            elif self._unsupported == "mark":
                kept.append(Sentence(text=f"[not supported] {said}", rests_on=wrong))
        noun = "sentence" if refused == 1 else "sentences"
        told = f"{refused} {noun} of the chat model {'dropped' if self._unsupported == 'drop' else 'marked'}"
        note = Sentence(text=f"{told}: not supported by the facts.", rests_on="the check of sentences")
        if not kept:
            why = note if refused else Sentence(text="The chat model said nothing.", rests_on=note.rests_on)
            return replace(plain, sentences=(*plain.sentences, why))
        return Answer(
            question=question,
            intent="chat",
            answered=len(kept) > refused or self._unsupported == "drop",
            sentences=(*kept, *([note] if refused else [])),
            warnings=plain.warnings,
        )

    def _written(self, question: str, report: str, answered: list[Answer]) -> str:
        """What the model writes in the end; the tools' answers are added to ``answered``."""
        from langchain.agents import create_agent

        agent = create_agent(self._model, tools(self._dialogue, answered.append), system_prompt=_INSTRUCTIONS)
        asked = f"The report:\n{report}\n\nThe question: {question}"
        try:
            said = agent.invoke({"messages": [("user", asked)]}, {"recursion_limit": _MOST_STEPS})
        except Exception as error:  # a provider's own: no connection, no key, a limit
            what = " ".join(str(error).split())[:200] or type(error).__name__
            run = "the same without --model"
            raise SourceError(f"the chat model did not answer ({what})", expected="an answer", run=run) from error
        last = said["messages"][-1]
        return str(last.text) if isinstance(last, AIMessage) else ""


def tools(dialogue: Dialogue, heard: Callable[[Answer], None]) -> list[BaseTool]:
    """The dialogue's functions for a model to call; each answer is given to ``heard`` as well."""

    def said(intent: str, **slots: str) -> str:
        answer = dialogue.call(intent, **slots)
        heard(answer)
        return answer.text

    def why(disease: str) -> str:
        """What speaks for and against a disease of the report, with measured weights."""
        return said("why", disease=disease)

    def why_not(disease: str) -> str:
        """Why a disease is not the first diagnosis: its rank, what keeps it down, what is missing."""
        return said("why_not", disease=disease)

    def what_if(change: str) -> str:
        """The ranking if something were otherwise: "no fever", "hemoptysis", "she were 30"."""
        return said("what_if", clause=change)

    def most_informative_finding() -> str:
        """The findings and tests that would tell the candidates apart best."""
        return said("next")

    def next_steps() -> str:
        """Investigations and first treatments of the guidelines for the first diagnoses, and what was left out."""
        return said("steps")

    def papers(about: str) -> str:
        """Papers of the index, with PMIDs, on a disease or finding; "this case" for the report's own."""
        return said("papers", about=about)

    def not_understood() -> str:
        """Which phrases of the note were not understood."""
        return said("unread")

    functions = (why, why_not, what_if, most_informative_finding, next_steps, papers, not_understood)
    return [StructuredTool.from_function(function) for function in functions]
