"""Measured values in a note: "CRP 106 mg/L", "LDH 314 (limit 214)", "normal white cell count", "SpO2 88 % on room air".

A dictionary of findings has "leukocytosis" and not "WBC 14.2", which is what a note says. The table
``data/measurements.tsv`` has what is measured, its limits, its units, and the findings that a value above or below
stands for. A value within the limits makes those findings absent.

A limit that the note states goes before the table's, which is an adult's. A value without a unit is read in every
unit in which it is plausible, and counts when all readings agree: "CRP 45" is high in mg/L and in mg/dL, "CRP 3" is
normal in one and high in the other, and says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Side = Literal["above", "below", "within"]

_TABLE = Path(__file__).parents[1] / "data" / "measurements.tsv"
_NUMBER = r"\d+(?:[.,]\d+)*"
_NORMAL = (
    r"normal|negative|unremarkable|unaffected|intact|preserved|WNL|"
    r"(?:with)?in (?:the )?(?:normal|reference) (?:ranges?|limits)"
)
_ABOVE = r"positive|elevated|raised|high"  # "increased" and "decreased" may be since the last time
_BELOW = r"low|reduced"


_SAID: dict[str, Side] = {
    **dict.fromkeys(("normal", "unremarkable"), "within"),
    **dict.fromkeys(("elevated", "raised", "increased", "high"), "above"),
    **dict.fromkeys(("reduced", "decreased", "low"), "below"),
}


class Measured(NamedTuple):
    """``text[start:end]`` is a measurement, by which the finding called ``finding`` is present or absent."""

    start: int
    end: int
    finding: str
    present: bool


@dataclass(frozen=True, slots=True)
class _Unit:
    factor: float
    offset: float = 0.0

    def __call__(self, value: float) -> float:
        return value * self.factor + self.offset


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A row of the table. ``alone``: the name itself says that all is well ("afebrile"). The limits ``low`` and
    ``high`` and what is plausible, ``least`` to ``most``, are in the first of the units."""

    alone: bool
    above: tuple[str, ...]
    below: tuple[str, ...]
    low: float
    high: float
    least: float
    most: float
    units: dict[str, _Unit]


class _Found(NamedTuple):
    """On which side of its limits a quantity is, and where the text that says so ends."""

    side: Side
    end: int


def measured(text: str) -> Iterator[Measured]:
    """What the values of a text say, in its order; nothing when it has none, or none that can be read for sure."""
    for match, found in _read_together(text):
        if found is None:
            continue
        quantity, start = _quantity(match), match.start("name" if match["before"] is None else 0)
        if found.side != "below":
            yield from (Measured(start, found.end, name, found.side == "above") for name in quantity.above)
        if found.side != "above":
            yield from (Measured(start, found.end, name, found.side == "below") for name in quantity.below)


def _read_together(text: str) -> Iterator[tuple[re.Match[str], _Found | None]]:
    """Every quantity that a text names with what is said of it; of several joined by "and" or a comma, what is said of
    all: "normal CRP and ESR", "CRP and ESR were elevated"."""
    runs: list[list[re.Match[str]]] = []
    for match in _PATTERN.finditer(text):
        if runs and match["before"] is None and _AND.fullmatch(text, runs[-1][-1].end(), match.start()):
            runs[-1].append(match)
        else:
            runs.append([match])
    for run in runs:
        says_all = run[0] if run[0]["before"] is not None else run[-1] if run[-1]["after"] is not None else None
        of_all = None if says_all is None else _read(says_all, text)
        for match in run:
            if of_all is not None and match["value"] is None and match["after"] is None:
                yield match, _Found(of_all.side, match.end())
            else:
                yield match, _read(match, text)


def _quantity(match: re.Match[str]) -> _Quantity:
    return _QUANTITIES[match["name"].lower()]


