"""The sentence of a text that says most about a query."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from indexes.lexical_index import LexicalIndex

# a full stop, question or exclamation mark, then space and a capital or digit; not after an initial or an abbreviation
_END = re.compile(
    r"(?<=[.?!])(?<!\b[A-Z]\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bvs\.)(?<!\bFig\.)(?<!\bet al\.)\s+(?=[A-Z0-9(\"])"
)
_K1, _B, _USUAL_LENGTH = 1.2, 0.75, 18  # BM25 over sentences; a sentence of an abstract has about 18 words left


def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text, in order, without those that are empty."""
    return tuple(part for part in (part.strip() for part in _END.split(text)) if part)


def best_sentence(candidates: Sequence[str], query: str, index: LexicalIndex) -> str:
    """The candidate that best matches the query by BM25 with the document frequencies of ``index``; the first of
    equals.

    Empty when no candidate shares a word with the query. A word that the index does not know has the weight of one
    that a single document has.
    """
    wanted = set(index.tokens(query))
    best, best_score = "", 0.0
    for candidate in candidates:
        words = index.tokens(candidate)
        length = _K1 * (1 - _B + _B * len(words) / _USUAL_LENGTH)
        counts = {word: words.count(word) for word in sorted(wanted.intersection(words))}
        score = math.fsum(index.idf(word) * count / (count + length) for word, count in counts.items())
        if score > best_score:
            best, best_score = candidate, score
    return best
