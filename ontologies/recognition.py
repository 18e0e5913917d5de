"""Runs of words in a text that are names in the dictionary: contiguous in any order, or sharing a word across a coordination.

All windows of a text are looked up at once: the signature of words i..j is the difference of two prefix sums of 64-bit word
hashes (see ``linker_index``), so a text costs a handful of array operations whatever the size of the dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ontologies.linker_index import CASED, COORDINATED, GAP, VARIANT, LinkerIndex, ordered, word_hash
from ontologies.normalize import COORDINATORS, STOP_WORDS, derived, family, light
from ontologies.variants import SPLIT

# What stands between two content words; the larger wins.
PLAIN, FUNCTION, WITH, COORDINATOR, COMMA, BREAK = 0, 1, 2, 3, 4, 5
KNOWN, UNKNOWN = 10, 11
_NEWLINE = 6
_LARGEST_TABLE = 1 << 20
_MASK = (1 << 64) - 1

# Shapes of a shared word, as (length of the kept part beside the coordinator, skipped words, length of the shared part).
_SHARED = np.array([(a, s, t) for a in (1, 2, 3) for s in (1, 2, 3, 4) for t in (1, 2, 3)], dtype=np.int64).T


class PieceTable(dict[str, int]):
    """Surface piece → row of the arrays ``kind`` and ``hash``; rows are made on first sight."""

    def __init__(self, words: np.ndarray) -> None:
        super().__init__()
        self._words = words
        self.kind = np.zeros(4096, dtype=np.uint8)
        self.hash = np.zeros(4096, dtype=np.uint64)

    def __missing__(self, piece: str) -> int:
        row = len(self)
        if row == len(self.kind):
            self.kind = np.concatenate([self.kind, np.zeros_like(self.kind)])
            self.hash = np.concatenate([self.hash, np.zeros_like(self.hash)])
        self.kind[row], self.hash[row] = self._look(piece)
        self[piece] = row
        return row

    def _look(self, piece: str) -> tuple[int, int]:
        if not piece[0].isalnum():
            return _separator(piece), 0
        lower = piece.lower()
        if lower in COORDINATORS:
            return COORDINATOR, 0
        if lower == "with":
            return WITH, 0
        if lower in STOP_WORDS:
            return FUNCTION, 0
        hashed = word_hash(family(piece))
        at = int(np.searchsorted(self._words, np.uint64(hashed)))
        known = at < len(self._words) and int(self._words[at]) == hashed
        return (KNOWN if known else UNKNOWN), hashed


def _separator(piece: str) -> int:
    if any(c in piece for c in '!?;:()[]{}"|•*=<>') or "\n\n" in piece:
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
    """The words of a text: pieces, their end offsets, and for content word i its piece, kind, hash and the gap after it."""

    pieces: list[str]
    ends: np.ndarray  # int64 (pieces,)
    content: np.ndarray  # int64 (n,) piece of each content word
    kinds: np.ndarray  # uint8 (n,) KNOWN or UNKNOWN
    hashes: np.ndarray  # uint64 (n,)
    gaps: np.ndarray  # uint8 (n,) what follows word i; BREAK after the last


@dataclass(slots=True)
class Candidate:
    """A run of words that is a name: content words ``words`` (ascending), the entry, and how it was matched."""

    words: tuple[int, ...]
    entry: int
    method: str
    score: float
    own: tuple[int, ...] = ()  # of a coordination, the words that are not shared


def words_of(text: str, table: PieceTable) -> Words:
    """Split ``text`` into words. Every string is accepted."""
    if len(table) > _LARGEST_TABLE:
        table.clear()
    pieces = SPLIT.findall(text)
    codes = np.array(list(map(table.__getitem__, pieces)), dtype=np.int64)
    ends = np.cumsum(np.array(list(map(len, pieces)), dtype=np.int64))
    kinds = table.kind[codes]
    for i in np.flatnonzero(kinds == _NEWLINE).tolist():
        kinds[i] = BREAK if i + 1 < len(pieces) and not pieces[i + 1][0].islower() else PLAIN
    content = np.flatnonzero(kinds >= KNOWN)
    if not len(content):
        return Words(pieces, ends, content, kinds[content], np.zeros(0, np.uint64), kinds[content])
    between = np.where(kinds >= KNOWN, 0, kinds).astype(np.uint8)
    gaps = np.maximum.reduceat(between, content)
    gaps[-1] = BREAK
    return Words(pieces, ends, content, kinds[content], table.hash[codes[content]], gaps)


def _rows(index: LinkerIndex, signatures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``signatures`` are in the dictionary: (their positions, their rows)."""
    bits = len(index.bitmap).bit_length() - 1
    likely = np.flatnonzero(index.bitmap[(signatures >> np.uint64(64 - bits)).astype(np.int64)])
    if not len(likely):
        return likely, likely
    rows = np.searchsorted(index.signatures, signatures[likely])
    rows[rows == len(index.signatures)] = 0
    found = index.signatures[rows] == signatures[likely]
    return likely[found], rows[found]


