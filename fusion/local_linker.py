"""The linker of a home with the words of its place, for notes; indexes are built without them."""

from __future__ import annotations

from pathlib import Path

from indexes.versions import current
from ontologies.linking import local_words
from ontologies.linking.linker import Linker


def open_linker(home: Path) -> Linker:
    """Raises ArtifactError when the dictionary is missing, damaged or stale, or the words are damaged."""
    return Linker.open(home / "linker", words=local_words.read(current(home / "local")))
