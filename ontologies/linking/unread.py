"""What a note said that was not understood: the phrases that carry meaning and lie in no mention.

A word carries meaning unless it has fewer than three letters or a digit, stands in ``data/plain_words.tsv`` or a
heading, or decides presence, extent, change or place (the tables of ``ontologies.linking.context``). A phrase is a run
of such words that lie in no mention; at most two plain words stand between two of them, and no punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ontologies.linking.context.modifiers import modifier_words
from ontologies.linking.context.sections import sections
from ontologies.linking.context.triggers import trigger_words
from ontologies.linking.linker import ConceptMatch

_PLAIN = Path(__file__).parent / "data" / "plain_words.tsv"
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_BETWEEN = re.compile(r"[\s'’\"-]*(?:[^\W_]+(?:['’-][^\W_]+)*[\s'’\"-]+){0,2}")
_SHORTEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """``note[start:end]``; the words themselves can identify a patient and stay with the note."""

    start: int
    end: int

    def of(self, note: str) -> str:
        """The phrase, in one line."""
        return " ".join(note[self.start : self.end].split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """``share`` in [0, 1] of the words that carry meaning lie in a mention, None when no word does; ``unread`` are the
    phrases that do not, in the order of the note."""

    share: float | None
    unread: tuple[Span, ...]


@lru_cache(maxsize=1)
def _plain_words() -> frozenset[str]:
    lines = _PLAIN.read_text(encoding="utf-8").splitlines()
    listed = {word for line in lines if not line.startswith("#") for word in line.split("\t")[1].split()}
    return frozenset(listed) | modifier_words() | trigger_words()


def understanding(note: str, matches: Iterable[ConceptMatch]) -> Understanding:
    """How much of a note its ``matches`` (in any order) have understood; nothing to understand in an empty note."""
    covered = bytearray(len(note))
    for match in matches:
        covered[match.start : match.end] = b"\1" * (match.end - match.start)
    for section in sections(note):
        covered[section.start : section.name_end] = b"\2" * (section.name_end - section.start)
    plain, understood = _plain_words(), 0
    runs: list[tuple[int, int]] = []
    missed = 0
    for word in _WORD.finditer(note):
        start, end = word.span()
        if covered[start] == 2 or not _carries_meaning(word[0].lower(), plain):
            continue
        if any(covered[start:end]):
            understood += 1
            continue
        missed += 1
        if runs and not any(covered[runs[-1][1] : start]) and _BETWEEN.fullmatch(note, runs[-1][1], start):
            runs[-1] = runs[-1][0], end
        else:
            runs.append((start, end))
    return Understanding(
        share=understood / (understood + missed) if understood + missed else None,
        unread=tuple(Span(start=start, end=end) for start, end in runs),
    )


def _carries_meaning(word: str, plain: frozenset[str]) -> bool:
    return (
        len(word) >= _SHORTEST
        and word not in plain
        and not any(c.isdigit() for c in word)
        and not all(part in plain or len(part) < _SHORTEST for part in re.split(r"['’-]", word))
    )
