"""What a question asks that no row of the table of intents answers: a cue in it, and what it names.

The table of intents reads whole questions and is sure of them; ``data/cues.tsv`` looks for words in any wording, and
comes second. The names are the linker's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from errors import ArtifactError
from fusion.dialogue.intents import Asked, plain_words
from fusion.dialogue.names import Names

TABLE = Path(__file__).parent / "data" / "cues.tsv"
UNKNOWN = "unknown"
_COLUMNS = ("intent", "needs", "cue")
_NEEDS = frozenset(("disease", "other", "finding", "clause", "-"))


class Cue(NamedTuple):
    """A row of the table."""

    intent: str
    needs: tuple[str, ...]
    cue: re.Pattern[str]


@cache
def table() -> tuple[Cue, ...]:
    """The rows, in order. Raises ArtifactError when the table is damaged."""
    header, *lines = [s for s in TABLE.read_text(encoding="utf-8").splitlines() if s and not s.startswith("#")]
    rows = [line.split("\t") for line in lines]
    if tuple(header.split("\t")) != _COLUMNS or not all(len(r) == 3 and set(r[1].split()) <= _NEEDS for r in rows):
        raise ArtifactError("the table of cues is damaged", value=TABLE.name, expected=" ".join(_COLUMNS))
    return tuple(Cue(intent, tuple(needs.split()), re.compile(cue, re.I)) for intent, needs, cue in rows)


def guesses(question: str, names: Names) -> Iterator[Asked]:
    """What the question may ask, in the order of the table; nothing once a row refuses it."""
    said = plain_words(question)
    diseases, findings = names.mentioned(said)
    known = dict(zip(("disease", "other"), diseases, strict=False)) | ({"finding": findings[0]} if findings else {})
    for row in table():
        found = row.cue.search(said)
        if found is None:
            continue
        if row.intent == UNKNOWN:
            return
        slots = {name: known[name] for name in row.needs if name in known}
        if "disease" in known and row.needs == ("-",):
            slots["disease"] = known["disease"]
        if "clause" in row.needs:
            slots["clause"] = said[found.end() :].strip(" ,")
        if row.intent == "what_if" and "finding" in slots:
            slots["clause"] = slots.pop("finding")
        if row.intent == "papers":
            about = [*diseases, *findings]
            slots = {"about": " ".join(about)} if about else {}
        slots |= {name: words for name, words in found.groupdict().items() if words}
        if all(need in slots or need == "-" or (need == "finding" and "clause" in slots) for need in row.needs):
            yield Asked(row.intent, f"cue: {row.cue.pattern}", slots)
