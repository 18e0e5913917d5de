"""The usual range of a measurement: what lies between the 2.5th and the 97.5th percentile of films without a finding,
by view, sex and age where there are enough of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Ranges = Mapping[str, Mapping[str, Sequence[Any]]]
"""{name: {group: [low, high, films]}}, a group being a key of ``Person.groups``."""

_LEAST = 60
_PERCENT = (2.5, 97.5)
_AGES = ((16.0, 40.0), (40.0, 60.0), (60.0, 131.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose film it is: ``view`` "PA", "AP" or "", ``sex`` "F", "M" or None, ``age`` in years or None."""

    view: str = ""
    sex: str | None = None
    age: float | None = None

    def groups(self) -> Iterator[str]:
        """The keys of the groups that he belongs to, the narrowest first: "PA F 40–60", "PA F", "PA 40–60", "PA", ""
        (everyone)."""
        view = self.view.upper() if self.view.upper() in ("PA", "AP") else ""
        sex = self.sex if self.sex in ("F", "M") else ""
        ages = [f"{low:.0f}–{high:.0f}" for low, high in _AGES if self.age is not None and low <= self.age < high]
        for parts in ((view, sex, *ages), (view, sex), (view, *ages), (view,), ()):
            yield " ".join(filter(None, parts))


def fit(people: Sequence[Person], values: Sequence[Mapping[str, float]]) -> dict[str, dict[str, list[float]]]:
    """{name: {group: [low, high, films]}} of films without a finding; groups of fewer than 60 films are left out."""
    found: dict[str, dict[str, list[float]]] = {}
    for name in sorted({name for row in values for name in row}):
        groups: dict[str, list[float]] = {}
        for person, row in zip(people, values, strict=True):
            for group in dict.fromkeys(person.groups()) if name in row else ():
                groups.setdefault(group, []).append(row[name])
        found[name] = {
            group: [*(round(float(v), 3) for v in np.percentile(own, _PERCENT)), len(own)]
            for group, own in sorted(groups.items())
            if len(own) >= _LEAST
        }
    return found


def usual(ranges: Ranges, name: str, person: Person) -> tuple[float, float, str] | None:
    """(low, high, whose) by the narrowest group that has a range; None where none has. A child has none: the films are
    of adults."""
    known = ranges.get(name, {})
    if person.age is not None and person.age < _AGES[0][0]:
        return None
    for group in person.groups():
        if group in known:
            low, high, films = known[group]
            return (
                float(low),
                float(high),
                f"{films:.0f} films without a finding{', ' + _words(group) if group else ''}",
            )
    return None


def _words(group: str) -> str:
    """ "PA F 40–60" as "PA, women, 40 to 59 years"."""
    said = []
    for part in group.split():
        low, dash, high = part.partition("–")
        if dash:
            said.append(f"{low} years and over" if int(high) > 130 else f"{low} to {int(high) - 1} years")
        else:
            said.append({"F": "women", "M": "men"}.get(part, part))
    return ", ".join(said)
