"""Measured values in a note: "CRP 106 mg/L", "LDH 314 (limit 214)", "normal white cell count", "SpO2 88 % on room air",
"Hb 98 g/L (130-175)", "CRP down from 280 to 64", "urine dip: blood ++", "ANCA, ANA and anti-GBM all negative".

A dictionary of findings has "leukocytosis" and not "WBC 14.2", which is what a note says. The table
``data/measurements.tsv`` (``quantities``) has what is measured, its limits, its units, and the findings that a value
above or below stands for. A value within the limits makes those findings absent. What is measured in another specimen
than blood has rows of its own (``sample``).

A limit that the note states goes before the table's, which is an adult's, or a child's when the note tells of a child.
A value without a unit is read in every unit in which it is plausible, and counts when all readings agree: "CRP 45" is
high in mg/L and in mg/dL, "CRP 3" is normal in one and high in the other, and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ontologies.linking.context.demographics import demographics
from ontologies.linking.values.quantities import ADULT, FLUIDS, NUMBER, Quantity, load, numbers, plain
from ontologies.linking.values.sample import at, samples

Side = Literal["above", "below", "within"]

_BE = (
    r"is|was|were|are|remains|remained|came back|returned|tested|resulted|turned out|has been|have been|had been|measured|"
    r"(?:was|is|were) (?:estimated|calculated|measured|recorded|found|noted|reported)"
)
_ADVERB = r"mildly|slightly|moderately|markedly|severely|very|strongly|weakly|grossly|significantly|extremely|only|just"
_STEADY = r"stable|steady|regular|irregular|maintained|now|currently|initial(?:ly)?|consistently|persistently|still"
_NORMAL = (
    r"normal|negative|neg|unremarkable|unaffected|intact|preserved|WNL|non-?reactive|not detected|undetected|not raised|"
    r"not elevated|\(?-ve\)?|\(-\)|sterile|no growth|"
    r"(?:with)?in (?:the )?(?:normal|reference) (?:ranges?|limits)"
)
_ABOVE = (
    r"positive|elevated|raised|high|pos|reactive|detected|(?:twice|double|(?:two|three|four|five|ten|several) times) "
    r"(?:the )?(?:upper limit(?: of normal)?|normal|ULN)|\(?\+ve\)?|\(\+\)"  # "increased" may be since the last time
)
_BELOW = r"low|reduced|suppressed|depressed|undetectable"
_TREND = (
    r"(?:(?:has|have|had)\s+)?(?:rose|risen|rising|fell|fallen|falling|dropped|dropping|increased|increasing|decreased|"
    r"decreasing|declined|declining|improved|improving|climbed|peaked|came down|coming down|went up|went down|trending down|"
    r"trending up|settled|settling|down|up)\s+(?:(?:further|again|rapidly|sharply|slowly|steadily|gradually|back)\s+)*"
)


_SAID: dict[str, Side] = {
    **dict.fromkeys(("normal", "unremarkable", "negative"), "within"),
    **dict.fromkeys(("elevated", "raised", "increased", "high", "positive"), "above"),
    **dict.fromkeys(("reduced", "decreased", "low", "suppressed"), "below"),
}


class Measured(NamedTuple):
    """``text[start:end]`` is a measurement, by which the finding called ``finding`` is present or absent."""

    start: int
    end: int
    finding: str
    present: bool


class _Found(NamedTuple):
    """On which side of its limits a quantity is, and where the text that says so ends."""

    side: Side
    end: int


class _Named(NamedTuple):
    """``text[name:end]`` names a quantity, with the limits that hold there; ``before``: what stands before it
    ("normal"), from ``start`` on; ``match``: what follows it."""

    start: int
    name: int
    end: int
    before: str | None
    match: re.Match[str]
    quantity: Quantity


def measured(text: str) -> Iterator[Measured]:
    """What the values of a text say, in its order; nothing when it has none, or none that can be read for sure."""
    yield from _saturations(text)
    for named, found in _read_together(text):
        if found is None:
            continue
        start, quantity = named.start, named.quantity
        above, below = found.side == "above", found.side == "below"
        if not below or (quantity.most and not quantity.below):
            yield from (Measured(start, found.end, name, above) for name in quantity.above)
        if not above or (quantity.most and not quantity.above):
            yield from (Measured(start, found.end, name, below) for name in quantity.below)


def _saturations(text: str) -> Iterator[Measured]:
    """Saturations without their name: "94% on air", "88 % on 2 L"."""
    for match in _SATURATION.finditer(text):
        low = float(match["value"]) < _TABLE.quantities["", "oxygen saturation"].low
        if low or match["air"]:
            yield Measured(match.start(), match.end(), "hypoxemia", low)


def _read_together(text: str) -> Iterator[tuple[_Named, _Found | None]]:
    """Every quantity that a text names with what is said of it; of several joined by "and" or a comma, what is said of
    all: "normal CRP and ESR", "CRP and ESR were elevated"."""
    runs: list[list[_Named]] = []
    for named in _named(text):
        if runs and named.before is None and _AND.fullmatch(text, runs[-1][-1].match.end(), named.start):
            runs[-1].append(named)
        else:
            runs.append([named])
    for run in runs:
        first, last = run[0], run[-1]
        says_all = first if first.before is not None else last if last.match["after"] is not None else None
        if says_all is last and len(run) > 1 and not (_JOINS.search(text, first.end, last.start) or last.match["all"]):
            says_all = None  # "ALT 30, AST, GGT raised"
        of_all = None if says_all is None else _read(says_all, text)
        for named in run:
            if of_all is not None and named.match["value"] is None and named.match["after"] is None:
                yield named, _Found(of_all.side, named.match.end())
            else:
                yield named, _read(named, text)


def _named(text: str) -> Iterator[_Named]:
    """The quantities that a text names, each as the specimen and the age have it."""
    places, age, known, over = samples(text), None, False, 0
    for word in _WORD.finditer(text):
        start = word.start()
        key = word[0].lower()
        if start < over or (names := _BY_WORD.get(key) or _BY_WORD.get(key.rstrip("0123456789"))) is None:
            continue
        name = next((n for n, cased in names if _stands(text, start, n, cased)), None)
        match = None if name is None else _SAYS.match(text, start + len(name))
        if name is None or match is None:
            continue
        over, kind = match.end(), at(places, start)
        quantity = _TABLE.quantities.get((kind, name.lower())) if kind else None
        if quantity is None:
            if kind == "other" and ("pleural", name.lower()) in _TABLE.quantities:
                continue
            quantity = _TABLE.quantities.get(("", name.lower()))
        if quantity is None or not (quantity.above or quantity.below):
            continue
        if quantity.ages:
            if not known:
                age, known = _age(text), True
            quantity = quantity.at(age)
        before = _BEFORE.search(text, max(0, start - 40), start)
        first = start if before is None else before.start()
        yield _Named(first, start, start + len(name), before and before["before"], match, quantity)


def _stands(text: str, start: int, name: str, cased: bool) -> bool:
    """Whether a name stands whole at a place of a text."""
    said = text[start : start + len(name)]
    if said != name and (cased or said.lower() != name.lower()):
        return False
    joined = name in _JOINED and text[start + len(name) : start + len(name) + 1].isdigit()  # "HR110"
    return joined or not _INSIDE.match(text, start + len(name))


def _age(text: str) -> float | None:
    """A child's age in years."""
    if not _CHILD.search(text):
        return None
    age = demographics(text).age
    return age if age is not None and age < ADULT else None


