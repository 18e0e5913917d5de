"""Names by meaning, with an encoder whose vectors are known: what is linked, what is NIL and why, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Term
from ontologies.linking.linker import Linker
from retrieval.encoder import Encoder
from retrieval.similar_names import SimilarNames

NAMES = {
    "HP:0000813": ("Bicornuate uterus",),
    "HP:0000252": ("Small head circumference",),
    "HP:0031141": ("Increased hepatic echogenicity",),
    "HP:0000365": ("Hearing impairment",),
    "HP:0000407": ("Sensorineural hearing impairment",),
    "HP:0000505": ("Visual impairment",),
    "HP:0100807": ("Long fingers",),
    "OMIM:109400": ("Basal cell nevus syndrome",),
}
# A text's vector is the sum of its words' directions; what means the same shares a direction.
MEANINGS = ["bicornuate", "uterus", "hearing ears", "visual eyes", "impairment", "long short small", "fingers"]
MEANINGS += ["head", "circumference", "increased", "hepatic liver", "echogenicity"]
DIRECTIONS = {word: {i: 1.0} for i, words in enumerate(MEANINGS) for word in words.split()}
DIRECTIONS |= {word: {5: 0.4} for word in ("long", "short", "small")}
DIRECTIONS |= {"sensory": {2: 0.7, 3: 0.7}, "impairment": {4: 2.0}}
ELSEWHERE = {len(MEANINGS): 0.3}


def _embed(texts: list[str], longest: int | None, progress: object) -> np.ndarray:
    vectors = np.full((len(texts), len(MEANINGS) + 1), 1e-3, dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split():
            for direction, weight in DIRECTIONS.get(word, ELSEWHERE).items():
                vectors[row, direction] += weight
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder("directions", "f" * 64, len(MEANINGS) + 1, _embed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    concepts = [
        Concept(
            curie=curie,
            name=names[0],
            semantic_types=(FINDING if curie.startswith("HP") else DISEASE,),
            codes={curie.partition(":")[0]: (curie.partition(":")[2],)},
        )
        for curie, names in NAMES.items()
    ]
    terms = [Term(curie=curie, text=name, kind="preferred") for curie, names in NAMES.items() for name in names]
    above = Relation(subject="HP:0000407", predicate="is_a", object="HP:0000365", source="HP")
    folder = tmp_path_factory.mktemp("similar")
    Linker.build(concepts, terms, folder / "linker", relations=[above])
    return folder


@pytest.fixture(scope="module")
def linker(home: Path) -> Linker:
    return Linker.open(home / "linker")


@pytest.fixture(scope="module")
def similar(linker: Linker, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> SimilarNames:
    return SimilarNames.build(linker, tmp_path_factory.mktemp("similar") / "names", encoder=encoder)


def test_a_phrase_of_the_same_meaning_is_linked_and_assessed(similar: SimilarNames, linker: Linker) -> None:
    text = "No bicornuate unicollis uterus."
    assert linker.link(text) == ()
    [match], nil = similar.link(text)
    assert (match.mention, match.concept.curie, match.method) == (text[3:-1], "HP:0000813", "similar")
    assert (match.presence, match.matched_term, nil) == ("absent", "Bicornuate uterus", ())
    assert 0.85 <= match.score < 1


def test_what_the_dictionary_finds_stays(similar: SimilarNames, linker: Linker) -> None:
    text = "Visual impairment. Bicornuate unicollis uterus."
    matches, _ = similar.link(text)
    assert [match.method for match in matches] == ["exact", "similar"]
    assert matches[:1] == linker.link(text)


@pytest.mark.parametrize(
    ("text", "reason", "nearest"),
    [
        ("a bicornuate building", "no finding", None),
        ("head circumference", "says less", "Small head circumference"),
        ("uterus fingers", "too far", "Long fingers"),
        ("short fingers", "says something else", "Long fingers"),
        ("sensory impairment", "ambiguous", "Hearing impairment"),
    ],
)
def test_nil_says_why(similar: SimilarNames, text: str, reason: str, nearest: str | None) -> None:
    matches, nils = similar.link(text)
    found = {(nil.reason, nil.nearest) for nil in nils}
    assert matches == ()
    assert found == {(reason, nearest)}
    for nil in nils:
        assert text[nil.start : nil.end] == nil.phrase
        assert (nil.similarity is None) == (nearest is None)


def test_a_kind_of_the_nearest_is_no_rival(similar: SimilarNames) -> None:
    [match], _ = similar.link("ears impairment")
    assert match.concept.curie == "HP:0000365"


def test_only_concepts_of_a_system(similar: SimilarNames) -> None:
    assert similar.link("bicornuate unicollis uterus", systems=("HP",))[0] != ()
    matches, nils = similar.link("bicornuate unicollis uterus", systems=("OMIM",))
    assert matches == ()
    assert [nil.reason for nil in nils] == ["no finding"]
    with pytest.raises(InputError, match="no concept"):
        similar.link("bicornuate unicollis uterus", systems=("LOINC",))


def test_many_texts_give_what_each_gives(similar: SimilarNames) -> None:
    texts = ["bicornuate unicollis uterus", "", "head circumference", "fever"]
    assert list(similar.link_all(texts)) == [((), ()) if not text else similar.link(text) for text in texts]
    with pytest.raises(InputError, match="empty"):
        similar.link(" ")


def test_another_dictionary_or_encoder_is_stale(
    similar: SimilarNames, linker: Linker, encoder: Encoder, tmp_path: Path
) -> None:
    path = tmp_path / "names"
    SimilarNames.build(linker, path, encoder=encoder)
    other = Encoder("another", "0" * 64, encoder.dimension, _embed)  # type: ignore[arg-type]
    with pytest.raises(ArtifactError, match="stale"):
        SimilarNames.open(path, linker, encoder=other)
    with pytest.raises(ArtifactError, match="index of names"):
        SimilarNames.open(tmp_path / "none", linker, encoder=encoder)


def test_at_the_command_line(
    home: Path, encoder: Encoder, whydx: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "load", lambda: encoder)
    text = "Bicornuate unicollis uterus. Head circumference."
    ran = whydx("link", text, "--similar", "--format", "json", "--home", home)
    assert ran.status == 0, ran.err
    [row] = json.loads(ran.out)
    assert [match["method"] for match in row["matches"]] == ["similar"]
    assert [nil["reason"] for nil in row["nil"]] == ["says less"]
    table = whydx("link", text, "--similar", "--home", home).out
    assert "not linked: Head circumference – says less: Small head circumference" in table
    assert (home / "indexes" / "names" / "manifest.json").is_file()
