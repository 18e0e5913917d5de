"""What a note says of findings other than by name: by values, lengths of time, reactions to drugs and wordings."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ontologies.concept import Presence
from ontologies.linking.context.assertion import Context, assertions
from ontologies.linking.context.course import course
from ontologies.linking.context.measurement import measured
from ontologies.linking.context.reaction import reactions
from ontologies.linking.context.wording import worded

Way = Literal["measurement", "duration", "wording", "reaction"]
_DENIAL = re.compile(r"\b(?:no|not|never|non|nil|without|denie[sd]|cannot|\w+n['’]t|unable|none)\b", re.IGNORECASE)
# Findings that say that something is as it should be.
_WELL = re.compile(r"(?:Normal|No|Negative|Clear|Alert|Symmetric|Unremarkable|Never|Preserved|Previously|Vaccinated)\b")
_JUST_DENIED = re.compile(
    r"(?:\b(?:no longer|no|not|never|hardly|without|neither|cannot)|n['’]t)\s+(?:[a-z]+\s+)?$", re.IGNORECASE
)
_TODAY = re.compile(
    r"[\s,(]*(?:today|now|currently|at present|this morning|on (?:admission|arrival|presentation)|at presentation)\b",
    re.I,
)
_TURNED: dict[Presence, Presence] = {"present": "absent", "absent": "present"}


class Noted(NamedTuple):
    """``text[start:end]`` says that the finding called ``finding`` is as ``presence`` has it. ``whole``: the words
    inside mean nothing by themselves. ``stated``: it is so whatever section it stands in. ``valued``: by a number."""

    start: int
    end: int
    finding: str
    method: Way
    presence: Presence
    context: Context | None
    whole: bool
    stated: bool
    valued: bool


def noted(text: str) -> list[Noted]:
    """What ``text`` says so, in its order; empty when it says nothing."""
    values: list[tuple[int, int, str, bool, Way, bool, bool]]
    values = [(*value, "measurement", False, False) for value in measured(text)]
    values += [(*value, "duration", False, False) for value in course(text)]
    values += [(*value, "reaction", False, False) for value in reactions(text)]
    values += [(w.start, w.end, w.finding, w.present, "wording", not w.loose, w.stated) for w in worded(text)]
    values.sort()
    result: list[Noted] = []
    for value, (presence, context) in zip(values, assertions(text, [(v[0], v[1]) for v in values]), strict=True):
        start, end, finding, there, method, whole, stated = value
        if stated and presence == "not assessed" and context != "family":
            presence, context = "present", None
        if method == "wording" and presence == "absent" and _DENIAL.search(text, start, end):
            presence = "present"  # "no fever, cannot lie flat": the phrase's own denial is no part of the list's
        if method == "wording" and presence == "absent" and (not there or _WELL.match(finding)):
            # "no enlarged nodes, pleura normal": the denial is of the nodes
            presence = "absent" if _JUST_DENIED.search(text, max(0, start - 40), start) else "present"
        if method == "measurement" and context == "history" and _TODAY.match(text, end):
            presence, context = "present", None  # "warfarin for PE in 2015, INR 4.6 today"
        if method == "reaction" or (method != "wording" and presence != "not assessed"):
            presence = "present" if there else "absent"
        elif not there:
            presence = _TURNED.get(presence, presence)
        if method == "measurement":
            same = [r for r in result[-8:] if r.finding == finding and r.start < end and start < r.end]
            if any(r.presence != "not assessed" for r in same):
                continue  # the wording has it
            result = [r for r in result if r not in same]  # "an HIV test was negative"
        valued = method == "measurement" and any(map(str.isdigit, text[start:end]))
        result.append(Noted(start, end, finding, method, presence, context, whole, stated, valued))
    return result