def _read(match: re.Match[str], text: str) -> _Found | None:
    """What is said of one quantity by itself."""
    quantity = _quantity(match)
    if quantity.alone:
        return _Found("within", match.end("name"))
    if match["value"] is not None:
        return _of_value(quantity, match, text)
    if match["after"] is not None:
        said = match["after"].lower()
        if match["not"] is not None or re.fullmatch(_NORMAL.lower(), said):
            return _Found("within", match.end())
        return _Found("above" if said == "↑" or re.fullmatch(_ABOVE, said) else "below", match.end())
    if match["nothing"] is not None:
        return _Found("within", match.end())
    return None if match["before"] is None else _Found(_SAID[match["before"].lower()], match.end("what"))


def _of_value(quantity: _Quantity, match: re.Match[str], text: str) -> _Found | None:
    readings, end = _numbers(match["value"]), match.end("value")
    written = _UNIT.match(text, end)
    unit = None if written is None else quantity.units.get(_plain(written[0]))
    if unit is not None and written is not None:
        end = written.end()
    elif written is not None and ("/" in written[0] or "%" in written[0]):
        return None  # a unit that the table does not know
    if match["arrow"] is not None:
        return _Found("above" if match["arrow"] == "↑" else "below", end)
    flag = _FLAG.match(text, end)
    if flag is not None and not (flag["flag"] == "L" and quantity.units.keys() == {"%"}):  # "FEV1 2.1 L": litres
        return _Found("above" if flag["flag"][0] in "Hh" else "below", end)
    if stated := _LIMIT.match(text, written.end() if written and "/" in written[0] else end):
        low, high = _stated(quantity, stated)
        sides = {_side(value, low, high, match["sign"]) for value in readings[:1]}
        if sides == {"within"} and stated["last"] is None and quantity.above and quantity.below:
            return None  # "WBC 3 (limit 11)": of the other limit it says nothing
    else:
        units = quantity.units.values() if unit is None else (unit,)
        plausible = [
            next((v for v in map(own, readings) if quantity.least <= v <= quantity.most), None) for own in units
        ]
        sides = {_side(value, quantity.low, quantity.high, match["sign"]) for value in plausible if value is not None}
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


def _stated(quantity: _Quantity, limit: re.Match[str]) -> tuple[float, float]:
    """The limits that a note gives, in the unit of its value."""
    first = _numbers(limit["first"])[0]
    if limit["last"] is not None:
        return first, _numbers(limit["last"])[0]
    if limit["sign"] in (">", "≥", "above") or not quantity.above:
        return first, float("inf")
    return float("-inf"), first


