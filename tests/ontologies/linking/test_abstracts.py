"""How abstracts say findings: names inside names, adjectives before one noun, types, adjectives of states, numbers,
wordings that HPO lacks, and what only looks like a name. The examples were written before the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontologies.concept import FINDING, Concept, Relation, Term
from ontologies.linking.linker import Linker
from ontologies.linking.normalize import USUAL_NAMES

NAMES = {
    "HP:0002664": ["Neoplasm", "Tumor"],
    "HP:0030430": ["Neuroma"],
    "HP:0100008": ["Schwannoma"],
    "HP:0009588": ["Vestibular schwannoma", "Acoustic neuroma"],
    "HP:0030692": ["Brain neoplasm", "Brain tumor"],
    "HP:0000598": ["Abnormality of the ear", "Ear anomaly"],
    "HP:0000377": ["Abnormal pinna morphology"],
    "HP:0000378": ["Cupped ear", "Cup-shaped ears"],
    "HP:0001176": ["Large hands"],
    "HP:0004279": ["Short hands"],
    "HP:0001169": ["Broad hands"],
    "HP:0002136": ["Broad-based gait", "Wide based gait"],
    "HP:0002066": ["Ataxic gait"],
    "HP:0000365": ["Hearing impairment", "Hearing loss"],
    "HP:0001730": ["Progressive hearing loss"],
    "HP:0012713": ["Severe hearing loss"],
    "HP:0011304": ["Broad thumbs"],
    "HP:0010109": ["Short thumbs"],
    "HP:0009370": ["Type A brachydactyly"],
    "HP:0009371": ["Type A1 brachydactyly"],
    "HP:0012622": ["Polydactyly type 2"],
    "HP:0001875": ["Neutropenia"],
    "HP:0001873": ["Thrombocytopenia"],
    "HP:0001284": ["Areflexia"],
    "HP:0000028": ["Cryptorchidism"],
    "HP:0000135": ["Hypogonadism"],
    "HP:0000545": ["Myopia"],
    "HP:0000347": ["Micrognathia"],
    "HP:0002667": ["Wilms tumor 5"],
    "HP:0007359": ["Frontal lobe epilepsy 1"],
    "HP:0025766": ["Abnormal affect"],
    "HP:0030212": ["Collectionism", "Collecting"],
    "HP:0004742": ["Abnormality of the renal collecting system"],
    "HP:0001249": ["Intellectual disability"],
    "HP:0000748": ["Inappropriate laughter"],
    "HP:0001999": ["Abnormal facial shape"],
    "HP:0000924": ["Abnormality of the skeletal system"],
    "HP:0003348": ["Hyperalaninemia", "Elevated alanine"],
}
PARENTS = {
    "HP:0030430": "HP:0002664",
    "HP:0100008": "HP:0002664",
    "HP:0009588": "HP:0100008",
    "HP:0030692": "HP:0002664",
    "HP:0002664": "HP:0000001",
    "HP:0030212": "HP:0000708",
    "HP:0004742": "HP:0000077",
}


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    return _built(tmp_path_factory.mktemp("abstracts") / "linker", NAMES)


def _built(path: Path, names: dict[str, list[str]]) -> Linker:
    others = sorted({*PARENTS.values()} - {*names})
    concepts = [
        Concept(curie=c, name=names.get(c, [c])[0], semantic_types=(FINDING,), codes={"HP": (c[3:],)})
        for c in [*names, *others]
    ]
    terms = [Term(curie=c, text=text, kind="exact") for c, texts in names.items() for text in texts]
    edges = [Relation(subject=c, predicate="is_a", object=p, source="made") for c, p in PARENTS.items()]
    return Linker.build(concepts, terms, path, relations=edges)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("vestibular schwannomas", ["Schwannoma"]),
        ("a brain tumour", ["Neoplasm"]),
        ("acoustic neuromas", []),  # a schwannoma: "neuroma" is a word of its name
        ("anomalies of the renal collecting system", []),
        ("unilateral acoustic neuroma and a tumor", ["Neoplasm"]),
    ],
)
def test_a_name_inside_a_name_is_of_a_wider_concept(linker: Linker, text: str, inside: list[str]) -> None:
    longest = {m.concept.name for m in linker.link(text)}
    nested = [m.concept.name for m in linker.link(text, nested=True)]
    assert longest <= set(nested)
    assert sorted(set(nested) - longest | set(inside) & longest) == inside


def test_where_the_hierarchy_does_not_say_names_inside_names_stay(tmp_path: Path) -> None:
    concepts = [
        Concept(curie=f"HP:{i}", name=n, codes={"HP": (str(i),)}, semantic_types=(FINDING,))
        for i, n in enumerate(("Acoustic neuroma", "Neuroma"), 9000001)
    ]
    terms = [Term(curie=c.curie, text=c.name) for c in concepts]
    flat = Linker.build(concepts, terms, tmp_path / "flat")
    assert [m.concept.name for m in flat.link("acoustic neuroma", nested=True)] == ["Acoustic neuroma", "Neuroma"]


FOUND = [
    # adjectives before one noun
    ("a wide based, ataxic gait", ["Broad-based gait", "Ataxic gait"]),
    ("cup-shaped, anteverted ears", ["Cupped ear"]),
    ("short, broad hands", ["Short hands", "Broad hands"]),
    ("severe, progressive hearing loss", ["Severe hearing loss", "Progressive hearing loss"]),
    ("large, fleshy, broad hands", ["Broad hands"]),
    ("the hands were short, broad thumbs were seen", ["Short hands", "Broad thumbs"]),
    # types
    ("brachydactyly type A-1", ["Type A1 brachydactyly"]),
    ("Brachydactyly, type A1", ["Type A1 brachydactyly"]),
    ("Brachydactyly type A-1 (BDA-1; MIM 1); BDA-1", ["Type A1 brachydactyly"] * 3),
    ("brachydactyly type A", ["Type A brachydactyly"]),
    ("polydactyly, type 2", ["Polydactyly type 2"]),
    # adjectives of states
    ("neutropenic and thrombocytopenic patients", ["Neutropenia", "Thrombocytopenia"]),
    ("an areflexic, cryptorchid, hypogonadal boy", ["Areflexia", "Cryptorchidism", "Hypogonadism"]),
    ("a myopic, micrognathic girl", ["Myopia", "Micrognathia"]),
    # numbers that count, relative clauses, verbs
    ("5% of sporadic Wilms tumors", ["Neoplasm"]),
    ("frontal lobe epilepsy in one family", []),
    ("a disorder that affects an estimated 2 %", []),
    ("a state which affected abnormal mice", []),
    # look-alikes
    ("cells of the collecting duct", []),
    ("collecting stamps without limit", ["Collectionism"]),
    ("elevated alanine aminotransferase", []),
    ("elevated alanine and lactate", ["Hyperalaninemia"]),
    ("cough brought on by laughter", []),
    # wordings that HPO lacks
    ("paroxysms of laughter", ["Inappropriate laughter"]),
    ("mentally retarded children", ["Intellectual disability"]),
    ("mental handicap", ["Intellectual disability"]),
    ("a deaf woman", ["Hearing impairment"]),
    ("bilateral acoustic neurinomas", ["Vestibular schwannoma"]),
    ("tumor of the eighth nerve; an eighth nerve tumor", ["Vestibular schwannoma"] * 2),
    ("characteristic facial features", ["Abnormal facial shape"]),
    ("a peculiar facies", ["Abnormal facial shape"]),
    ("bony abnormalities", ["Abnormality of the skeletal system"]),
]


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_finds_what_abstracts_say(linker: Linker, text: str, names: list[str]) -> None:
    assert [m.concept.name for m in linker.link(text)] == names


def test_a_nearer_concept_of_another_source_keeps_its_wording(tmp_path: Path) -> None:
    birth = Concept(curie="HP:0001622", name="Premature birth", codes={"HP": ("0001622",)}, semantic_types=(FINDING,))
    newborn = Concept(curie="CHEST:x", name="Preterm newborn", codes={"CHEST": ("x",)}, semantic_types=(FINDING,))
    terms = [Term(curie=c.curie, text=c.name, kind="preferred") for c in (birth, newborn)]
    both = Linker.build([birth, newborn], [*terms, Term(curie="CHEST:x", text="Preterm infant")], tmp_path / "both")
    assert [m.concept.curie for m in both.link("two preterm infants")] == ["CHEST:x"]
    assert [m.concept.curie for m in both.link("two preterm infants", systems=("HP",))] == ["HP:0001622"]


def test_the_table_of_wordings_says_each_thing_once() -> None:
    wordings = [wording.lstrip("~") for listed in USUAL_NAMES.values() for wording in listed]
    assert len(wordings) == len(set(wordings)) > 500
    assert all(len(code) == 7 and code.isdigit() for code in USUAL_NAMES)
    assert all(wording == wording.strip() != "" for wording in wordings)
