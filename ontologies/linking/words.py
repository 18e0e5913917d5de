"""Words of a text as the dictionary compares them: their hashes, and what stands between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ontologies.linking import spelling
from ontologies.linking.dictionary import LinkerIndex, word_hash
from ontologies.linking.normalize import COORDINATORS, STOP_WORDS, family, is_letter, light, split

# What stands between two content words; the larger wins.
PLAIN, FUNCTION, WITH, COORDINATOR, COMMA, BREAK = 0, 1, 2, 3, 4, 5
KNOWN, UNKNOWN, MISSPELT = 10, 11, 12
_NEWLINE = 6
_RELATIVE = frozenset(["which", "who", "whom", "whose"])  # "a syndrome in which adult patients"
_LETTER = "A\0"  # the letter and not the article, as no text has it
_LARGEST_TABLE = 1 << 20
_LARGEST_SET = 1 << 18
_DEGREES = frozenset(["borderline", "mild", "moderate", "severe", "profound", "partial", "complete"])


class PieceTable(dict[str, int]):
    """Surface piece → row of the arrays ``kind`` and ``hash``; rows are made on first sight."""

    def __init__(self, index: LinkerIndex) -> None:
        super().__init__()
        # A set is quicker to ask than the mapped array, while it is small.
        self._set = frozenset(index.words.tolist()) if len(index.words) <= _LARGEST_SET else None
        self._index = index
        self.kind = np.zeros(4096, dtype=np.uint8)
        self.hash = np.zeros(4096, dtype=np.uint64)
        self.light = np.zeros(4096, dtype=np.uint64)

    def __missing__(self, piece: str) -> int:
        row = len(self)
        if row == len(self.kind):
            self.kind = np.concatenate([self.kind, np.zeros_like(self.kind)])
            self.hash = np.concatenate([self.hash, np.zeros_like(self.hash)])
            self.light = np.concatenate([self.light, np.zeros_like(self.light)])
        self.kind[row], self.hash[row], self.light[row] = self._look(piece)
        self[piece] = row
        return row

    def _look(self, piece: str) -> tuple[int, int, int]:
        """Kind, hash of the family, hash of the lighter form; 0 where there is none."""
        if not piece[0].isalnum():
            return _separator(piece), 0, 0
        lower = piece.lower()
        if lower in COORDINATORS:
            return COORDINATOR, 0, 0
        if lower == "with":
            return WITH, 0, 0
        if lower in _RELATIVE:
            return BREAK, 0, 0
        if piece == _LETTER:
            piece = piece[0]
        elif lower in STOP_WORDS:
            return FUNCTION, 0, 0
        hashed = word_hash(family(piece))
        if hashed in self._set if self._set is not None else _holds(self._index.words, hashed):
            return KNOWN, hashed, word_hash(light(piece))
        if piece.isalpha() and not _holds(self._index.others, hashed):
            meant = spelling.meant(light(piece), self._index)
            if meant is not None:
                return MISSPELT, *meant
        return UNKNOWN, hashed, 0


def _holds(ascending: np.ndarray, value: int) -> bool:
    at = int(np.searchsorted(ascending, np.uint64(value)))
    return at < len(ascending) and int(ascending[at]) == value


def _separator(piece: str) -> int:
    if any(c in piece for c in "!?;:()[]{}|•*=<>") or "\n\n" in piece:
        return BREAK
    if "." in piece:
        return PLAIN if piece == "." else BREAK
    if "\n" in piece or "\r" in piece:
        return _NEWLINE
    if "," in piece:
        return COMMA
    if "/" in piece or "&" in piece or "+" in piece:
        return COORDINATOR
    if " - " in piece or "–" in piece or "—" in piece:
        return COMMA
    return PLAIN


@dataclass(slots=True)
class Words:
    """The words of a text: pieces, their end offsets, and for content word i its piece, kind, hash and the gap after
    it."""

    pieces: list[str]
    ends: np.ndarray  # int64 (pieces,)
    hyphens: np.ndarray  # int64, the pieces that are a bare hyphen
    content: np.ndarray  # int64 (n,) piece of each content word
    kinds: np.ndarray  # uint8 (n,) KNOWN, UNKNOWN or MISSPELT
    hashes: np.ndarray  # uint64 (n,) of the family of the word, or of the one that is meant
    lights: np.ndarray  # uint64 (n,) of its lighter form; 0 when unknown
    gaps: np.ndarray  # uint8 (n,) what follows word i; BREAK after the last


def words_of(text: str, table: PieceTable) -> Words:
    """Split ``text`` into words. Every string is accepted."""
    if len(table) > _LARGEST_TABLE:
        table.clear()
    pieces = split(text)
    codes = np.fromiter(map(table.__getitem__, pieces), dtype=np.int64, count=len(pieces))
    for i in np.flatnonzero(codes == table["A"]).tolist():
        if is_letter(pieces, i):
            codes[i] = table[_LETTER]
    ends = np.cumsum(np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)))
    hyphens = np.flatnonzero(codes == table["-"])
    kinds = table.kind[codes]
    for i in np.flatnonzero(codes == table["to"]).tolist():
        if 1 < i < len(pieces) - 2 and pieces[i - 2].lower() in _DEGREES and pieces[i + 2].lower() in _DEGREES:
            kinds[i] = COORDINATOR  # "mild to severe"
    for i in np.flatnonzero(kinds == _NEWLINE).tolist():
        kinds[i] = BREAK if i + 1 < len(pieces) and not pieces[i + 1][0].islower() else PLAIN
    content = np.flatnonzero(kinds >= KNOWN)
    if not len(content):
        none = np.zeros(0, dtype=np.uint64)
        return Words(pieces, ends, hyphens, content, kinds[content], none, none, kinds[content])
    between = np.where(kinds >= KNOWN, 0, kinds).astype(np.uint8)
    gaps = np.maximum.reduceat(between, content)
    # "A, B, and C": the comma before a coordinator adds nothing
    gaps[(gaps == COMMA) & np.logical_or.reduceat(between == COORDINATOR, content)] = COORDINATOR
    rows = codes[content]
    for i in np.flatnonzero(rows == table["type"]).tolist():  # "brachydactyly, type A1"
        if i and gaps[i - 1] == COMMA and pieces[int(content[i]) - 1] == ", ":
            gaps[i - 1] = PLAIN
    gaps[-1] = BREAK
    return Words(pieces, ends, hyphens, content, kinds[content], table.hash[rows], table.light[rows], gaps)
