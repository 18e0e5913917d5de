"""Whether a mention is dated to the past: "pneumonia in 2018", "pleurisy at age 20", "ten years ago he had a stroke".

Phrases that need no numbers ("as a child", "years ago" after the mention) are triggers (data/assertion_triggers.tsv).
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

_YEAR = re.compile(r"(?:19|20)\d\d")
_SHORT_YEAR = re.compile(r"\d\d")
_DATING = frozenset(["in", "(", ",", "of", "year"])
_ENDING = frozenset([".", ";", "and", "now", "then"])
_ARRIVED = frozenset(["admitted", "presented", "hospitalized", "hospitalised", "referred", "visited", "came", "since"])
_RECOVERED = frozenset(["recovered", "cured", "resolved", "healed", "cleared", "survived", "treated", "outgrown"])
_TOLD = 40  # characters
_VISITS = frozenset(
    [
        "admission",
        "referral",
        "presentation",
        "hospitalization",
        "hospitalisation",
        "visit",
        "consultation",
        "diagnosis",
    ]
)
_TO_THE_PRESENT = re.compile(
    r"\b(?:now|today|tonight|currently|presents|presenting|presented|comes|complains|at present|at the moment|"
    r"these days|this (?:morning|afternoon|evening|week|month|time|admission|occasion|visit)|"
    r"(?:is|has been) (?:seen|admitted|referred|brought)|current|since (?:yesterday|last)|"
    r"for the (?:last|past)|was (?:well|fine|asymptomatic) until)\b",
    re.IGNORECASE,
)
_SPANS = frozenset(["year", "years", "yr", "yrs", "decade", "decades", "month", "months"])
_AGO = frozenset(["ago", "earlier", "before", "previously", "prior", "back"])
_OVER = frozenset(["over", "for", "during", "within", "throughout", "in"])
_PERIODS = frozenset(["year", "month", "winter", "summer", "spring", "autumn", "fall"])
# What somebody had and no longer has is told with these, not with "developed" or "noticed".
_PAST_VERBS = frozenset(
    [
        *("had", "suffered", "sustained", "underwent", "treated", "hospitalized", "hospitalised", "admitted", "cured"),
        *("contracted", "survived", "operated", "overcame", "caught"),
    ]
)
_PRESENT_WORDS = frozenset(
    [
        *("now", "today", "currently", "presents", "presented", "presenting", "here", "since", "still", "starting"),
        *("started", "began", "onset", "maintained", "remains"),
    ]
)
_CLAUSE_ENDS = frozenset([".", ";", "but", "who", "which", "that", "when", "until"])
_DIAGNOSED = frozenset(["diagnosed", "dx", "dx'd", "onset"])
# What a report tells of the illness that it dates, and what leads from a date to what came after.
_FOUND = frozenset(
    [
        "found",
        "detected",
        "discovered",
        "revealed",
        "showed",
        "noticed",
        "noted",
        "developed",
        "began",
        "fell",
        "appeared",
        "felt",
    ]
)
_GOES_ON = frozenset(
    ["and", "then", "was", "is", "presents", "presented", "came", "comes", "fell", "developed", "noticed"]
)
_AGES = frozenset(["age", "aged"])
_SEASONS = frozenset(["year", "winter", "summer", "spring", "autumn", "fall"])
_AGE_UNITS = frozenset(["mo", "month", "months", "weeks", "wk", "days", "yr", "yrs", "year", "years"])
# Illness that is over when it is old; an old scar is still there.
_ENDED = frozenset(
    [
        "tuberculosis",
        "tb",
        "stroke",
        "cva",
        "tia",
        "mi",
        "infarction",
        "dvt",
        "thrombosis",
        "embolism",
        "pe",
        "pneumonia",
    ]
)
_CHILDREN = frozenset(
    ["a", "child", "boy", "girl", "teenager", "student", "baby", "toddler", "young", "little", "small"]
)
_NUMBER = re.compile(
    r"\d{1,2}|(?:six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|"
    r"twenty|thirty|forty|fifty)|three|four|five|two"
)
_MONTHS = frozenset(
    [
        *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
        *("november", "december", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
    ]
)
_CUES = _AGO | _AGES | _PERIODS | frozenset(["when", "since", "after", "old", "'"])


def _chronic() -> frozenset[str]:
    lines = (Path(__file__).parents[1] / "data" / "chronic_diseases.tsv").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


_CHRONIC = _chronic()


def speaks_of_time(words: list[str]) -> bool:
    """Whether a sentence may date a mention to the past."""
    return not _CUES.isdisjoint(words) or any(_YEAR.fullmatch(word) for word in words)


def lasting(words: list[str], first: int, last: int) -> bool:
    """Whether the mention ``words[first:last]`` is a disease that stays, said to have been found at some time and not
    to have been cured: "sarcoidosis diagnosed in 2015"."""
    near = words[max(0, first - 8) : first] + words[last : last + 5]
    return (
        not _CHRONIC.isdisjoint(words[first:last]) and not _DIAGNOSED.isdisjoint(near) and _RECOVERED.isdisjoint(words)
    )


def told_on(text: str, at: int) -> bool:
    """Whether a note tells on after ``at`` and does not come to the present ("… Today he has a sore throat"): a dated
    illness before it is the one that it tells of."""
    return len(text) - at >= _TOLD and _TO_THE_PRESENT.search(text, at) is None


def long_ago(words: list[str], first: int, last: int, *, told: bool = False) -> bool:
    """Whether the mention ``words[first:last]`` is dated to the past. A case report dates the illness it tells of, too:
    "presented in 2019 with" is none, and neither, where the dated illness is all that is ``told``, is "two years ago he
    was admitted with"."""
    if told and not (_ARRIVED | _FOUND).isdisjoint(words[:first]) and _RECOVERED.isdisjoint(words):
        return False
    return (
        _year_after(words, first, last)
        or _age_after(words, last)
        or _before(words, first)
        or _since(words, first, last)
        or _then(words, first, last)
    )


