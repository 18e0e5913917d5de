from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import ArtifactError, InputError
from indexes.planner import IndexPlan
from indexes.vector_index import VectorIndex

HNSW = IndexPlan(
    kind="hnsw", parameters={"M": 8, "efConstruction": 40, "efSearch": 1}, estimated_bytes=0, reason="a test"
)
IVF = IndexPlan(kind="ivf-sq8", parameters={"nlist": 20, "nprobe": 1}, estimated_bytes=0, reason="a test")
PQ = IndexPlan(
    kind="ivf-pq", parameters={"nlist": 8, "nprobe": 1, "m": 8, "bits": 4}, estimated_bytes=0, reason="a test"
)


def cloud(n: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def names(n: int) -> list[str]:
    return [f"doc-{(i * 7919) % n:05d}" for i in range(n)]


def expected(vectors: np.ndarray, ids: list[str], query: np.ndarray, k: int) -> list[str]:
    scores = np.einsum("nd,d->n", vectors, query)
    return [ids[i] for i in sorted(range(len(ids)), key=lambda i: (-scores[i], ids[i]))[:k]]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(n=st.integers(1, 60), k=st.integers(1, 80), levels=st.integers(1, 3), seed=st.integers(0, 99))
def test_flat_equals_sorting_even_with_ties(tmp_path: Path, n: int, k: int, levels: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(0, levels, size=(n, 3)).astype(np.float32)
    ids = [f"{i * 31 % 97:02d}" for i in range(n)]
    index = VectorIndex.build(vectors, ids, tmp_path / "index")
    query = np.array([1, 2, 0.5], dtype=np.float32)
    found, scores = index.search(query, k)
    assert found[0] == expected(vectors, ids, query, k)
    assert scores.shape == (1, min(k, n))
    assert (np.diff(scores[0]) <= 0).all()


@pytest.mark.parametrize("index_plan", [None, HNSW, IVF, PQ], ids=["flat", "hnsw", "ivf-sq8", "ivf-pq"])
def test_every_kind_fills_the_answer_and_measures_its_recall(tmp_path: Path, index_plan: IndexPlan | None) -> None:
    vectors, ids = cloud(900), names(900)
    built = VectorIndex.build(vectors, ids, tmp_path / "index", index_plan=index_plan, recall_target=0.9)
    index = VectorIndex.open(tmp_path / "index", verify="sha256")
    queries = cloud(20, seed=1)
    for k in (1, 10, 900, 5000):
        found, scores = index.search(queries, k)
        assert scores.shape == (20, min(k, 900))
        assert all(len(set(row)) == min(k, 900) for row in found)
        assert found == built.search(queries, k)[0]
    hits = [len(set(index.search(q, 10)[0][0]) & set(expected(vectors, ids, q, 10))) for q in queries]
    least = 0.8 if index_plan is PQ else 0.9  # four bits a part cannot do more
    assert index.manifest.settings["recall@10"] >= least
    assert np.mean(hits) / 10 >= 0.8
    np.testing.assert_allclose(index.search(queries[:1], 1)[1][0, 0], index.scores(queries[0]).max(), rtol=1e-6)


@pytest.mark.parametrize("index_plan", [None, HNSW, IVF], ids=["flat", "hnsw", "ivf-sq8"])
def test_a_filter_loses_nothing(tmp_path: Path, index_plan: IndexPlan | None) -> None:
    vectors, ids = cloud(600), names(600)
    index = VectorIndex.build(vectors, ids, tmp_path / "index", index_plan=index_plan)
    rows = np.array([3, 77, 400, 401, 599])
    query = -vectors[3]  # the filtered rows are far from it, where an approximate search would not look
    found, scores = index.search(query, 4, among=rows)
    assert found[0] == expected(vectors[rows], [ids[r] for r in rows], query, 4)
    assert scores.shape == (1, 4)
    assert index.search(query, 9, among=np.zeros(0, dtype=np.int64))[0] == [[]]


@pytest.mark.parametrize("index_plan", [None, HNSW, IVF], ids=["flat", "hnsw", "ivf-sq8"])
def test_same_input_same_bytes(tmp_path: Path, index_plan: IndexPlan | None) -> None:
    for name in ("one", "two"):
        VectorIndex.build(cloud(400), names(400), tmp_path / name, index_plan=index_plan)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    VectorIndex.build(cloud(5), names(5), tmp_path / "index", encoder="aa")
    VectorIndex.open(tmp_path / "index", encoder="aa")
    with pytest.raises(ArtifactError, match="another encoder"):
        VectorIndex.open(tmp_path / "index", encoder="bb")


def test_damage_is_refused(tmp_path: Path) -> None:
    VectorIndex.build(cloud(50), names(50), tmp_path / "index", index_plan=HNSW)
    for path in sorted((tmp_path / "index").iterdir()):
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], content[:100] + bytes([content[100] ^ 2]) + content[101:]):
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match="damaged file"):
                VectorIndex.open(tmp_path / "index")
        path.write_bytes(content)


def test_bad_queries_and_inputs(tmp_path: Path) -> None:
    index = VectorIndex.build(cloud(5), names(5), tmp_path / "index")
    with pytest.raises(InputError, match="dimension 16"):
        index.search(np.zeros(3, dtype=np.float32), 1)
    with pytest.raises(InputError, match="finite"):
        index.search(np.full(16, np.nan, dtype=np.float32), 1)
    with pytest.raises(InputError, match="k is too small"):
        index.search(np.zeros(16, dtype=np.float32), 0)
    with pytest.raises(ValueError, match="finite"):
        VectorIndex.build(np.full((5, 2), np.inf, dtype=np.float32), names(5), tmp_path / "no")
    with pytest.raises(ValueError, match="id of its own"):
        VectorIndex.build(cloud(5), ["a"] * 5, tmp_path / "no")


def test_an_empty_index_answers_nothing(tmp_path: Path) -> None:
    index = VectorIndex.build(np.zeros((0, 4), dtype=np.float32), [], tmp_path / "index")
    found, scores = index.search(np.zeros((2, 4), dtype=np.float32), 3)
    assert found == [[], []]
    assert scores.shape == (2, 0)
