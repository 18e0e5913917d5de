"""Names with marks inside: found as their source writes them, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontologies.concept import DISEASE, Concept, Term
from ontologies.linking.linker import Linker

NAMES = {
    "X:1": "Myopathy, distal, 1",
    "X:2": "Hemiplegia (right)",
    "X:3": "Abnormal CD4:CD8 ratio",
    "X:4": "Absence of CD8+ T cells",
    "X:5": "Diabetes, deafness, and short stature syndrome",
    "X:6": "Deposit, pleural",
    "X:7": "Pneumonia, Aspiration",
    "X:8": "Bone scan (scintigraphy): increased uptake",
    "X:9": "Polyarteritis [Churg-Strauss]",
    "X:10": "Elevated C16:1 acylcarnitine; severe",
    "X:11": "Atrioventricular block, 2:1",
    "X:12": "Retinopathy = haze",
    "X:13": "Myopathy, deafness, and diabetes",
    "A:1": "Pneumonia",
    "A:2": "Aspiration",
    "A:3": "Pleural thickening",
    "A:4": "Deposit",
    "A:5": "Myopathy",
    "A:6": "Hemiplegia",
    "A:7": "Diabetes",
    "A:8": "Deafness",
    "A:9": "Pericardial deposit",
}
SHORT = ("S:1", "PE, acute")


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    listed = {**NAMES, SHORT[0]: SHORT[1]}
    concepts = [Concept(curie=curie, name=name, semantic_types=(DISEASE,)) for curie, name in listed.items()]
    terms = [
        Term(curie=c.curie, text=c.name, kind="abbreviation" if c.curie == SHORT[0] else "preferred") for c in concepts
    ]
    return Linker.build(concepts, terms, tmp_path_factory.mktemp("verbatim") / "linker")


def found(linker: Linker, text: str) -> list[tuple[str, str]]:
    return [(match.concept.curie, match.mention) for match in linker.link(text)]


@pytest.mark.parametrize(("curie", "name"), NAMES.items())
@pytest.mark.parametrize("text", ["{}", "{}.", "There is {}.", "Diagnosis: {}\nPlan: none", "no {} seen"])
def test_a_name_is_found_as_it_is_written(linker: Linker, curie: str, name: str, text: str) -> None:
    if curie in ("X:7", "X:13") and text.startswith(("There", "no")):  # a list beside other words
        text = "{}"
    whole = name.rstrip(")]")
    matches = found(linker, text.format(name))
    assert (curie, whole) in matches
    assert len(matches) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # as the source writes it, but for blanks, quotes, dashes, case and number
        ("MYOPATHY,DISTAL,1", ["X:1"]),
        ('"Myopathy", distal, 1', ["X:1"]),
        ("myopathies, distal, 1", ["X:1"]),
        ("Myopathy,\ndistal, 1", ["X:1"]),
        ("polyarteritis [Churg–Strauss]", ["X:9"]),
        # another mark, another order, a word more
        ("Myopathy; distal; 1", ["A:5"]),
        ("Myopathy. Distal. 1", ["A:5"]),
        ("distal, myopathy, 1", ["A:5"]),
        ("Myopathy, mostly distal, 1", ["A:5"]),
        ("hemiplegia, right", ["A:6"]),
        # a list of findings is a list of findings
        ("deposit, pleural thickening", ["A:4", "A:3"]),
        ("pericardial deposit, pleural", ["A:9"]),
        ("fever, pneumonia, aspiration and chills", ["A:1", "A:2"]),
        ("Recent pneumonia, aspiration.", ["A:1", "A:2"]),
        ("He had pneumonia, aspiration.", ["X:7"]),
        ("pneumonia, aspiration", ["X:7"]),
        ("1. Pneumonia, aspiration; 2. Hemiplegia", ["X:7", "A:6"]),
        ("diabetes, deafness, short stature", ["A:7", "A:8"]),
        ("a child with myopathy, deafness, and diabetes", ["A:5", "A:8", "A:7"]),
        ("Diagnosis: myopathy, deafness, and diabetes.", ["X:13"]),
        ("myopathy, deafness, and diabetes, pneumonia", ["A:5", "A:8", "A:7", "A:1"]),
        ("diabetes, deafness, and short stature syndrome in two", ["X:5"]),
        # a short form as its source writes it
        ("PE, acute", ["S:1"]),
        ("pe, acute", []),
    ],
)
def test_where_marks_make_a_name(linker: Linker, text: str, expected: list[str]) -> None:
    assert [curie for curie, _ in found(linker, text)] == expected


def test_two_texts_do_not_run_into_each_other(linker: Linker) -> None:
    read = list(linker.link_all(["a myopathy,", "distal, 1", "Myopathy, distal, 1", "", "hemiplegia", "(right)"]))
    assert [[m.concept.curie for m in some] for some in read] == [["A:5"], [], ["X:1"], [], ["A:6"], []]


def test_a_vocabulary_may_be_restricted(linker: Linker) -> None:
    with_codes = Concept(curie="HP:1", name="Cough, dry", codes={"HP": ("1",)})
    without = Concept(curie="X:1", name="Cough, wet", codes={"X": ("1",)})
    path = Path(str(linker._index.path)).parent / "restricted"
    terms = [Term(curie=c.curie, text=c.name, kind="preferred") for c in (with_codes, without)]
    restricted = Linker.build([with_codes, without], terms, path)
    text = "Cough, dry. Cough, wet."
    assert [m.concept.curie for m in restricted.link(text)] == ["HP:1", "X:1"]
    assert [m.concept.curie for m in restricted.link(text, systems=["HP"])] == ["HP:1"]
