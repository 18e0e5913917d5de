"""The is_a hierarchy: its closure, and how informative a concept is. Both in arrays, a bounded part at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from errors import InputError

# Entries that are gathered and sorted at once; 16 bytes each.
_PART = 8_000_000


def is_a_closure(n: int, child: np.ndarray, parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reflexive transitive closure of is_a as (indptr int64 (n + 1), ancestors int32, ascending within a node).

    Level by level: a node's ancestors are itself and those of its parents, once all of these are known. Raises
    InputError when is_a has a cycle, naming one node on it by its number.
    """
    pairs = np.unique(child.astype(np.int64) * n + parent)
    child, parent = pairs // max(n, 1), pairs % max(n, 1)
    parents_of = _indptr(child, n)
    down = np.argsort(parent, kind="stable")
    children, children_of = child[down], _indptr(parent[down], n)

    waiting = np.diff(parents_of)  # parents whose ancestors are not known yet
    start, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
    found = _Buffer()
    level, done = np.flatnonzero(waiting == 0), 0
    while len(level):
        for part in _parts(level, _sums(length[parent], parents_of, level) + 1):
            above = parent[_ranges(parents_of[part], parents_of[part + 1])]
            of = np.repeat(np.arange(len(part)), parents_of[part + 1] - parents_of[part])
            gathered = found.data[_ranges(start[above], start[above] + length[above])]
            keys = np.concatenate([np.repeat(of, length[above]) * n + gathered, np.arange(len(part)) * n + part])
            keys = np.unique(keys)
            length[part] = np.bincount(keys // n, minlength=len(part))
            start[part] = len(found) + np.cumsum(length[part]) - length[part]
            found.extend((keys % n).astype(np.int32))
        done += len(level)
        below = children[_ranges(children_of[level], children_of[level + 1])]
        waiting -= np.bincount(below, minlength=n)
        level = np.unique(below)
        level = level[waiting[level] == 0]
    if done < n:
        raise InputError(
            "is_a has a cycle", value=int(np.flatnonzero(waiting > 0)[0]), expected="a hierarchy without cycles"
        )
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(length, out=indptr[1:])
    ancestors = np.empty(indptr[-1], np.int32)
    for part in _parts(np.arange(n), length):
        ancestors[indptr[part[0]] : indptr[part[-1] + 1]] = found.data[_ranges(start[part], start[part] + length[part])]
    return indptr, ancestors


def information_content(
    n: int, subject: np.ndarray, obj: np.ndarray, indptr: np.ndarray, closure: np.ndarray
) -> np.ndarray:
    """-ln of the share of annotated diseases that show the concept or anything below it; float32 (n,).

    Resnik 1995, with one added to both counts, so that a concept nobody is annotated with is the most informative of
    all, ln(N + 1), and never infinite.
    """
    diseases, row = np.unique(subject, return_inverse=True)
    order = np.argsort(row, kind="stable")
    term, terms_of = obj[order], _indptr(row[order], len(diseases))
    size = indptr[1:] - indptr[:-1]
    counts = np.zeros(n, np.int64)
    every = np.arange(len(diseases))
    for part in _parts(every, _sums(size[term], terms_of, every)):
        terms = term[terms_of[part[0]] : terms_of[part[-1] + 1]]
        of = np.repeat(np.arange(len(part)), terms_of[part + 1] - terms_of[part])
        shown = np.unique(np.repeat(of, size[terms]) * n + closure[_ranges(indptr[terms], indptr[terms + 1])])
        counts += np.bincount(shown % n, minlength=n)
    return (-np.log((counts + 1) / (len(diseases) + 1))).astype(np.float32)


class _Buffer:
    """An int32 array that grows at its end."""

    def __init__(self) -> None:
        self._array, self._size = np.empty(1 << 16, np.int32), 0

    def __len__(self) -> int:
        return self._size

    @property
    def data(self) -> np.ndarray:
        return self._array[: self._size]

    def extend(self, values: np.ndarray) -> None:
        if (size := self._size + len(values)) > len(self._array):
            larger = np.empty(max(size, len(self._array) * 3 // 2), np.int32)
            larger[: self._size] = self.data
            self._array = larger
        self._array[self._size : size] = values
        self._size = size


def _indptr(sorted_rows: np.ndarray, n: int) -> np.ndarray:
    """int64 (n + 1,): where the entries of each row begin."""
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(sorted_rows, minlength=n), out=indptr[1:])
    return indptr


def _sums(values: np.ndarray, indptr: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """int64: the sum of ``values`` over each of ``rows``."""
    total = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return total[indptr[rows + 1]] - total[indptr[rows]]


def _ranges(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """int64: start[0], …, end[0] - 1, start[1], …, one range after the other."""
    lengths = end - start
    return np.repeat(start - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())


def _parts(rows: np.ndarray, sizes: np.ndarray) -> Iterator[np.ndarray]:
    """``rows`` in order, cut so that the sizes of each part sum to about _PART; at least a row each."""
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _PART)) + 1
    return (part for part in np.split(rows, cuts) if len(part))
