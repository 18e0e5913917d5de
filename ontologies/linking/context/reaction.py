"""Drugs that a patient did not bear, in the words of notes: "hives after amoxicillin", "Allergies: sulfa (rash)".

The table ``data/reactions.tsv`` has the findings with their drugs. Read are a drug beside a word of a reaction, a drug
that cannot be taken, and what stands after "Allergies:". A reaction that is denied, doubted, or somebody else's is
not read; one of long ago is, since an allergy lasts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ontologies.linking.context.measurement import Measured
from ontologies.linking.context.sentences import sentences

_TABLE = Path(__file__).parents[1] / "data" / "reactions.tsv"
_REACTION = (
    r"(?:(?:drug |skin )?allerg(?:y|ies|ic(?: reactions?)?)|hypersensitiv(?:e|ity)(?: reactions?)?|intoleran(?:t|ce)|"
    r"anaphyla(?:xis|ctic(?: shock| reactions?)?|ctoid(?: reactions?)?)|react(?:s|ed|ions?)(?: badly)?|rash(?:es)?|"
    r"hives|urticaria|wheals?|angio-?o?edema|(?:(?:throat|face|facial|lip|tongue|airway|eye)s?[- ])?swelling|swelled|"
    r"swollen|itch(?:ing|ed)|pruritus|exanthema?|bronchospasm|Stevens-Johnson(?: syndrome)?|SJS|DRESS|"
    r"wheez(?:e|ed|ing)|toxic epidermal necrolysis|broke out(?: in \w+)?|collapsed?)"
)
_LINK = r"(?:\s+(?:to|of|from|after|with|following|against|when|while|upon|in reaction to|due to|caused by))"
_BETWEEN = (  # "when he was given", "after a single dose of", "in childhood to"
    r"(?:\s+(?:an?|the|one|single|first|last|doses?|tablets?|course|injections?|infusions?|given|taking|took|taken|was|"
    r"being|been|treated|treatment|of|with|she|he|him|her|getting|having|received|receiving|oral|intravenous|iv|use|in|as|"
    r"child|childhood|antibiotics?|drugs?|medication|administration|exposure|to|both|,|and|or|/))*"
)
_AFTER_DRUG = (  # "amoxicillin gave her", "penicillin (", "sulfa:", "contrast led to"
    r"(?:\s*[:(\[=–-]\s*|\s+(?:caus(?:ed|es|ing)|gave|gives|giving|br(?:ought|ings?) on|sets? off|worsen(?:s|ed)|"
    r"produced|led to|triggered|induced|resulted in|provoked|makes|made)\s+|[- ])(?:(?:him|her|his|the|patient|an?|"
    r"severe|mild|bad|generali[sz]ed|itchy|widespread|immediate|known|previous|serious|life-threatening|to|had|in|have|break|out)\s+)*"
)
_CANNOT = (
    r"(?:(?:can\s?not|can['’]t|could not|couldn['’]t|must not|mustn['’]t|should not|shouldn['’]t|unable to|not able to)"
    r"\s+(?:take|tolerate|have|bear|be given|receive|be treated with)|(?:did|do|does)(?: not|n['’]t) (?:tolerate|bear))"
)
_LIST = re.compile(
    r"\b(?:drug |medication |known |documented |medicine )*(?:allerg(?:y|ies)|ADRs?|intolerances?|"
    r"hypersensitivit(?:y|ies)|adverse (?:drug )?reactions?)(?: to)?\s*(?:[:=]|[-–](?=\s))\s*(?P<list>[^\n.;]*)",
    re.IGNORECASE,
)
_SOMEBODY_ELSE = (
    r"mother|father|sisters?|brothers?|sons?|daughters?|wife|husband|partner|family|siblings?|parents?|aunts?|uncles?|"
    r"cousins?|relatives?"
)
_OF_ANOTHER = re.compile(rf"\b(?:{_SOMEBODY_ELSE})\b", re.IGNORECASE)
# A clause before the mention that denies, doubts, or tells of somebody else; what follows it and takes it back.
_DENIED = re.compile(
    r"\b(?:no|not|nor|denie[sd]|denying|never|without|nil|none|negative|nkda|nka|tolerat\w+|possibl[ey]|questionable|"
    rf"suspected|unclear|uncertain|doubtful|unlikely|{_SOMEBODY_ELSE}|if|risk of|screen\w*|ask(?:ed)? about|avoid)\b"
    r"[^,;:.\n]*$",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"^[^.;\n]{0,40}\b(?:ruled out|excluded|not confirmed|disproved|disproven|refuted|de-?labell?ed|outgrown|tolerated|"
    r"was negative|is doubtful|unlikely)\b",
    re.IGNORECASE,
)


class _Row(NamedTuple):
    """``drugs`` is one with what stands in brackets after it; a denial before one of ``told`` counts, not before
    ``cannot``. All of a row without drugs but ``phrases`` are empty."""

    finding: str
    drugs: re.Pattern[str] | None
    told: tuple[re.Pattern[str], ...]
    cannot: tuple[re.Pattern[str], ...]
    phrases: tuple[re.Pattern[str], ...]


@cache
def _rows() -> tuple[_Row, ...]:
    lines = [s for s in _TABLE.read_text(encoding="utf-8").splitlines() if s and not s.startswith("#")]
    return tuple(_row(*line.split("\t")) for line in lines)


def _row(finding: str, drugs: str, phrases: str) -> _Row:
    said = (_compiled(rf"(?<![\w-])(?:{phrases})"),) if phrases else ()
    if not drugs:
        return _Row(finding, None, (), (), said)
    drug = rf"(?<![\w-])(?:{drugs})(?![\w-])"
    told = (
        rf"(?<![\w-]){_REACTION}{_LINK}{_BETWEEN}\s+{drug}",
        rf"{drug}{_AFTER_DRUG}{_REACTION}(?![\w-])(?:\s+with\s+{_REACTION}(?![\w-]))?",
    )
    cannot = _compiled(rf"\b{_CANNOT}{_BETWEEN}\s+{drug}")
    return _Row(finding, _compiled(rf"{drug}(?:\s*\([^()]*\))?"), tuple(map(_compiled, told)), (cannot,), said)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def reactions(text: str) -> Iterator[Measured]:
    """The findings that reactions to drugs stand for, by row of the table and place; nothing when none is told."""
    spans = [(start, end) for start, end, _ in sentences(text)]
    lists = [m.span("list") for m in _LIST.finditer(text) if not _DENIED.search(_line(text, m.start("list")))]
    for row in _rows():
        taken: list[tuple[int, int]] = []
        for start, end in sorted((*_said(row, text, spans), *_listed(row, text, lists))):
            if not any(a < end and start < b for a, b in taken):
                taken.append((start, end))
                yield Measured(start, end, row.finding, True)


def _said(row: _Row, text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """In the sentences of a text."""
    for first, last in spans:
        drug = row.drugs is not None and row.drugs.search(text, first, last) is not None
        for pattern in (*(row.told if drug else ()), *row.phrases):
            for match in pattern.finditer(text, first, last):
                if not (_DENIED.search(text, first, match.start()) or _TAKEN_BACK.match(text[match.end() : last])):
                    yield match.span()
        for pattern in row.cannot if drug else ():
            found = pattern.finditer(text, first, last)
            yield from (m.span() for m in found if not _OF_ANOTHER.search(text, first, m.start()))


def _listed(row: _Row, text: str, lists: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """In lists of allergies."""
    for first, last in lists:
        found = row.drugs.finditer(text, first, last) if row.drugs else ()
        yield from (match.span() for match in found if not _DENIED.search(text, first, match.start()))


def _line(text: str, end: int) -> str:
    """What stands before a place in its line."""
    return text[:end].rsplit("\n", 1)[-1]
