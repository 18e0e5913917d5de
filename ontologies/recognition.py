"""Runs of words in a text that are names in the dictionary: contiguous in any order, or sharing a word across a
coordination.

All windows of a text are looked up at once: the signature of words i..j is the difference of two prefix sums of
64-bit word hashes (see ``linker_index``), so a text costs a handful of array operations whatever the size of the
dictionary.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ontologies.linker_index import CASED, COORDINATED, GAP, LinkerIndex, ordered, word_hash
from ontologies.normalize import COORDINATORS, STOP_WORDS, derived, family, light, split

# An interrupted name is none when the interruption denies it: "silhouette is not enlarged".
_DENIALS = frozenset(["no", "not", "without", "never", "normal", "non", "nor"])
# What stands between two content words; the larger wins.
PLAIN, FUNCTION, WITH, COORDINATOR, COMMA, BREAK = 0, 1, 2, 3, 4, 5
KNOWN, UNKNOWN = 10, 11
_NEWLINE = 6
_LARGEST_TABLE = 1 << 20
_LARGEST_SET = 1 << 18
_BLOCK = 1 << 13  # coordinators looked at together, to bound memory
_MASK = (1 << 64) - 1

# Shapes of a shared word, as (length of the kept part beside the coordinator, skipped words, length of the shared
# part).
_SHAPES = np.array([(a, s, t) for a in (1, 2, 3) for s in (1, 2, 3, 4) for t in (1, 2, 3)], dtype=np.int64).T


class PieceTable(dict[str, int]):
    """Surface piece → row of the arrays ``kind`` and ``hash``; rows are made on first sight."""

    def __init__(self, words: np.ndarray) -> None:
        super().__init__()
        # A set is quicker to ask than the mapped array, while it is small.
        self._set = frozenset(words.tolist()) if len(words) <= _LARGEST_SET else None
        self._words = words
        self.kind = np.zeros(4096, dtype=np.uint8)
        self.hash = np.zeros(4096, dtype=np.uint64)
        self.light = np.zeros(4096, dtype=np.uint64)

    def __missing__(self, piece: str) -> int:
        row = len(self)
        if row == len(self.kind):
            self.kind = np.concatenate([self.kind, np.zeros_like(self.kind)])
            self.hash = np.concatenate([self.hash, np.zeros_like(self.hash)])
            self.light = np.concatenate([self.light, np.zeros_like(self.light)])
        self.kind[row], self.hash[row] = self._look(piece)
        if self.kind[row] == KNOWN:
            self.light[row] = word_hash(light(piece))
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
        if self._set is not None:
            known = hashed in self._set
        else:
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
    """The words of a text: pieces, their end offsets, and for content word i its piece, kind, hash and the gap after
    it."""

    pieces: list[str]
    ends: np.ndarray  # int64 (pieces,)
    content: np.ndarray  # int64 (n,) piece of each content word
    kinds: np.ndarray  # uint8 (n,) KNOWN or UNKNOWN
    hashes: np.ndarray  # uint64 (n,) of the word's family
    lights: np.ndarray  # uint64 (n,) of its lighter form; 0 when unknown
    gaps: np.ndarray  # uint8 (n,) what follows word i; BREAK after the last


@dataclass(slots=True)
class Candidate:
    """Words that are a name: content words ``words`` (ascending), the rows of concept and term, how and how well they
    match."""

    words: tuple[int, ...]
    concept: int
    term: int
    method: str
    score: float
    cost: int = 0
    own: tuple[int, ...] = ()  # of a coordination, the words that are not shared


def words_of(text: str, table: PieceTable) -> Words:
    """Split ``text`` into words. Every string is accepted."""
    if len(table) > _LARGEST_TABLE:
        table.clear()
    pieces = split(text)
    codes = np.array(list(map(table.__getitem__, pieces)), dtype=np.int64)
    ends = np.cumsum(np.array(list(map(len, pieces)), dtype=np.int64))
    kinds = table.kind[codes]
    for i in np.flatnonzero(kinds == _NEWLINE).tolist():
        kinds[i] = BREAK if i + 1 < len(pieces) and not pieces[i + 1][0].islower() else PLAIN
    content = np.flatnonzero(kinds >= KNOWN)
    if not len(content):
        none = np.zeros(0, dtype=np.uint64)
        return Words(pieces, ends, content, kinds[content], none, none, kinds[content])
    between = np.where(kinds >= KNOWN, 0, kinds).astype(np.uint8)
    gaps = np.maximum.reduceat(between, content)
    gaps[-1] = BREAK
    rows = codes[content]
    return Words(pieces, ends, content, kinds[content], table.hash[rows], table.light[rows], gaps)


Entry = tuple[int, int, int, int, int, int, int, int]
_SCORE = (1.0, 1.0, 0.98, 0.97, 0.9, 0.85, 0.85)  # by the kind of the term, in the order of linker_index.KINDS
_CACHED_ROWS = 1 << 17


class Recognizer:
    """Finds the names of a compiled dictionary in texts. Keeps what it has seen of the dictionary in memory, up to a
    bound."""

    def __init__(self, index: LinkerIndex) -> None:
        self._index = index
        self._shift = np.uint64(64 - (len(index.bitmap).bit_length() - 1))
        self._seen: dict[int, list[Entry]] = {}
        self.table = PieceTable(index.words)

    def words(self, text: str) -> Words:
        """Split ``text`` into words. Every string is accepted."""
        return words_of(text, self.table)

    def candidates(self, texts: Sequence[Words], allowed: np.ndarray | None = None) -> list[list[Candidate]]:
        """Every name in each text, nested and overlapping ones too. ``allowed`` (bool per concept row) restricts the
        vocabulary. Texts are searched together, which is faster; each is read as if it stood alone."""
        found: list[list[Candidate]] = [[] for _ in texts]
        view = _View(texts)
        if not view.n:
            return found
        for chosen, row in self._contiguous(view):
            gap = max([view.gaps[i] for i in chosen[:-1]], default=PLAIN)
            candidate = self._choose(view, chosen, row, gap, (), allowed)
            if candidate is not None:
                view.put(candidate, found)
        for chosen, row, own in self._apart(view):
            candidate = self._choose(view, chosen, row, view.inner(chosen), own, allowed)
            if candidate is None:
                continue
            if not own:
                if candidate.cost or any(view.surface(i).lower() in _DENIALS for i in range(chosen[0], chosen[-1])):
                    continue
                candidate.score *= 0.6
            view.put(candidate, found)
        return found

    def _look_up(self, signatures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of ``signatures`` are in the dictionary: (their positions, their rows)."""
        index = self._index
        likely = np.flatnonzero(index.bitmap[(signatures >> self._shift).astype(np.int64)])
        if not len(likely):
            return likely, likely
        asked = signatures[likely]
        rows = np.searchsorted(index.signatures, asked)
        rows[rows == len(index.signatures)] = 0
        found = index.signatures[rows] == asked
        return likely[found], rows[found]

    def _entries(self, row: int) -> list[Entry]:
        entries = self._seen.get(row)
        if entries is None:
            if len(self._seen) >= _CACHED_ROWS:
                self._seen.clear()
            index = self._index
            entries = index.entries[int(index.rows[row]) : int(index.rows[row + 1])].tolist()
            self._seen[row] = entries
        return entries

    def _contiguous(self, view: _View) -> list[tuple[tuple[int, ...], int]]:
        """Runs of words that are names: (words, signature row), by length, then position."""
        n, known, sums = view.n, view.known, view.sums
        stops = np.flatnonzero(~known | (view.words_gaps > COORDINATOR))
        following = stops[np.searchsorted(stops, np.arange(n))]
        reach = following - np.arange(n) + known[following]
        starts_of, signatures_of, lengths = [], [], []
        starts = np.flatnonzero(known)
        for length in range(1, self._index.longest + 1):
            starts = starts[reach[starts] >= length]
            if not len(starts):
                break
            starts_of.append(starts)
            signatures_of.append(sums[starts + length] - sums[starts])
            lengths.append(np.full(len(starts), length))
        if not starts_of:
            return []
        at, rows = self._look_up(np.concatenate(signatures_of))
        first, count = np.concatenate(starts_of)[at].tolist(), np.concatenate(lengths)[at].tolist()
        return [(tuple(range(i, i + size)), row) for i, size, row in zip(first, count, rows.tolist(), strict=True)]

    def _apart(self, view: _View) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
        """Names whose words do not stand together: (words, signature row, the words not shared), by position.

        Interrupted: three or four words with one other word inside ("numerous basal cell nevi"); nothing is shared.
        Coordinated: "left and right pleural effusions" holds "left … pleural effusions", the part before the
        coordinator, some words skipped, the shared part; "hypoplasia of the lips and tongue" holds "hypoplasia …
        tongue", the shared part, words skipped, the part after the coordinator.
        """
        n, gaps, sums, unknown = view.n, view.words_gaps, view.sums, view.unknown
        shapes = []
        joined = view.function
        for before, after in ((1, 2), (2, 1), (2, 2)):
            i = np.arange(max(n - before - after, 0))
            end = i + before + 1 + after
            good = joined[end - 1] == joined[i]
            i, end = i[good], end[good]
            shapes.append((i, i + before, end - after, end, np.zeros(len(i), dtype=np.int8)))
        everywhere = np.flatnonzero((gaps == COORDINATOR) | (gaps == COMMA))
        for block in range(0, len(everywhere), _BLOCK):
            joints = everywhere[block : block + _BLOCK]
            broken, coordinated, ands = view.broken, view.coordinated, view.ands
            size, (kept, skipped, share) = _SHAPES.shape[1], _SHAPES[:, None, :]
            j = np.repeat(joints, size).reshape(-1, size)
            lists = np.broadcast_to(gaps[joints][:, None] == COMMA, j.shape)
            short = np.broadcast_to(skipped <= 2, j.shape)
            # kept | coordinator | skipped | share
            bounds = (j - kept + 1, j + 1, j + 1 + skipped, j + 1 + skipped + share)
            inside = (bounds[0] >= 0) & (bounds[3] <= n)
            a0, a1, b0, b1, listed, near = (x[inside] for x in (*bounds, lists, short))
            good = (broken[b1 - 1] == broken[a0]) & (gaps[b0 - 1] < COORDINATOR)
            # after a comma the list goes on to a coordinator; after a coordinator at most two words stand between
            good &= np.where(listed, ands[b0 - 1] > ands[a1], near)
            good &= (coordinated[a1 - 1] == coordinated[a0]) & (coordinated[b1 - 1] == coordinated[b0])
            shapes.append((a0[good], a1[good], b0[good], b1[good], np.ones(int(good.sum()), dtype=np.int8)))
            # share | skipped | coordinator | kept
            bounds = (j + 1 - skipped - share, j + 1 - skipped, j + 1, j + 1 + kept)
            inside = (bounds[0] >= 0) & (bounds[3] <= n) & ~lists & short
            a0, a1, b0, b1 = (x[inside] for x in bounds)
            good = (broken[b1 - 1] == broken[a0]) & (gaps[a1 - 1] < COORDINATOR)
            good &= (coordinated[a1 - 1] == coordinated[a0]) & (coordinated[b1 - 1] == coordinated[b0])
            shapes.append((a0[good], a1[good], b0[good], b1[good], np.full(int(good.sum()), 2, dtype=np.int8)))
        a0, a1, b0, b1, kind = (np.concatenate(column) for column in zip(*shapes, strict=True))
        known = (unknown[a1] == unknown[a0]) & (unknown[b1] == unknown[b0])
        a0, a1, b0, b1, kind = a0[known], a1[known], b0[known], b1[known], kind[known]
        at, rows = self._look_up(sums[a1] - sums[a0] + sums[b1] - sums[b0])
        found = set()
        for x0, x1, y0, y1, shape, row in zip(
            *(x[at].tolist() for x in (a0, a1, b0, b1, kind)), rows.tolist(), strict=True
        ):
            first, second = tuple(range(x0, x1)), tuple(range(y0, y1))
            found.add((first + second, row, ((), first, second)[shape]))
        return sorted(found)

    def _choose(
        self, view: _View, chosen: tuple[int, ...], row: int, gap: int, own: tuple[int, ...], allowed: np.ndarray | None
    ) -> Candidate | None:
        """The best entry of signature ``row`` for these words, or None when all are refused. ``gap`` is the widest
        gap inside; ``own`` is empty unless the words share others across a coordinator."""
        best: Candidate | None = None
        alone = len(chosen) == 1
        if own and gap == PLAIN and own[0] == chosen[0] and self._plural(view, own[-1]):
            return None
        order, turned, lights = 0, None, sum(view.lights[i] for i in chosen) & _MASK
        for concept, term, entry_order, entry_light, kind, flags, _, cost in self._entries(row):
            if allowed is not None and not allowed[concept]:
                continue
            if gap == COORDINATOR and not flags & COORDINATED:
                continue
            same_order = alone
            if not alone:
                order = order or ordered([view.hashes[i] for i in chosen])
                same_order = entry_order == order
            if gap == WITH and not (same_order and flags & GAP):
                continue
            if not same_order:
                turned = view.turned(chosen) if turned is None else turned
                if entry_order not in turned:
                    continue
            if flags & CASED and not self._same_case(view, chosen, term):
                continue
            same_light = lights == entry_light
            if alone and not (
                same_light or flags & CASED or (cost == 0 and kind in (0, 1, 3) and derived(view.surface(chosen[0])))
            ):
                continue
            score = _SCORE[kind] * 0.95 ** (cost + (not same_light) + 2 * (not same_order) + 2 * bool(own))
            if best is None or score > best.score:
                method = "coordination" if own else "normalized" if same_order else "order"
                best = Candidate(chosen, concept, term, method, score, cost, own)
        return best

    @staticmethod
    def _plural(view: _View, word: int) -> bool:
        """Whether the word is a plural noun: what is coordinated before a shared noun is an adjective, never a
        plural."""
        surface = view.surface(word).lower()
        return surface.endswith("s") and light(surface) != surface

    def _same_case(self, view: _View, chosen: tuple[int, ...], term: int) -> bool:
        surface = [view.surface(i) for i in chosen]
        own = [piece for piece in split(self._index.term(term)) if piece[0].isalnum()]
        return surface == own or (surface[:-1] == own[:-1] and surface[-1] == own[-1] + "s")


