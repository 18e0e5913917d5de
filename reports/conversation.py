"""Answers to questions in plain words, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from fusion.dialogue.answer import Answer
from reports.cleaning import without_controls


def answer(answered: Answer, console: Console) -> None:
    """The sentences, each with what it rests on; of a question that has no answer, what can be asked."""
    answered = without_controls(answered)
    for line in answered.warnings:
        console.print(Text(f"! {line}", style="yellow"))
    for sentence in answered.sentences:
        console.print(Text.assemble(sentence.text, (f"  [{sentence.rests_on}]", "dim")))
    if answered.can_ask:
        console.print(Text(f"You can ask: {' '.join(answered.can_ask)}", style="dim"))


def answers(several: Sequence[Answer], console: Console) -> None:
    """One after the other, each under its question."""
    for one in several:
        console.print(Text(f"? {one.question}", style="bold"))
        answer(one, console)
