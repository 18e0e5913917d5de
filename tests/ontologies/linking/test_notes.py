"""Notes as people write them, on sentences that no rule was made on (see benchmarks/notes.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.notes import rows, sentence_figures, written, written_figures
from kg.graph import KnowledgeGraph
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


def test_what_clinicians_write_is_read(home: Path) -> None:
    figures = written_figures(Linker.open(home / "linker"), KnowledgeGraph.open(home / "graph"), "mended")
    assert figures["marks"] > 500
    assert figures["recall by meaning"] >= 0.93
    assert figures["precision by meaning"] >= 0.9


def test_the_halves_of_what_clinicians_write_are_marked_and_apart() -> None:
    halves = [{text: marks for _, text, marks in written(part)} for part in ("mended", "unseen")]
    assert min(map(len, halves)) > 150
    assert halves[0].keys().isdisjoint(halves[1])
    for text, marks in (halves[0] | halves[1]).items():
        assert marks
        assert not set("[]") & set(text)
        assert all(text[mark.start : mark.end].strip() and mark.finding for mark in marks)


def test_the_disease_inside_a_finding_of_the_past_is_told_of_the_past(home: Path) -> None:
    linker = Linker.open(home / "linker")
    told = {m.concept.name: m.presence for m in linker.link("History of tuberculosis. Cough for 3 weeks.", note=True)}
    assert (told["Previous tuberculosis"], told["Pulmonary tuberculosis"]) == ("present", "not assessed")
    told = {m.concept.name: m.presence for m in linker.link("No history of breast cancer.", note=True)}
    assert told == {"History of breast cancer": "absent", "Breast cancer": "absent"}
