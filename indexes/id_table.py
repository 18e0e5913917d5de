"""Millions of ids that are strings, on disk: memory-mapped, so that opening them costs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from indexes.ranking import id_ranks

if TYPE_CHECKING:
    import numpy as np

BYTES, ENDS, RANKS = "ids.bin", "id_ends.npy", "id_ranks.npy"


class IdTable(Sequence[str]):
    """The ids in the order in which they were written. ``ranks``, int64 (n,), are their positions in sorted order."""

    def __init__(self, text: np.ndarray, ends: np.ndarray, ranks: np.ndarray) -> None:
        self._text, self._ends, self.ranks = text, ends, ranks

    @classmethod
    def write(cls, ids: Sequence[str], folder: Path) -> None:
        """Write ``ids`` to the files BYTES (UTF-8, one after the other), ENDS and RANKS in ``folder``."""
        import numpy as np

        ends = np.empty(len(ids), dtype=np.int64)
        with (folder / BYTES).open("wb") as stream:
            for row, name in enumerate(ids):
                stream.write(name.encode())
                ends[row] = stream.tell()
        np.save(folder / ENDS, ends, allow_pickle=False)
        np.save(folder / RANKS, id_ranks(ids), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> IdTable:
        """Open what `write` wrote."""
        import numpy as np

        ends = np.load(folder / ENDS, mmap_mode="r", allow_pickle=False)
        ranks = np.load(folder / RANKS, mmap_mode="r", allow_pickle=False)
        path = folder / BYTES
        text = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, dtype=np.uint8)
        return cls(text, ends, ranks)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        row %= len(self)
        start = int(self._ends[row - 1]) if row else 0
        return self._text[start : int(self._ends[row])].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        text, start = self._text.tobytes(), 0
        for end in self._ends.tolist():
            yield text[start:end].decode()
            start = end