def _year_after(words: list[str], first: int, last: int) -> bool:
    if not _ARRIVED.isdisjoint(words[max(0, first - 12) : first]) and _RECOVERED.isdisjoint(words):
        return False
    if words[last : last + 1] == ["'"] and words[last + 1 : last + 2] and _SHORT_YEAR.fullmatch(words[last + 1]):
        return True  # "DVT '11"
    for i, word in enumerate(words[last : last + 4], last):
        if word in _ENDING:
            return False
        if not _YEAR.fullmatch(word):
            continue
        if words[i - 1] in _MONTHS:  # "diagnosed with melanoma in January 2020"
            return (_DIAGNOSED | _FOUND).isdisjoint(words[max(0, first - 8) : first])
        if i == last or words[i - 1] in _DATING:
            return True
    return False


def _age_after(words: list[str], last: int) -> bool:
    """ "Pleurisy at the age of 20", "until age 30", "when she was nine"."""
    after = words[last : last + 8]
    for i, word in enumerate(after[:5]):
        if word in _CLAUSE_ENDS - {"when", "until"} or word in (",", "and") or word in _PRESENT_WORDS:
            return False
        rest = after[i + 1 :]
        if word in _AGES and (numbers := [w for w in rest[:2] if w != "of"]) and _NUMBER.fullmatch(numbers[0]):
            return True
        if (
            word == "when"
            and rest[:1] in (["he"], ["she"], ["they"], ["i"])
            and rest[1:2] in (["was"], ["were"])
            and (
                _NUMBER.fullmatch((rest[2:3] or [""])[0]) or rest[2:4] in (["a", "child"], ["a", "boy"], ["a", "girl"])
            )
        ):
            return True
    return False


def _before(words: list[str], first: int) -> bool:
    """ "In 2012, pulmonary embolism", "ten years ago he had a stroke", "at the age of 17 she had pericarditis"."""
    start = max((i + 1 for i in range(first) if words[i] in _CLAUSE_ENDS), default=0)
    clause = words[max(start, first - 14) : first]
    if not _PRESENT_WORDS.isdisjoint(clause):
        return False
    had = any(word in _PAST_VERBS and b not in ("has", "have") for b, word in pairwise(["", *clause]))
    for i, word in enumerate(clause):
        before, rest = clause[i - 1] if i else "", clause[i + 1 :]
        if _YEAR.fullmatch(word) and before == "/" and rest == [":"]:
            return True  # "12/2021: pneumonia"
        if _YEAR.fullmatch(word) and before == "in" and (had or rest in ([","], [":"], [])):
            return _GOES_ON.isdisjoint(rest)
        if not had or {"then", "developed", "followed"} & set(rest):
            continue
        if word in ("before", "prior", "earlier") and before[:1] != "y" and not _VISITS.isdisjoint(rest[:4]):
            return False  # "six months before admission he had noticed a cough"
        if word in _AGO and before in _SPANS:
            # "two months ago he had cough and fever" is how this illness began
            return before[0] != "m" or not {"a", "an"}.isdisjoint(rest) or rest[-1:] in (["for"], ["with"], ["of"])
        if word in _PERIODS and before in ("last", "previous") and _OVER.isdisjoint(clause[max(0, i - 3) : i]):
            return True
        if word in _AGES and (numbers := [w for w in rest[:2] if w != "of"]) and _NUMBER.fullmatch(numbers[0]):
            return True
    return False


def _then(words: list[str], first: int, last: int) -> bool:
    """ "Old tuberculosis", "pneumonia twice last winter", "bronchiolitis at 3 months of age, now well"."""
    if "old" in words[max(0, first - 1) : first + 1] and not _ENDED.isdisjoint(words[first:last]):
        return True
    after = words[last : last + 6]
    for i, (word, onward) in enumerate(pairwise(after)):
        if word in _CLAUSE_ENDS or word in _PRESENT_WORDS or word in (",", "and"):
            return False
        if word in ("last", "previous") and onward in _SEASONS:
            return after[i - 1 : i] != ["the"] and _OVER.isdisjoint(after[max(0, i - 2) : i])
        if word == "of" and onward == "age" and i and after[i - 1] in _AGE_UNITS:
            return "now" in words[last:]
    return False


def _since(words: list[str], first: int, last: int) -> bool:
    """ "Since the pneumonia in May he has been breathless": another illness, which is over."""
    before, after = words[max(0, first - 2) : first], words[last : last + 3]
    return (
        before[:1] in (["since"], ["after"])
        and before[1:] in (["the"], ["his"], ["her"])
        and (
            after[:1] in (["in"], ["of"], ["last"])
            and (not _MONTHS.isdisjoint(after) or not _PERIODS.isdisjoint(after))
        )
    )
