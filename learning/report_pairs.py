"""Two sides of one report, from which an encoder learns the words of a place: what was seen, and what was made of it.

The second side is the impression (a column, or a section under that heading); of a report without one its last third of
sentences. Reports that say the same are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import InputError
from ontologies.linking.context.sections import sections
from retrieval.collection import catalogue, sources
from retrieval.collection.record import Record
from retrieval.sentence import sentences

_IMPRESSION = frozenset({"impression", "conclusion", "conclusions", "opinion", "assessment", "summary", "imp"})
_LEAST_WORDS, _LEAST_SENTENCES = 3, 4
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``seen`` and ``made`` are the two sides; ``patient`` is whose report it is, as a hash ("" where it is not
    said)."""

    seen: str
    made: str
    patient: str = ""


def read(home: Path, given: Sequence[str]) -> list[Pair]:
    """The pairs of reports in files and folders, as ``whydx index add`` reads cases, or of the home's collections of
    that name; in the order of the records' ids. Raises InputError for what cannot be read and for papers."""
    records: list[Record] = []
    for one in given:
        known = one in catalogue.names(home) and not Path(one).exists()
        origin = (
            catalogue.sources(home, one)
            if known
            else sources.extended(None, [Path(one).expanduser().resolve()], "cases", {}, ())
        )
        if origin.kind != "cases":
            raise InputError("the collection holds papers", value=one, expected="reports of patients")
        records += sources.read(origin, salt=b"", collection="reports")[0]
    return distinct(pair for record in records if (pair := _pair(record)) is not None)


def distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """Those of whose sides neither came before, letter by letter; too short ones are left out."""
    return list(_distinct(pairs))


def _distinct(pairs: Iterable[Pair]) -> Iterator[Pair]:
    before: set[str] = set()
    for pair in pairs:
        words = [_WORD.findall(side.lower()) for side in (pair.seen, pair.made)]
        keys = {" ".join(side) for side in words}
        if min(map(len, words)) >= _LEAST_WORDS and len(keys) == 2 and not keys & before:
            before |= keys
            yield pair


def _pair(record: Record) -> Pair | None:
    impression = record.metadata.get("impression", "")
    said = (record.stated.removesuffix(impression), impression) if impression else halves(record.stated)
    seen, made = (" ".join(side.split()) for side in said)
    return Pair(seen=seen, made=made, patient=record.metadata.get("patient", "")) if seen and made else None


def halves(text: str) -> tuple[str, str]:
    """The sides of one text; ("", "") of one with neither an impression nor four sentences."""
    found = sections(text)
    marked = [part for part in found if text[part.start : part.name_end].strip(" \t*:-–#").lower() in _IMPRESSION]
    if marked:
        made = " ".join(text[part.name_end : part.end].strip(" :\n") for part in marked)
        at, rest = 0, []
        for part in marked:
            rest.append(text[at : part.start])
            at = part.end
        return " ".join([*rest, text[at:]]).strip(), made.strip()
    whole = sentences(" ".join(text.split()))
    if len(whole) < _LEAST_SENTENCES:
        return "", ""
    cut = len(whole) - len(whole) // 3
    return " ".join(whole[:cut]), " ".join(whole[cut:])