def windows(index: LinkerIndex, words: Words) -> list[tuple[int, int, int]]:
    """Contiguous runs that are names: (first word, number of words, signature row), by length, then position."""
    n = len(words.content)
    if not n:
        return []
    sums = np.zeros(n + 1, dtype=np.uint64)
    np.cumsum(words.hashes, out=sums[1:])
    known = words.kinds == KNOWN
    stops = np.flatnonzero(~known | (words.gaps > COORDINATOR))
    following = stops[np.searchsorted(stops, np.arange(n))]
    reach = following - np.arange(n) + known[following]
    starts_of, signatures_of, lengths = [], [], []
    starts = np.flatnonzero(known)
    for length in range(1, index.longest + 1):
        starts = starts[reach[starts] >= length]
        if not len(starts):
            break
        starts_of.append(starts)
        signatures_of.append(sums[starts + length] - sums[starts])
        lengths.append(np.full(len(starts), length))
    if not starts_of:
        return []
    at, rows = _rows(index, np.concatenate(signatures_of))
    first, count = np.concatenate(starts_of)[at], np.concatenate(lengths)[at]
    return list(zip(first.tolist(), count.tolist(), rows.tolist(), strict=True))


def shared(index: LinkerIndex, words: Words) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """Names that share words across a coordinator: (words, signature row), in the order of the text.

    "left and right pleural effusions" holds "left … pleural effusions": the part before the coordinator, some words skipped,
    the shared part. "hypoplasia of the lips and tongue" holds "hypoplasia … tongue": the shared part, words skipped, the
    part after the coordinator.
    """
    n = len(words.content)
    joints = np.flatnonzero((words.gaps == COORDINATOR) | (words.gaps == COMMA))
    if not len(joints):
        return []
    sums = np.zeros(n + 1, dtype=np.uint64)
    np.cumsum(words.hashes, out=sums[1:])
    unknown = np.concatenate([[0], np.cumsum(words.kinds == UNKNOWN)])
    broken = np.concatenate([[0], np.cumsum(words.gaps >= BREAK)])
    joined = np.concatenate([[0], np.cumsum(words.gaps >= COORDINATOR)])
    ands = np.concatenate([[0], np.cumsum(words.gaps == COORDINATOR)])
    found: list[tuple[tuple[int, ...], int, tuple[int, ...]]] = []
    kept, skipped, share = (part[None, :] for part in _SHARED)
    lists = words.gaps[joints][:, None] == COMMA
    j = joints[:, None]
    for forward in (True, False):
        if forward:  # kept | coordinator | skipped | share
            a0, a1 = j - kept + 1, j + 1
            b0, b1 = j + 1 + skipped, j + 1 + skipped + share
        else:  # share | skipped | coordinator | kept
            a0, a1 = j + 1 - skipped - share, j + 1 - skipped
            b0, b1 = j + 1, j + 1 + kept
        inside = (a0 >= 0) & (b1 <= n)
        a0, a1, b0, b1 = (np.where(inside, x, 0) for x in (a0, a1, b0, b1))
        good = inside & (broken[np.maximum(b1 - 1, 0)] == broken[a0])
        good &= (unknown[a1] == unknown[a0]) & (unknown[b1] == unknown[b0])
        good &= (joined[np.maximum(a1 - 1, 0)] == joined[a0]) & (joined[np.maximum(b1 - 1, 0)] == joined[b0])
        # after a comma, the list goes on to a coordinator; after a coordinator, at most two words stand between
        good &= np.where(lists, ands[np.maximum(b0 - 1, 0)] > ands[np.minimum(j + 1, n)], skipped <= 2) if forward else ~lists & (skipped <= 2)
        # the shared part must touch the skipped words without another coordinator between
        good &= (
            (words.gaps[np.maximum(b0 - 1, 0)] < COORDINATOR)
            if forward
            else (words.gaps[np.maximum(a1 - 1, 0)] < COORDINATOR)
        )
        rows_, cols_ = np.nonzero(good)
        if not len(rows_):
            continue
        signatures = (sums[a1] - sums[a0] + sums[b1] - sums[b0])[rows_, cols_]
        at, signature_rows = _rows(index, signatures)
        r, c = rows_[at], cols_[at]
        for x0, x1, y0, y1, row in zip(
            a0[r, c].tolist(),
            a1[r, c].tolist(),
            b0[r, c].tolist(),
            b1[r, c].tolist(),
            signature_rows.tolist(),
            strict=True,
        ):
            own = tuple(range(x0, x1) if forward else range(y0, y1))
            found.append((tuple(range(x0, x1)) + tuple(range(y0, y1)), row, own))
    return sorted(set(found))


