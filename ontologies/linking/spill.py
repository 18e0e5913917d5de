"""Rows, records and columns that go to disk when they are many: what compiling a dictionary sorts with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from ontologies.linking.dictionary import ENTRY

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


class SignedRecords:
    """Collected entries; many are kept on disk, split by their signatures' leading bits."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._batch: list[tuple[int, ...]] = []
        self._arrays: list[np.ndarray] = []
        self._files: list[IO[bytes]] = []
        self.total = 0

    def add(self, record: tuple[int, ...]) -> None:
        self._batch.append(record)
        self.total += 1
        if len(self._batch) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._arrays.append(np.array(self._batch, dtype=RECORD))
        self._batch.clear()
        if self._files or sum(map(len, self._arrays)) > _IN_MEMORY:
            self._spill()

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