def _numbers(written: str) -> list[float]:
    """What a number may mean, the likelier first: "6,84" is 6.84, "12,300" is 12300 or else 12.3."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+", written):
        readings = [float(written.replace(",", ""))]
        return [*readings, float(written.replace(",", "."))] if written.count(",") == 1 else readings
    whole, *rest = re.split("[.,]", written)
    return [float(f"{whole}.{''.join(rest)}")] if rest else [float(whole)]


def _plain(unit: str) -> str:
    """A unit as the table writes it."""
    unit = unit.lower().replace("per", "/").replace("µ", "u").replace("μ", "u").replace("º", "°").replace("℃", "°c")
    unit = unit.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    unit = re.sub(r"[\s^()*×]", "", unit).removeprefix("x").replace("cells", "").replace("giga/l", "g/l")
    return "/n" if re.match(r"/\d", unit) else unit  # "120/80"


def _table() -> tuple[dict[str, _Quantity], list[str]]:
    """(name in lower case → its quantity, names as written)."""
    quantities, written = dict[str, _Quantity](), list[str]()
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        names, alone, above, below, low, high, least, most, units = line.split("\t")
        own = _Quantity(
            alone=alone == "within",
            above=tuple(filter(None, above.split("|"))),
            below=tuple(filter(None, below.split("|"))),
            low=float(low or "-inf"),
            high=float(high or "inf"),
            least=float(least),
            most=float(most),
            units=dict(_unit(unit) for unit in filter(None, units.split("|"))),
        )
        written += names.split("|")
        quantities |= {name.lower(): own for name in names.split("|")}
    return quantities, sorted(written, key=lambda name: (-len(name), name))


def _unit(cell: str) -> tuple[str, _Unit]:
    name, _, conversion = cell.partition("=")
    factor, minus, offset = conversion.partition("-")
    return name, _Unit(float(factor), -float(offset) if minus else 0.0)


_QUANTITIES, _NAMES = _table()
FINDINGS = frozenset(name for quantity in _QUANTITIES.values() for name in (*quantity.above, *quantity.below))


def _spelt(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)


# An abbreviation is written as it is; words may begin a sentence.
_ABBREVIATIONS = [name for name in _NAMES if " " not in name and name.lower() != name]
_PATTERN = re.compile(
    rf"""
    (?:\b(?P<before>(?i:normal|unremarkable|elevated|raised|increased|high|reduced|decreased|low))[ ]
        (?:serum\ |blood\ |plasma\ |level\ of\ |levels\ of\ )?)?
    (?<![\w-])(?P<name>{_spelt(_ABBREVIATIONS)}|(?i:{_spelt(n for n in _NAMES if n not in _ABBREVIATIONS)}))(?![\w-])
    (?!\ (?:diet|intake|supplement|medication|therapy|treatment|tablets|pills|cuff|monitor))
    (?P<what>(?:\ ?\((?:[^()\d]{{1,20}}|[A-Z][A-Za-z]*[0-9])\))?(?:\ (?:levels?|counts?|concentrations?|values?))?)
    (?:
        (?:\s+(?:is|was|were|are|of|at)|,(?=\ \d))?[\s:=|]*
        (?:[-–]\s+)?(?:(?:{_ABOVE}|{_BELOW}|increased|decreased|(?P<arrow>↑|↓))(?:\ (?:at|to))?\s*)?[\s(~≈]*
        (?:(?P<sign>[<>≤≥]=?|(?:less|more|greater)\ than|above|below|over|under)\s*)?
        (?P<value>{_NUMBER})
      |
        (?:\s+(?:is|was|were|are|remains|remained)|:)?\s+(?P<not>not\s+)?
        (?:(?:mildly|slightly|moderately|markedly|severely|very)\s+)?
        (?P<after>(?i:{_NORMAL.replace(" ", "[ ]")}|{_ABOVE}|{_BELOW})(?!\w)|↑|↓)
      |
        \s+(?P<nothing>(?:revealed|showed|demonstrated|was|were)\ (?:no|without)\ abnormalit(?:y|ies))
    )?
    """,
    re.VERBOSE,
)
_UNIT = re.compile(
    r"\s*(?:[x×*]?\s*10\s*[\^(*]?\s*[0-9⁰¹²³⁴⁵⁶⁷⁸⁹]+\)?\s*(?:/|per)\s*\w+|"
    r"(?:[A-Za-zµμ]+\s*)?(?:/|\bper\b)\s*\w+³?|%|[°º]\s?[CFcf]\b|℃|[CF]\b|(?:mm|bpm|rpm|mmHg|k)\b)"
)
# As a laboratory prints it beside a value.
_FLAG = re.compile(
    r"[ \t]*[|(\[]?[ \t]*(?P<flag>HH?|LL?|High|Low|HIGH|LOW)(?![\w/%+-])(?=[ \t]*(?:[|)\],.;]|$))", re.MULTILINE
)
_AND = re.compile(r"\s*(?:,|and|or|/|&|,\s*and)\s*(?:(?:a|an|the)\s+)?")
_LIMIT = re.compile(
    r"\s*[(\[,;]?\s*(?:upper |lower )?(?:limit|normal|reference|ref|cut-?off|n\.?v)\b\.?(?: (?:range|values?|limits?))?"
    rf"(?: of normal)?[\s:=]*(?P<sign>[<>≤≥]|up to|below|above)?\s*(?P<first>{_NUMBER})"
    rf"(?:\s*(?:-|–|to)\s*(?P<last>{_NUMBER}))?",
    re.IGNORECASE,
)
_OXYGEN = re.compile(
    r"[\s,(]*(?:on|with|under)\s+(?!room|ambient)(?:\w+\s+){0,3}?(?:\d|oxygen\b|O2\b|nasal\b|mask\b)", re.IGNORECASE
)
