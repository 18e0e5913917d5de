"""The words of notes against the formula, worked out by hand on the small graph, and against common sense."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError
from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from kg.note_words import NOISE, PORTRAYED, NoteWords, background
from kg.portraits import Portraits
from ontologies.chest.layer import Portrait

SHARE = {"OMIM:1": 0.5, "OMIM:2": 0.3, "OMIM:3": 0.2}


@pytest.fixture
def words(small_graph: KnowledgeGraph) -> NoteWords:
    annotations = AnnotationMatrix.open(small_graph.path)
    share = np.array([SHARE[small_graph.curie(d)] for d in annotations.disease])
    told = [Portrait(disease="OMIM:3", text="A beekeeper with rust on his sleeves.")]
    return NoteWords(small_graph, annotations, share, Portraits(small_graph, annotations.disease, told))


def row(words: NoteWords, graph: KnowledgeGraph, disease: str) -> int:
    return int(np.flatnonzero(AnnotationMatrix.open(graph.path).disease == graph.node(disease))[0])


def test_a_word_weighs_what_the_names_of_findings_make_of_it(words: NoteWords, small_graph: KnowledgeGraph) -> None:
    """ "Fluid" stands in one of the two names of the effusion, which Alpha shows in .2 and Beta in .5."""
    m = {"OMIM:1": 1 - math.exp(-0.2 / 2), "OMIM:2": 1 - math.exp(-0.5 / 2), "OMIM:3": 0.0}
    b = max(sum(SHARE[d] * m[d] for d in m) + 0.002, background().get("fluid", 0.0))
    for disease, own in m.items():
        expected = math.log(((1 - NOISE) * own + NOISE * b) / b)
        assert words.weight("fluid")[row(words, small_graph, disease)] == pytest.approx(expected, rel=1e-5)
    assert expected == pytest.approx(math.log(NOISE)), "a word costs no more than the noise"


def test_a_word_of_a_portrait_speaks_for_its_disease(words: NoteWords, small_graph: KnowledgeGraph) -> None:
    assert words.stems("Rusty sleeves") == {"sleev": "sleeves"}
    m = 1 - math.exp(-PORTRAYED)
    b = max(SHARE["OMIM:3"] * m + 0.002, background().get("sleev", 0.0))
    weight = words.weight("sleev")
    assert weight[row(words, small_graph, "OMIM:3")] == pytest.approx(math.log(((1 - NOISE) * m + NOISE * b) / b), 1e-5)
    assert weight[row(words, small_graph, "OMIM:1")] == pytest.approx(math.log(NOISE))


def test_a_word_speaks_for_who_shows_it(words: NoteWords, small_graph: KnowledgeGraph) -> None:
    alpha, beta, _ = (row(words, small_graph, d) for d in SHARE)
    said = words.stems("There was consolidation on the left.")
    total = words.total(said, slice(None))
    assert total[alpha] > 0 > total[beta]
    np.testing.assert_allclose(words.total(said, np.array([beta, alpha])), total[[beta, alpha]])


def test_words_are_stems_and_each_counts_once(words: NoteWords) -> None:
    assert words.stems("Effusions, an effusion; consolidations") == {"effus": "effusions", "consolid": "consolidations"}


@pytest.mark.parametrize("text", ["", "the patient is 40", "zebra", "3 4 5", "of all"])
def test_what_no_name_holds_says_nothing(words: NoteWords, text: str) -> None:
    assert words.stems(text) == {}
    assert not words.total(words.stems(text), slice(None)).any()
    assert not words.weight("zebra").any()


def test_the_background_is_a_table_of_shares() -> None:
    table = background()
    assert len(table) > 1000
    assert all(0 < share <= 1 for share in table.values())
    assert table["pneumonia"] > 0.01 > table.get("mushroom", 0.0), "a word of many papers, and one of few"


def test_a_background_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="background of words"):
        background(tmp_path / "none.tsv")
    (tmp_path / "other.tsv").write_text("word\tn\na\t1\n")
    with pytest.raises(ArtifactError, match="background of words"):
        background(tmp_path / "other.tsv")