def _read(named: _Named, text: str) -> _Found | None:
    """What is said of one quantity by itself."""
    match, quantity = named.match, named.quantity
    if quantity.alone:
        return _Found("within", named.end)
    if quantity.sample in FLUIDS and (own := _COUNTED.search(text, max(0, named.name - 14), named.name)):
        share = own["share"] is not None
        if share == ("%" in quantity.units):  # "45% lymphocytes", "230 white cells/mm3"
            return _Found(_side(numbers(own["value"])[0], quantity.low, quantity.high) or "within", named.end)
    if "+" in quantity.units and (plus := _PLUSES.match(text, match.end("what"))):
        return _Found("within" if plus["none"] else "above", plus.end())
    if match["value"] is not None:
        return _of_value(quantity, match, text)
    if match["after"] is not None:
        said = match["after"].lower()
        if match["not"] is not None or _IS_NORMAL.fullmatch(said) or (said == "undetectable" and not quantity.below):
            return _Found("within", match.end())
        return _Found("above" if said == "↑" or _IS_ABOVE.fullmatch(said) else "below", match.end())
    if match["nothing"] is not None:
        return _Found("within", match.end())
    return None if named.before is None else _Found(_SAID[named.before.lower()], match.end("what"))


def _of_value(quantity: Quantity, match: re.Match[str], text: str) -> _Found | None:
    last, end = match["value"], match.end("value")
    if "titre" in quantity.units or not quantity.units:
        if titre := _TITRE.match(text, match.start("value")):
            if "titre" not in quantity.units:
                return None
            return _Found("above" if numbers(titre["value"])[0] > quantity.high else "within", titre.end())
        if "titre" in quantity.units:
            return None
    while onward := _ONWARD.match(text, end):  # "CRP 310 → 142"
        last, end = onward["value"], onward.end("value")
    readings = [-number if match["minus"] and quantity.least < 0 else number for number in numbers(last)]
    if times := _TIMES.match(text, end):
        return _Found("above" if readings[0] > 1 else "within", times.end())
    written, name = _UNIT.match(text, end), None
    if written is not None:
        name = plain(written[0])
        if name not in quantity.units and re.match(r"\s+/", written[0]):
            written, name = None, None  # "pH 7.29 / pCO2 62"
    if name not in quantity.units and match["unit"] is not None and plain(match["unit"]) in quantity.units:
        name = plain(match["unit"])
    elif written is not None and name in quantity.units:
        end = written.end()
    if name is not None and name not in quantity.units and name in _WORDS and len(name) > 1:
        return None  # "PR 180 ms" is no pulse
    unit = quantity.units.get(name or "")
    if unit is None and "%" in quantity.units and (share := _SHARE.match(text, end)):
        readings, unit, end, name = numbers(share["value"]), quantity.units["%"], share.end(), "%"
    elif unit is None and "%" in quantity.units and (best := _BEST.match(text, end)):
        readings, unit, end = [100 * readings[0] / (numbers(best["value"])[0] or 1)], quantity.units["%"], best.end()
    elif unit is None and written is not None and ("/" in written[0] or "%" in written[0]):
        return None  # a unit that the table does not know
    if match["arrow"] is not None:
        return _Found("above" if match["arrow"] == "↑" else "below", end)
    flag = _FLAG.match(text, end)
    if flag is not None and not (flag["flag"] == "L" and quantity.units.keys() == {"%"}):  # "FEV1 2.1 L": litres
        return _Found("above" if flag["flag"][0] in "Hh↑" else "below", end)
    after = written.end() if written and "/" in written[0] else end
    stated = _LIMIT.match(text, after) or (None if quantity.sample == "vital" else _RANGE.match(text, after))
    limits = _stated(quantity, stated or match)
    if limits is not None:
        low, high = limits
        sides = {_side(value, low, high, match["sign"]) for value in readings[:1]}
        if sides == {"within"} and float("inf") in (-low, high) and quantity.above and quantity.below:
            return None  # "WBC 3 (limit 11)": of the other limit it says nothing
    else:
        plausible = [
            next((v for v in map(own, readings) if quantity.least <= v <= quantity.most), None)
            for own in (quantity.units.values() if unit is None else (unit,))
            if unit is not None or (own.least is not None and (quantity.least < 0 or readings[0] >= own.least))
        ]
        sides = {_side(value, quantity.low, quantity.high, match["sign"]) for value in plausible if value is not None}
        if unit is None and match["sign"] in ("<", "≤") and "within" in sides:
            sides = {"within"}  # below what the test can tell
    if len(sides) != 1:
        return None
    (side,) = sides
    if side is None:
        return None
    if side == "within" and "hypoxemia" in quantity.below and _OXYGEN.match(text, end):
        return None  # it says what the oxygen does
    return _Found(side, end)


