"""What a note said that was not understood, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontologies.linking.linker import Linker
from ontologies.linking.unread import Span, understanding


@pytest.fixture(scope="module")
def linker(home: Path) -> Linker:
    return Linker.open(home / "linker")


def unread(linker: Linker, note: str) -> list[str]:
    return [span.of(note) for span in understanding(note, linker.link(note, note=True)).unread]


def test_phrases_have_their_places_and_the_share_is_of_words_with_a_meaning(linker: Linker) -> None:
    note = "Fever and cough since he polished zirconium crowns, no wheeze."
    found = understanding(note, linker.link(note, note=True))
    assert found.unread == (Span(start=25, end=50),)
    assert note[25:50] == "polished zirconium crowns"
    assert found.share == pytest.approx(3 / 6)


def test_what_is_read_denied_or_plain_is_not_listed(linker: Linker) -> None:
    assert unread(linker, "A 40-year-old man presented to the hospital two weeks ago with fever and cough.") == []
    assert unread(linker, "Denies chest pain. No pleural effusion was seen on the left.") == []


@pytest.mark.parametrize(
    ("note", "phrase"),
    [
        ("Fever after glazing bathtubs in Patagonia.", "glazing bathtubs in Patagonia"),
        ("Cough; hums while ironing.", "hums while ironing"),
        ("Fever.\n\nPlumbum aspera, cough.", "Plumbum aspera"),
        ("Cough since the marmalade\nfactory closed.", "marmalade factory closed"),
    ],
)
def test_a_phrase_is_a_run_without_punctuation(linker: Linker, note: str, phrase: str) -> None:
    assert phrase in unread(linker, note)


def test_headings_numbers_and_units_are_no_phrases(linker: Linker) -> None:
    assert unread(linker, "Past medical history: asthma\nVitals: HR 88/min, T 37.2 °C\nExamination: wheeze") == []


def test_nothing_to_understand() -> None:
    assert understanding("", ()).share is None
    assert understanding("12 of the 14", ()).unread == ()
