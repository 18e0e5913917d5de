"""Notes as people write them, on sentences that no rule was made on (see benchmarks/notes.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.notes import rows, sentence_figures
from ontologies.linking.linker import Linker


@pytest.mark.parametrize(("part", "least"), [("mended", 0.85), ("unseen", 0.86)])
def test_most_mentions_are_read_right(home: Path, part: str, least: float) -> None:
    figures = sentence_figures(Linker.open(home / "linker"), part)
    assert figures["mentions"] > 1000
    assert figures["right"] >= least


def test_every_marked_mention_stands_in_its_line() -> None:
    for part in ("mended", "unseen"):
        for row in rows(part):
            assert all(mention.lower() in row["line"].lower() for mention in row["expected"])
