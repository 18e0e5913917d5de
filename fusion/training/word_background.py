"""The background of the words of notes: ``python -m fusion.training.word_background --home HOME``.

Counts in how many of the home's papers each stem stands that a name of a finding holds, and writes
``kg/data/word_background.tsv``; a stem of fewer than three papers is left out.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fusion.prior import bedside
from kg.graph import KnowledgeGraph
from kg.note_words import BACKGROUND, NoteWords
from retrieval.document import Document
from retrieval.document_store import DocumentStore
from retrieval.literature import folder

LEAST = 3


def shares(documents: Iterable[Document], words: NoteWords) -> dict[str, float]:
    """Stem → the share of the documents that hold it, of those that LEAST documents hold, sorted."""
    held: Counter[str] = Counter()
    said = [words.stems(f"{document.title} {document.text}").keys() for document in documents]
    for stems in said:
        held.update(stems)
    return {stem: held[stem] / len(said) for stem in sorted(held) if held[stem] >= LEAST}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    home = parser.parse_args().home
    evidence, _ = bedside(KnowledgeGraph.open(home / "graph"))
    found = shares(DocumentStore.open(folder(home) / "documents"), evidence.words)
    text = "".join(f"{stem}\t{share:.5f}\n" for stem, share in found.items())
    part = BACKGROUND.with_suffix(".part")
    part.write_text(f"stem\tshare\n{text}", encoding="utf-8")
    part.replace(BACKGROUND)


if __name__ == "__main__":
    main()
