"""Runs of words in a text that are names in the dictionary: contiguous in any order, sharing a word across a
coordination, or with marks inside where their source has them (``verbatim``).

All windows of a text are looked up at once: the signature of words i..j is the difference of two prefix sums of
64-bit word hashes (see ``linker_index``), so a text costs a handful of array operations whatever the size of the
dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ontologies.linking import verbatim
from ontologies.linking.dictionary import CASED, COORDINATED, GAP, VARIANT, LinkerIndex, ordered
from ontologies.linking.normalize import derived, light, split
from ontologies.linking.passage import Passage
from ontologies.linking.spelling import LEAST_ALONE
from ontologies.linking.words import COMMA, COORDINATOR, FUNCTION, PLAIN, WITH, PieceTable, Words, words_of

# An interrupted name is none when the interruption denies it: "silhouette is not enlarged".
_DENIALS = frozenset(["no", "not", "without", "never", "normal", "non", "nor"])
_OF_THE_PAST = re.compile(r"(?:history|hx|h/o|previous|previously|prior|past)\b", re.IGNORECASE)
_BLOCK = 1 << 13  # coordinators looked at together, to bound memory
_MASK = (1 << 64) - 1

# Shapes of a shared word, as (length of the kept part beside the coordinator, skipped words, length of the shared
# part).
_SHAPES = np.array([(a, s, t) for a in (1, 2, 3) for s in (1, 2, 3, 4) for t in (1, 2, 3)], dtype=np.int64).T


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
    rivals: tuple[Candidate, ...] = ()  # other concepts of the same words, not much worse


Entry = tuple[int, int, int, int, int, int, int, int]
_SCORE = (1.0, 1.0, 0.98, 0.97, 0.9, 0.85, 0.85)  # by the kind of the term, in the order of linker_index.KINDS
_EIGHTH, _BIT = np.uint64(3), np.uint64(7)
_FARTHEST_SHARED = 6
_RIVAL = 0.8  # of the best score
_CACHED_ROWS = 1 << 17
# The nearest to their sources' wording are looked at; a vocabulary may give one name to thousands of concepts.
_MOST_ENTRIES = 24
_MOST_RIVALS = 8


class Recognizer:
    """Finds the names of a compiled dictionary in texts. Keeps what it has seen of the dictionary in memory, up to a
    bound."""

    def __init__(self, index: LinkerIndex) -> None:
        self._index = index
        self._shift = np.uint64(64 - (len(index.bitmap).bit_length() + 2))
        self._seen: dict[int, list[Entry]] = {}
        self._named: dict[str, Candidate | None] = {}
        self.table = PieceTable(index)

    def named(self, name: str) -> Candidate | None:
        """The dictionary's best reading of all of ``name``, or None when it does not know it."""
        if name not in self._named:
            words = self.words(name)
            whole = [c for c in self.candidates([words])[0] if len(c.words) == len(words.content)]
            self._named[name] = min(whole, key=lambda c: (-c.score, c.concept), default=None)
        return self._named[name]

    def words(self, text: str) -> Words:
        """Split ``text`` into words. Every string is accepted."""
        return words_of(text, self.table)

    def candidates(self, texts: Sequence[Words], allowed: np.ndarray | None = None) -> list[list[Candidate]]:
        """Every name in each text, nested and overlapping ones too. ``allowed`` (bool per concept row) restricts the
        vocabulary. Texts are searched together, which is faster; each is read as if it stood alone."""
        found: list[list[Candidate]] = [[] for _ in texts]
        view = Passage(texts)
        if not view.n:
            return found
        for chosen, row in self._contiguous(view):
            gap = max([view.gaps[i] for i in chosen[:-1]], default=PLAIN)
            candidate = self._choose(view, chosen, row, gap, (), allowed)
            if candidate is not None:
                _put(candidate, view, found)
        for chosen, row, own in self._apart(view):
            candidate = self._choose(view, chosen, row, view.inner(chosen), own, allowed)
            if candidate is None:
                continue
            if not own:
                inside = view.surface(next(i for i in range(chosen[0], chosen[-1]) if i not in chosen)).lower()
                adverb = len(inside) > 4 and inside.endswith("ly")
                if candidate.cost or inside in _DENIALS or (len(chosen) == 2 and not adverb):
                    continue
                candidate.score *= 0.95 if adverb else 0.6
            _put(candidate, view, found)
        for candidate in list(self._verbatim(view, allowed)):
            text, first = view.text_of(candidate.words[0])
            others = [[first + word for word in c.words] for c in found[text] if not c.own]
            if verbatim.stands(view, candidate.words, others):
                _put(candidate, view, found)
        return found

    def _verbatim(self, view: Passage, allowed: np.ndarray | None) -> Iterator[Candidate]:
        """Names with a mark inside that a text writes as their source does."""
        firsts, lengths = verbatim.windows(view, self._index.longest)
        at, rows = self._look_up(view.sums[firsts + lengths] - view.sums[firsts])
        for first, length, row in zip(firsts[at].tolist(), lengths[at].tolist(), rows.tolist(), strict=True):
            chosen = tuple(range(first, first + length))
            pieces = view.pieces(first, first + length - 1)
            read = [
                Candidate(chosen, concept, term, "normalized", _SCORE[kind])
                for concept, term, _, _, kind, flags, _, cost in self._entries(row, allowed)
                if not cost
                and (allowed is None or allowed[concept])
                and verbatim.written(pieces, self._index.term(term), cased=bool(flags & CASED))
            ]
            if read:
                best = max(read, key=lambda c: c.score)
                rivals = (c for c in read if c.concept != best.concept and c.score >= _RIVAL * best.score)
                best.rivals = tuple(islice(rivals, _MOST_RIVALS))
                yield best

    def _look_up(self, signatures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of ``signatures`` are in the dictionary: (their positions, their rows)."""
        index = self._index
        starts = signatures >> self._shift
        likely = np.flatnonzero(
            index.bitmap[(starts >> _EIGHTH).astype(np.int64)] >> (starts & _BIT).astype(np.uint8) & 1
        )
        if not len(likely):
            return likely, likely
        asked = signatures[likely]
        rows = np.searchsorted(index.signatures, asked)
        rows[rows == len(index.signatures)] = 0
        found = index.signatures[rows] == asked
        return likely[found], rows[found]

    def _entries(self, row: int, allowed: np.ndarray | None) -> list[Entry]:
        index = self._index
        first, last = int(index.rows[row]), int(index.rows[row + 1])
        if last - first > _MOST_ENTRIES and allowed is not None:
            some = index.entries[first:last]
            return some[allowed[some["concept"]]][:_MOST_ENTRIES].tolist()
        entries = self._seen.get(row)
        if entries is None:
            if len(self._seen) >= _CACHED_ROWS:
                self._seen.clear()
            entries = index.entries[first : min(last, first + _MOST_ENTRIES)].tolist()
            self._seen[row] = entries
        return entries

    def _contiguous(self, view: Passage) -> list[tuple[tuple[int, ...], int]]:
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

    def _apart(self, view: Passage) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
        """Names whose words do not stand together: (words, signature row, the words not shared), by position.

        Interrupted: three or four words with one other word inside ("numerous basal cell nevi"); nothing is shared.
        Coordinated: "left and right pleural effusions" holds "left … pleural effusions", the part before the
        coordinator, some words skipped, the shared part, and "cup-shaped, anteverted pinnae" holds
        "cup-shaped … pinnae", when all before the noun are modifiers; "hypoplasia of the lips and tongue" holds
        "hypoplasia … tongue", the shared part, words skipped, the part after the coordinator.
        """
        n, gaps, sums, unknown = view.n, view.words_gaps, view.sums, view.unknown
        shapes = []
        joined = view.function
        for before, after in ((1, 1), (1, 2), (2, 1), (2, 2)):
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
            on = ands[b0 - 1] > ands[a1]
            whole = (coordinated[a1 - 1] == coordinated[a0]) & (coordinated[b1 - 1] == coordinated[b0])
            # or all of it modifies one noun: "cup-shaped, anteverted | pinnae"
            one = good & whole & listed & near & ~on & (coordinated[b0 - 1] == coordinated[a1])
            one &= (view.function[b1 - 1] == view.function[a1]) & (b1 - b0 <= 2)
            good &= np.where(listed, on, near) & whole
            shapes.append((a0[good], a1[good], b0[good], b1[good], np.ones(int(good.sum()), dtype=np.int8)))
            shapes.append((a0[one], a1[one], b0[one], b1[one], np.full(int(one.sum()), 3, dtype=np.int8)))
            # share | skipped | coordinator | kept
            bounds = (j + 1 - skipped - share, j + 1 - skipped, j + 1, j + 1 + kept)
            inside = (bounds[0] >= 0) & (bounds[3] <= n) & ~lists & short
            a0, a1, b0, b1 = (x[inside] for x in bounds)
            good = (broken[b1 - 1] == broken[a0]) & (gaps[a1 - 1] < COORDINATOR)
            good &= (coordinated[a1 - 1] == coordinated[a0]) & (coordinated[b1 - 1] == coordinated[b0])
            # "atrophy and small | hippocampi" shares nothing
            good &= (gaps[b1 - 1] != PLAIN) | (unknown[np.minimum(b1 + 1, n)] != unknown[b1])
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
            if shape < 3 or view.modifiers(x0, x1, y0):
                found.add((first + second, row, ((), first, second, first)[shape]))
        return sorted(found)

    def _choose(
        self,
        view: Passage,
        chosen: tuple[int, ...],
        row: int,
        gap: int,
        own: tuple[int, ...],
        allowed: np.ndarray | None,
    ) -> Candidate | None:
        """The best entry of signature ``row`` for these words, or None when all are refused. ``gap`` is the widest
        gap inside; ``own`` is empty unless the words share others across a coordinator."""
        best: Candidate | None = None
        others: list[Candidate] = []
        alone = len(chosen) == 1
        if own and gap == PLAIN and own[0] == chosen[0] and self._plural(view, own[-1]):
            return None
        trailing = not alone and gap == FUNCTION and view.modifies(chosen[-1])
        turned: dict[int, int] | None = None
        order, lights = 0, sum(view.lights[i] for i in chosen) & _MASK
        misspelt = not view.misspelt.isdisjoint(chosen)
        if view.severed(chosen) or (gap == FUNCTION and view.gaps[chosen[-2]] == FUNCTION and view.number(chosen[-1])):
            return None  # "epilepsy in one | family" is no type 1
        if misspelt and alone and len(view.surface(chosen[0])) < LEAST_ALONE:
            return None
        for concept, term, entry_order, entry_light, kind, flags, _, cost in self._entries(row, allowed):
            if allowed is not None and not allowed[concept]:
                continue
            if (gap == COORDINATOR and not flags & COORDINATED) or (own and cost > _FARTHEST_SHARED):
                continue
            same_order = alone
            if not alone:
                order = order or ordered([view.hashes[i] for i in chosen])
                same_order = entry_order == order
            if gap == WITH and not (same_order and flags & GAP and not cost):
                continue
            if own and own[0] == chosen[0] and not (same_order and (gap or not flags & GAP)):
                continue  # what precedes a coordinator stands as it would right before the shared word
            if not same_order:
                if turned is None:  # "5 | % of sporadic Wilms tumours" counts something
                    turned = {} if view.number(chosen[0]) or view.number(chosen[-1]) else view.turned(chosen)
                if cost > turned.get(entry_order, -1) and not (
                    len(chosen) == 2 and gap == PLAIN and not own and not cost and not flags & CASED
                ):
                    continue
            if flags & CASED and not self._same_case(view, chosen, term, bool(flags & VARIANT)):
                continue
            same_light = lights == entry_light
            if alone and not (
                same_light or flags & CASED or (cost == 0 and kind in (0, 1, 3) and derived(view.surface(chosen[0])))
            ):
                continue
            if trailing and not (same_order and same_light):
                continue
            score = _SCORE[kind] * 0.95 ** (
                cost + (not same_light) + 2 * (not same_order) + 2 * bool(own) + 2 * misspelt
            )
            method = "coordination" if own else "spelling" if misspelt else "normalized" if same_order else "order"
            if best is None or score > best.score:
                if best is not None and concept != best.concept:
                    others.append(best)
                best = Candidate(chosen, concept, term, method, score, cost, own)
            elif concept != best.concept and score >= _RIVAL * best.score:
                others.append(Candidate(chosen, concept, term, method, score, cost, own))
                if best.score == 1.0 and len(others) >= _MOST_RIVALS:
                    break  # none can be better, and no more are kept
        if others and best is not None:
            least = _RIVAL * best.score
            rivals = (other for other in others if other.score >= least and other.concept != best.concept)
            best.rivals = tuple(islice(rivals, _MOST_RIVALS))
        return best

    @staticmethod
    def _plural(view: Passage, word: int) -> bool:
        """Whether the word is a plural noun: what is coordinated before a shared noun is an adjective, never a
        plural."""
        surface = view.surface(word).lower()
        return surface.endswith("s") and light(surface) != surface

    def _same_case(self, view: Passage, chosen: tuple[int, ...], term: int, variant: bool) -> bool:
        """Whether the text writes a short form as the source does, but for a plural s and the first letters of other
        words; a short form of our own making is in capitals."""
        surface = [view.surface(i) for i in chosen]
        if variant:
            return any(word.rstrip("s").isupper() for word in surface)
        own = [piece for piece in split(self._index.term(term)) if piece[0].isalnum()]
        return len(own) == len(surface) and all(
            ours == theirs
            or ours == theirs + "s"
            or (not any(c.isupper() for c in theirs[1:]) and ours.lower() == theirs.lower())
            for ours, theirs in zip(surface, own, strict=True)
        )


def _put(candidate: Candidate, view: Passage, found: list[list[Candidate]]) -> None:
    """Add a candidate to its text's, with its words counted from the start of that text."""
    text, first = view.text_of(candidate.words[0])
    if first:
        candidate.words = tuple([word - first for word in candidate.words])
        candidate.own = tuple([word - first for word in candidate.own])
    for rival in candidate.rivals:
        rival.words, rival.own = candidate.words, candidate.own
    found[text].append(candidate)


def resolve(found: list[Candidate], *, nested: bool = False) -> list[Candidate]:
    """Resolve overlaps: contiguous before coordinated, more words before fewer, better scores, then the text's
    order."""
    found = sorted(found, key=lambda c: (-len(c.words) * c.score, c.words, c.concept))
    taken: list[set[int]] = []
    kept: list[Candidate] = []
    covered: set[int] = set()
    for candidate in found:
        if candidate.method == "coordination":
            continue
        if nested:
            words = set(candidate.words)
            clash = any(words == other or (words & other and not words < other) for other in taken)
            taken += [words] * (not clash)
        else:
            clash = not covered.isdisjoint(candidate.words)
        if not clash:
            covered.update(candidate.words)
            kept.append(candidate)
    for candidate in found:
        if candidate.method == "coordination" and not covered.intersection(candidate.own):
            covered.update(candidate.own)
            kept.append(candidate)
    return kept


def with_past(text: str, words: Words, chosen: list[Candidate], found: list[Candidate]) -> list[Candidate]:
    """Also the disease inside a finding that is one of the past: "tuberculosis" in "history of tuberculosis"."""
    past = [c for c in chosen if _OF_THE_PAST.match(text, span(words, c.words)[0])]
    if not past:
        return chosen
    inside = [c for c in resolve(found, nested=True) if any(set(c.words) < set(p.words) for p in past)]
    own = [c for c in inside if not _OF_THE_PAST.match(text, span(words, c.words)[0])]
    longest = {c.words[-1]: c for c in sorted(own, key=lambda c: len(c.words))}
    return chosen + [c for last, c in longest.items() if last in {p.words[-1] for p in past}]


def span(words: Words, chosen: Sequence[int]) -> tuple[int, int]:
    """Where in the text the content words ``chosen`` (ascending) start and end."""
    first, last = int(words.content[chosen[0]]), int(words.content[chosen[-1]])
    return int(words.ends[first]) - len(words.pieces[first]), int(words.ends[last])
