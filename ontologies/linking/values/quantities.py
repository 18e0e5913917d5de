"""What is measured: the table ``data/measurements.tsv``, its limits by age, and how values and units are written.

A row has its names, what the name alone says ("within": "afebrile"), the findings of a value above and below, the
limits and what is plausible in the first of its units, the units, and what it is measured in: nothing for blood and
breath; "vital" for a vital sign, beside which a range is no reference; "pleural", "csf", "urine" or "lavage"; or
"fluid", of any of these, where a value says nothing ("CSF glucose 60": no hyperglycaemia). ``data/child_limits.tsv``
has the limits that change with age.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

_DATA = Path(__file__).parents[1] / "data"
NUMBER = r"\d+(?:[.,]\d+)*"
FLUIDS = ("pleural", "csf", "urine", "lavage")
ADULT = 16.0  # years


@dataclass(frozen=True, slots=True)
class Unit:
    """To the first unit of its row. ``least``: read without being written only from this value on; None: never."""

    factor: float
    offset: float = 0.0
    least: float | None = 0.0

    def __call__(self, value: float) -> float:
        return value * self.factor + self.offset


@dataclass(frozen=True, slots=True)
class Quantity:
    """A row of the table. ``alone``: the name itself says that all is well ("afebrile"). The limits ``low`` and
    ``high`` and what is plausible, ``least`` to ``most``, are in the first of the units."""

    alone: bool
    above: tuple[str, ...]
    below: tuple[str, ...]
    low: float
    high: float
    least: float
    most: float
    units: dict[str, Unit]
    sample: str
    ages: tuple[tuple[float, float, float], ...] = ()  # up to which age, in years: low, high

    def at(self, age: float | None) -> Quantity:
        """With the limits of an age in years."""
        if age is None:
            return self
        own = next(((low, high) for until, low, high in self.ages if age < until), None)
        return self if own is None else replace(self, low=own[0], high=own[1])


class Table(NamedTuple):
    """``quantities``: (sample, name in lower case) → its row. ``names``: as written, longest first. ``ageless``: the
    findings whose limits are the same at every age; ``by_age``: those with limits of their own in childhood."""

    quantities: dict[tuple[str, str], Quantity]
    names: list[str]
    ageless: frozenset[str]
    by_age: frozenset[str]


def numbers(written: str) -> list[float]:
    """What a number may mean, the likelier first: "6,84" is 6.84, "12,300" is 12300 or else 12.3."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+", written):
        readings = [float(written.replace(",", ""))]
        return [*readings, float(written.replace(",", "."))] if written.count(",") == 1 else readings
    whole, *rest = re.split("[.,]", written)
    return [float(f"{whole}.{''.join(rest)}")] if rest else [float(whole)]


def plain(unit: str) -> str:
    """A unit as the table writes it."""
    unit = unit.lower().replace("per", "/").replace("µ", "u").replace("μ", "u").replace("º", "°").replace("℃", "°c")
    unit = unit.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    unit = re.sub(r"[\s^()*×|]", "", unit).removeprefix("x").replace("cells", "").replace("giga/l", "g/l")
    return "/n" if re.match(r"/\d", unit) else unit  # "120/80"


def load() -> Table:
    """The table and the limits by age."""
    ages, ageless = _ages()
    quantities, written = dict[tuple[str, str], Quantity](), list[str]()
    for line in (_DATA / "measurements.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        names, alone, above, below, low, high, least, most, units, sample = line.split("\t")
        first = names.split("|")[0]
        own = Quantity(
            alone=alone == "within",
            above=tuple(filter(None, above.split("|"))),
            below=tuple(filter(None, below.split("|"))),
            low=float(low or "-inf"),
            high=float(high or "inf"),
            least=float(least),
            most=float(most),
            units=dict(_unit(unit) for unit in filter(None, units.split("|"))),
            sample=sample,
            ages=() if sample in FLUIDS else tuple(ages.get(first, ())),
        )
        written += names.split("|")
        for name in names.split("|"):
            for place in FLUIDS if sample == "fluid" else (sample if sample in FLUIDS else "",):
                quantities.setdefault((place, name.lower()), own)
    rows = {id(q): q for q in quantities.values()}.values()
    same = {f.lower() for (_, name), q in quantities.items() if name in ageless for f in (*q.above, *q.below)}
    young = {f.lower() for q in rows if q.ages for f in (*q.above, *q.below)}
    return Table(quantities, sorted(set(written), key=lambda n: (-len(n), n)), frozenset(same), frozenset(young))


def _unit(cell: str) -> tuple[str, Unit]:
    """ "c", "f=0.55556-17.778", "mg/dl=0.166@25" (only from 25 on when it is not written), "g/l=0.1@" (never)."""
    cell, at, least = cell.partition("@")
    name, _, conversion = cell.partition("=")
    factor, sign, offset = re.fullmatch(r"([\d.]+)(?:([+-])([\d.]+))?", conversion or "1").groups()  # type: ignore[union-attr]
    shift = 0.0 if sign is None else float(sign + offset)
    return name, Unit(float(factor), shift, (float(least) if least else None) if at else 0.0)


def _ages() -> tuple[dict[str, list[tuple[float, float, float]]], frozenset[str]]:
    """(quantity → (until which age, low, high) in ascending order, quantities whose limits never change)."""
    ages, same = dict[str, list[tuple[float, float, float]]](), set[str]()
    for line in (_DATA / "child_limits.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, until, low, high = line.split("\t")
        if until:
            ages.setdefault(name, []).append((float(until), float(low or "-inf"), float(high or "inf")))
        else:
            same.add(name.lower())
    return ages, frozenset(same)
