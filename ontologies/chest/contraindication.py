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


# What a note says is not for the patient; ``_D`` is where the drug stands.
_WITH_ANOTHER = r"_D(?:\s*(?:,|and|or)\s+_D)?"
_CANNOT = r"(?:cannot|can\s?not|can['’]t|could not|must not|mustn['’]t|should not|unable to)"
_REFUSED = (
    r"_D(?:[^.;:\n]{0,40}?\b(?:and|or|,)\s+_D)?[^.;:\n]{0,25}?\b(?:(?:is|are|was|were|being|remains?|considered|"
    r"thought to be|felt to be|absolutely|relatively|strictly|strongly|therefore|also)\s+)*contra-?indicated",
    rf"\bcontra-?indications?\s+(?:to|for|against)\s+(?:[\w-]+\s+){{0,3}}?{_WITH_ANOTHER}",
    rf"\b{_CANNOT}\s+(?:be (?:given|treated with|started on|put on|offered)|have|take|receive|tolerate)\s+"
    rf"(?:[\w-]+\s+){{0,2}}?{_WITH_ANOTHER}",
    r"_D\s+(?:should|must|is to|are to)\s+(?:therefore\s+)?(?:not be (?:given|used|prescribed|started)|be avoided)",
    r"_D\s+(?:cannot|can\s?not|could not)\s+be (?:given|used|started)",
    rf"\b(?:avoid|avoiding|avoidance of)\s+(?:all\s+|any\s+)?{_WITH_ANOTHER}",
    r"\b(?:not|no|never)\s+(?:an?\s+)?(?:candidate|suitable|eligible|fit)\s+(?:candidate\s+)?for\s+(?:[\w-]+\s+){0,2}?_D",
)
_NOT_REFUSED = re.compile(
    r"\b(?:no|not|without|any|nor|longer|if|unless|whether|mother|father|sister|brother|wife|husband)\b[^.;,:\n]*$",
    re.IGNORECASE,
)
_ALSO = (
    "corticosteroid",
    "steroid",
    "prednisolone",
    "prednisone",
    "thrombolytic",
    "vitamin K antagonist",
    "opioid",
    "sedative",
)


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


def refused(note: str) -> tuple[Contraindication, ...]:
    """A row for what a note says is not for the patient ("warfarin is contraindicated", "avoid NSAIDs"), in the order
    of the note; empty when it says so of nothing. A class stands for its drugs, a drug for itself."""
    found: dict[str, Contraindication] = {}
    for pattern in _refusals():
        for match in pattern.finditer(note):
            if _NOT_REFUSED.search(note, max(0, match.start() - 60), match.start()) or _DENIED.search(match[0]):
                continue
            for drug in filter(None, match.groups()):
                found[drug.lower()] = Contraindication(
                    treatments=_those_of(drug),
                    facts=frozenset(),
                    fact_name=f"{drug} contraindicated",
                    past=False,
                    below_age=None,
                    unless=frozenset(),
                    why="the note says so",
                    reference="the note",
                )
    return tuple(found[drug] for drug in sorted(found, key=note.lower().index))


_DENIED = re.compile(r"\b(?:not|no longer|never|isn['’]t|no)\s+(?:\w+\s+)?contra-?ind", re.IGNORECASE)


@cache
def _refusals() -> tuple[re.Pattern[str], ...]:
    drugs = sorted({*_ALSO, *(t for row in load() for t in row.treatments)}, key=lambda name: (-len(name), name))
    drug = rf"(?<![\w-])({'|'.join(map(re.escape, drugs))})s?(?![\w-])"
    return tuple(re.compile(pattern.replace("_D", drug), re.IGNORECASE) for pattern in _REFUSED)


def _those_of(drug: str) -> tuple[str, ...]:
    """A drug's own name; of a class, which stands first or second in its rows, the names of all."""
    name = drug.lower()
    own = [t for row in load() if name in map(str.lower, row.treatments[:2]) for t in row.treatments]
    return tuple(dict.fromkeys((drug, *own))) if name in _CLASSES else (drug,)


_CLASSES = frozenset(
    [
        *("anticoagulation", "anticoagulant", "nsaid", "beta blocker", "beta-blocker", "fluoroquinolone", "quinolone"),
        *("macrolide", "penicillin", "cephalosporin", "aminoglycoside", "ace inhibitor", "thrombolysis", "nitrate"),
        *("direct oral anticoagulant", "endothelin receptor antagonist", "antituberculous", "contrast ct"),
    ]
)


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
