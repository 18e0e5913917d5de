"""Abbreviations that a text defines itself: "nevoid basal cell carcinoma syndrome (NBCCS)".

Schwartz & Hearst, "A simple algorithm for identifying abbreviation definitions in biomedical text", Pac Symp Biocomput
2003:451-62 (PMID 12603041): the short form stands in parentheses; the long form is the shortest run of words before it
that holds the short form's characters in order, the first of them at the start of a word.
"""

from __future__ import annotations

import re

_PARENTHESIS = re.compile(r"\(([^()]{2,12})\)")
_SHORT = re.compile(r"[A-Za-z][A-Za-z0-9\-]{1,9}")


def definitions(text: str) -> tuple[tuple[str, int, int], ...]:
    """(short form, start, end of its long form in ``text``), by position of the definition; the first definition of a
    short form wins. Empty when the text defines none."""
    found: dict[str, tuple[int, int]] = {}
    for match in _PARENTHESIS.finditer(text):
        short = re.split(r"[,;]", match[1])[0].strip()
        if not _SHORT.fullmatch(short) or short in found or sum(c.isupper() for c in short) < 2:
            continue
        end = match.start()
        while end and text[end - 1].isspace():
            end -= 1
        window = max(
            text.rfind(". ", 0, end) + 1,
            text.rfind(";", 0, end) + 1,
            text.rfind(")", 0, end) + 1,
            end - 12 * (len(short) + 3),
            0,
        )
        start = _long_form(short.rstrip("s") if short[-1] == "s" and short[:-1].isupper() else short, text[window:end])
        if start is not None:
            found[short] = (window + start, end)
    return tuple((short, *span) for short, span in found.items())


def _long_form(short: str, before: str) -> int | None:
    """Where the long form starts in ``before``, or None when the characters do not fit."""
    at = len(before) - 1
    for i in range(len(short) - 1, -1, -1):
        character = short[i].lower()
        if not character.isalnum():
            continue
        while at >= 0 and (before[at].lower() != character or (i == 0 and at > 0 and before[at - 1].isalnum())):
            at -= 1
        if at < 0:
            return None
        at -= 1
    start = at + 1
    return start if len(before) - start > len(short) else None
