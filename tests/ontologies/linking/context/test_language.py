"""Notes in other languages are told, English ones are left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ontologies.linking.context.language import NAMES, language
from ontologies.linking.linker import Linker

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "notes" / "languages.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("de", "Kein Pneumothorax. Kein Pleuraerguss."),
        ("fr", "Pas d'épanchement pleural. Pas de pneumothorax."),
        ("it", "Nessuna evidenza di atelettasia, emphysema assente."),
        ("es", "Sin derrame pleural ni neumotórax."),
        ("nl", "Geen pneumothorax."),
        ("pl", "Pneumothorax - nie stwierdzono."),
        ("zh", "无气胸。"),
        ("de", "Rippenfraktur verheilt."),
        ("es", "Expectoración verdosa."),
        ("pt", "Bom estado geral."),
        (None, "Mrs. Van der Berg, dyspnea on exertion."),
        (None, "Ventilator-associated pneumonia"),
        (None, "Löffler syndrome"),
        (None, "CXR neg for pneumonia/pneumothorax."),
        (None, "Pneumothorax excluded. No pleural effusion."),
        (None, "cough, dyspnea, fever"),
        (None, "Dr. Müller saw the patient from São Paulo."),
        (None, "Sjögren syndrome"),
        (None, "CRP 106 mg/L, Na 138, K 4.1"),
        (None, ""),
    ],
)
def test_the_language_of_a_note(code: str | None, text: str) -> None:
    assert language(text) == code


@pytest.mark.parametrize("part", ["mended", "unseen"])
def test_most_are_told_and_hardly_an_english_one_is_lost(part: str) -> None:
    rows = [row for row in ROWS if row["part"] == part]
    english = [language(row["text"]) is None for row in rows if row["lang"] == "en"]
    others = [language(row["text"]) in NAMES for row in rows if row["lang"] != "en"]
    assert sum(english) / len(english) > 0.95
    assert sum(others) / len(others) > 0.8


def test_a_note_that_is_not_english_is_not_half_read(home: Path) -> None:
    linker = Linker.open(home / "linker")
    assert linker.link("Kein Pneumothorax.", note=True) == ()
    assert linker.link("No pneumothorax.", note=True)[0].presence == "absent"
