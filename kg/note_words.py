"""What the bare words of a note say of diseases, whether or not a finding was read in them.

A note says most things in other words than any name of a finding: "she lost her husband last week", "the sputum looks
like rust". A word w is as likely in a note about a disease d as the names of what d shows make it,

    P(w | d) = (1 - η) m + η b(w),    m = 1 - exp(-Σ_q p(q | d) s(w | q))

s is the share of a finding's names that hold the word, p(q | d) how often the disease shows it (only what its sources
state); a portrait of the disease (`kg.portraits`) counts like a finding with one name, shown by the share PORTRAYED of
its patients. The background b is the larger of the mean of m over the diseases and the share of other texts that hold
the word (`background`). The weight of evidence of the note's words is Σ_w ln P(w | d) / b(w): naive Bayes over a
vocabulary (Lewis 1998), so that a word never costs more than ln η.

A word is a stem; each counts once. Words of fewer than three letters, numbers, stop words and words that are in no name
say nothing.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from errors import ArtifactError
from indexes.lexical_index import Tokenizer
from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from kg.portraits import Portraits

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

BACKGROUND = Path(__file__).parent / "data" / "word_background.tsv"
NOISE = 0.6
PORTRAYED = 0.6
_RAREST = 0.002  # of the mean share over the diseases
_SHORTEST = 3
# What stands in every note, whoever is ill.
_EVERYWHERE = frozenset(("patient", "year", "old", "man", "woman", "boy", "girl", "day", "week", "month"))


def background(path: Path = BACKGROUND) -> dict[str, float]:
    """Stem → the share of other medical texts that hold it. Raises ArtifactError when the table is missing or no such
    table."""
    try:
        with path.open(encoding="utf-8", newline="") as rows:
            return {row["stem"]: float(row["share"]) for row in csv.DictReader(rows, delimiter="\t")}
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(
            "the background of words cannot be read", value=error, expected="stem, share", run="pip install whydx"
        ) from error


class NoteWords:
    """Weighs the annotated diseases of a graph by the words of notes. ``share`` float64 (D,), sums to 1: how the mean
    over the diseases weighs them."""

    def __init__(
        self, graph: KnowledgeGraph, annotations: AnnotationMatrix, share: np.ndarray, portraits: Portraits
    ) -> None:
        self._graph, self._annotations, self._share, self._portraits = graph, annotations, share, portraits
        self._tokenize, self._background = Tokenizer(many=True), background()
        self.weight = lru_cache(maxsize=1024)(self._weight)
        self._made: tuple[csr_matrix, csr_matrix, dict[str, int]] | None = None

    def stems(self, text: str) -> dict[str, str]:
        """The words of a text that some name holds: stem → the word as it stands first, in the order of the text;
        empty when there is none."""
        vocabulary = self._matrices()[2]
        found: dict[str, str] = {}
        for word in self._tokenize.words(text):
            stem = self._tokenize.stem(word)
            if stem in vocabulary:
                found.setdefault(stem, word)
        return found

    def total(self, stems: Collection[str], chosen: slice | np.ndarray) -> np.ndarray:
        """float64 (R,): what the words weigh together for the chosen rows of the diseases; zeros without words."""
        out = np.zeros(len(self._share[chosen]))
        for stem in stems:
            out += self.weight(stem)[chosen]
        return out

    def _weight(self, stem: str) -> np.ndarray:
        """float32 (D,), read only: ln P(w | d) / b(w) of one word; zeros for a stem that is in no name."""
        shown, named, vocabulary = self._matrices()
        out = np.zeros(shown.shape[0], np.float32)
        if stem in vocabulary:
            m = 1 - np.exp(-(shown @ named[:, [vocabulary[stem]]].toarray()[:, 0]))
            b = max(float(self._share @ m) + _RAREST, self._background.get(stem, 0.0))
            out[:] = np.log(((1 - NOISE) * m + NOISE * b) / b)
        out.flags.writeable = False
        return out

    def _matrices(self) -> tuple[csr_matrix, csr_matrix, dict[str, int]]:
        """Diseases × findings with frequencies, findings × stems with the share of their names, and the stems'
        columns; made at first use."""
        if self._made is None:
            self._made = self._build()
        return self._made

    def _build(self) -> tuple[csr_matrix, csr_matrix, dict[str, int]]:
        from scipy.sparse import csc_matrix, csr_matrix, hstack

        own, portrayed = self._annotations, self._portraits
        findings, column = np.unique(own.direct_term, return_inverse=True)
        shape = (len(own.disease), len(findings))
        stated = csr_matrix((own.direct_frequency.astype(np.float64), column, own.direct_indptr), shape=shape)
        places = np.arange(len(portrayed.texts))
        made_up = csr_matrix(
            (np.full(len(places), PORTRAYED), (portrayed.row, places)), shape=(len(own.disease), len(places))
        )
        shown = csr_matrix(hstack([stated, made_up]))
        held, names = self._names(findings)
        for place, text in enumerate(portrayed.texts, len(findings)):
            held[place] = Counter(filter(_says_something, set(map(self._tokenize.stem, self._tokenize.words(text)))))
            names[place] = 1
        vocabulary = {stem: i for i, stem in enumerate(sorted({s for words in held.values() for s in words}))}
        entries = [
            (finding, vocabulary[word], count / names[finding])
            for finding, words in held.items()
            for word, count in words.items()
        ]
        row, stem, value = zip(*entries, strict=True) if entries else ((), (), ())
        named = csc_matrix((value, (row, stem)), shape=(shown.shape[1], len(vocabulary)))
        return shown, named, vocabulary

    def _names(self, findings: np.ndarray) -> tuple[dict[int, Counter[str]], Counter[int]]:
        """Of each finding (its place in ``findings``), how many of its names hold each stem, and how many names it
        has."""
        held: dict[int, Counter[str]] = defaultdict(Counter)
        names: Counter[int] = Counter()
        for node, label in self._graph.labels(findings):
            place = int(np.searchsorted(findings, node))
            names[place] += 1
            held[place].update(set(map(self._tokenize.stem, self._tokenize.words(label))))
        for words in held.values():
            for word in [w for w in words if not _says_something(w)]:
                del words[word]
        return held, names


def _says_something(stem: str) -> bool:
    return len(stem) >= _SHORTEST and not stem.isdigit() and stem not in _EVERYWHERE
