"""What is asked of the cases: from an image, a text, a case, and without a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from errors import InputError
from fusion.collecting.similar import similar
from fusion.prior import NORMAL
from ontologies.concept import Concept
from retrieval.document import Document
from vision.finding import LABELS

NAMES = {"T:effusion": "Effusion", "T:small": "Small effusion", "T:heart": "Cardiomegaly", NORMAL: "Normal chest"}
CASE = Document(
    doc_id="ours:1",
    kind="case",
    title="",
    text="Small effusion on the left. The heart is enlarged.",
    source_curie="ours:1",
    concepts=("T:heart", "T:small"),
    metadata={"patient": "p"},
)


class Graph:
    def __contains__(self, curie: object) -> bool:
        return curie in NAMES

    def concept(self, curie: str) -> Concept:
        return Concept(curie=curie, name=NAMES[curie])

    def ancestors(self, curie: str) -> frozenset[str]:
        return frozenset({curie, "T:effusion"} if curie == "T:small" else {curie})


class Linker:
    def link(self, text: str, *, note: bool) -> tuple[Any, ...]:
        words = {"effusion": "T:effusion", "heart": "T:heart"}
        return tuple(
            SimpleNamespace(concept=Graph().concept(curie), presence="present")
            for word, curie in words.items()
            if word in text.lower()
        )

    def link_all(self, texts: Iterable[str], *, note: bool) -> Iterable[tuple[Any, ...]]:
        return [self.link(text, note=note) for text in texts]


class Cases:
    images: object = "some"

    def __init__(self) -> None:
        self.asked: Mapping[str, Any] = {}

    def find(self, doc_id: str) -> tuple[Document, np.ndarray]:
        return CASE, np.ones(3, dtype=np.float32)

    def matching(self) -> list[Document]:
        return [
            CASE,
            Document(doc_id="ours:2", kind="case", title="", text="", source_curie="", metadata=CASE.metadata),
        ]

    def search(self, **asked: Any) -> tuple[()]:
        self.asked = asked
        return ()


@pytest.fixture
def asked() -> Callable[..., Mapping[str, Any]]:
    def ask(**query: Any) -> Mapping[str, Any]:
        cases = Cases()
        similar(cases, graph=Graph, linker=Linker, **query)  # type: ignore[arg-type]
        return cases.asked

    return ask


def test_an_image_asks_with_how_probable_its_findings_are(asked: Callable[..., Mapping[str, Any]]) -> None:
    findings = [
        SimpleNamespace(concept=Graph().concept("T:effusion"), probability=0.8, presence="present"),
        SimpleNamespace(concept=Graph().concept("T:heart"), probability=0.1, presence="absent"),
    ]
    query = asked(seen=SimpleNamespace(embedding="vector", findings=findings))
    assert (query["image_embedding"], query["text"]) == ("vector", None)
    assert query["concepts"].probability == {"T:effusion": 0.8, "T:heart": 0.1}
    assert query["concepts"].otherwise == (NORMAL,)
    assert query["names"] == {"T:effusion": "Effusion"}
    assert list(query["concepts"].sets()) == [
        (pytest.approx(0.2), (NORMAL,)),
        (pytest.approx(0.7), ("T:effusion",)),
        (pytest.approx(0.1), ("T:effusion", "T:heart")),
    ]


def test_a_film_that_asks_alone_asks_with_what_stands_together(asked: Callable[..., Mapping[str, Any]]) -> None:
    film = SimpleNamespace(pixels=np.zeros((512, 512)), patient_age_y=60.0, patient_sex="F", view_position="PA")
    curies = {label: f"T:{label}" for label in LABELS}
    findings = [
        SimpleNamespace(label=x, concept=Concept(curie=c, name=x), probability=0.1, presence="absent")
        for x, c in curies.items()
    ]
    seen = SimpleNamespace(embedding="vector", findings=findings, logits=np.full(15, -2, dtype=np.float32))
    patterns = asked(seen=seen, film=film)["concepts"].patterns
    assert max(patterns, key=patterns.__getitem__) == frozenset(), "a film on which the networks see nothing"
    assert 0.9 < sum(patterns.values()) <= 1.001
    assert set().union(*patterns) <= set(curies.values())
    assert not asked(seen=seen, film=film, text="effusion")["concepts"].patterns, "a text says what is there"
    assert not asked(seen=seen, film=film, but_not="effusion")["concepts"].patterns
    assert not asked(seen=seen)["concepts"].patterns


def test_a_case_asks_for_others_than_its_patients(asked: Callable[..., Mapping[str, Any]]) -> None:
    query = asked(like="ours:1")
    assert query["exclude"] == {"ours:1", "ours:2"}
    assert query["text"] == CASE.text
    assert query["names"] == {"T:heart": "Cardiomegaly", "T:small": "Small effusion"}


def test_but_not(asked: Callable[..., Mapping[str, Any]]) -> None:
    query = asked(like="ours:1", but_not="effusion")
    assert query["without"] == {"T:effusion"}
    assert query["text"] == "The heart is enlarged."
    assert query["concepts"].probability == {"T:heart": 1.0}
    assert query["names"] == {"T:heart": "Cardiomegaly"}
    with pytest.raises(InputError, match="no finding that is known: 'blue'"):
        asked(text="heart", but_not="blue")
