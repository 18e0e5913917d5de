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
from ontologies.linking.values import phrases
from ontologies.linking.values.quantities import ADULT, FLUIDS, Quantity, load, numbers, plain
from ontologies.linking.values.sample import at, samples

Side = Literal["above", "below", "within"]

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
    for match in phrases.SATURATION.finditer(text):
        low = float(match["value"]) < _TABLE.quantities["", "oxygen saturation"].low
        if low or match["air"]:
            yield Measured(match.start(), match.end(), "hypoxemia", low)


def _read_together(text: str) -> Iterator[tuple[_Named, _Found | None]]:
    """Every quantity that a text names with what is said of it; of several joined by "and" or a comma, what is said of
    all: "normal CRP and ESR", "CRP and ESR were elevated"."""
    runs: list[list[_Named]] = []
    for named in _named(text):
        if runs and named.before is None and phrases.AND.fullmatch(text, runs[-1][-1].match.end(), named.start):
            runs[-1].append(named)
        else:
            runs.append([named])
    for run in runs:
        first, last = run[0], run[-1]
        says_all = first if first.before is not None else last if last.match["after"] is not None else None
        if (
            says_all is last
            and len(run) > 1
            and not (phrases.JOINS.search(text, first.end, last.start) or last.match["all"])
        ):
            says_all = None  # "ALT 30, AST, GGT raised"
        alone = not any(named.match["value"] or named.match["after"] for named in run[:-1])
        if len(run) > 1 and alone and last.match["value"] is not None and (each := _respectively(run, text)):
            yield from each
            continue
        of_all = None if says_all is None else _read(says_all, text)
        for named in run:
            if of_all is not None and named.match["value"] is None and named.match["after"] is None:
                yield named, _Found(of_all.side, named.match.end())
            else:
                yield named, _read(named, text)


def _respectively(run: list[_Named], text: str) -> list[tuple[_Named, _Found | None]]:
    """Of "CRP and procalcitonin were 39 mg/dL and 9 ng/mL" what each is; empty when fewer values than names."""
    start = run[-1].match.start("value")
    said = phrases.SENTENCE.match(text, start)
    whole = phrases.IN_BRACKETS.sub(lambda match: match[0].replace(",", ";"), said[0] if said else "")
    values = phrases.LISTED.split(whole)[: len(run)]
    if len(values) < len(run):
        return []
    found = []
    for named, value in zip(run, values, strict=True):
        own = f"{text[named.name : named.end]} {value}"
        match = phrases.SAYS.match(own, named.end - named.name)
        side = None if match is None else _read(named._replace(match=match, name=0, end=named.end - named.name), own)
        found.append((named, None if side is None else _Found(side.side, max(named.end, named.match.end("what")))))
    return found


def _named(text: str) -> Iterator[_Named]:
    """The quantities that a text names, each as the specimen and the age have it."""
    places, age, known, over = samples(text), None, False, 0
    for word in phrases.WORD.finditer(text):
        start = word.start()
        key = word[0].lower()
        if start < over or (names := _BY_WORD.get(key) or _BY_WORD.get(key.rstrip("0123456789"))) is None:
            continue
        name = next((n for n, cased in names if _stands(text, start, n, cased)), None)
        match = None if name is None else phrases.SAYS.match(text, start + len(name))
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
        before = phrases.BEFORE.search(text, max(0, start - 40), start)
        first = start if before is None else before.start()
        yield _Named(first, start, start + len(name), before and before["before"], match, quantity)


def _stands(text: str, start: int, name: str, cased: bool) -> bool:
    """Whether a name stands whole at a place of a text."""
    said = text[start : start + len(name)]
    if said != name and (cased or said.lower() != name.lower()):
        return False
    joined = name in _JOINED and text[start + len(name) : start + len(name) + 1].isdigit()  # "HR110"
    return joined or not phrases.INSIDE.match(text, start + len(name))


def _age(text: str) -> float | None:
    """A child's age in years."""
    if not phrases.CHILD.search(text):
        return None
    age = demographics(text).age
    return age if age is not None and age < ADULT else None


