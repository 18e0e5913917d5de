"""Abbreviations that a text defines itself: "nevoid basal cell carcinoma syndrome (NBCCS)".

Schwartz & Hearst, "A simple algorithm for identifying abbreviation definitions in biomedical text", Pac Symp Biocomput
2003:451-62 (PMID 12603041): the short form stands in parentheses; the long form is the shortest run of words before it
that holds the short form's characters in order, the first of them at the start of a word.
"""

from __future__ import annotations

import re

_PARENTHESIS = re.compile(r"\(([^()]{2,12})\)")
_SHORT = re.compile(r"[A-Za-z][A-Za-z0-9\-]{1,9}")

# A mention: start, end, row of the concept, score, row of the name, how it was found.
Row = tuple[int, int, int, float, int, str]


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


def expanded(text: str, rows: list[Row]) -> list[Row]:
    """Give every use of a short form that the text defines the concept of its long form, or none when the long form
    has none."""
    defined = definitions(text) if "(" in text else ()
    if not defined:
        return rows
    shorts = {
        short: next((r for r in rows if r[0] <= start + 4 and start <= r[0] and r[1] == end), None)
        for short, start, end in defined
    }
    kept = [r for r in rows if text[r[0] : r[1]] not in shorts]
    covered = [(r[0], r[1]) for r in kept]
    for short, row in shorts.items():
        if row is None:
            continue
        for use in re.finditer(rf"(?<![^\W_]){re.escape(short)}(?![^\W_])", text):
            start, end = use.span()
            if not any(a < end and start < b for a, b in covered):
                kept.append((start, end, row[2], row[3] * 0.95, row[4], "abbreviation"))
    return kept
