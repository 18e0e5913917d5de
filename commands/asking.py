"""The verb of questions in plain words: ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import typer

import whydx
from commands.explaining import CaseArgument, ImageOption, NoteOption
from commands.terminal import FormatOption, HomeOption, Layout, OutputOption, read_text, say, show
from errors import WhydxError
from home import home_folder

if TYPE_CHECKING:
    from fusion.dialogue.answer import Answer

Unsupported = Literal["drop", "mark"]
app = typer.Typer()
_HISTORY = "ask-history"
_LEAVE = ("quit", "exit", "bye", "q")


class Asked(Protocol):
    """What answers questions: the dialogue, or a chat model with it."""

    def ask(self, question: str) -> Answer: ...


@app.command(rich_help_panel="Every day")
def ask(
    case: CaseArgument,
    question: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUESTION]", help="A question in plain words; without one, a conversation.", show_default=False
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Answer one question, from stdin if none is given.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="PROVIDER:NAME",
            help="A chat model to write the answer, e.g. ollama:llama3.1; each sentence is held against the facts. "
            "The report and what the note says go to its provider.",
            show_default=False,
        ),
    ] = None,
    unsupported: Annotated[
        Unsupported, typer.Option("--unsupported", help="What becomes of a model's sentence that no fact supports.")
    ] = "drop",
    history: Annotated[
        bool, typer.Option("--history/--no-history", help="Keep the questions of conversations in the home.")
    ] = True,
    image: ImageOption = None,
    note: NoteOption = None,
    layout: FormatOption = "table",
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Ask about a report in plain words; answered from the report and the graph, without a language model unless one is
    named."""
    if case == "-" and question is None:
        raise typer.BadParameter("stdin is the report, so that a QUESTION must be given", param_hint="[QUESTION]")
    text = read_text("-" if case == "-" else f"@{case}", "report")
    from reports.json import loads

    told, report = None if note is None else read_text(note, "note"), loads(text)
    if model is None:
        dialogue: Asked = whydx.open(home).dialogue(report, images=image or (), note=told)
    else:
        from fusion.dialogue.chat import Chat, open_model

        opened = open_model(model)  # what cannot be opened is said before the home is
        dialogue = Chat(whydx.open(home).dialogue(report, images=image or (), note=told), opened, unsupported)
    if question is None and once:
        question = read_text("-", "question")
    if question is not None:
        from reports.conversation import answer

        show(dialogue.ask(question), answer, layout, output)
        return
    if output is not None:
        raise typer.BadParameter("a conversation is not written to a file; give a QUESTION", param_hint="--output")
    _converse(dialogue, layout, home_folder(home) / _HISTORY if history else None)


def _converse(dialogue: Asked, layout: Layout, history: Path | None) -> None:
    """Answer question after question until the end of input; one that goes wrong does not end the conversation."""
    from reports.conversation import answer, answers

    asked = []
    for line in _questions(history):
        if line.strip().lower() in _LEAVE:
            break
        if not line.strip():
            continue
        try:
            asked.append(dialogue.ask(line))
        except WhydxError as error:
            say(f"error: {error}")
            continue
        if layout == "table":
            show(asked[-1], answer, layout, None)
    if layout == "json":
        show(asked, answers, layout, None)


def _questions(history: Path | None) -> Iterator[str]:
    """The lines of the terminal, edited and remembered; or those of stdin when it is none."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, History, InMemoryHistory

    from fusion.dialogue.intents import examples

    kept: History = InMemoryHistory()
    if history is not None and _writable(history):
        kept = FileHistory(str(history))
    say("Ask in plain words, e.g. “What can I ask?”; an empty line with Ctrl-D ends.")
    session: PromptSession[str] = PromptSession(
        "? ", history=kept, completer=WordCompleter(examples(), sentence=True, ignore_case=True)
    )
    while True:
        try:
            yield session.prompt()
        except EOFError:
            return


def _writable(path: Path) -> bool:
    """Whether the history can be kept; a home that cannot be written to only forgets."""
    try:
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8"):
            return True
    except OSError:
        return False
