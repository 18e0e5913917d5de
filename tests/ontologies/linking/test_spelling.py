"""Misspelt words: which are read, which are left alone, and the bound."""

from __future__ import annotations

import random
import string

import pytest

from ontologies.concept import FINDING, Concept, Term
from ontologies.linking.linker import Linker
from ontologies.linking.spelling import LEAST_LETTERS, one_slip

NAMES = {
    "HP:0000256": "Macrocephaly",
    "HP:0001638": "Cardiomyopathy",
    "HP:0002202": "Pleural effusion",
    "HP:0000421": "Epistaxis",
    "HP:0005110": "Atrial fibrillation",
    "HP:0012418": "Hypoxemia",
    "HP:0002092": "Pulmonary arterial hypertension",
    "HP:0002615": "Hypotension",
    "HP:0000001": "Intranuclear weakness",
    "HP:0000002": "Infranuclear weakness",
}
# A definition whose words are no slips, near as they are to those of names.
DEFINITION = "Bleeding from the nose with a fibrillary habitus."


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    concepts = [
        Concept(
            curie=curie,
            name=name,
            semantic_types=(FINDING,),
            codes={"HP": (curie[3:],)},
            definition=DEFINITION if name == "Epistaxis" else "",
        )
        for curie, name in NAMES.items()
    ]
    terms = [Term(curie=curie, text=name, kind="preferred") for curie, name in NAMES.items()]
    return Linker.build(concepts, terms, tmp_path_factory.mktemp("spelling") / "linker")


@pytest.mark.parametrize(
    ("text", "curie"),
    [
        ("cardiomyopthy", "HP:0001638"),  # left out
        ("cardiomyoppathy", "HP:0001638"),  # added
        ("cardiomyopethy", "HP:0001638"),  # changed
        ("cardiomyoapthy", "HP:0001638"),  # swapped
        ("Cardiomyopthies", "HP:0001638"),
        ("plural effuusion", None),  # "plural" has six letters
        ("pleural effuusion", "HP:0002202"),
        ("atrial fibrillatoin", "HP:0005110"),
        ("macrocehaly", "HP:0000256"),
        ("epistasis", None),  # a name of one word of nine letters: too near to other words
        ("hypxoemia", None),
        ("cardomyopthy", None),  # two slips
        ("ardiomyopathy", None),  # the first letter
        ("cardiomyopathy2", None),
        ("atrial fibrillary", None),  # a word of a definition
        ("pulmonary arterial hypotension", "HP:0002615"),  # a known word stays what it is
        ("inranuclear weakness", None),  # could be either
    ],
)
def test_one_slip_in_a_long_word(linker: Linker, text: str, curie: str | None) -> None:
    found = linker.link(text)
    assert [match.concept.curie for match in found] == ([] if curie is None else [curie])


def test_a_misspelt_mention_says_so_and_scores_less(linker: Linker) -> None:
    [right, wrong] = linker.link("Atrial fibrillation. Atrial fibrillatoin.")
    assert (right.method, wrong.method) == ("exact", "spelling")
    assert (wrong.mention, wrong.matched_term) == ("Atrial fibrillatoin", "Atrial fibrillation")
    assert wrong.score < right.score


def test_one_slip_is_what_shares_a_form() -> None:
    rng = random.Random(4)
    for _ in range(300):
        word = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(LEAST_LETTERS, 14)))
        i = rng.randrange(1, len(word))
        letter = rng.choice(string.ascii_lowercase)
        for other in (
            word[:i] + word[i + 1 :],
            word[:i] + letter + word[i:],
            word[:i] + letter + word[i + 1 :],
            word[:i] + word[i + 1 : i + 2] + word[i] + word[i + 2 :],
        ):
            assert not set(one_slip(word)).isdisjoint(one_slip(other)), (word, other)
        assert set(one_slip(word)).isdisjoint(one_slip(letter.upper() + word[1:]))


def test_words_of_the_names_are_found_as_written(linker: Linker) -> None:
    for curie, name in NAMES.items():
        [match] = linker.link(name.lower())
        assert (match.concept.curie, match.method) == (curie, "exact")
