"""Whether a collection says anything about a query: below the floor a search finds nothing.

Every text has a nearest neighbour, so the best hit of "the of and" looks like any other. Two things tell them apart:

* how much of the query's words the best document has: its BM25 over the sum of the words' inverse document frequencies,
  which Lucene's BM25 stays below, so in [0, 1); a word that no document has counts as one that a single document has;
* how near the nearest document is by meaning (cosine).

A query of which the collection knows less than half, weighed the same way, is in another language, made up or about
something else, and needs a nearer neighbour: the sentence encoder spells out unknown words and finds likeness in
letters. A collection of a few documents knows few words, so there this says nothing. The limits were set by hand
between queries that the papers answer and some that they do not; how many judged questions they turn away is in
docs/retrieval.md.
"""

from __future__ import annotations

import functools
import math

from indexes.lexical_index import LexicalIndex, Tokenizer

KNOWN = 0.5
COSINE, COSINE_OF_UNKNOWN = 0.35, 0.5
BOTH = 0.65  # of the words' share and the cosine together
MANY_WORDS = 5000  # stems of a collection that should know the words of a question


def reached(query: str, index: LexicalIndex, words: float, cosine: float) -> bool:
    """Whether the best document is about the query. ``words`` is the best BM25 and ``cosine`` the best cosine.

    False for a query without any word but stop words (pronouns and auxiliaries too).
    """
    if not _contents()(query):
        return False
    stems = index.tokens(query)
    most = math.fsum(index.idf(stem) for stem in stems)
    known = math.fsum(index.idf(stem) for stem in stems if stem in index)
    if index.vocabulary >= MANY_WORDS and known < KNOWN * most:
        return cosine >= COSINE_OF_UNKNOWN
    return cosine >= COSINE or words / most + cosine >= BOTH


def unknown_words(query: str, index: LexicalIndex) -> tuple[str, ...]:
    """The words of the query, in order and once each, of which no document has the stem; stop words are none."""
    words = _contents().words(query)
    return tuple(dict.fromkeys(word for word in words if index.tokens(word) and index.tokens(word)[0] not in index))


@functools.cache
def _contents() -> Tokenizer:
    return Tokenizer(many=True)
