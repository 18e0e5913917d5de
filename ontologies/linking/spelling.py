"""Misspelt words: those that are one slip from a long word of the dictionary and mean nothing else.

A slip leaves out, adds, changes or moves one letter, not the first. Two words that are one slip apart are equal once a
letter is left out of either or both, so the dictionary holds every long word of its names with each letter left out in
turn (the deletion neighbourhood; Mor & Fraenkel 1982, doi:10.1145/358728.358752), and a look-up is a few hashes.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from ontologies.linking.dictionary import LinkerIndex, word_hash

LEAST_LETTERS = 8  # of a word that may be misspelt
LEAST_ALONE = 10  # … when it is all of a name


def one_slip(word: str) -> list[str]:
    """The word, and the word without each letter but the first; unique, in that order."""
    return list(dict.fromkeys([word, *(word[:i] + word[i + 1 :] for i in range(1, len(word)))]))


def tolerated(word: str) -> bool:
    """Whether the lighter form of a word is long enough, and letters only."""
    return len(word) >= LEAST_LETTERS and word.isalpha()


def table(families: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """What ``meant`` reads, from lighter form → hash of the family: uint64 (t,) ascending, and uint64 (t, 2)."""
    keys, values = array("Q"), array("Q")
    for word, family in families.items():
        for form in one_slip(word):
            keys.append(word_hash(form))
            values.extend((family, word_hash(word)))
    hashed, pairs = np.frombuffer(keys, dtype="<u8"), np.frombuffer(values, dtype="<u8").reshape(-1, 2)
    order = np.lexsort((pairs[:, 1], pairs[:, 0], hashed))
    return hashed[order], pairs[order]


def meant(word: str, index: LinkerIndex) -> tuple[int, int] | None:
    """The hashes of the family and of the lighter form that a word, given in its lighter form, stands for.

    None when it is too short, no known word is one slip away, or words of several families are. Of several words of one
    family the one with the least hash is meant.
    """
    if not tolerated(word) or not len(index.misspelt):
        return None
    # Most of what is asked is asked once and not there: not a use of the cache of hashes, nor of a second search.
    asked = np.array([word_hash.__wrapped__(form) for form in one_slip(word)], dtype=np.uint64)
    first = np.searchsorted(index.misspelt, asked)
    first[first == len(index.misspelt)] = 0
    there = index.misspelt[first] == asked
    if not there.any():
        return None
    last = np.searchsorted(index.misspelt, asked[there], "right").tolist()
    found = [pair for a, b in zip(first[there].tolist(), last, strict=True) for pair in index.meant[a:b].tolist()]
    if len({family for family, _ in found}) > 1:
        return None
    family, light = min(found)
    return family, light