class _View:
    """The words of several texts, one after the other, with their running sums."""

    def __init__(self, texts: Sequence[Words]) -> None:
        self.texts = texts
        sizes = [len(words.content) for words in texts]
        self.firsts: list[int] = [0, *np.cumsum(sizes).tolist()]
        self.n = self.firsts[-1]
        gaps = self.words_gaps = np.concatenate([words.gaps for words in texts])
        hashes = np.concatenate([words.hashes for words in texts])
        self.known = np.concatenate([words.kinds for words in texts]) == KNOWN
        self.sums = np.zeros(self.n + 1, dtype=np.uint64)
        np.cumsum(hashes, out=self.sums[1:])
        marks = np.zeros((5, self.n + 1), dtype=np.int32)
        rows = (~self.known, gaps > FUNCTION, gaps >= BREAK, gaps >= COORDINATOR, gaps == COORDINATOR)
        np.cumsum(np.stack(rows), axis=1, out=marks[:, 1:])
        self.unknown, self.function, self.broken, self.coordinated, self.ands = marks
        self.gaps: list[int] = gaps.tolist()
        self.hashes: list[int] = hashes.tolist()
        self.lights: list[int] = np.concatenate([words.lights for words in texts]).tolist()

    def _where(self, word: int) -> tuple[int, int]:
        text = bisect_right(self.firsts, word) - 1
        return text, word - self.firsts[text]

    def put(self, candidate: Candidate, found: list[list[Candidate]]) -> None:
        """Add a candidate to its text's, with its words counted from the start of that text."""
        text = bisect_right(self.firsts, candidate.words[0]) - 1
        first = self.firsts[text]
        candidate.words = tuple(word - first for word in candidate.words)
        candidate.own = tuple(word - first for word in candidate.own)
        found[text].append(candidate)

    def surface(self, word: int) -> str:
        text, at = self._where(word)
        words = self.texts[text]
        return words.pieces[int(words.content[at])]

    def inner(self, chosen: tuple[int, ...]) -> int:
        """FUNCTION when a function word follows a chosen word ("hypoplasia *of the* lips and tongue"), else PLAIN."""
        return FUNCTION if any(PLAIN < self.gaps[i] < COORDINATOR for i in chosen[:-1]) else PLAIN

    def turned(self, chosen: tuple[int, ...]) -> tuple[int, ...]:
        """The order hashes after turning the words round at a function word: "stenosis of the artery", "artery
        stenosis"."""
        hashes = [self.hashes[i] for i in chosen]
        return tuple(
            ordered(hashes[cut:] + hashes[:cut])
            for cut in range(1, len(chosen))
            if self.gaps[chosen[cut - 1]] == FUNCTION or chosen[cut] - chosen[cut - 1] > 1
        )
