"""Milvus Lite, through the client that a cluster is asked by, beside FAISS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError

pytest.importorskip("pymilvus", reason="pymilvus is not installed (extra milvus)")
pytest.importorskip("milvus_lite", reason="milvus-lite is not installed (extra milvus)")

from indexes.backend import forget, open_vectors, place_of
from indexes.lexical_index import LexicalIndex
from indexes.milvus import MilvusStore, checked
from indexes.milvus_index import MilvusIndex
from indexes.vector_index import VectorIndex

WORDS = ["pleural", "effusion", "heart", "lung", "nodule", "mass", "left", "right", "base", "apex", "fibrosis", "air"]


def cloud(n: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, 24)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_same_hits_as_faiss_before_and_after_an_update(tmp_path: Path) -> None:
    vectors, queries = cloud(600), cloud(200, seed=2)
    ids = [f"doc-{row * 7919 % 600:05d}" for row in range(600)]
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(WORDS, random.integers(3, 12))) for _ in ids]
    address = str(tmp_path / "lite.db")
    there = MilvusIndex.build(vectors, ids, tmp_path / "there", address, texts=texts)
    here = VectorIndex.build(vectors, ids, tmp_path / "here")
    found, scores = there.search(queries, 10)
    expected, exact = here.search(queries, 10)
    assert found == expected
    np.testing.assert_array_equal(scores, exact)
    among = np.arange(0, 600, 40)
    assert there.search(queries[:9], 10, among=among)[0] == here.search(queries[:9], 10, among=among)[0]
    np.testing.assert_array_equal(there.scores(queries[0]), here.scores(queries[0]))

    lexical = LexicalIndex.of(texts, ids)
    # Milvus computes BM25 a little otherwise (idf, mean length): the best is the same, and most of the best twenty
    ours, theirs = (
        lexical.search("Pleural effusions of the heart", 20)[0],
        there.words("Pleural effusions of the heart", 20),
    )
    assert theirs[0][0] == ours[0]
    assert len({name for name, _ in theirs} & set(ours)) >= 15
    assert there.words("of the", 5) == []
    both = [name for name, _ in there.hybrid("pleural effusion", queries[0], 5)]
    assert len(set(both)) == 5
    with pytest.raises(InputError, match="dimension 24"):
        there.rows(np.zeros(3, dtype=np.float32), 1)

    vectors[0] = -vectors[0]
    there.close()
    again = MilvusIndex.build(
        vectors[:-10], ids[:-10], tmp_path / "again", address, texts=texts[:-10], before=tmp_path / "there"
    )
    assert again.store.name == there.store.name
    assert (
        again.search(queries, 10)[0]
        == VectorIndex.build(vectors[:-10], ids[:-10], tmp_path / "f").search(queries, 10)[0]
    )
    again.close()
    place = place_of(tmp_path / "again")
    assert place == (address, again.store.name)
    assert len(open_vectors(tmp_path / "again")) == 590
    forget(place)
    with pytest.raises(ArtifactError, match="Milvus does not have this index"):
        open_vectors(tmp_path / "again")


def test_nobody_answers(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"Milvus does not answer .*: 'milvus://127.0.0.1:1'"):
        MilvusIndex.build(cloud(3), ["a", "b", "c"], tmp_path / "index", "milvus://127.0.0.1:1")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("address", ["", "localhost", "http://x:1", "milvus://", "milvus://h:p", "a.dbx"])
def test_no_address(address: str) -> None:
    with pytest.raises(InputError, match="no address of Milvus"):
        checked(address)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder for Milvus's file"):
        MilvusStore(str(tmp_path / "no" / "lite.db"), "x")