def gapped(index: LinkerIndex, words: Words) -> list[tuple[tuple[int, ...], int]]:
    """Names of three or four words with one other word inside ("numerous basal cell nevi"): (words, signature row)."""
    n = len(words.content)
    if n < 4:
        return []
    sums = np.zeros(n + 1, dtype=np.uint64)
    np.cumsum(words.hashes, out=sums[1:])
    unknown = np.concatenate([[0], np.cumsum(words.kinds == UNKNOWN)])
    joined = np.concatenate([[0], np.cumsum(words.gaps > FUNCTION)])
    found: list[tuple[tuple[int, ...], int]] = []
    for before, after in ((1, 2), (2, 1), (2, 2)):
        i = np.arange(n - before - after)
        end = i + before + 1 + after
        good = (joined[end - 1] == joined[i]) & (unknown[i + before] == unknown[i]) & (unknown[end] == unknown[end - after])
        i, end = i[good], end[good]
        at, rows = _rows(index, sums[i + before] - sums[i] + sums[end] - sums[end - after])
        for first, row in zip(i[at].tolist(), rows.tolist(), strict=True):
            skipped = first + before
            found.append((tuple(w for w in range(first, first + before + 1 + after) if w != skipped), row))
    return found


def candidates(index: LinkerIndex, words: Words, allowed: np.ndarray | None = None) -> list[Candidate]:
    """Every name in the text, nested and overlapping ones too. ``allowed`` (bool per concept row) restricts the vocabulary."""
    found: list[Candidate] = []
    gaps = words.gaps
    for first, count, row in windows(index, words):
        inner = gaps[first : first + count - 1].tolist()
        candidate = _choose(
            index, words, tuple(range(first, first + count)), row, max(inner, default=0), False, allowed
        )
        if candidate is not None:
            found.append(candidate)
    for chosen, row in gapped(index, words):
        candidate = _choose(index, words, chosen, row, _joint(words, chosen), False, allowed)
        if candidate is not None and not index.entries["cost"][candidate.entry]:
            candidate.score *= 0.6
            found.append(candidate)
    for chosen, row, own in shared(index, words):
        candidate = _choose(index, words, chosen, row, _joint(words, chosen), True, allowed, own)
        if candidate is not None:
            candidate.own = own
            found.append(candidate)
    return found


