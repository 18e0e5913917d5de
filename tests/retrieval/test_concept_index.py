from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError
from retrieval.concept_index import PATTERNS_SHARE, ConceptIndex, Likely

PARENTS = {"T:effusion": ("T:pleura", "T:chest"), "T:pleura": ("T:chest",), "T:nodule": ("T:lung", "T:chest")}


def ancestors(curie: str) -> tuple[str, ...]:
    return PARENTS.get(curie, ())


@pytest.fixture
def index(tmp_path: Path) -> ConceptIndex:
    documents = [("T:effusion",), ("T:pleura",), ("T:nodule",), ("T:effusion", "T:nodule"), ()]
    return ConceptIndex.build(documents, tmp_path / "concepts", ancestors=ancestors, known=["T:lung"])


def test_simgic_by_hand(index: ConceptIndex) -> None:
    # of 5 documents, with ancestors: chest 4, pleura 3, effusion 2, nodule 2, lung 2
    chest, pleura, effusion, nodule, lung = (math.log(6 / (n + 1)) for n in (4, 3, 2, 2, 2))
    query = chest + pleura + effusion
    expected = [
        1,
        (chest + pleura) / query,
        chest / (query + nodule + lung),
        query / (query + nodule + lung),
        0,
    ]
    np.testing.assert_allclose(index.scores(["T:effusion"]), expected, rtol=1e-6)


def test_an_unknown_concept_shares_nothing_and_dilutes(index: ConceptIndex) -> None:
    assert not index.scores(["T:unknown"]).any()
    both = index.scores(["T:effusion", "T:unknown"])
    assert 0 < both[0] < index.scores(["T:effusion"])[0]
    assert not index.scores([]).any()


def test_symmetric_bounds(index: ConceptIndex) -> None:
    assert index.scores(["T:effusion", "T:nodule"])[3] == pytest.approx(1)
    assert (index.scores(["T:pleura", "T:lung"]) <= 1).all()


def test_mentions_counts_kinds(index: ConceptIndex) -> None:
    assert index.mentions("T:chest")
    assert index.mentions("T:lung")  # by the nodule
    assert not index.mentions("T:unknown")


def test_without_ancestors_only_the_concept_itself(tmp_path: Path) -> None:
    index = ConceptIndex.build([("T:effusion",), ("T:pleura",)], tmp_path / "concepts")
    assert index.scores(["T:pleura"]).tolist() == [0, 1]


def test_no_documents(tmp_path: Path) -> None:
    assert ConceptIndex.build([], tmp_path / "concepts").scores(["T:a"]).shape == (0,)


def test_damage_is_refused(index: ConceptIndex, tmp_path: Path) -> None:
    path = tmp_path / "concepts" / "columns.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"columns\.npy"):
        ConceptIndex.open(tmp_path / "concepts")


def test_agreement_to_expect_by_hand(index: ConceptIndex) -> None:
    patterns = {frozenset({"T:effusion", "T:nodule"}): 0.5, frozenset({"T:effusion"}): 0.25, frozenset[str](): 0.25}
    # the five have {effusion}, {} (pleura is none of the two), {nodule}, both, {}
    expected = [0.5 / 2 + 0.25, 0.25, 0.5 / 2, 0.5 + 0.25 / 2, 0.25]
    np.testing.assert_allclose(index.agreement(patterns, ["T:effusion", "T:nodule"]), expected)
    # a kind of what is asked for counts as it
    np.testing.assert_allclose(index.agreement({frozenset({"T:pleura"}): 1.0}, ["T:pleura"]), [1, 1, 0, 1, 0])


def test_patterns_count_beside_what_is_likely(index: ConceptIndex) -> None:
    likely = {"T:effusion": 0.5, "T:nodule": 0.5}
    without = index.scores(Likely(probability=likely))
    patterns = {frozenset({"T:nodule"}): 1.0}
    told = index.scores(Likely(probability=likely, patterns=patterns))
    alone = index.agreement(patterns, sorted(likely))
    np.testing.assert_allclose(told, (1 - PATTERNS_SHARE) * without + PATTERNS_SHARE * alone, rtol=1e-6)
    assert told[2] > without[2], "the nodule's film"
