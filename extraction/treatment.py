"""Names of treatments in a sentence: by a table, by the chest layer's own names, and by the shape of the names of
medicines. The graph of the open sources has no medicines; this is what stands in."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from errors import ArtifactError
from ontologies.chest import contraindication

DATA = Path(__file__).parent / "data"
_SHORTHAND = 5  # letters of a name that is written as it stands in the table: "VATS", "CPAP"
# What ends like a medicine and is none.
_NOT = frozenset(
    ["therapist", "apparatus", "consensus", "concept", "percept", "precept", "sapphirine", "cocaine", "nonprofen"]
)


def table(name: str) -> list[dict[str, str]]:
    """The rows of a table of this stage. Raises ArtifactError when it is missing or damaged."""
    path = DATA / name
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise ArtifactError("a table is missing", value=path.name, run="pip install --force-reinstall whydx") from error
    if not rows or any(None in row or None in row.values() for row in rows):
        raise ArtifactError("a damaged table", value=path.name, run="pip install --force-reinstall whydx")
    return rows


class Treatments:
    """What finds treatments. ``fingerprint`` changes with the tables."""

    def __init__(self) -> None:
        names: dict[str, str] = {}
        for row in table("treatments.tsv"):
            for name in (row["name"], *row["also"].split("|")):
                if name:
                    names[name] = row["name"]
        for name in (name for row in contraindication.load() for name in row.treatments):
            if not _IMAGING.search(name):
                names.setdefault(name, name)
        self._names = {_key(name): first for name, first in names.items()}
        listed = sorted(self._names, key=lambda name: (-len(name), name))
        self._by_first: dict[str, list[str]] = {}
        for name in listed:
            self._by_first.setdefault(_WORD.findall(name.lower())[0], []).append(name)
        stems = table("treatment_stems.tsv")
        shapes = tuple((row["stem"], row["where"] == "start", int(row["shortest"])) for row in stems)
        self._medicine = lru_cache(maxsize=1 << 17)(partial(_shaped, shapes=shapes))
        self._word = re.compile(r"(?<![\w-])[A-Za-z][a-z]{6,}(?![\w-])")
        words = "\n".join((*listed, *(f"{s} {w} {n}" for s, w, n in shapes)))
        self.fingerprint = hashlib.sha256(words.encode()).hexdigest()[:16]

    def found(self, sentence: str) -> Iterator[tuple[str, int, int]]:
        """(name, start, end) of each treatment, in the order of the text."""
        taken: list[tuple[int, int, str]] = []
        lowered = sentence.lower()
        for first in _WORD.finditer(lowered):
            start = first.start()
            if taken and start < taken[-1][1]:
                continue
            for name in self._by_first.get(first[0], ()):
                end = start + len(name)
                written = sentence[start:end] if _shorthand(name) else lowered[start:end]
                if written == name and not sentence[end : end + 1].isalnum():
                    taken.append((start, end, self._names[name]))
                    break
        for match in self._word.finditer(sentence):
            word = match[0].lower()
            if self._medicine(word) and not any(a <= match.start() < b for a, b, _ in taken):
                taken.append((match.start(), match.end(), word))
        for start, end, name in sorted(taken):
            yield name, start, end


_WORD = re.compile(r"[^\W_]+")
_IMAGING = re.compile(r"\b(?:CT|angiogra\w+|aortography)\b")


def _shaped(word: str, shapes: tuple[tuple[str, bool, int], ...]) -> bool:
    """Whether a word has the shape of a medicine's name."""
    return word not in _NOT and any(
        len(word) >= shortest and (word.startswith(stem) if first else word.endswith(stem))
        for stem, first, shortest in shapes
    )


def _shorthand(name: str) -> bool:
    """Whether a name counts only as the table writes it."""
    return len(name) <= _SHORTHAND and name.isupper()


def _key(name: str) -> str:
    return name if _shorthand(name) else name.lower()
