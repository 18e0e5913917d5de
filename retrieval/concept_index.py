"""How much of the same meaning a document and a query share, by the concepts they assert.

simGIC (Pesquita et al. 2008, BMC Bioinformatics 9 Suppl 5:S4): the information content of the concepts that both
have, over that of the concepts that either has, where having a concept means having its ancestors too. In [0, 1]; 1
for the same concepts, 0 for none in common. Information content is −ln of the share of the collection's documents
that have the concept or a descendant of it (Resnik 1995), smoothed by one document, so that what every document has
counts almost nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from indexes import manifest
from indexes.manifest import Verify, atomic_directory

if TYPE_CHECKING:
    import numpy as np

KIND = "concept index"
VERSION = 1

_UNLIKELY = 1e-3
PATTERNS_SHARE = 0.5  # set by hand, judged by `benchmarks.chest.similar_films`

Ancestors = Callable[[str], Iterable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likely:
    """Concepts with the probability of each, in [0, 1], and what is there ``otherwise``, when none of them is.

    What is known of a finding is known of the more probable ones, too: at each level the concepts above it are there
    together, so that n concepts make at most n + 1 sets. ``patterns`` are further sets, each of some of the concepts
    or empty, with the probability of each: what is known of which are there together. They count for PATTERNS_SHARE of
    the score.
    """

    probability: Mapping[str, float]
    otherwise: tuple[str, ...] = ()
    patterns: Mapping[frozenset[str], float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.probability or self.otherwise)

    def sets(self) -> Iterator[tuple[float, tuple[str, ...]]]:
        """(probability, concepts) of all that may be there; they sum to 1. What is unlikelier than a thousandth is left
        out."""
        order = sorted(self.probability, key=lambda curie: (-self.probability[curie], curie))
        levels = [1.0, *(self.probability[curie] for curie in order), 0.0]
        for size, (above, below) in enumerate(pairwise(levels)):
            if above - below > _UNLIKELY:
                yield above - below, tuple(order[:size]) or self.otherwise


class ConceptIndex:
    """Documents as sets of concepts, closed under ancestors (CSR over sorted CURIEs).

    ``closure`` maps each known CURIE to itself and its ancestors, so that a query needs no graph; a CURIE that the
    index has never seen stands for itself alone.
    """

    def __init__(
        self, curies: Sequence[str], closure: Mapping[str, Sequence[str]], indptr: np.ndarray, columns: np.ndarray
    ) -> None:
        import numpy as np

        self._column = {curie: number for number, curie in enumerate(curies)}
        self._closure, self._indptr, self._columns = closure, indptr, columns
        documents = len(indptr) - 1
        frequency = np.bincount(columns, minlength=len(curies))
        self._frequency = frequency
        self._content = np.log((documents + 1) / (frequency + 1))
        self._unseen = float(np.log(documents + 1))
        self._row_of = np.repeat(np.arange(documents), np.diff(indptr))
        self._total = np.bincount(self._row_of, weights=self._content[columns], minlength=documents)

    @classmethod
    def build(
        cls,
        concepts: Sequence[Sequence[str]],
        path: Path,
        *,
        ancestors: Ancestors | None = None,
        known: Iterable[str] = (),
    ) -> ConceptIndex:
        """Write to the folder ``path`` and open. ``concepts`` are the CURIEs of each document, ``known`` others that
        a query may bring. ``ancestors`` gives the strict ancestors of a CURIE; without it a concept shares only with
        itself."""
        import numpy as np

        seen = sorted({curie for row in concepts for curie in row} | set(known))
        closure = {curie: sorted({curie, *(ancestors(curie) if ancestors else ())}) for curie in seen}
        curies = sorted({name for names in closure.values() for name in names})
        column = {curie: number for number, curie in enumerate(curies)}
        rows = [sorted({column[name] for curie in row for name in closure[curie]}) for row in concepts]
        indptr = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        columns = np.array([number for row in rows for number in row], dtype=np.int32)
        with atomic_directory(path) as folder:
            np.save(folder / "indptr.npy", indptr, allow_pickle=False)
            np.save(folder / "columns.npy", columns, allow_pickle=False)
            text = json.dumps({"curies": curies, "closure": closure}, ensure_ascii=False, sort_keys=True)
            (folder / "concepts.json").write_text(text, encoding="utf-8")
            settings = {"documents": len(rows), "concepts": len(curies), "ancestors": ancestors is not None}
            manifest.write(folder, kind=KIND, version=VERSION, settings=settings)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, verify: Verify = "open") -> ConceptIndex:
        """Open. Raises ArtifactError when the folder is missing or damaged."""
        import numpy as np

        manifest.read(path, kind=KIND, version=VERSION, verify=verify)
        names = json.loads((path / "concepts.json").read_text(encoding="utf-8"))
        indptr, columns = (np.load(path / f"{name}.npy", allow_pickle=False) for name in ("indptr", "columns"))
        return cls(names["curies"], names["closure"], indptr, columns)

    def mentions(self, curie: str) -> bool:
        """Whether any document has the concept."""
        return curie in self._column and bool(self._frequency[self._column[curie]])

    def rows(self, curie: str) -> np.ndarray:
        """The documents that have the concept or a kind of it, int64, ascending; empty when there is none."""
        import numpy as np

        if curie not in self._column:
            return np.zeros(0, dtype=np.int64)
        return self._row_of[self._columns == self._column[curie]]

    def scores(self, concepts: Iterable[str] | Likely) -> np.ndarray:
        """simGIC of the query's concepts with every document, float32 (n,); zeros for no concepts. Of concepts that are
        only likely, the mean over what may be there (`Likely`)."""
        import numpy as np

        if isinstance(concepts, Likely):
            mean = np.zeros(len(self._total), dtype=np.float64)
            for share, there in concepts.sets():
                mean += share * self.scores(there)
            if concepts.patterns:
                mean += PATTERNS_SHARE * (self.agreement(concepts.patterns, sorted(concepts.probability)) - mean)
            return mean.astype(np.float32)
        asked = {name for curie in concepts for name in self._closure.get(curie, (curie,))}
        columns = np.array(sorted(self._column[name] for name in asked if name in self._column), dtype=np.int64)
        query = float(self._content[columns].sum()) + self._unseen * (len(asked) - len(columns))
        weight = np.zeros(len(self._content))
        weight[columns] = self._content[columns]
        shared = np.bincount(self._row_of, weights=weight[self._columns], minlength=len(self._total)).astype(np.float64)
        either = query + self._total - shared
        return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0).astype(np.float32)

    def has(self, concepts: Iterable[str], curie: str) -> bool:
        """Whether one of a document's concepts is ``curie`` or a kind of it, as far as the index knows."""
        return any(curie in self._closure.get(own, (own,)) for own in concepts)

    def agreement(self, patterns: Mapping[frozenset[str], float], among: Sequence[str]) -> np.ndarray:
        """How far every document's concepts among these (at most 63; a kind of one counts as it) may be expected to
        agree with what the patterns hold, float64 (n,): the mean of the Jaccard index, 1 where neither has any."""
        import numpy as np

        has = np.zeros(len(self._total), dtype=np.int64)
        for place, curie in enumerate(among):
            has[self.rows(curie)] |= 1 << place
        kinds, of = np.unique(has, return_inverse=True)
        there = ((kinds[:, None] >> np.arange(len(among))) & 1).astype(np.float64)  # (kinds, among)
        asked = np.array([[curie in pattern for curie in among] for pattern in patterns], dtype=np.float64)
        both = asked @ there.T
        either = asked.sum(1)[:, None] + there.sum(1) - both
        alike = np.divide(both, either, out=np.ones_like(both), where=either > 0)
        return np.asarray((np.array(list(patterns.values())) @ alike)[of])
