"""What the dictionary misses: phrases that mean what a name means, by the vectors of any encoder.

Phrases of two to five words that the dictionary leaves, up to the end of their noun phrase, are compared with the
sources' own names. The nearest name is taken when it is near enough, no unrelated concept is about as near, and neither
says what the other does not; otherwise the phrase is NIL, and says why.

Folder layout: ``names.npy`` int32 (n, 2), rows of concept and term in the dictionary; ``heads.npy`` uint64, ascending,
the hashes of the word families that end a name; ``vectors.npy`` float16 (n, d), searched exactly: for HPO's 35,000
names a product of matrices is quick beside encoding a phrase.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from errors import ArtifactError, InputError
from indexes import manifest
from indexes.manifest import atomic_directory
from ontologies.linking.dictionary import word_hash
from ontologies.linking.linker import ConceptMatch, Linker, Reading, span
from ontologies.linking.normalize import WORD_TABLES, family
from ontologies.linking.recognition import Candidate
from ontologies.linking.variants import content_words
from ontologies.linking.words import FUNCTION, PLAIN, UNKNOWN, Words
from retrieval.encoder import Encoder

if TYPE_CHECKING:
    import numpy as np

KIND = "index of names"
VERSION = 1
SYSTEMS = ("HP", "CHEST")
# At this cosine six of the 14 concepts that the packaged encoder adds to the development sets are right; at lower ones
# a smaller share is (``benchmarks/similar_names.py``).
THRESHOLD = 0.85
MARGIN = 0.06  # of cosine, to the nearest name of an unrelated concept
_SHORTEST, _LONGEST = 2, 5  # words of a phrase
_NEAREST = 8  # names looked at for a phrase
_BATCH = 64  # texts encoded together
_TOGETHER = 256  # phrases compared with all names together
# Words that one of a phrase and a name may not have alone: their exchange changes what is meant.
_MEANING = frozenset(map(word_hash, WORD_TABLES["fixed"])) | frozenset(map(word_hash, ("normal", "no", "not", "never")))
_QUALIFIERS = frozenset(map(word_hash, WORD_TABLES["qualifier"]))

Reason = Literal["no finding", "too far", "says less", "says something else", "ambiguous"]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nil:
    """A phrase that was not linked: ``text[start:end] == phrase``.

    ``reason``: no name ends in the phrase's last word ("no finding"); the nearest name is below the threshold ("too
    far"); the name says more than the phrase ("says less") or differs in a word whose exchange changes the meaning
    ("says something else"); an unrelated concept is about as near ("ambiguous"). ``nearest`` is the nearest name and
    ``similarity`` its cosine, None for "no finding", which is told without looking.
    """

    phrase: str
    start: int
    end: int
    reason: Reason
    nearest: str | None = None
    similarity: float | None = None


class SimilarNames:
    """The names of a dictionary as vectors. Deterministic for one encoder: the first of equally near names wins."""

    def __init__(
        self,
        linker: Linker,
        names: np.ndarray,
        heads: np.ndarray,
        vectors: np.ndarray,
        encoder: Encoder,
        *,
        threshold: float = THRESHOLD,
        margin: float = MARGIN,
    ) -> None:
        self._linker, self._names, self._encoder = linker, names, encoder
        self._vectors = vectors.astype("f4")
        self._heads = frozenset(heads.tolist())
        self.threshold, self.margin = threshold, margin
        self._families = lru_cache(maxsize=1 << 14)(self._families_of)
        self._among = lru_cache(maxsize=16)(self._coded_in)

    @classmethod
    def build(
        cls,
        linker: Linker,
        path: Path,
        *,
        encoder: Encoder | None = None,
        systems: Collection[str] = SYSTEMS,
        progress: Progress | None = None,
    ) -> SimilarNames:
        """Encode the names of the concepts with a code in one of ``systems`` into the folder ``path`` and open it: two
        minutes of one processor for HPO. InputError when no concept has such a code."""
        import numpy as np

        encoder = encoder or Encoder.load()
        known = linker.names(systems)
        words = [content_words(text)[0] for *_, text in known]
        vectors = encoder.encode([text for *_, text in known], progress=progress)
        with atomic_directory(path) as folder:
            np.save(folder / "names.npy", np.array([row[:2] for row in known], dtype="<i4"))
            heads = {word_hash(family(one[-1])) for one in words if one}
            np.save(folder / "heads.npy", np.sort(np.fromiter(heads, dtype="<u8")))
            np.save(folder / "vectors.npy", vectors.astype("<f2"))
            inputs = {"linker": linker.fingerprint, "encoder": encoder.fingerprint}
            manifest.write(folder, kind=KIND, version=VERSION, inputs=inputs, settings={"systems": sorted(systems)})
        return cls.open(path, linker, encoder=encoder)

    @classmethod
    def open(
        cls,
        path: Path,
        linker: Linker,
        *,
        encoder: Encoder | None = None,
        threshold: float = THRESHOLD,
        margin: float = MARGIN,
    ) -> SimilarNames:
        """Open a folder. ArtifactError when it is missing, damaged, or of another dictionary or encoder."""
        import numpy as np

        encoder = encoder or Encoder.load()
        stored = manifest.read(path, kind=KIND, version=VERSION, run="whydx link --similar")
        if stored.inputs != {"linker": linker.fingerprint, "encoder": encoder.fingerprint}:
            raise ArtifactError(
                "the index of names is stale",
                value=path,
                expected="this dictionary and encoder",
                run="whydx link --similar",
            )
        files = ("names", "heads", "vectors")
        names, heads, vectors = (np.load(path / f"{name}.npy", allow_pickle=False) for name in files)
        return cls(linker, names, heads, vectors, encoder, threshold=threshold, margin=margin)

    @classmethod
    def of_home(cls, home: Path, linker: Linker, *, progress: Progress | None = None) -> SimilarNames:
        """The index of a home, built when it is missing, damaged or stale."""
        path = home / "indexes" / "names"
        try:
            return cls.open(path, linker)
        except ArtifactError:
            return cls.build(linker, path, progress=progress)

    def link(
        self, text: str, *, systems: Collection[str] | None = None
    ) -> tuple[tuple[ConceptMatch, ...], tuple[Nil, ...]]:
        """The dictionary's matches in ``text`` and those by meaning (method "similar", the cosine as the score), as
        ``Linker.link`` orders them; and the phrases that are NIL, by start. InputError when the text is blank."""
        if not text or text.isspace():
            raise InputError("nothing to link: the text is empty", expected="a text")
        return next(self.link_all([text], systems=systems))

    def link_all(
        self,
        texts: Iterable[str],
        *,
        systems: Collection[str] | None = None,
        nested: bool = False,
        assess: bool = True,
        note: bool = False,
    ) -> Iterator[tuple[tuple[ConceptMatch, ...], tuple[Nil, ...]]]:
        """``link`` for many texts, in their order; an empty one has neither."""
        readings = self._linker.read_all(texts, systems=systems, nested=nested, note=note)
        among = None if systems is None else self._among(frozenset(systems))
        while batch := list(islice(readings, _BATCH)):
            for reading, (found, nil) in zip(batch, self._judge(batch, among), strict=True):
                together = reading._replace(found=[*reading.found, *found])
                yield self._linker.matches(together, assess=assess), nil

    def _coded_in(self, systems: frozenset[str]) -> np.ndarray:
        """bool per name: whether its concept has a code in one of ``systems``."""
        import numpy as np

        kept = {
            row for row in np.unique(self._names[:, 0]).tolist() if systems & self._linker.concept(row).codes.keys()
        }
        return np.isin(self._names[:, 0], sorted(kept))

    def _judge(
        self, readings: Sequence[Reading], among: np.ndarray | None
    ) -> Iterator[tuple[list[Candidate], tuple[Nil, ...]]]:
        """For each text, what is near enough, none overlapping another, and what is not."""
        asked = [phrases(words, found) for _, words, found, *_ in readings]
        texts = [
            reading.text[slice(*span(reading.words, words))]
            for reading, some in zip(readings, asked, strict=True)
            for words in some
            if self._may_name(reading.words, words)
        ]
        texts = sorted(set(texts))
        nearest = dict(zip(texts, self._nearest(self._encoder.encode(texts), among), strict=True))
        for reading, some in zip(readings, asked, strict=True):
            yield _best([self._decide(reading, words, nearest) for words in some])

    def _nearest(self, asked: np.ndarray, among: np.ndarray | None) -> Iterator[list[tuple[int, float]]]:
        """For each vector, float32 (n, d), the rows of the nearest names and their cosines, nearest first, then by row;
        at most _NEAREST, fewer when ``among`` (bool per name) leaves fewer."""
        import numpy as np

        for start in range(0, len(asked), _TOGETHER):
            cosines = asked[start : start + _TOGETHER] @ self._vectors.T
            if among is not None:
                cosines[:, ~among] = -np.inf
            most = min(_NEAREST, cosines.shape[1])
            for row, best in zip(cosines, np.argpartition(-cosines, most - 1, axis=1)[:, :most], strict=True):
                found = sorted(zip((-row[best]).tolist(), best.tolist(), strict=True))
                yield [(name, -far) for far, name in found if far < np.inf]

    def _may_name(self, words: Words, chosen: Sequence[int]) -> bool:
        """Whether some name ends in the last of the words ``chosen``: a look that spares most phrases the encoder."""
        return int(words.hashes[chosen[-1]]) in self._heads

    def _decide(
        self, reading: Reading, words: tuple[int, ...], nearest: Mapping[str, list[tuple[int, float]]]
    ) -> Candidate | tuple[tuple[int, ...], Nil]:
        """What a phrase is: a concept, or NIL."""
        start, end = span(reading.words, words)
        phrase = reading.text[start:end]
        if not nearest.get(phrase):
            return words, Nil(phrase=phrase, start=start, end=end, reason="no finding")
        name, cosine = nearest[phrase][0]
        concept, term = self._names[name].tolist()
        reason = self._objection({int(h) for h in reading.words.hashes[list(words)]}, nearest[phrase])
        if reason is None:
            return Candidate(words, concept, term, "similar", min(cosine, 1.0))
        text = self._linker.term(term)
        return words, Nil(phrase=phrase, start=start, end=end, reason=reason, nearest=text, similarity=round(cosine, 4))

    def _objection(self, said: set[int], nearest: Sequence[tuple[int, float]]) -> Reason | None:
        """Why a phrase with the families ``said`` is not the first of the names ``nearest``; None when it is."""
        first, cosine = nearest[0]
        if cosine < self.threshold:
            return "too far"
        named = self._families(first)
        if said < named:
            return "says less"
        if (said ^ named) & _MEANING or (named - said) & _QUALIFIERS:
            return "says something else"
        concept = int(self._names[first, 0])
        for name, other in nearest[1:]:
            if cosine - other < self.margin and not self._linker.related(concept, int(self._names[name, 0])):
                return "ambiguous"
        return None

    def _families_of(self, row: int) -> frozenset[int]:
        words, *_ = content_words(self._linker.term(int(self._names[row, 1])))
        return frozenset(word_hash(family(word)) for word in words)


def phrases(words: Words, found: Sequence[Candidate]) -> list[tuple[int, ...]]:
    """Runs of two to five content words, one of them known at least, that ``found`` leaves, each up to the end of its
    noun phrase; ascending."""
    taken = {word for candidate in found for word in range(candidate.words[0], candidate.words[-1] + 1)}
    gaps, known = words.gaps.tolist(), (words.kinds != UNKNOWN).tolist()
    n = len(gaps)
    runs = []
    for first in range(n):
        for last in range(first, min(first + _LONGEST, n)):
            if last in taken or (last > first and gaps[last - 1] > FUNCTION):
                break
            ends = gaps[last] != PLAIN or last + 1 in taken
            if ends and last - first + 1 >= _SHORTEST and any(known[first : last + 1]):
                runs.append(tuple(range(first, last + 1)))
    return runs


def _best(judged: Sequence[Candidate | tuple[tuple[int, ...], Nil]]) -> tuple[list[Candidate], tuple[Nil, ...]]:
    """The nearest candidates that do not overlap; of each end of a phrase without one the NIL of the nearest name, or
    of the longest phrase."""
    candidates = [one for one in judged if isinstance(one, Candidate)]
    kept: list[Candidate] = []
    covered: set[int] = set()
    for candidate in sorted(candidates, key=lambda c: (-c.score, c.words)):
        if covered.isdisjoint(candidate.words):
            covered.update(candidate.words)
            kept.append(candidate)
    nils: dict[int, Nil] = {}
    for one in judged:
        if isinstance(one, Candidate) or not covered.isdisjoint(one[0]):
            continue
        words, nil = one
        other = nils.get(words[-1])
        if other is None or (nil.similarity or 0.0) > (other.similarity or 0.0):
            nils[words[-1]] = nil
    return kept, tuple(sorted(nils.values(), key=lambda nil: (nil.start, nil.end)))
