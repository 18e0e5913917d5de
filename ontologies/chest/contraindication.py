"""What is not suggested to whom: contraindications.tsv beside the chest layer's tables.

treatments, facts, fact_name, past, below_age, unless, why, reference: none of the ``treatments`` (phrases, between
``|``) where the patient has one of the ``facts`` (CURIEs of the graph), or had it once where ``past`` is "yes", or is
younger than ``below_age`` years, except in the diseases ``unless``. These rows leave steps out of a report and make no
edge of the graph. No physician has checked them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ontologies.chest import layer
from ontologies.chest.table import Row, read_table

_COLUMNS = ("treatments", "facts", "fact_name", "past", "below_age", "unless", "why", "reference")
# "stop methotrexate", "avoid a nonselective beta blocker": these words forbid what follows them, to the next comma.
_FORBIDS = re.compile(r"\b(?:avoid|stop|stopping|withdraw|without|no|not|instead of|exclude)\b[^,;]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contraindication:
    """A row: ``facts`` is empty where age decides, ``below_age`` (years) None where they do."""

    treatments: tuple[str, ...]
    facts: frozenset[str]
    fact_name: str
    past: bool
    below_age: float | None
    unless: frozenset[str]
    why: str
    reference: str

    def holds(self, facts: Collection[str], past: Collection[str], age: float | None) -> bool:
        """Whether it concerns a patient with these ``facts``, and these in the ``past`` (CURIEs), of this age (years;
        None: not known)."""
        if self.below_age is None:
            return not self.facts.isdisjoint(facts) or (self.past and not self.facts.isdisjoint(past))
        return age is not None and age < self.below_age

    def treatments_in(self, text: str) -> list[str]:
        """Those of its treatments that ``text`` recommends, as they stand there, in order; each once."""
        found = _pattern(self.treatments).finditer(text)
        return list(dict.fromkeys(m.group() for m in found if not _FORBIDS.search(text, 0, m.start())))


@cache
def load(folder: Path | None = None) -> tuple[Contraindication, ...]:
    """The rows of ``folder`` (default: the packaged ones), in order. Raises InputError naming file, line and column."""
    path = (folder or layer.DATA) / "contraindications.tsv"
    return tuple(_contraindication(row) for row in read_table(path, _COLUMNS))


def against(
    diseases: Collection[str], facts: Collection[str], past: Collection[str], age: float | None
) -> list[Contraindication]:
    """The rows that concern a patient whose disease ``diseases`` (CURIEs) name, in order; the other arguments as for
    `Contraindication.holds`."""
    return [row for row in load() if row.holds(facts, past, age) and row.unless.isdisjoint(diseases)]


def _contraindication(row: Row) -> Contraindication:
    age = row.cells["below_age"]
    if bool(age) == bool(row.cells["facts"]):
        raise row.error("below_age", "years, or else facts")
    try:
        below = float(age) if age else None
    except ValueError:
        raise row.error("below_age", "years") from None
    reference = row.text("reference")
    if reference not in layer.load().references:
        raise row.error("reference", "a reference of references.tsv")
    return Contraindication(
        treatments=row.several("treatments"),
        facts=frozenset(row.curies("facts")),
        fact_name=row.text("fact_name") if row.cells["facts"] else "",
        past=row.one_of("past", ("", "yes")) == "yes",
        below_age=below,
        unless=frozenset(row.curies("unless")),
        why=row.text("why"),
        reference=reference,
    )


@cache
def _pattern(treatments: Sequence[str]) -> re.Pattern[str]:
    """Any of the phrases as whole words, the longest first, with a plural's s."""
    longest = sorted(treatments, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest))})s?(?![\w-])", re.IGNORECASE)
