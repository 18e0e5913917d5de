"""Sentences of notes and reports: ended by full stops, question marks, semicolons and new lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONGEST_SENTENCE = 2000
_STOP = re.compile(r"[.!?;\n]")
_NO_STOP = re.compile(r"(?:^|\W)(?:vs|dr|e\.g|i\.e|approx|neg|pos|pt|hx)$", re.IGNORECASE)
_NEW_LINE = re.compile(r"\n\s*(?:\n|[A-Z0-9•*-])")


def sentences(text: str, headings: Sequence[int] = ()) -> list[tuple[int, int, bool]]:
    """(start, end, ends in a question mark) of each sentence. A line that starts with a capital starts a sentence; so
    does what stands under a heading alone on its line (``headings``: where headings start and end)."""
    found, start, length = [], 0, len(text)
    under = {at for at in headings if text[at : at + 1] in ("\n", "\r")}
    for match in _STOP.finditer(text):
        at, end = match.start(), match.end()
        mark = match[0]
        if mark == "\n":
            if at not in under and not _NEW_LINE.match(text, at):
                continue
        elif mark != ";":
            if (end < length and not text[end].isspace()) or _NO_STOP.search(text, max(start, at - 8), at):
                continue
            if mark == "?" and not text[start:at].strip():
                continue
        found.append((start, end, mark == "?"))
        start = end
    if start < length:
        found.append((start, length, False))
    return [part for sentence in found for part in _parts(text, *sentence)]


def _parts(text: str, start: int, end: int, question: bool) -> list[tuple[int, int, bool]]:
    """A sentence, cut at spaces where it is longer than any sentence is: text without full stops must not cost its
    square."""
    parts = []
    while end - start > _LONGEST_SENTENCE:
        cut = text.rfind(" ", start, start + _LONGEST_SENTENCE) + 1 or start + _LONGEST_SENTENCE
        parts.append((start, cut, False))
        start = cut
    return [*parts, (start, end, question)]