def _side(value: float, low: float, high: float, sign: str | None = None) -> Side | None:
    """On which side of its limits a value is, or, with a sign before it ("> 100"), all that it may be; None when that
    is on both."""
    if sign is None:
        return "above" if value > high else "below" if value < low else "within"
    if sign[0] in "<≤" or sign in ("less than", "below", "under"):
        return "below" if value <= low else "within" if value <= high and low == float("-inf") else None
    return "above" if value >= high else "within" if value >= low and high == float("inf") else None


def _stated(quantity: Quantity, limit: re.Match[str]) -> tuple[float, float] | None:
    """The limits that a note gives, in the unit of its value; None when it gives none."""
    said = limit.groupdict()
    if said.get("range"):
        first, last = re.split(r"\s*(?:-|–|—|to)\s*", said["range"])
        low, high = numbers(first)[0], numbers(last)[0]
        return (low, high) if low < high else None
    if not said.get("first"):
        return None
    first_limit = numbers(said["first"])[0]
    if said["bound"] in (">", "≥", "above") or not quantity.above:
        return first_limit, float("inf")
    return float("-inf"), first_limit


_TABLE = load()
FINDINGS = frozenset(name for q in _TABLE.quantities.values() for name in (*q.above, *q.below))


def holds_for(finding: str, age: float, told: bool) -> bool:
    """Whether a measured finding counts for a patient of an age in years; ``told``: the note itself tells it, so that
    it was read with a child's limits."""
    name = finding.lower()
    return age >= ADULT or name in _TABLE.ageless or (told and name in _TABLE.by_age)


