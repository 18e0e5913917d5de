from __future__ import annotations

import pytest

from indexes.lexical_index import LexicalIndex
from retrieval.sentence import best_sentence, sentences

TEXT = (
    "OBJECTIVE: To describe pleural effusion (e.g. in heart failure) vs. pneumonia. "
    "Patients were studied by Dr. A. Smith. "
    "Effusion was common in heart failure! Was it bilateral? 12 of 20 had fever."
)


def test_sentences() -> None:
    assert sentences(TEXT)[0].endswith("pneumonia.")
    assert sentences(TEXT)[-3:] == (
        "Effusion was common in heart failure!",
        "Was it bilateral?",
        "12 of 20 had fever.",
    )
    assert sentences("") == ()


@pytest.fixture
def index() -> LexicalIndex:
    texts = ["effusion and fever", "effusion", "effusion in heart failure", "pneumonia", "fever"]
    return LexicalIndex.of(texts, list("abcde"))


def test_the_best_says_most(index: LexicalIndex) -> None:
    assert best_sentence(sentences(TEXT), "effusion. Heart failure", index) == "Effusion was common in heart failure!"
    assert best_sentence(sentences(TEXT), "fever", index) == "12 of 20 had fever."


def test_a_rare_word_outweighs_a_common_one(index: LexicalIndex) -> None:
    assert best_sentence(["An effusion here.", "A pneumonia here."], "effusion pneumonia", index) == "A pneumonia here."


def test_nothing_shared_is_empty_and_the_first_of_equals_wins(index: LexicalIndex) -> None:
    assert best_sentence(sentences(TEXT), "wheat", index) == ""
    assert best_sentence([], "fever", index) == ""
    assert best_sentence(["Fever one.", "Fever two."], "fever", index) == "Fever one."
