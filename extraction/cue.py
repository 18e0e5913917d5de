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
