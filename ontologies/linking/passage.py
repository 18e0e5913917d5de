"""The words of several texts, one after the other, with the running sums that make any run of words one subtraction."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ontologies.linking.dictionary import ordered
from ontologies.linking.normalize import light
from ontologies.linking.words import BREAK, COORDINATOR, FUNCTION, MISSPELT, PLAIN, UNKNOWN, Words

_ROMAN = frozenset(["I", "II", "III", "IV", "V", "VI"])
# The greatest cost of an entry (``linker_index.ENTRY``) that words turned round may stand for.
_ANY_COST, _OWN_NAME_COST = 255, 1
_ADJECTIVE = re.compile(r"(al|ar|ic|ous|ary|ory|eous)$")
_MODIFIER = re.compile(
    r"(?:al|ar|ic|ous|ary|ory|eous|ed|ive|like|ible|able|less|ful|shaped|set|based)$|^(?:short|broad|wide|flat|low|high|"
    r"small|large|thin|thick|sparse|long|narrow|round|deep|fine|coarse|prominent|mild|moderate|severe|left|right|"
    r"upper|lower|blue|dry|brittle|absent|pale|dense|stiff|acute|diffuse|recurrent|persistent|congenital|frequent)$"
)
_COPULAS = frozenset(["is", "are", "was", "were", "be", "been", "being", "appeared", "seemed", "became", "looked"])


def _capital(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit()


class Passage:
    """The words of several texts, one after the other, with their running sums."""

    def __init__(self, texts: Sequence[Words]) -> None:
        self.texts = texts
        sizes = [len(words.content) for words in texts]
        self.firsts: list[int] = [0, *np.cumsum(sizes).tolist()]
        self.n = self.firsts[-1]
        gaps = self.words_gaps = np.concatenate([words.gaps for words in texts])
        hashes = np.concatenate([words.hashes for words in texts])
        kinds = np.concatenate([words.kinds for words in texts])
        self.known = kinds != UNKNOWN
        self.misspelt = frozenset(np.flatnonzero(kinds == MISSPELT).tolist())
        self.sums = np.zeros(self.n + 1, dtype=np.uint64)
        np.cumsum(hashes, out=self.sums[1:])
        marks = np.zeros((5, self.n + 1), dtype=np.int32)
        rows = (~self.known, gaps > FUNCTION, gaps >= BREAK, gaps >= COORDINATOR, gaps == COORDINATOR)
        np.cumsum(np.stack(rows), axis=1, out=marks[:, 1:])
        self.unknown, self.function, self.broken, self.coordinated, self.ands = marks
        self.gaps: list[int] = gaps.tolist()
        self.hashes: list[int] = hashes.tolist()
        self.lights: list[int] = np.concatenate([words.lights for words in texts]).tolist()
        self.hyphens = self._beside_hyphens()

    def _beside_hyphens(self) -> frozenset[int]:
        """The words that a bare hyphen touches; few, so that most names need no second look."""
        found: set[int] = set()
        for words, first in zip(self.texts, self.firsts, strict=False):
            if len(words.hyphens):
                following = np.searchsorted(words.content, words.hyphens).tolist()
                found.update(first + i for i in following)
                found.update(first + i - 1 for i in following)
        return frozenset(found)

    def _where(self, word: int) -> tuple[int, int]:
        text = bisect_right(self.firsts, word) - 1
        return text, word - self.firsts[text]

    def text_of(self, word: int) -> tuple[int, int]:
        """(number of the text that holds ``word``, that text's first word)."""
        text = bisect_right(self.firsts, word) - 1
        return text, self.firsts[text]

    def surface(self, word: int) -> str:
        text, at = self._where(word)
        words = self.texts[text]
        return words.pieces[int(words.content[at])]

    def pieces(self, first: int, last: int) -> list[str]:
        """The pieces of a text from one of its words to another, with what stands between them."""
        text, at = self._where(first)
        words = self.texts[text]
        return words.pieces[int(words.content[at]) : int(words.content[at + last - first]) + 1]

    def modifies(self, word: int) -> bool:
        """Whether the word is an adjective of the word after it: "hyperplasia of the mandibular | coronoid process"."""
        if self.gaps[word] != PLAIN:
            return False
        return bool(_ADJECTIVE.search(self.surface(word).lower()))

    def number(self, word: int) -> bool:
        """Whether the word is a number."""
        return light(self.surface(word)).isdigit()

    def modifiers(self, first: int, comma: int, noun: int) -> bool:
        """Whether the words from ``first`` up to ``noun``, with a comma before word ``comma``, modify ``noun`` and are
        nothing that was said of what stands before: "short, broad | hands", not "hands were short, broad | thumbs"."""
        if not all(_MODIFIER.search(self.surface(word).lower()) for word in (comma - 1, *range(comma, noun))):
            return False
        text, at = self._where(first)
        words = self.texts[text]
        before = int(words.content[at]) - 2
        return before < 0 or words.pieces[before].lower() not in _COPULAS

    def severed(self, chosen: tuple[int, ...]) -> bool:
        """Whether words are cut out of a hyphenated whole that means something else.

        "SARS" of "SARS-CoV", "Tooth" of "Charcot-Marie-Tooth", "S4" of "L5-S4", "cell" of "C-cell", "seizure" of
        "seizure-free", "low … progesterone" of "low-dose aspirin and progesterone".
        """
        if self.hyphens.isdisjoint(chosen):
            return False
        text, at = self._where(chosen[0])
        words = self.texts[text]
        pieces, content = words.pieces, words.content
        left, right = int(content[at]), int(content[at + chosen[-1] - chosen[0]])
        for word, following in pairwise(chosen):
            joined = pieces[int(content[at + word - chosen[0]]) + 1] == "-"
            if joined and following > word + 1 and self.gaps[word] == PLAIN:  # not "mild-to-severe"
                return True
        if left > 1 and pieces[left - 1] == "-":
            before = pieces[left - 2]
            if len(before) == 1 or (_capital(before) and _capital(pieces[left])):
                return True
        if right + 2 < len(pieces) and pieces[right + 1] == "-":
            after = pieces[right + 2]
            numeral = after in _ROMAN or (len(after) == 1 and after.isdigit())  # a type: "ASD-II"
            return after.lower() == "free" or (_capital(pieces[right]) and _capital(after) and not numeral)
        return False

    def inner(self, chosen: tuple[int, ...]) -> int:
        """FUNCTION when a function word follows a chosen word ("hypoplasia *of the* lips and tongue"), else PLAIN."""
        return FUNCTION if any(PLAIN < self.gaps[i] < COORDINATOR for i in chosen[:-1]) else PLAIN

    def turned(self, chosen: tuple[int, ...]) -> dict[int, int]:
        """The order hashes after turning the words round at a function word, "stenosis of the artery", "artery
        stenosis", each with the greatest cost of an entry that it may be: any, or, when the first word stays, that of
        a source's own name, "medullary carcinoma of the thyroid", "medullary thyroid carcinoma"."""
        hashes = [self.hashes[i] for i in chosen]
        cuts = [
            cut
            for cut in range(1, len(chosen))
            if self.gaps[chosen[cut - 1]] == FUNCTION or chosen[cut] - chosen[cut - 1] > 1
        ]
        first_stays = {ordered(hashes[:1] + hashes[cut:] + hashes[1:cut]): _OWN_NAME_COST for cut in cuts if cut > 1}
        return first_stays | {ordered(hashes[cut:] + hashes[:cut]): _ANY_COST for cut in cuts}
