"""Rows, records and columns that go to disk when they are many: what compiling a dictionary sorts with."""

from __future__ import annotations

import json
import shutil
from array import array
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from ontologies.linking.dictionary import ENTRY, word_hash

RECORD = np.dtype(
    [
        *((name, "<u8") for name in ("signature", "anchor", "second")),
        *((name, ENTRY[name]) for name in ENTRY.names or ()),
    ]
)
_RUN = 500_000  # rows sorted in memory
_BATCH = 100_000  # entries turned into an array together
_PARTS = 64  # of the entries, when they are sorted on disk
_IN_MEMORY = 4_000_000  # entries


class SortedRows:
    """Unique rows of strings in ascending order, as often as wanted; beyond a run they are sorted on disk."""

    def __init__(self, rows: Iterable[tuple[str, ...]], path: Path) -> None:
        self._runs: list[Path] = []
        self._rows: list[tuple[str, ...]] = []
        self.total = 0  # rows read, repeated ones included
        path.mkdir()
        rest = iter(rows)
        while batch := list(islice(rest, _RUN)):
            run = sorted(set(batch))
            self.total += len(run)
            if len(batch) < _RUN and not self._runs:
                self._rows = run
                return
            file = path / f"{len(self._runs)}.jsonl"
            with file.open("w", encoding="utf-8") as out:
                out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in run)
            self._runs.append(file)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        if not self._runs:
            yield from self._rows
            return
        last = None
        for row in merge(*map(_run, self._runs)):
            if row != last:
                yield row
            last = row


def _run(file: Path) -> Iterator[tuple[str, ...]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield tuple(json.loads(line))


class _Words(dict[str, int]):
    """Word → its place in the order in which words came, and ``hashes``, of each place."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes = array("Q")

    def __missing__(self, word: str) -> int:
        self[word] = place = len(self)
        self.hashes.append(word_hash(word))
        return place


class SignedRecords:
    """Collected entries; many are kept on disk, split by their signatures' leading bits."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._families, self._lights = _Words(), _Words()
        self._arrays: list[np.ndarray] = []
        self._files: list[IO[bytes]] = []
        self.total = 0
        self._begin()

    def _begin(self) -> None:
        """An empty batch: the places of the words of all its names in one row, and the rest of each."""
        self._places, self._light_places = array("i"), array("i")
        self._rows: list[tuple[int, ...]] = []

    def add(
        self, families: Sequence[str], lights: Sequence[str], concept: int, term: int, kind: int, flags: int, cost: int
    ) -> None:
        """A name, of at least one word, as many ``lights`` as ``families``."""
        self._places.extend(map(self._families.__getitem__, families))
        self._light_places.extend(map(self._lights.__getitem__, lights))
        self._rows.append((concept, term, kind, flags, cost, len(families)))
        self.total += 1
        if len(self._rows) == _BATCH:
            self._flush()

    def families(self) -> np.ndarray:
        """The hashes of the word families of all names, uint64, ascending, unique."""
        return np.unique(np.frombuffer(self._families.hashes, dtype="<u8"))

    def _flush(self) -> None:
        if self._rows:
            self._arrays.append(self._signed())
            self._begin()
        if self._files or sum(map(len, self._arrays)) > _IN_MEMORY:
            self._spill()

    def _signed(self) -> np.ndarray:
        """The batch as entries."""
        rest = np.array(self._rows, dtype=np.int64)
        sizes = rest[:, -1]
        starts = np.cumsum(sizes) - sizes
        owner = np.repeat(np.arange(len(sizes)), sizes)
        places = np.frombuffer(self._places, dtype=np.int32)
        hashes, rank, by_rank = self._ranked(places)
        first = np.minimum.reduceat(rank, starts)
        held = np.flatnonzero(rank == first[owner])
        others = rank.copy()
        others[held[np.unique(owner[held], return_index=True)[1]]] = len(by_rank)  # a word may be there twice
        second = np.where(sizes > 1, np.minimum.reduceat(others, starts), first)
        turn = 2 * (np.arange(len(places)) - starts[owner]) + 3
        lights = np.array(self._lights.hashes, dtype="<u8")[np.frombuffer(self._light_places, dtype=np.int32)]
        found = np.zeros(len(sizes), dtype=RECORD)
        found["signature"] = np.add.reduceat(hashes, starts)  # modulo 2**64, like the next two
        found["light"] = np.add.reduceat(lights, starts)
        found["order"] = np.add.reduceat(hashes * turn.astype("<u8"), starts)  # as `dictionary.ordered`
        found["anchor"], found["second"] = by_rank[first], by_rank[second]
        for name, column in zip(("concept", "term", "kind", "flags", "cost", "words"), rest.T, strict=True):
            found[name] = column
        return found

    def _ranked(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The hash of each word of the batch and its rank among them, the longest first (the longest are the rarest;
        which of two as long does not matter, but it is the same in any order), and the hash of each rank."""
        unique, where = np.unique(places, return_inverse=True)
        every = list(self._families)
        words = [every[place] for place in unique.tolist()]
        order = np.array(sorted(range(len(words)), key=lambda at: (-len(words[at]), words[at])))
        hashes = np.array(self._families.hashes, dtype="<u8")[unique]
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        return hashes[where], rank[where], hashes[order]

    def _spill(self) -> None:
        if not self._files:
            self._files = [(self._runs / f"part{i}").open("w+b") for i in range(_PARTS)]
        for records in self._arrays:
            part = (records["signature"] >> np.uint64(58)).astype(np.int64)
            records = records[np.argsort(part, kind="stable")]
            cuts = np.searchsorted(np.sort(part), np.arange(_PARTS + 1)).tolist()
            for file, first, last in zip(self._files, cuts, cuts[1:], strict=False):
                file.write(records[first:last].tobytes())
        self._arrays.clear()

    def parts(self) -> Iterator[np.ndarray]:
        """The entries in parts of ascending signatures, unsorted within."""
        self._flush()
        if not self._files:
            yield np.concatenate(self._arrays)
            return
        for file in self._files:
            with file:
                file.seek(0)
                part = np.frombuffer(file.read(), dtype=RECORD)
            if len(part):
                yield part


class Column:
    """A one-dimensional .npy file that grows until it is closed."""

    def __init__(self, path: Path, dtype: Any, first: np.ndarray | None = None) -> None:
        self._path, self._dtype, self.total = path, np.dtype(dtype), 0
        self._body = path.with_suffix(".body").open("w+b")
        if first is not None:
            self.add(first)

    def add(self, values: np.ndarray) -> None:
        self._body.write(np.ascontiguousarray(values, dtype=self._dtype).tobytes())
        self.total += len(values)

    def close(self) -> None:
        with self._body, self._path.open("wb") as out:
            descr = np.lib.format.dtype_to_descr(self._dtype)
            header = {"descr": descr, "fortran_order": False, "shape": (self.total,)}
            np.lib.format.write_array_header_1_0(out, header)
            self._body.seek(0)
            shutil.copyfileobj(self._body, out, 1 << 24)
        self._path.with_suffix(".body").unlink()
