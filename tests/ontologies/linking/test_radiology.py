"""The language of chest reports: short words, and names with their modifiers inside."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontologies.concept import FINDING, Concept, Term
from ontologies.linking.linker import Linker

NAMES = {
    "HP:0031457": ["Lung opacity"],
    "HP:0002202": ["Pleural effusion"],
    "HP:0100598": ["Pulmonary edema"],
    "HP:0000969": ["Edema"],
    "HP:0033608": ["Pulmonary nodule"],
    "HP:6000931": ["Calcified lung nodule", "Calcified granuloma"],
    "HP:6000008": ["Elevated diaphragm"],
    "HP:0001642": ["Pulmonic stenosis"],
}


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    concepts = [
        Concept(curie=curie, name=names[0], semantic_types=(FINDING,), codes={"HP": (curie[3:],)})
        for curie, names in NAMES.items()
    ]
    terms = [Term(curie=curie, text=text) for curie, names in NAMES.items() for text in names]
    return Linker.build(concepts, terms, tmp_path_factory.mktemp("linker") / "dictionary")


CASES = [
    ("opacity in the left lung base", [("opacity", "HP:0031457", "shorthand")]),
    ("Scarring, nodules in the RUL", [("nodules", "HP:0033608", "shorthand")]),
    ("The lungs are clear. No effusion.", [("effusion", "HP:0002202", "shorthand")]),
    ("No pneumothorax. Heart normal. Mild edema. The lungs are clear.", [("edema", "HP:0100598", "shorthand")]),
    ("Right upper lobe clear. No effusion.", [("effusion", "HP:0002202", "shorthand")]),
    ("edema of both legs", [("edema", "HP:0000969", "exact")]),
    ("Chest: lungs clear. Leg edema", [("edema", "HP:0000969", "exact")]),
    ("a corneal opacity", []),
    ("soft tissue density over the left lung", []),
    ("a thyroid nodule; the lungs and the chest are normal", []),
    (
        "Lungs: calcified left lower lobe 5 mm granuloma. No effusion.",
        [
            ("calcified left lower lobe 5 mm granuloma", "HP:6000931", "interrupted"),
            ("effusion", "HP:0002202", "shorthand"),
        ],
    ),
    (
        "Chest. Lungs. Elevated right and left diaphragm.",
        [("Elevated right and left diaphragm", "HP:6000008", "interrupted")],
    ),
    ("Chest. Lungs. Elevated. Right diaphragm.", []),
    ("calcified small and round granuloma", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_reads(linker: Linker, text: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(m.mention, m.concept.curie, m.method) for m in linker.link(text)] == expected


def test_an_opacity_in_a_note_on_a_chest_is_the_lungs(linker: Linker) -> None:
    def said(text: str) -> list[str]:
        return [m.concept.curie for m in linker.link(text, note=True)]

    assert linker.link("Bilateral diffuse opacities.") == ()
    assert said("Bilateral diffuse opacities.") == ["HP:0031457"]
    assert said("Corneal opacities.") == []
    assert said("A nodule of the thyroid.") == []


def test_shorthand_names_what_it_stands_for(linker: Linker) -> None:
    [match] = linker.link("opacity in the left lung base")
    assert match.matched_term == "Lung opacity"
    assert 0 < match.score < 1


def test_a_vocabulary_left_out_is_left_out(linker: Linker, tmp_path: Path) -> None:
    other = Linker.build(
        [Concept(curie="OMIM:1", name="Granuloma disease", codes={"OMIM": ("1",)})],
        [Term(curie="OMIM:1", text="Granuloma disease")],
        tmp_path / "dictionary",
    )
    assert other.link("opacity in the left lung base, lungs, chest") == ()
    assert [m.concept.curie for m in linker.link("opacity in the left lung", systems=("HP",))] == ["HP:0031457"]


def test_nested_shows_what_stands_inside(linker: Linker) -> None:
    text = "Lungs, chest: calcified left lung nodule."
    assert [m.concept.curie for m in linker.link(text)] == ["HP:6000931"]
    nested = [(m.mention, m.concept.curie) for m in linker.link(text, nested=True)]
    assert ("nodule", "HP:0033608") not in nested or ("calcified left lung nodule", "HP:6000931") in nested
