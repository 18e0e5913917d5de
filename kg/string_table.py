"""Many strings on disk, read without loading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np


class StringTable:
    """An immutable list of strings in two memory-mapped npy files: ``<stem>.bytes.npy`` (uint8, UTF-8, end to end) and
    ``<stem>.offsets.npy`` (int64, one more than there are strings). Opening reads nothing but the headers."""

    def __init__(self, data: np.ndarray, offsets: np.ndarray) -> None:
        self._data, self._offsets = data, offsets

    @staticmethod
    def write(stem: Path, strings: Iterable[str]) -> None:
        encoded = [s.encode() for s in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(e) for e in encoded], out=offsets[1:])
        np.save(f"{stem}.bytes.npy", np.frombuffer(b"".join(encoded), np.uint8))
        np.save(f"{stem}.offsets.npy", offsets)

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
