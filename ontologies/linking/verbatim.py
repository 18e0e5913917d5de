"""Names with a comma, a bracket or another mark inside, where a text writes them as their source does: "Myopathy,
distal, 1", "Hemiplegia (right)", "Abnormal CD4:CD8 ratio".

Elsewhere such a mark ends a name, because in most texts it separates findings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ontologies.linking.normalize import COORDINATORS, STOP_WORDS, light, split
from ontologies.linking.passage import Passage
from ontologies.linking.words import BREAK, COORDINATOR

# What two writings of one name may differ in, beside letters: blanks, quotes, and the length of a dash.
_UNMARKED = re.compile(r"[\s\"'‘’‚“”„«»´`]+")
_DASHES = re.compile(r"[‐‑‒–—−]")


def windows(view: Passage, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """The runs of at most ``longest`` known words of one text that a mark parts: first word and number of words."""
    parted = np.concatenate([[0], np.cumsum(view.words_gaps >= COORDINATOR)])
    ends = ~view.known
    ends[np.array(view.firsts[1:], dtype=np.int64)[np.diff(view.firsts) > 0] - 1] = True  # the last word of a text
    stops = np.flatnonzero(ends)
    following = stops[np.searchsorted(stops, np.arange(view.n))]
    reach = following - np.arange(view.n) + view.known[following]
    firsts, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    starts = np.flatnonzero(view.known)
    for length in range(2, longest + 1):
        starts = starts[reach[starts] >= length]
        if not len(starts):
            break
        some = starts[parted[starts + length - 1] > parted[starts]]
        firsts.append(some)
        lengths.append(np.full(len(some), length))
    return np.concatenate(firsts), np.concatenate(lengths)


def written(pieces: Sequence[str], name: str, *, cased: bool) -> bool:
    """Whether the pieces of a text, from a first word to a last, are ``name``, mark for mark; letters may differ as far
    as ``normalize.light`` allows, unless the name is ``cased``."""
    own = split(name)
    content = [i for i, piece in enumerate(own) if _counts(piece)]
    own = own[content[0] : content[-1] + 1] if content else []
    return len(own) == len(pieces) and all(
        theirs == ours
        or (light(theirs) == light(ours) and not cased if ours[0].isalnum() else _marks(theirs) == _marks(ours))
        for theirs, ours in zip(pieces, own, strict=True)
    )


def stands(view: Passage, chosen: Sequence[int], others: Sequence[Sequence[int]]) -> bool:
    """Whether words parted by marks are one name in this place. They are not when another name goes on from them
    ("effusion, pleural | thickening"), nor when they are a list of names ("pneumonia, aspiration"; "microcephaly,
    seizures, and developmental delay"), unless there is nothing else between two ends of a sentence. ``others`` are the
    words of the names found."""
    first, last = chosen[0], chosen[-1]
    for other in others:
        if len(other) > 1 and (other[0] < first <= other[-1] or other[0] <= last < other[-1]):
            return False
    ends = [word for word in chosen if view.gaps[word] >= COORDINATOR or word == last]
    parts = [(before + 1, end) for before, end in pairwise([first - 1, *ends])]
    named = {(other[0], other[-1]) for other in others if len(other) == other[-1] - other[0] + 1}
    if not named.issuperset(parts):
        return True
    begins = first == view.text_of(first)[1] or view.gaps[first - 1] == BREAK
    return begins and view.gaps[last] == BREAK


def _counts(piece: str) -> bool:
    return piece[0].isalnum() and piece.lower() not in COORDINATORS and piece.lower() not in STOP_WORDS


def _marks(separator: str) -> str:
    return _DASHES.sub("-", _UNMARKED.sub("", separator))
