"""When a finding was, or for how long, as a note says it: "for 5 days", "three days after the operation", "since 2019".

A length or a point of time belongs to the mention that it follows, up to the next one in its clause; one that starts a
clause, or leads to a mention ("a 2-week history of cough"), to the mention after it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

_N = (
    r"(?:\d{1,3}(?:\.\d)?(?:\s*(?:-|–|to|or)\s*\d{1,3})?|(?:an?\s+)?(?:few|couple(?:\s+of)?)|several|many|some|an?|one|two|"
    r"three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|eighteen|twenty|thirty|half\s+an?|number\s+of)"
)
_UNIT = r"(?:seconds?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|wks?|months?|mths?|years?|yrs?|decades?)\b"
_SPAN = rf"{_N}(?:\s+(?:or\s+(?:so|more)|and\s+a\s+half))?[-\s]+(?:consecutive\s+|full\s+)?{_UNIT}"
_ABOUT = (
    r"(?:about|around|approximately|nearly|almost|over|more\s+than|less\s+than|at\s+least|up\s+to|roughly|only|just)"
)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_TIME = re.compile(
    rf"""
    \b(?:
      (?:for|over|during|within|since|in|x|lasting|lasted|throughout)\s+(?:{_ABOUT}\s+)?(?:the\s+)?(?:(?:past|last|previous|
        preceding|first|next)\s+)?(?:{_SPAN}|(?:day|night|week|month|year|hour)\b)
      |(?:the\s+)?(?:past|last|previous|preceding)\s+(?:{_SPAN}|(?:night|week|month|year)\b)
      |{_SPAN}(?:['’]s?)?[-\s]+(?:history|hx|duration|course|evolution|period|span)\b
      |(?:in\s+the\s+)?span\s+of\s+(?:{_ABOUT}\s+)?{_SPAN}
      |{_SPAN}\s+(?:ago|earlier|later|previously|back|prior(?:\s+to)?|before|after|following|into|post|of\s+age|old(?!\s+(?:man|
        woman|male|female|boy|girl|child|patient|infant)))(?:\s+(?:the\s+|his\s+|her\s+|an?\s+)?[a-z]+)?
      |(?:on\s+)?(?:hospital|postoperative|post-?operative|post-?op|illness|treatment)\s+day\s+{_N}
      |(?:on\s+)?(?:the\s+)?(?:day\s+\d{{1,3}}|\d{{1,2}}(?:st|nd|rd|th)\s+(?:hospital\s+|postoperative\s+)?day)\b(?:\s+(?:of|after)\s+
        [a-z]+)?
      |(?:since|in|until|from|on)\s+(?:(?:early|late|mid)[-\s])?(?:\d{{1,2}}\s+)?(?:{_MONTH}(?:\s+\d{{1,2}})?,?\s*)?(?:of\s+)?(?:19|20)\d\d\b
      |(?:since|in|until)\s+(?:early\s+|late\s+)?{_MONTH}\b
      |since\s+(?:yesterday|this\s+morning|last\s+night|childhood|birth|then|age\s+\d{{1,2}})
      |(?:once|twice|\d+\s*(?:x|times)|several\s+times|three\s+times)\s+(?:an?|per|each|/)\s*(?:day|week|month|year)
      |{_SPAN}
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_AGE = re.compile(r"[-\s]*(?:old\b|of\s+age|gestation|of\s+gestation|pregnant)", re.IGNORECASE)
_CUT = re.compile(r"[;\n]|\.(?!\d)")
_FARTHEST = 80  # characters between a time and its mention


def times(text: str, spans: Sequence[tuple[int, int]]) -> list[str | None]:
    """The time of each mention ``text[start:end]``, in the order of ``spans``; None where none is said."""
    result: list[str | None] = [None] * len(spans)
    order = sorted(range(len(spans)), key=lambda i: spans[i])
    starts = [spans[i][0] for i in order]
    for match in _TIME.finditer(text):
        if _AGE.match(text, match.end()):
            continue
        nth = bisect_left(starts, match.start())
        before = [i for i in order[max(0, nth - 3) : nth] if _beside(text, spans[i][1], match.start())]
        after = [i for i in order[nth : nth + 1] if _beside(text, match.end(), spans[i][0])]
        inside = [i for i in before if spans[i][1] >= match.start()]
        leads = not before or re.fullmatch(
            r"[\s,]*(?:(?:an?|the|in|on|at|with|over|after|about|and)\s+)*",
            text[_clause(text, match.start()) : match.start()],
        )
        for i in inside or (after if after and leads else before[-1:] or after):
            result[i] = result[i] or " ".join(match[0].split())
    return result


def _clause(text: str, at: int) -> int:
    """Where the clause starts that holds ``text[at]``."""
    return max((cut.end() for cut in _CUT.finditer(text, max(0, at - 300), at)), default=max(0, at - 300))


def _beside(text: str, end: int, start: int) -> bool:
    """Whether one thing ends at ``end`` and another starts at ``start`` near by in the same clause."""
    return start - end <= _FARTHEST and _CUT.search(text, min(end, start), start) is None
