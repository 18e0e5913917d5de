"""Tables of sentences whose mentions stand in brackets."""

from __future__ import annotations

import re
from pathlib import Path


def rows(name: str) -> list[tuple[str, str]]:
    """(what is expected, the sentence with its brackets) of each line of a table beside this file."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    cells = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(expected, sentence.replace("\\n", "\n")) for expected, sentence in cells]


def unmark(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The sentence without its brackets, and the spans that they enclosed."""
    text, spans, at = "", [], 0
    for match in re.finditer(r"\[([^\]]+)\]", marked):
        text += marked[at : match.start()]
        spans.append((len(text), len(text) + len(match[1])))
        text, at = text + match[1], match.end()
    return text + marked[at:], spans
