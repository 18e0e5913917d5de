"""Which diseases show which findings, with the true-path rule applied, as arrays over the graph's nodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

# A row that does not say how often the finding occurs: about the median of the rows that do.
UNSTATED_FREQUENCY = 0.6
# A disease that is also a finding (pneumonia, emphysema) is itself seen in most of its patients.
SELF_FREQUENCY = 0.9

_ARRAYS = (
    "disease",
    "indptr",
    "row",
    "frequency",
    "direct_indptr",
    "direct_term",
    "direct_frequency",
    "background",
    "breadth",
)


def _pooled(
    rows: np.ndarray, terms: np.ndarray, values: np.ndarray, n: int, how: np.ufunc
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One entry for each (term, row) pair, sorted by term and then row, its values reduced by ``how``."""
    keys = terms.astype(np.int64) * n + rows
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[firsts] % n, keys[firsts] // n, how.reduceat(values, firsts) if len(firsts) else values


class AnnotationMatrix:
    """The sparse matrix of D annotated diseases × N nodes.

    By finding (columns): ``indptr`` int64 (N + 1), ``row`` int32 (positions in ``disease``, ascending), ``frequency``
    float32: the share of patients of the disease who show the finding *or anything below it* (the most frequent one
    below it). By disease (rows), only what the source states: ``direct_indptr`` int64 (D + 1), ``direct_term`` int32,
    ``direct_frequency``. ``disease`` int32 (D,): nodes, ascending. ``background`` float32 (N,): mean frequency over
    all diseases. ``breadth`` float32 (D,): information content summed over all nodes that the disease shows.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.disease = arrays["disease"]
        self.indptr, self.row, self.frequency = arrays["indptr"], arrays["row"], arrays["frequency"]
        self.direct_indptr, self.direct_term, self.direct_frequency = (
            arrays[f"direct_{x}"] for x in ("indptr", "term", "frequency")
        )
        self.background, self.breadth = arrays["background"], arrays["breadth"]

    @staticmethod
    def write(
        folder: Path,
        n: int,
        subject: np.ndarray,
        obj: np.ndarray,
        frequency: np.ndarray,
        excluding: np.ndarray,
        hierarchy: Mapping[str, np.ndarray],
    ) -> None:
        """Write the arrays of has_phenotype edges (``frequency`` NaN where not stated) as ``annotation_*.npy``.

        ``excluding``: subjects of excludes_phenotype edges, which are diseases too, even with nothing to show (a
        normal chest). ``hierarchy`` holds "ancestor_indptr", "ancestor" (the reflexive closure) and "information". A
        pair that several rows state is given the mean of its stated frequencies.
        """
        disease = np.unique(np.concatenate([subject, excluding])).astype(np.int32)
        stated = ~np.isnan(frequency)
        is_finding = np.zeros(n, bool)
        is_finding[obj] = True
        itself = disease[is_finding[disease]]
        rows = np.searchsorted(disease, subject)
        count = len(disease)
        pair_rows, pair_terms, total = _pooled(rows, obj, np.where(stated, frequency, 0.0), count, np.add)
        _, _, times = _pooled(rows, obj, stated.astype(np.float64), count, np.add)
        direct = np.where(times > 0, total / np.maximum(times, 1), UNSTATED_FREQUENCY)
        rows = np.concatenate([pair_rows, np.searchsorted(disease, itself)])
        terms = np.concatenate([pair_terms, itself])
        values = np.concatenate([direct, np.full(len(itself), SELF_FREQUENCY)]).astype(np.float32)
        rows, terms, values = _pooled(rows, terms, values, count, np.maximum)

        indptr, ancestor, information = hierarchy["ancestor_indptr"], hierarchy["ancestor"], hierarchy["information"]
        lengths = indptr[terms + 1] - indptr[terms]
        starts = np.repeat(indptr[terms] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        above = ancestor[starts + np.arange(lengths.sum())] if len(terms) else np.zeros(0, np.int32)
        all_rows, all_terms, all_values = _pooled(
            np.repeat(rows, lengths), above, np.repeat(values, lengths), count, np.maximum
        )
        breadth = np.bincount(all_rows, weights=information[all_terms], minlength=count)
        background = np.bincount(all_terms, weights=all_values, minlength=n) / max(count, 1)
        by_disease = np.lexsort((terms, rows))
        arrays = {
            "disease": disease,
            "indptr": np.searchsorted(all_terms, np.arange(n + 1)).astype(np.int64),
            "row": all_rows.astype(np.int32),
            "frequency": all_values.astype(np.float32),
            "direct_indptr": np.searchsorted(rows[by_disease], np.arange(count + 1)).astype(np.int64),
            "direct_term": terms[by_disease].astype(np.int32),
            "direct_frequency": values[by_disease].astype(np.float32),
            "background": background.astype(np.float32),
            "breadth": breadth.astype(np.float32),
        }
        for name in _ARRAYS:
            np.save(folder / f"annotation_{name}.npy", arrays[name])

    @classmethod
    def open(cls, folder: Path) -> AnnotationMatrix:
        """Open what ``write`` wrote; the graph's manifest has vouched for the files."""
        return cls(
            {name: np.load(folder / f"annotation_{name}.npy", mmap_mode="r").view(np.ndarray) for name in _ARRAYS}
        )

    def sum_by_disease(self, values: np.ndarray) -> np.ndarray:
        """float64 (D,): sums of ``values`` (one for each direct annotation) over each disease; 0 where it has none."""
        total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        return total[self.direct_indptr[1:]] - total[self.direct_indptr[:-1]]

    def frequency_of(self, row: int, node: int) -> float:
        """The share of patients of ``disease[row]`` who show the node or anything below it; 0 when it is not
        annotated."""
        rows, values = self.column(node)
        i = int(np.searchsorted(rows, row))
        return float(values[i]) if i < len(rows) and rows[i] == row else 0.0

    def column(self, node: int) -> tuple[np.ndarray, np.ndarray]:
        """(rows, frequencies) of the diseases that show the node or anything below it."""
        part = slice(self.indptr[node], self.indptr[node + 1])
        return self.row[part], self.frequency[part]
