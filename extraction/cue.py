"""What a sentence says of two things that it mentions, as far as its words tell (``data/cues.tsv``)."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from extraction.treatment import table

Said = Literal["shows", "before", "excluded", "apart", "treats", "nothing"]
_BESIDE = 60  # characters before the first and after the second mention that are looked at
_FARTHEST = 220  # characters between two mentions of one statement
_CLAUSE = re.compile(r"[;:]|\b(?:but|whereas|while|although|however)\b")
_HEDGES = re.compile(
    r"\b(?:may|might|could|possib\w+|potential\w*|hypothes\w+|unclear|unknown|whether|controvers\w+|suspected|putative|"
    r"questionable|unlikely|speculat\w+|coincid\w+|rarely|rare|unusual|uncommon|exceptional\w*|uncertain)\b",
    re.IGNORECASE,
)
# Of one patient: "a 45-year-old man", "this patient", "a case of".
_PERSON = r"(?:patient|man|woman|boy|girl|lady|gentleman|infant|neonate|newborn|child|male|female|family|proband|case)"
_AGED = r"\b\d+(?:\.\d+)?[- ](?:years?|months?|weeks?|days?)[- ]old\b"
_TOLD = r"\b(?:we|authors) (?:\w+ )?(?:report|describe|present|document) (?:\w+ )?(?:an?|the|one|two|three|our|here)\b"
_ONE = re.compile(
    rf"{_AGED}|{_TOLD}|\bcase reports?\b|\b(?:case|instance|reports?|description) of (?:an? |one |two )|"
    r"\b(?:an?|one|this|our|the|another|his|her) (?:[\w-]+[ -]){0,3}?"
    r"(?:patient|man|woman|boy|girl|lady|gentleman|case|family|proband)\b|"
    r"\b(?:an?|one|this|our|another) (?:[\w-]+[ -]){0,3}?(?:infant|neonate|newborn|child|male|female)\b|"
    r"\b(?:two|both) (?:[\w-]+[ -]){0,2}?"
    r"(?:patients|men|women|boys|girls|children|cases|siblings|brothers|sisters|twins|families)\b",
    re.IGNORECASE,
)
# A text that is about one patient or two.
_REPORT = re.compile(
    rf"{_TOLD}|{_AGED} (?:[\w-]+ ){{0,3}}?{_PERSON}\b|\bcase reports?\b|\ban? (?:\w+ ){{0,3}}case\b|"
    r"\b(?:reports?|description|presentation) of (?:an?|one|two) (?:\w+ ){0,3}(?:cases?|patients?|famil\w+)\b|"
    rf"\bin an? (?:[\w-]+ ){{0,3}}{_PERSON}\b",
    re.IGNORECASE,
)
# Of patients with the disease, in a report of one of them, too.
_MANY = re.compile(
    r"\b(?:is|are|remains?|occurs?|may|can|usually|typically|commonly|often|frequently|generally|mostly|"
    r"characteri[sz]ed by|includes?|patients with|patients (?:who|may|can|often|usually)|"
    r"most (?:common|frequent|patients|cases)|known|well[- ]described|causes?|presents|leads)\b",
    re.IGNORECASE,
)
_NO = re.compile(r"\b(?:no|absence of|lack of|without)\s+(?:\w+\s+){0,2}$")
_GROUP = re.compile(
    r"^ ?(?:\w+ ){0,3}?(?:in|of|among) (?:[\w-]+ ){0,4}(?:patients?|cases?|children|adults)? ?(?:with )?$"
)


@cache
def cues() -> tuple[tuple[str, str, str, re.Pattern[str]], ...]:
    """The rows of the table: relation, order, where, pattern."""
    return tuple((r["relation"], r["order"], r["where"], re.compile(r["pattern"])) for r in table("cues.tsv"))


def said(sentence: str, disease: tuple[int, int], other: tuple[int, int], *, treated: bool = False) -> Said:
    """What ``sentence`` says of the disease and the finding (or, ``treated``, the treatment) that stand in two places
    of it, (start, end): the relation of the first cue that fits, or "nothing"."""
    (first, second), order = ((disease, other), "df") if disease < other else ((other, disease), "fd")
    if second[0] - first[1] > _FARTHEST:
        return "nothing"
    lowered = sentence.lower()
    between = lowered[first[1] : second[0]]
    places = {
        "between": between,
        "before": lowered[max(0, first[0] - _BESIDE) : first[0]],
        "after": lowered[second[1] : second[1] + _BESIDE],
    }
    if treated:
        found = any(p.search(lowered) for relation, _, _, p in cues() if relation == "treats")
        return "treats" if found else "nothing"
    if _CLAUSE.search(between):
        return "nothing"
    if order == "fd" and _NO.search(places["before"]) and _GROUP.search(between):
        return "excluded"  # "no fever in patients with sarcoidosis"
    for relation, turn, where, pattern in cues():
        if turn in (order, "any") and where in places and pattern.search(places[where]):
            return relation  # type: ignore[return-value]
    return "nothing"


def hedged(sentence: str) -> bool:
    """Whether a sentence holds a word of doubt or of rarity."""
    return bool(_HEDGES.search(sentence))


def report(text: str) -> bool:
    """Whether a paper is about one patient or two."""
    return bool(_REPORT.search(text))


def single(sentence: str, of_report: bool) -> bool:
    """Whether a sentence says something of one patient: it names one, or it stands in a report of one (``of_report``)
    and says nothing of patients in general."""
    return bool(_ONE.search(sentence)) or (of_report and not _MANY.search(sentence))