def _turned(words: Words, chosen: tuple[int, ...], hashes: list[int]) -> list[int]:
    """The orders of the words after turning them round at a function word: "stenosis of the artery", "artery stenosis"."""
    return [
        ordered(hashes[cut:] + hashes[:cut])
        for cut in range(1, len(chosen))
        if int(words.gaps[chosen[cut - 1]]) == FUNCTION or chosen[cut] - chosen[cut - 1] > 1
    ]


def _joint(words: Words, chosen: tuple[int, ...]) -> int:
    """FUNCTION when a function word stands before the skipped words ("hypoplasia *of the* lips and tongue"), else PLAIN."""
    return max((PLAIN if int(words.gaps[i]) == PLAIN else FUNCTION) for i, k in zip(chosen, chosen[1:], strict=False) if int(words.gaps[i]) < COORDINATOR) if any(
        int(words.gaps[i]) < COORDINATOR for i in chosen[:-1]) else PLAIN


def _choose(
    index: LinkerIndex,
    words: Words,
    chosen: tuple[int, ...],
    row: int,
    gap: int,
    coordination: bool,
    allowed: np.ndarray | None,
    own: tuple[int, ...] = (),
) -> Candidate | None:
    """The best entry of signature ``row`` for these words, or None when all are refused."""
    first, last = int(index.rows[row]), int(index.rows[row + 1])
    hs = words.hashes[list(chosen)].tolist()
    order = ordered(hs) if len(chosen) > 1 else 0
    forward = bool(own) and own[0] == chosen[0]
    turned = _turned(words, chosen, hs) if len(chosen) > 1 else ()
    best: Candidate | None = None
    for at in range(first, last):
        entry = index.entries[at]
        if allowed is not None and not allowed[int(entry["concept"])]:
            continue
        flags, kind, cost = int(entry["flags"]), int(entry["kind"]), int(entry["cost"])
        if flags & CASED and not _same_case(index, words, chosen, int(entry["term"])):
            continue
        if gap == COORDINATOR and not flags & COORDINATED:
            continue
        same_order = len(chosen) == 1 or int(entry["order"]) == order
        if gap == WITH and not (same_order and flags & GAP):
            continue
        if coordination and forward and gap == PLAIN:
            kept = words.pieces[words.content[own[-1]]].lower()
            if kept.endswith("s") and light(kept) != kept:
                continue
        if not same_order and int(entry["order"]) not in turned:
            continue
        lights = sum(word_hash(light(words.pieces[words.content[i]])) for i in chosen) & _MASK
        same_light = lights == int(entry["light"])
        if len(chosen) == 1 and not same_light and not flags & CASED and not (derived(words.pieces[words.content[chosen[0]]]) and cost == 0 and kind in (0, 1, 3)):
            continue
        score = (1.0, 1.0, 0.98, 0.97, 0.9, 0.85, 0.85)[kind]
        score *= 0.95 ** (cost + (not same_light) + 2 * (not same_order) + 2 * coordination)
        method = "coordination" if coordination else "normalized" if same_order else "order"
        if best is None or score > best.score:
            best = Candidate(chosen, at, method, score)
    return best


def _same_case(index: LinkerIndex, words: Words, chosen: tuple[int, ...], term: int) -> bool:
    surface = [words.pieces[words.content[i]] for i in chosen]
    own = [piece for piece in SPLIT.findall(index.term(term)) if piece[0].isalnum()]
    return surface == own or (surface[:-1] == own[:-1] and surface[-1] == own[-1] + "s")


__all__ = ["BREAK", "COMMA", "COORDINATOR", "VARIANT", "Candidate", "PieceTable", "Words", "candidates", "words_of"]