def _by_word() -> dict[str, list[tuple[str, bool]]]:
    """First word of a name → the names that begin with it, the longest first, each with whether its case counts: an
    abbreviation is written as it is."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for name in _TABLE.names:
        if word := _WORD.match(name):
            found.setdefault(word[0].lower(), []).append((name, " " not in name and name.lower() != name))
    return found


_WORDS = frozenset(unit for q in _TABLE.quantities.values() for unit in q.units if unit.isalpha())
_WORD = re.compile(r"(?<![\w-])\w+")
_INSIDE = re.compile(r"\w|-(?!\s?\d)")  # "pH-7.25"
_BY_WORD = _by_word()
_JOINED = frozenset(["T", "HR", "BP", "RR", "PR", "Temp"])
_BEFORE = re.compile(
    r"\b(?P<before>(?:normal|unremarkable|negative|positive|elevated|raised|increased|high|reduced|decreased|low|suppressed))"
    r" (?:serum |blood |plasma |level of |levels of )?$",
    re.IGNORECASE,
)
_SPAN = rf"{NUMBER}\s*(?:-|–|—|to)\s*{NUMBER}"
_POWER = r"[x×*]?\s*10\s*[\^(*]?\s*[0-9⁰¹²³⁴⁵⁶⁷⁸⁹]+\)?"
_OF = rf"(?:{_POWER}\s*(?:/|per)\s*\w+|[A-Za-zµμ]+\s*/\s*[\w.]+[²³]?|kPa|mm\ ?Hg|%|[A-Za-zµμ]{{1,4}}[²³]?)"
_SAYS = re.compile(
    rf"""
    (?!\ (?:diet|intake|supplement|medication|therapy|treatment|tablets|pills|cuff|monitor|vaccin))
    (?P<what>
        (?:\ ?\((?:[^()\d]{{1,20}}|[A-Z][A-Za-z]*[0-9])\))?
        (?:\ (?:levels?|counts?|concentrations?|values?|titres?|titers?|assays?|tests?|swabs?|screens?))?
        (?:\ (?:of|on|in)\ (?:(?:the|his|her|induced|a)\ )*
            (?:sputum|blood|urine|pleural\ fluid|CSF|lavage\ fluid|lavage|BAL|serum|stool|aspirate|tissue|biopsy)\b)?
        (?:,?\ ?[(\[]?\ ?(?P<unit>{_OF})\ ?[)\]]?(?=\s*[:|\t]))?
    )
    (?:
        (?:\s+(?:(?:{_BE.replace(" ", "[ ]")})(?:\ (?:at|to\ be|as))?|of|at|to)|,(?=\ \d+(?![\d.]*\s?%)))?[\s:=|]*
        (?:[(\[]\s*(?P<range>{_SPAN})[^()\[\]\d]{{0,14}}[)\]][\s:=|]*)?
        (?P<minus>[-–−]\s*)?(?:(?i:{_ADVERB}|{_STEADY})(?::|\ at)?\s+)*
        (?:(?:{_ABOVE.replace(" ", "[ ]")}|{_BELOW}|increased|decreased|(?P<arrow>↑|↓))(?:\ (?:at|to))?\s*)?
        (?:(?:{_TREND})?(?:from\s+{NUMBER}\s*(?:{_OF}\s+)?)?(?:to|at)\s+)?(?:(?:about|approximately|around|approx\.?|roughly|nearly|almost)\s+)?[\s(~≈]*
        (?:(?P<sign>[<>≤≥]=?|(?:less|more|greater)\ than|above|below|over|under)\s*)?
        (?P<value>{NUMBER})
      |
        (?:\s+(?:{_BE.replace(" ", "[ ]")})|:|\s*\||,?(?=\s+(?P<all>all|both)\b))?\s*(?<![\w])(?:(?:all|both)\s+)?(?:(?:{_BE.replace(" ", "[ ]")})\s+)?(?P<not>not\s+)?
        (?:(?:{_ADVERB})\s+)?
        (?P<after>(?i:{_NORMAL.replace(" ", "[ ]")}|{_ABOVE.replace(" ", "[ ]")}|{_BELOW})(?!\w)|↑|↓)
      |
        \s+(?P<nothing>(?:revealed|showed|demonstrated|was|were)\ (?:no|without)\ abnormalit(?:y|ies))
    )?
    """,
    re.VERBOSE,
)
_IS_NORMAL, _IS_ABOVE = re.compile(_NORMAL.lower()), re.compile(_ABOVE)
_JOINS = re.compile(r"\b(?:and|or)\b|&|/")
_ONWARD = re.compile(rf"\s?(?:→|->|-->|=>|➔|⟶)\s?(?P<value>{NUMBER})")
_COUNTED = re.compile(rf"(?<![\w.,])(?P<value>{NUMBER})(?P<share>\s?%)?\s(?:of\s)?$")
_TITRE = re.compile(r"1\s?[:/]\s?(?P<value>\d+)")
_TIMES = re.compile(r"\s?(?:times|x|×|-?fold)\s+(?:above\s+)?(?:the\s+)?(?:upper\s+limit|ULN|normal|upper\s+reference)", re.I)
_SHARE = re.compile(rf"\s*(?:L|litres|liters)?[\s,;(\[|]*(?P<value>{NUMBER})\s?%")
_BEST = re.compile(
    rf"\s*(?:L/min|L)?[\s,(\[]*(?:personal\s|previous\s)?(?:best|predicted|usual|expected)\s*(?:of\s|was\s)?(?P<value>{NUMBER})", re.I
)
_PLUSES = re.compile(
    r"[\s:=|]*(?:\+{1,4}|[1-4]\s?\+|(?:is |was )?(?:positive|pos|trace|present|moderate|large)\b|"
    r"(?P<none>(?:is |was )?(?:negative|neg|nil|none|absent|not detected)\b|-(?=\s*(?:[,;.]|$))))"
)
_UNIT = re.compile(
    rf"\s*(?:[|\t]\s*)?(?:{_POWER}\s*(?:/|per)\s*\w+|"
    r"(?:[A-Za-zµμ]+(?:\s[A-Z]{3})?\s*)?(?:/|\bper\b)\s*\w+[²³]?|%|[°º]\s?[CFcf]\b|℃|"
    r"(?:kPa|torr|msecs?|ms|secs?|seconds|s|fL|fl|ppb|cm|mm\s?Hg|mm|m|kg|grams|gms|gm|g|bpm|rpm|lakhs?|titre|k|C|F)\b)"
)
# As a laboratory prints it beside a value.
_FLAG = re.compile(
    r"[ \t]*[|(\[]?[ \t]*(?P<flag>HH?|LL?|High|Low|HIGH|LOW|high|low|↑+|↓+)(?![\w/%+-])(?=[ \t]*(?:[|)\],.;]|$))",
    re.MULTILINE,
)
_AND = re.compile(r"\s*(?:,|and|or|/|&|,\s*and)\s*(?:(?:a|an|the)\s+)?")
_BOUND = rf"(?P<bound>[<>≤≥]|up to|below|above)?\s*(?P<first>{NUMBER})"
_LIMIT = re.compile(
    r"\s*[(\[,;|]?\s*(?:upper |lower )?(?:limit|normal|reference|ref|cut-?off|n\.?v|NR)\b\.?"
    r"(?: (?:range|values?|limits?|interval))?"
    rf"(?: of normal)?[\s:=,]*(?:(?P<range>{_SPAN})|{_BOUND})",
    re.IGNORECASE,
)
# As a table has it: "98 g/L (130-175)", "187 | mg/L | <5".
_RANGE = re.compile(
    rf"[ \t]*(?:[A-Za-zµμ/%0-9^]{{0,10}}[ \t]*)?[(\[|\t][ \t]*(?:(?P<range>{_SPAN})|(?P<bound>[<>≤≥])\s*(?P<first>{NUMBER}))"
    r"(?=[ \t]*(?:[A-Za-zµμ/%]{1,12}[ \t]*)?(?:[)\]|\n]|$))"
)
_OXYGEN = re.compile(
    r"[\s,(]*(?:on|with|under)\s+(?!room|ambient)(?:\w+\s+){0,3}?(?:\d|oxygen\b|O2\b|nasal\b|mask\b)|"
    r"\s*\(\s*\d{1,2}\s*(?:L|litres?|liters?)\b",
    re.IGNORECASE,
)
_SATURATION = re.compile(
    r"(?<![\w.,/-])(?P<value>[5-9]\d|100)\s?%\s*(?:on|in|\()\s*(?:(?P<air>(?:room |ambient )?air\b|RA\b)|\d{1,2}(?:\.\d)?\s?(?:L|litres?|liters?)\b)"
)
_CHILD = re.compile(
    r"\b(?:\d{1,2}/(?:7|12|52)|(?:day|week|month|year)s?[- ]?olds?|y/?o|m/?o|boy|girl|bab(?:y|ies)|infant|child|toddler|"
    r"neonat\w*|newborn|teen\w*|adolescent)\b",
    re.IGNORECASE,
)
