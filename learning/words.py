"""Words of a place for the linker: phrases that its notes repeat and nobody reads, with what they may mean, for a
person to say yes or no to.

A phrase is suggested only when it stands in several notes, so that what one patient is called does not come up; the
concept beside it is the chest layer's whose name lies nearest in the encoder's space.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError, UnknownConceptError
from indexes import versions
from kg.graph import KnowledgeGraph
from learning.adapt import LOCAL
from ontologies.chest import layer as chest
from ontologies.linking import local_words
from ontologies.linking.linker import Linker
from ontologies.linking.unread import understanding

if TYPE_CHECKING:
    from retrieval.encoder import Encoder

LEAST_NOTES = 3
COLUMNS = ("phrase", "notes", "means", "similarity", "accept")
_LONGEST = 5
_YES = frozenset(("x", "y", "yes", "1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A phrase, in how many notes it stands, the name of the nearest concept, and the cosine of the two."""

    phrase: str
    notes: int
    means: str
    similarity: float


def suggest(
    notes: Iterable[str],
    linker: Linker,
    graph: KnowledgeGraph,
    encoder: Encoder,
    *,
    least: int = LEAST_NOTES,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Suggested]:
    """The phrases of at most five words that stand unread in ``least`` notes or more, those in most notes first."""
    where: dict[str, set[int]] = defaultdict(set)
    for number, note in enumerate(notes):
        if note.strip():
            for span in understanding(note, linker.link(note, note=True)).unread:
                phrase = span.of(note).lower()
                if len(phrase.split()) <= _LONGEST:
                    where[phrase].add(number)
        if progress:
            progress("reading notes", number + 1, 0)
    repeated = sorted((p for p, own in where.items() if len(own) >= least), key=lambda p: (-len(where[p]), p))
    if not repeated:
        return []
    layer = chest.load()
    curies = [row.id for row in (*layer.findings, *layer.diseases) if row.id in graph]
    names = sorted({graph.concept(curie).name for curie in curies})
    near = encoder.encode(repeated) @ encoder.encode(names, progress=progress).T
    return [
        Suggested(
            phrase=phrase,
            notes=len(where[phrase]),
            means=names[int(row.argmax())],
            similarity=round(float(row.max()), 3),
        )
        for phrase, row in zip(repeated, near, strict=True)
    ]


def table(suggested: Sequence[Suggested]) -> str:
    """The suggestions as TSV, ``accept`` left empty."""
    rows = [f"{s.phrase}\t{s.notes}\t{s.means}\t{s.similarity}\t" for s in suggested]
    return "\n".join(["\t".join(COLUMNS), *rows]) + "\n"


def accepted(path: Path, linker: Linker, graph: KnowledgeGraph) -> dict[str, str]:
    """Phrase → name of the rows of a TSV (``phrase``, ``means``: a name or CURIE, ``accept``: x or yes) that are
    accepted. Raises InputError naming the line for what cannot be read or is not known, and when nothing is
    accepted."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot read the words", value=path, expected=", ".join(COLUMNS)) from error
    if not rows or not {"phrase", "means", "accept"} <= set(rows[0]):
        raise InputError("no table of words", value=path.name, expected=f"TSV with {', '.join(COLUMNS)}")
    found = {}
    for number, row in enumerate(rows, 2):
        if (row["accept"] or "").strip().lower() not in _YES:
            continue
        phrase, means = (row["phrase"] or "").strip(), (row["means"] or "").strip()
        try:
            name = graph.concept(graph.find(means)).name
        except (UnknownConceptError, InputError) as error:
            raise InputError(
                f"{path.name}, line {number}: no concept", value=means, expected="a name or CURIE"
            ) from error
        if not phrase or not linker.link(name):
            raise InputError(f"{path.name}, line {number}: the linker cannot read this", value=phrase or name)
        found[phrase] = name
    if not found:
        raise InputError("nothing is accepted", value=path.name, expected="an x in the column accept")
    return found


def keep(home: Path, words: dict[str, str]) -> int:
    """Write the words, beside those of the version in use, as a new version, and use it; returns its number."""
    whole = local_words.read(versions.current(home / LOCAL)) | words
    card: dict[str, Any] = {
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "what": "local words",
        "lines": [f"{len(words)} phrases accepted, {len(whole)} in all"],
    }
    return versions.add(home / LOCAL, {local_words.NAME: local_words.text(whole)}, card)
