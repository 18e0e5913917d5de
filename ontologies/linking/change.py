"""Which texts read otherwise after a change of the dictionary: so few that the rest need not be linked again.

What is found in a text depends on how its words are read, on the entries of the names that it holds, and on what short
words of reports stand for. A `Footprint` keeps what a dictionary says of all three for the words of a collection; two
of them differ in words and names, and only texts that hold one of those can read otherwise. A text that is named
without need costs time only; one that is missed would be an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ontologies.linking import radiology
from ontologies.linking.dictionary import LinkerIndex, canonical_json
from ontologies.linking.normalize import light
from ontologies.linking.recognition import Recognizer

_FAR_TOO_MANY = 20_000  # changed names: to look for each costs more than linking
_MIX = np.uint64(0x9E3779B97F4A7C15)


@cache
def rules() -> str:
    """A hash of the code and the tables that read texts; under others, what was read before is worth nothing."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted((*folder.rglob("*.py"), *folder.rglob("*.tsv"))):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    digest.update(json.dumps(sorted(radiology.image_rows())).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footprint:
    """What a dictionary says of the pieces that texts are made of.

    ``reading`` is uint64 (pieces, 3): kind, hash and lighter form of each. ``names`` is uint64 (n, 4), ascending: of
    each name all of whose rarest words are among the pieces its signature, a hash of its entries with their concepts,
    and those words. ``shorthand`` maps the words of a report's short form to a hash of what they stand for.
    """

    pieces: tuple[str, ...]
    reading: np.ndarray
    names: np.ndarray
    shorthand: dict[str, str]

    @classmethod
    def of(cls, index: LinkerIndex, pieces: Sequence[str]) -> Footprint:
        """The footprint of a dictionary under the pieces, which are unique."""
        recognizer = Recognizer(index)
        table = recognizer.table
        rows = np.array([table[piece] for piece in pieces], dtype=np.int64)
        reading = np.stack([table.kind[rows], table.hash[rows], table.light[rows]], axis=1).astype(np.uint64)
        concepts = _Concepts(index)
        shorthand = {}
        for words, name in radiology.short_forms().items():
            known = recognizer.named(name)
            said = (concepts.hash(known.concept), index.term(known.term), known.score) if known else None
            shorthand[words] = _digest(json.dumps(said).encode()).hex()
        return cls(
            pieces=tuple(pieces), reading=reading, names=_names(index, concepts, reading[:, 1]), shorthand=shorthand
        )

    def changed(self, new: Footprint, n: int, texts: np.ndarray, words: np.ndarray) -> np.ndarray:
        """bool (n,): which of n texts may read otherwise with ``new``, the footprint of the same pieces.

        Row i of ``words``, a piece, stands in text ``texts[i]`` (int64; each pair once). ValueError when the
        pieces differ.
        """
        if self.pieces != new.pieces:
            raise ValueError("footprints of different pieces")
        other = (self.reading != new.reading).any(axis=1)
        short = {words for words, said in new.shorthand.items() if self.shorthand.get(words) != said}
        if short := {words.split()[0] for words in short}:
            other |= np.array([light(piece) in short for piece in self.pieces], dtype=bool)
        found = np.zeros(n, dtype=bool)
        found[texts[other[words]]] = True
        both, count = np.unique(np.concatenate([self.names, new.names]), axis=0, return_counts=True)
        anchors = np.unique(both[count == 1][:, 2:], axis=0)
        if len(anchors) > _FAR_TOO_MANY:
            found[:] = True
            return found
        held = new.reading[words, 1]
        order = np.argsort(held, kind="stable")
        held, texts = held[order], texts[order]
        for first, second in anchors:
            one, two = (texts[slice(*np.searchsorted(held, [word, word + np.uint64(1)]))] for word in (first, second))
            found[np.intersect1d(one, two)] = True
        return found


class _Concepts:
    """Hashes of concepts with what stands above them, which decides between two of one name."""

    def __init__(self, index: LinkerIndex) -> None:
        self._index = index
        self._curie = cache(lambda row: index.concept(row).curie)

    def hash(self, row: int) -> int:
        index = self._index
        own = index.concepts[index.concept_offsets[row] : index.concept_offsets[row + 1]].tobytes()
        above = canonical_json(sorted(self._curie(other) for other in index.above(row)))
        return int.from_bytes(_digest(own + above), "little")


def _names(index: LinkerIndex, concepts: _Concepts, hashes: np.ndarray) -> np.ndarray:
    """`Footprint.names` for the hashes of words."""
    anchors = index.anchors.reshape(-1, 2)
    chosen = np.flatnonzero(np.isin(index.words, hashes)[anchors].all(axis=1))
    first, last = index.rows[chosen], index.rows[chosen + 1]
    size = last - first
    owner = np.repeat(np.arange(len(chosen)), size)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
    entries = index.entries[np.repeat(first, size) + place]
    concept, concept_at = np.unique(entries["concept"], return_inverse=True)
    term, term_at = np.unique(entries["term"], return_inverse=True)
    said = [
        place.astype(np.uint64),
        np.array([concepts.hash(row) for row in concept.tolist()], dtype=np.uint64)[concept_at],
        np.array([int.from_bytes(_digest(index.term(row).encode()), "little") for row in term.tolist()], "u8")[term_at],
        *(entries[name].astype(np.uint64) for name in ("order", "light", "kind", "flags", "words", "cost")),
    ]
    mixed = np.zeros(len(entries), dtype=np.uint64)
    for values in said:  # overflow is what mixes
        mixed = (mixed ^ values) * _MIX
        mixed ^= mixed >> np.uint64(29)
    together = np.zeros(len(chosen), dtype=np.uint64)
    np.add.at(together, owner, mixed)
    return np.column_stack([index.signatures[chosen], together, index.words[anchors[chosen]]])


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()
