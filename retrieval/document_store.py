"""Documents on disk: JSON lines and where each begins, so that a few of many are read at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from indexes import manifest
from indexes.manifest import Verify, atomic_directory
from retrieval.document import Document

if TYPE_CHECKING:
    import numpy as np

KIND = "documents"
VERSION = 1


class DocumentStore:
    """A sequence of documents; a row is read from the file when it is asked for."""

    def __init__(self, path: Path, offsets: np.ndarray) -> None:
        self._path, self._offsets = path, offsets

    @classmethod
    def build(cls, documents: Sequence[Document], path: Path) -> DocumentStore:
        """Write the documents, in their order, to the folder ``path`` and open it."""
        import numpy as np

        offsets = np.zeros(len(documents) + 1, dtype=np.int64)
        with atomic_directory(path) as folder:
            with (folder / "documents.jsonl").open("wb") as stream:
                for row, document in enumerate(documents):
                    stream.write(_line(document))
                    offsets[row + 1] = stream.tell()
            np.save(folder / "offsets.npy", offsets, allow_pickle=False)
            manifest.write(folder, kind=KIND, version=VERSION, settings={"documents": len(documents)})
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, verify: Verify = "open") -> DocumentStore:
        """Open. Raises ArtifactError when the folder is missing or damaged."""
        import numpy as np

        manifest.read(path, kind=KIND, version=VERSION, verify=verify)
        return cls(path / "documents.jsonl", np.load(path / "offsets.npy", mmap_mode="r", allow_pickle=False))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> Document:
        if not 0 <= row < len(self):
            raise IndexError(row)
        with self._path.open("rb") as stream:
            stream.seek(int(self._offsets[row]))
            return _document(stream.read(int(self._offsets[row + 1] - self._offsets[row])))

    def __iter__(self) -> Iterator[Document]:
        with self._path.open("rb") as stream:
            for line in stream:
                yield _document(line)

    def rows(self, matches: Callable[[Document], bool]) -> np.ndarray:
        """The rows of the documents that match, int64, ascending."""
        import numpy as np

        return np.array([row for row, document in enumerate(self) if matches(document)], dtype=np.int64)


def _line(document: Document) -> bytes:
    fields = {
        "doc_id": document.doc_id,
        "kind": document.kind,
        "title": document.title,
        "text": document.text,
        "source_curie": document.source_curie,
        "concepts": list(document.concepts),
        "metadata": dict(document.metadata),
    }
    return json.dumps(fields, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace") + b"\n"


def _document(line: bytes) -> Document:
    fields = json.loads(line)
    return Document(**(fields | {"concepts": tuple(fields["concepts"])}))