def _read(named: _Named, text: str) -> _Found | None:
    """What is said of one quantity by itself."""
    match, quantity = named.match, named.quantity
    if quantity.alone:
        return _Found("within", named.end)
    if quantity.sample in FLUIDS and (own := phrases.COUNTED.search(text, max(0, named.name - 14), named.name)):
        share = own["share"] is not None
        if share == ("%" in quantity.units):  # "45% lymphocytes", "230 white cells/mm3"
            return _Found(_side(numbers(own["value"])[0], quantity.low, quantity.high) or "within", named.end)
    if "+" in quantity.units and phrases.PLUS_BEFORE.search(text, max(0, named.name - 16), named.name):
        return _Found("above", named.end)  # "2+ protein"
    if "+" in quantity.units and (plus := phrases.PLUSES.match(text, match.end("what"))):
        return _Found("within" if plus["none"] else "above", plus.end())
    if match["value"] is not None:
        return _of_value(quantity, match, text)
    if match["after"] is not None:
        said = match["after"].lower()
        if (
            match["not"] is not None
            or phrases.IS_NORMAL.fullmatch(said)
            or (said == "undetectable" and not quantity.below)
        ):
            return _Found("within", match.end())
        return _Found("above" if said == "↑" or phrases.IS_ABOVE.fullmatch(said) else "below", match.end())
    if match["nothing"] is not None:
        return _Found("within", match.end())
    return None if named.before is None else _Found(_SAID[named.before.lower()], match.end("what"))


def _of_value(quantity: Quantity, match: re.Match[str], text: str) -> _Found | None:
    last, end = match["value"], match.end("value")
    titre = phrases.TITRE.match(text, match.start("value"))
    if titre is not None and ("titre" in quantity.units or not quantity.units):
        if quantity.units:
            return _Found("above" if numbers(titre["value"])[0] > quantity.high else "within", titre.end())
        return None
    while onward := phrases.ONWARD.match(text, end):  # "CRP 310 → 142"
        last, end = onward["value"], onward.end("value")
    readings = [-number if match["minus"] and quantity.least < 0 else number for number in numbers(last)]
    if times := phrases.TIMES.match(text, end):
        return _Found("above" if readings[0] > 1 else "within", times.end())
    written, name = phrases.UNIT.match(text, end), None
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
    if unit is None and "titre" in quantity.units:
        return None
    if unit is None and "%" in quantity.units and (share := phrases.SHARE.match(text, end)):
        readings, unit, end, name = numbers(share["value"]), quantity.units["%"], share.end(), "%"
    elif unit is None and "%" in quantity.units and (best := phrases.BEST.match(text, end)):
        readings, unit, end = [100 * readings[0] / (numbers(best["value"])[0] or 1)], quantity.units["%"], best.end()
    elif unit is None and written is not None and ("/" in written[0] or "%" in written[0]):
        return None  # a unit that the table does not know
    if match["arrow"] is not None:
        return _Found("above" if match["arrow"] == "↑" else "below", end)
    flag = phrases.FLAG.match(text, end)
    if flag is not None and not (flag["flag"] == "L" and quantity.units.keys() == {"%"}):  # "FEV1 2.1 L": litres
        return _Found("above" if flag["flag"][0] in "Hh↑" else "below", end)
    after = written.end() if written and "/" in written[0] else end
    stated = phrases.LIMIT.match(text, after) or (
        None if quantity.sample == "vital" else phrases.RANGE.match(text, after)
    )
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
    if side == "within" and "hypoxemia" in quantity.below and phrases.OXYGEN.match(text, end):
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
        if word := phrases.WORD.match(name):
            found.setdefault(word[0].lower(), []).append((name, " " not in name and name.lower() != name))
    return found


_WORDS = frozenset(unit for q in _TABLE.quantities.values() for unit in q.units if unit.isalpha())
_BY_WORD = _by_word()
_JOINED = frozenset(["T", "HR", "BP", "RR", "PR", "Temp"])
