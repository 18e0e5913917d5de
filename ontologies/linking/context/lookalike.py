"""Mentions that only look like a finding: "flu-like", "PE:" over an examination, "97 % on RA", "stroke volume"."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

_NEAR = 40
_BRACKET = re.compile(r"[ ]?\(([^()]{3,60})\)")
_WORD = re.compile(r"[^\W\d_]+")


def _read(path: Path) -> dict[str, list[tuple[re.Pattern[str] | None, re.Pattern[str] | None]]]:
    table = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            mention, before, after = line.split("\t")
            table[mention].append(
                (re.compile(rf"(?:{before})$") if before else None, re.compile(after) if after else None)
            )
    return dict(table)


_TABLE = _read(Path(__file__).parents[1] / "data" / "lookalikes.tsv")


def looks_alike(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` is, by what stands beside it, not what its words name."""
    rows = _TABLE["*"] + _TABLE.get(text[start:end].lower(), [])
    before, after = text[max(0, start - _NEAR) : start].lower(), text[end : end + _NEAR].lower()
    return any(
        (left is None or left.search(before) is not None) and (right is None or right.match(after) is not None)
        for left, right in rows
    )


def unlike_its_expansion(text: str, spans: Sequence[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """Those of ``spans`` whose letters are spelt out in brackets after them by words that no span covers: "TB (total
    bilirubin)" is not the disease."""
    if "(" not in text:
        return frozenset()
    found = set()
    for start, end in spans:
        short = text[start:end]
        if not short.isupper() or (bracket := _BRACKET.match(text, end)) is None:
            continue
        words = [word for word in _WORD.findall(bracket[1]) if word.lower() not in ("of", "the", "and", "in", "for")]
        initials = "".join(word[0] for word in words).upper()
        if initials == short and not any(a < bracket.end() and b > bracket.start(1) for a, b in spans):
            found.add((start, end))
    return frozenset(found)
