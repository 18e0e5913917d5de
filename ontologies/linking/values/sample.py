"""What a value was measured in: "pleural fluid: protein 48 g/L, glucose 0.9" is not of the blood.

A specimen is named before its values, in the same sentence or as a heading over lines, or behind them ("glucose 1.4,
protein 52 g/L in the pleural aspirate").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "pleural",
        (r"pleural (?:fluid|aspirate|tap|effusion|puncture|analysis)", r"thora(?:co)?centesis", r"pleurocentesis"),
    ),
    ("csf", (r"CSF", r"cerebrospinal fluid", r"lumbar puncture", r"LP(?=[ :])")),
    (
        "urine",
        (
            r"urin(?:e|ary) dip(?:stick)?",
            r"dipstick",
            r"urinalysis",
            r"urine (?:analysis|microscopy|test|sediment)",
            r"urin(?:e|ary)(?= (?:ketones?|protein|blood|glucose|leu[ck]|nitrites?)\b)",
            r"urine(?= (?:showed|revealed|was|contained|had|positive))",
            r"urine(?=:)",
            r"UA(?=[: ])",
            r"MSU",
        ),
    ),
    (
        "lavage",
        (r"BAL(?:F| fluid)?", r"(?:bronchoalveolar|bronchial|broncho-alveolar) lavage(?: fluid)?", r"lavage fluid"),
    ),
    (
        "other",
        (
            r"ascitic (?:fluid|tap)",
            r"paracentesis",
            r"synovial fluid",
            r"joint (?:fluid|aspirate)",
            r"(?:pericardial|peritoneal) fluid",
            r"gastric (?:fluid|aspirate)",
            r"sweat",
        ),
    ),
    (
        "",
        (
            r"(?<!occult )(?<!\+ )bloods?(?! (?:\+|[1-4]\+|neg|pos|nil|trace|-))(?!:)",
            r"bloods:",
            r"serum",
            r"plasma",
            r"peripheral",
            r"FBC",
            r"CBC",
            r"(?:full|complete) blood count",
            r"ABG",
            r"arterial",
            r"U&Es?",
            r"LFTs?",
            r"vitals?",
            r"obs",
        ),
    ),
)
_NAMED = re.compile(
    "|".join(rf"(?P<k{i}>(?<![\w-])(?:{'|'.join(patterns)})(?![\w-]))" for i, (_, patterns) in enumerate(_NAMES)),
    re.IGNORECASE,
)
_ANY = re.compile(
    r"pleural|thora(?:co)?centesis|pleurocentesis|CSF|cerebrospinal|lumbar|\bLP\b|urin|\bUA\b|dipstick|\bMSU\b|\bBAL|lavage|"
    r"ascitic|synovial|paracentesis|peritoneal|pericardial|gastric|joint|sweat",
    re.IGNORECASE,
)
_END = re.compile(r"[.](?=\s|$)|\n")
_HEADING = re.compile(r"[^\n:.;]{0,60}:?[ \t]*\n")
_OVER = re.compile(r"\n[ \t]*(?:\n|[^\n:]{0,40}:[ \t]*(?:\n|$))")  # an empty line, or another heading


class Sample(NamedTuple):
    """``text[start:end]`` tells of what was measured in ``kind``; "other": in something else than blood."""

    start: int
    end: int
    kind: str


def samples(text: str) -> list[Sample]:
    """What is not measured in blood, left to right; empty when a text names no other specimen."""
    if not _ANY.search(text):
        return []
    named = [(m.start(), m.end(), _NAMES[int(str(m.lastgroup)[1:])][0]) for m in _NAMED.finditer(text)]
    found: list[Sample] = []
    for i, (start, end, kind) in enumerate(named):
        if not kind:
            continue
        heading = _HEADING.match(text, end)
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
        if heading and alone and heading.end() < len(text):
            over = _OVER.search(text, heading.end() - 1)
            last = over.start() if over else len(text)
        else:
            stop = _END.search(text, end)
            last = stop.start() if stop else len(text)
        following = named[i + 1][0] if i + 1 < len(named) and named[i + 1][2] != kind else last
        last = min(last, following)
        first = start
        if not re.search(r"\d", text[end:last]) and not (i and found and found[-1].end > start):
            # named behind its values
            before = [m.end() for m in _END.finditer(text, 0, start)]
            first = max([0, *before[-1:], *(e for s, e, _ in named[:i])])
        found.append(Sample(first, last, kind))
    return found


def at(found: Sequence[Sample], place: int) -> str:
    """What a value that stands at ``place`` was measured in: "" is blood, or breath, or the patient."""
    return next((s.kind for s in found if s.start <= place < s.end), "")
