"""What the linker found in the texts of a collection, kept, so that after a change of the dictionary only the texts are
linked again in which it can find something else (`ontologies.linking.change`).

Folder layout: ``texts.npy`` uint64 (n, 2), the hash of each text; ``starts.npy`` int64 (n + 1,) and ``words.npy``
int32, the different pieces of text i: words[starts[i]:starts[i + 1]]; ``reading.npy`` and ``names.npy``, the footprint
of the dictionary; ``said.json``: the pieces, the short forms, and of each text the concepts stated as present.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import ArtifactError
from indexes import manifest
from indexes.manifest import atomic_directory

if TYPE_CHECKING:
    from ontologies.linking.change import Footprint
    from ontologies.linking.linker import Linker

KIND = "readings"
VERSION = 1
_BATCH = 64
Present = tuple[tuple[str, str], ...]  # (CURIE, name) of each mention that is stated as present, in the text's order
Progress = Callable[[str, int, int], None]


class Readings:
    """What texts state as present, read by the linker or taken over. Nothing is kept without a folder."""

    def __init__(self, linker: Linker, path: Path | None = None) -> None:
        """``path`` is a folder that `save` writes; what is there is taken over as far as it still holds, and what is
        damaged, or of other rules, is not."""
        self._linker, self._path = linker, path
        self._known: dict[bytes, Present] = {}
        self._asked: dict[bytes, tuple[str, Present]] = {}
        self.linked = 0  # how many texts were read, not taken over
        self._before = _Before() if path is None else _before(linker, path)
        self._known |= self._before.present

    def present(self, texts: Sequence[str], *, progress: Progress | None = None) -> list[Present]:
        """What each text states as present; nothing for an empty one."""
        keys = [_key(text) for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        found = self._linker.link_all(fresh.values())
        for done, (key, matches) in enumerate(zip(fresh, found, strict=True), 1):
            self._known[key] = tuple((m.concept.curie, m.concept.name) for m in matches if m.presence == "present")
            if progress and (done % _BATCH == 0 or done == len(fresh)):
                progress("link texts", done, len(fresh))
        self.linked += len(fresh)
        if self._path is not None:
            self._asked |= {key: (text, self._known[key]) for key, text in zip(keys, texts, strict=True)}
        return [self._known[key] for key in keys]

    def save(self) -> None:
        """Keep what was asked for. What was there and was not asked for is gone."""
        if self._path is None:
            return
        import numpy as np

        from ontologies.linking import change
        from ontologies.linking.normalize import split

        before = self._before
        pieces = {piece: number for number, piece in enumerate(before.footprint.pieces if before.footprint else ())}
        known = len(pieces)
        words = []
        for key, (text, _) in self._asked.items():
            if key in before.rows:
                row = before.rows[key]
                words.append(before.words[before.starts[row] : before.starts[row + 1]])
            else:
                found = {pieces.setdefault(piece, len(pieces)) for piece in split(text)}
                words.append(np.array(sorted(found), dtype=np.int32))
        footprint = before.footprint
        if footprint is None or len(pieces) > known:
            footprint = change.Footprint.of(self._linker.index, list(pieces))
        names: dict[str, int] = {}
        rows = []
        for _, present in self._asked.values():
            rows.append([names.setdefault(json.dumps(one, ensure_ascii=False), len(names)) for one in present])
        said = {"pieces": list(pieces), "shorthand": footprint.shorthand, "names": list(names), "present": rows}
        with atomic_directory(self._path) as folder:
            np.save(folder / "texts.npy", np.frombuffer(b"".join(self._asked), dtype="<u8").reshape(-1, 2))
            np.save(folder / "starts.npy", np.cumsum([0, *map(len, words)], dtype=np.int64))
            np.save(folder / "words.npy", np.concatenate([np.zeros(0, dtype=np.int32), *words]))
            np.save(folder / "reading.npy", footprint.reading)
            np.save(folder / "names.npy", footprint.names)
            (folder / "said.json").write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8", errors="replace")
            inputs = {"rules": change.rules(), "linker": self._linker.fingerprint}
            manifest.write(folder, kind=KIND, version=VERSION, inputs=inputs)


@dataclass(slots=True)
class _Before:
    """What is kept from the build before: what texts state that read as they did, by their hash; the pieces of all its
    texts (`rows`: hash → row), and what the dictionary of today says of those."""

    present: dict[bytes, Present] = field(default_factory=dict)
    rows: dict[bytes, int] = field(default_factory=dict)
    starts: Any = None
    words: Any = None
    footprint: Footprint | None = None


def _before(linker: Linker, path: Path) -> _Before:
    """What there is to take over from a folder; nothing of one that is damaged or of other rules."""
    import numpy as np

    from ontologies.linking import change

    try:
        stored = manifest.read(path, kind=KIND, version=VERSION)
        if stored.inputs["rules"] != change.rules():
            return _Before()
        said = json.loads((path / "said.json").read_text(encoding="utf-8"))
        texts, starts, words, reading, names = (
            np.load(path / f"{name}.npy", allow_pickle=False)
            for name in ("texts", "starts", "words", "reading", "names")
        )
    except (ArtifactError, OSError, ValueError, KeyError):
        return _Before()
    pieces = tuple(said["pieces"])
    today = old = change.Footprint(pieces=pieces, reading=reading, names=names, shorthand=said["shorthand"])
    keep = np.ones(len(texts), dtype=bool)
    if stored.inputs["linker"] != linker.fingerprint:
        today = change.Footprint.of(linker.index, pieces)
        owner = np.repeat(np.arange(len(texts)), np.diff(starts))
        keep = ~old.changed(today, len(texts), owner, words)
    known: list[tuple[str, str]] = [(curie, name) for curie, name in map(json.loads, said["names"])]
    keys = [texts[row].tobytes() for row in range(len(texts))]
    present = {
        key: tuple(known[number] for number in row)
        for key, row, kept in zip(keys, said["present"], keep.tolist(), strict=True)
        if kept
    }
    rows = {key: row for row, key in enumerate(keys)}
    return _Before(present=present, rows=rows, starts=starts, words=words, footprint=today)


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def curies(present: Iterable[tuple[str, str]]) -> set[str]:
    """The CURIEs of what is present."""
    return {curie for curie, _ in present}
