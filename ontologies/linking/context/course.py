"""How long a patient has been ill, how long he has smoked, how early a newborn came: lengths of time as findings.

"For two days", "a 3-week history of", "since last month", "cough x 3/7" say how the illness began: over hours, days,
weeks, or months and years. The first such statement counts, for it goes with the complaint; that somebody has had
diabetes for ten years, or has taken a drug for two weeks, is no course of the illness. "30 pack-years" is a long
smoking history, "born at 29 weeks" a preterm newborn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ontologies.linking.context.measurement import Measured

_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_COUNT = {
    **{word: float(number) for number, word in enumerate(_ONES, 1)},
    "a": 1.0,
    "an": 1.0,
    "several": 4.0,
    "few": 3.0,
    "couple": 2.0,
    "many": 8.0,
    "some": 3.0,
}
_NUMBER = (
    r"(?:the\s+)?(?:past\s+|last\s+|previous\s+)?(?P<number>\d{1,3}(?:\.\d)?|an?\s+(?:few|couple\s+of)|couple\s+of|"
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|several|few|many|some|an?)?"
)
_RANGE = r"(?:\s*(?:-|–|to|or)\s*(?P<upto>\d{1,3}|two|three|four|five|six|seven|eight|ten))?"
_UNIT = r"(?P<unit>hours?|hrs?|days?|nights?|weeks?|wks?|months?|mths?|years?|yrs?)(?![a-z])"
_DAYS = {"h": 1 / 24, "d": 1.0, "n": 1.0, "w": 7.0, "m": 30.4, "y": 365.25}
_ILL = re.compile(
    rf"\b(?:for|over|during|since|within|in|x|lasting|persisting)\s+(?:about\s+|approximately\s+|around\s+|at\s+least\s+|nearly\s+|almost\s+|"
    rf"more\s+than\s+|over\s+)?{_NUMBER}{_RANGE}[-\s]*{_UNIT}"
    rf"|(?<![\w.-]){_NUMBER.replace('number', 'before')}{_RANGE.replace('upto', 'till')}"
    rf"[-\s]+{_UNIT.replace('unit', 'long')}[-'’\s]*(?:s['’]?\s+)?(?:(?:progressive|gradual|worsening)\s+)?"
    r"(?:history|hx|h/o|course|duration|evolution|of\s+(?:worsening|progressive|increasing|persistent|productive|dry|fever|cough|dyspn|"
    r"breathless|short|chest|malaise|fatigue|weight))"
    r"|\b(?:x\s*)?(?P<slash>\d{1,2})\s*/\s*(?P<per>7|52|12)\b"
    rf"|\b(?:began|started|developed|onset|appeared|commenced|ill|unwell)\s+(?:about\s+|approximately\s+|of\s+symptoms\s+)?"
    rf"{_NUMBER.replace('number', 'begun')}[-\s]*{_UNIT.replace('unit', 'gone')}\s+(?:ago|before|earlier)"
    r"|\bsince\s+(?P<since>yesterday|this\s+morning|last\s+night|last\s+week|last\s+month|last\s+year|childhood|birth)\b",
    re.IGNORECASE,
)
_SINCE = {"yesterday": 1.0, "this morning": 0.5, "last night": 0.5, "last week": 7.0, "last month": 30.4}
_SLASH = {"7": 1.0, "52": 7.0, "12": 30.4}
# What a length of time belongs to that is not the illness.
_ANOTHER = re.compile(
    r"\b(?:smok\w*|work\w*|diabet\w*|hypertensi\w*|taking|takes|treated|therapy|treatment|lived?|living|resid\w*|married|"
    r"retired|medication|course\s+of|antibiotics?|prednis\w+|heparin|warfarin|amiodarone|methotrexate|known|job|employed|"
    r"cigarettes?|packs?|alcohol|drank|drinks?|followed|follow-up|monitored|observed|hospitali[sz]ed|admitted|ventilat\w+|"
    r"arthritis|cancer|exposed|exposure|diagnosed|remission|implanted|inserted|transplant\w*|pregnan\w+|abroad|travel\w*|"
    r"stay\w*|trip|vacation|bed\s*rest|immobili[sz]\w+|oxygen|dialysis|HIV|COPD|asthma|"
    # drugs and doses, and what is over
    r"\w+(?:mycin|cillin|floxacin|cycline|azole|penem|solone|sone|mab|nib|parin|xaban|vir|micin|oxin|profen)|cef\w+|co-\w+|"
    r"\d\s?(?:mg|g|mcg|units)(?:/\w+)*|daily|bd|bid|tds|tid|qds|qid|od|nocte|resolved|subsided|settled|recovered|improved|"
    r"defervesced|cleared|disappeared|abated)\b[^.;\n]{0,45}$",
    re.IGNORECASE,
)
_AFTERWARDS = re.compile(
    r"^\s*(?:later|ago|earlier|before|prior|previously|after|old|of\s+age|gestation|postpartum|"
    r"of\s+(?:(?:oral|intravenous|iv|high-dose|empirical|broad-spectrum)\s+)*(?:antibiotics?|steroids?|corticosteroids?|treatment|"
    r"therapy|\w+(?:mycin|cillin|floxacin|cycline|azole|penem|solone|sone|vir|micin)|cef\w+|co-\w+))",
    re.I,
)
_ENDS = (("onset over hours", 1.0), ("onset over days", 14.0), ("onset over weeks", 70.0))
_PACK_YEARS = re.compile(r"(?P<number>\d{1,3})(?:\s*(?:-|–|to)\s*\d{1,3})?[-\s]*pack[-\s]*years?", re.IGNORECASE)
_SMOKED = re.compile(
    r"\bsmok(?:ed|es|er|ing)\b[^.;\n]{0,60}?\bfor\s+(?:the\s+(?:past|last)\s+)?(?P<number>\d{1,2})\s*(?:years|yrs)",
    re.IGNORECASE,
)
_LONG_SMOKING = 20  # pack-years or years
_BORN = re.compile(
    r"\b(?:born|deliver(?:ed|y)|birth)\b[^.;\n]{0,40}?\b(?:at|after)\s+(?:the\s+)?(?P<number>\d{2})"
    r"(?:\s*(?:\+|and)\s*\d(?:/7)?|th|nd|st|rd)?\s*(?:completed\s+)?(?:weeks?|wks?|gestational\s+week)",
    re.IGNORECASE,
)
_TERM = 37  # weeks
# What happened to the mother before the birth: "born at term to a mother admitted at 34 weeks".
_BEFORE_BIRTH = re.compile(
    r"\b(?:scans?|ultrasounds?|sonogra\w+|MRI|steroids?|betamethasone|dexamethasone|admitted|admission|hospitali[sz]\w+|"
    r"ruptured?|membranes|PROM|PPROM|infections?|fever|bleed\w*|diagnosed|received|treated|treatment|polyhydramnios|"
    r"oligohydramnios|contractions|full[- ]term|at term|term)\b",
    re.IGNORECASE,
)


def course(text: str) -> Iterator[Measured]:
    """The findings that lengths of time stand for, in the order of the text; nothing when none is said."""
    if (ill := _illness(text)) is not None:
        yield ill
    for pattern in (_PACK_YEARS, _SMOKED):
        for match in pattern.finditer(text):
            if int(match["number"]) >= _LONG_SMOKING:
                yield Measured(match.start(), match.end(), "long smoking history", True)
    births = (match for match in _BORN.finditer(text) if not _BEFORE_BIRTH.search(match[0]))
    if born := next(births, None):
        yield Measured(born.start(), born.end(), "preterm newborn", int(born["number"]) < _TERM)


def _illness(text: str) -> Measured | None:
    for match in _ILL.finditer(text):
        days = _length(match)
        if days is None or _ANOTHER.search(text[max(0, match.start() - 80) : match.start()]):
            continue
        if _AFTERWARDS.match(text[match.end() : match.end() + 50]):
            continue
        name = next((name for name, end in _ENDS if days < end), "onset over months or years")
        return Measured(match.start(), match.end(), name, True)
    return None


def _length(match: re.Match[str]) -> float | None:
    """Days; None where it is no length of an illness."""
    if match["slash"]:
        return float(match["slash"]) * _SLASH[match["per"]]
    if match["since"]:
        return _SINCE.get(" ".join(match["since"].lower().split()), 365.25)
    unit = match["unit"] or match["long"] or match["gone"]
    number = match["number"] or match["before"] or match["begun"]
    upto = match["upto"] or match["till"]
    many = unit[-1].lower() == "s"
    word = " ".join((number or "").lower().split())
    last = word.split(" ")[1] if word.startswith(("a ", "an ")) else word.split(" ")[0]
    if not word and not many and not re.search(r"past|last|previous", match[0], re.IGNORECASE):
        return None
    count = float(word) if word[:1].isdigit() else _COUNT.get(last, 1.0) if word else (3.0 if many else 1.0)
    if upto:
        count = max(count, float(upto) if upto.isdigit() else _COUNT.get(upto.lower(), count))
    return count * _DAYS[unit[0].lower()]
