"""A synthetic SNOMED CT release: the layout, the columns and, at scale 1, the size of an international one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from ontologies.readers.rf2 import COLUMNS

CONCEPTS = 500_000  # a quarter of them inactive
_DATE, _MODULE = "20260101", "900000000000207008"
_FULLY_SPECIFIED, _SYNONYM = "900000000000003001", "900000000000013009"
_DIALECTS = ("900000000000509007", "900000000000508004")
_PREFERRED, _ACCEPTABLE = "900000000000548007", "900000000000549004"
_IS_A, _ROLE_GROUP, _INFERRED, _SOME = "116680003", "609096000", "900000000000011006", "900000000000451002"
_FILES = {
    "concept": f"Terminology/sct2_Concept_Snapshot_INT_{_DATE}.txt",
    "description": f"Terminology/sct2_Description_Snapshot-en_INT_{_DATE}.txt",
    "relationship": f"Terminology/sct2_Relationship_Snapshot_INT_{_DATE}.txt",
    "axiom": f"Terminology/sct2_sRefset_OWLExpressionSnapshot_INT_{_DATE}.txt",
    "language": f"Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_{_DATE}.txt",
}


def write(folder: Path, scale: float) -> dict[str, int]:
    """Write a release below ``folder`` and return the rows of each kind of file; the same for the same scale.

    Each concept has three descriptions (15 % inactive) that two dialects accept, six relationships (40 % inactive; two
    of them "is a"), all to concepts before it, and an axiom: at scale 1 1.5 M descriptions and 3 M relationships.
    """
    draw = random.Random(1)
    words = ["".join(draw.choices("aeioubcdfglmnprst", k=draw.randint(3, 11))) for _ in range(20_000)]
    rows = dict.fromkeys(_FILES, 0)
    with ExitStack() as stack:
        streams: dict[str, TextIO] = {}
        for kind, name in _FILES.items():
            path = folder / "Snapshot" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            streams[kind] = stack.enter_context(open(path, "w", encoding="utf-8", newline=""))
            streams[kind].write("\t".join(COLUMNS[kind]) + "\r\n")
        for number in range(round(CONCEPTS * scale)):
            for kind, cells in _concept(number, draw, words, rows):
                rows[kind] += 1
                streams[kind].write("\t".join(cells) + "\r\n")
    return rows


def _id(number: int, partition: str) -> str:
    return f"{1_000_000 + number}{partition}"


def _concept(
    number: int, draw: random.Random, words: Sequence[str], rows: dict[str, int]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(kind of file, cells) of every row about one concept."""
    code = _id(number, "100")
    active = "1" if number % 4 or number < 100 else "0"
    yield "concept", (code, _DATE, active, _MODULE, "900000000000074008")
    name = " ".join(draw.choices(words, k=draw.randint(2, 6)))
    other = " ".join(draw.choices(words, k=4))
    for kind, text in ((_FULLY_SPECIFIED, f"{name} (disorder)"), (_SYNONYM, name), (_SYNONYM, other)):
        description = _id(rows["description"], "110")
        active = "1" if draw.random() < 0.85 else "0"
        yield (
            "description",
            (
                *(description, _DATE, active, _MODULE, code, "en", kind, text),
                "900000000000448009",
            ),
        )
        accepted = _ACCEPTABLE if text == other else _PREFERRED
        for dialect in _DIALECTS:
            yield "language", (_member(rows["language"]), _DATE, "1", _MODULE, dialect, description, accepted)
    if number:
        parents = [_id(draw.randrange(number), "100") for _ in range(2)]
        roles = [_id(draw.randrange(number), "100") for _ in range(4)]
        role = _id(5, "100")
        for place, value in enumerate((*parents, *roles)):
            kind, group = (_IS_A, "0") if place < 2 else (role, "1")
            active = "1" if draw.random() < 0.6 else "0"
            start = (_id(rows["relationship"], "120"), _DATE, active, _MODULE)
            yield "relationship", (*start, code, value, group, kind, _INFERRED, _SOME)
        inner = f"ObjectSomeValuesFrom(:{_ROLE_GROUP} ObjectSomeValuesFrom(:{role} :{roles[0]}))"
        axiom = f"EquivalentClasses(:{code} ObjectIntersectionOf(:{parents[0]} :{parents[1]} {inner}))"
        yield "axiom", (_member(rows["axiom"]), _DATE, "1", _MODULE, "733073007", code, axiom)


def _member(number: int) -> str:
    return f"8b8a5a2c-0000-4000-8000-{number:012d}"
