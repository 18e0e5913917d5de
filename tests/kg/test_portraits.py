"""How like a portrait a note is: known values, what has none, and vectors of other texts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError
from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from kg.portraits import VECTORS, Portraits, digest, vectors
from ontologies.chest import layer as chest
from ontologies.chest.layer import Portrait

TOLD = [Portrait(disease=d, text=t) for d, t in (("OMIM:1", "a"), ("OMIM:2", "b"), ("OMIM:1", "c"), ("OMIM:99", "d"))]
VECTOR = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0]], np.float32)


def test_the_likest_portrait_counts_and_what_has_none_is_neither(small_graph: KnowledgeGraph) -> None:
    disease = AnnotationMatrix.open(small_graph.path).disease
    portraits = Portraits(small_graph, disease, TOLD, VECTOR)
    assert portraits.texts == ["a", "b", "c"]
    found = dict(zip(map(small_graph.curie, disease.tolist()), portraits.likeness(np.array([0.0, 3.0])), strict=True))
    mean = (0 + 1 + 0.8) / 3
    assert found["OMIM:1"] == pytest.approx(0.8 - mean)
    assert found["OMIM:2"] == pytest.approx(1 - mean)
    assert found["OMIM:3"] == 0
    assert not portraits.likeness(np.zeros(2)).any()
    assert not Portraits(small_graph, disease, []).likeness(np.ones(2)).any()


def test_the_shipped_vectors_are_those_of_the_texts() -> None:
    from retrieval.encoder import Encoder

    texts = [p.text for p in chest.load().portraits]
    some = slice(0, None, 40)
    cosine = np.sum(Encoder.load().encode(texts[some]) * vectors()[some], axis=1)
    assert len(vectors()) == len(texts)
    assert cosine.min() > 0.999


def test_vectors_of_other_texts_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "portraits.safetensors"
    with pytest.raises(ArtifactError, match="cannot be read"):
        vectors(path)
    save_file({"portraits": np.ones((2, 3), np.float16)}, path, metadata={"texts": "0"})
    with pytest.raises(ArtifactError, match="not of these portraits"):
        vectors(path)
    save_file({"portraits": np.ones((2, 3), np.float16)}, path, metadata={"texts": digest()})
    assert vectors(path) == pytest.approx(np.full((2, 3), 3**-0.5))
    assert VECTORS.stat().st_size < 4_000_000


def test_every_disease_has_a_portrait_that_does_not_name_it() -> None:
    layer = chest.load()
    told = {p.disease for p in layer.portraits}
    assert [d.name for d in layer.diseases if d.commonness != "group" and d.id not in told] == []
    names = {d.id: d.name.lower() for d in layer.diseases}
    named = [p.text for p in layer.portraits if re.search(rf"\b{re.escape(names[p.disease])}\b", p.text.lower())]
    assert named == []
