"""Many strings on disk, read without loading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    import pyarrow


class StringTable:
    """An immutable list of strings in two memory-mapped npy files: ``<stem>.bytes.npy`` (uint8, UTF-8, end to end) and
    ``<stem>.offsets.npy`` (int64, one more than there are strings). Opening reads nothing but the headers."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray) -> None:
        self._data, self._offsets = data, offsets

    @staticmethod
    def write(stem: Path, strings: Iterable[str]) -> None:
        import pyarrow

        with StringTableWriter(stem) as table:
            table.extend(pyarrow.array(list(strings), pyarrow.string()))

    @classmethod
    def open(cls, stem: Path) -> StringTable:
        # A plain view of the mapping: numpy's memmap class makes each slice several times as slow.
        offsets = np.load(f"{stem}.offsets.npy", mmap_mode="r").view(np.ndarray)
        # An empty array cannot be mapped; it is small enough to load.
        data = np.load(f"{stem}.bytes.npy", mmap_mode="r" if offsets[-1] else None).view(np.ndarray)
        return cls(data, offsets)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _encoded(self, i: int) -> bytes:
        return self._data[self._offsets[i] : self._offsets[i + 1]].tobytes()

    def __getitem__(self, i: int) -> str:
        return self._encoded(i).decode()

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def first_at_or_after(self, string: str) -> int:
        """Position of the first string ≥ ``string`` in UTF-8 byte order; the table must be sorted in that order."""
        wanted, low, high = string.encode(), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._encoded(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def find(self, string: str) -> int | None:
        """Position of the first ``string`` in a sorted table, or None."""
        i = self.first_at_or_after(string)
        return i if i < len(self) and self[i] == string else None


class StringTableWriter:
    """Writes a StringTable from Arrow arrays of text, one after the other; complete when the context ends."""

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self._lengths = [np.zeros(1, np.int64)]

    def __enter__(self) -> StringTableWriter:
        self._stream: BinaryIO = open(f"{self._stem}.bytes.npy", "wb")
        self._write_header(0)
        return self

    def extend(self, strings: pyarrow.StringArray) -> None:
        """Append an Arrow array of type string, without nulls."""
        _, offsets, data = strings.buffers()
        if len(strings):
            ends = np.frombuffer(offsets, np.int32)[strings.offset : strings.offset + len(strings) + 1]
            self._lengths.append(np.diff(ends.astype(np.int64)))
            if data is not None:
                self._stream.write(memoryview(data)[ends[0] : ends[-1]])

    def __exit__(self, *_: object) -> None:
        offsets = np.cumsum(np.concatenate(self._lengths))
        np.save(f"{self._stem}.offsets.npy", offsets)
        self._stream.seek(0)
        self._write_header(int(offsets[-1]))
        self._stream.close()

    def _write_header(self, size: int) -> None:
        # numpy leaves room for a shape to grow, so the header is as long whatever the size.
        header = {"descr": "|u1", "fortran_order": False, "shape": (size,)}
        np.lib.format.write_array_header_1_0(self._stream, header)
