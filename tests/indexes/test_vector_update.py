"""An index that was updated finds what one built at once finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from errors import InputError
from indexes.planner import IndexPlan
from indexes.vector_index import VectorIndex
from indexes.vector_update import update

HNSW = IndexPlan(
    kind="hnsw", parameters={"M": 8, "efConstruction": 40, "efSearch": 4}, estimated_bytes=0, reason="a test"
)
IVF = IndexPlan(kind="ivf-sq8", parameters={"nlist": 20, "nprobe": 1, "refine": 2}, estimated_bytes=0, reason="a test")
PLANS = pytest.mark.parametrize("plan", [None, HNSW, IVF], ids=["flat", "hnsw", "ivf-sq8"])


def cloud(n: int, seed: int = 0, dim: int = 16) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def names(n: int, first: int = 0) -> list[str]:
    return [f"doc-{row:06d}" for row in range(first, first + n)]


@PLANS
def test_added_replaced_and_removed(tmp_path: Path, plan: IndexPlan | None) -> None:
    first, ids = cloud(1500), names(1500)
    VectorIndex.build(first, ids, tmp_path / "index", index_plan=plan, encoder="e")
    more = cloud(300, seed=1)
    index = update(tmp_path / "index", more, [*names(50), *names(250, 1500)], remove=[*names(100, 100), "unknown"])
    # the first 50 have new vectors, the hundred after the first hundred are gone
    now = {**dict(zip(ids, first, strict=True)), **dict(zip([*names(50), *names(250, 1500)], more, strict=True))}
    for name in names(100, 100):
        del now[name]
    whole = VectorIndex.build(np.stack(list(now.values())), list(now), tmp_path / "whole")
    assert len(index) == len(whole) == 1650
    assert index.manifest.inputs["encoder"] == "e"
    queries = cloud(40, seed=2)
    found, scores = index.search(queries, 10)
    expected = whole.search(queries, 10)[0]
    hits = [len(set(some) & set(best)) for some, best in zip(found, expected, strict=True)]
    assert np.mean(hits) / 10 >= (1 if plan is None else 0.9)
    assert not {name for some in found for name in some} & set(names(100, 100))
    assert set(index.search(queries[0], 5000)[0][0]) == set(now)  # a removed one never shows
    rows = np.array([row for row, name in enumerate(index.ids) if name in names(60)])
    assert set(index.search(queries[0], 60, among=rows)[0][0]) <= set(names(60))
    assert index.search(more[0], 1)[0] == [["doc-000000"]]
    assert scores.shape == (40, 10)


@PLANS
def test_ten_updates_find_what_one_build_finds(tmp_path: Path, plan: IndexPlan | None) -> None:
    vectors, ids = cloud(2000), names(2000)
    VectorIndex.build(vectors[:1100], ids[:1100], tmp_path / "index", index_plan=plan)
    for start in range(1100, 2000, 100):
        index = update(tmp_path / "index", vectors[start : start + 100], ids[start : start + 100])
    whole = VectorIndex.build(vectors, ids, tmp_path / "whole")
    queries = cloud(30, seed=3)
    if plan is None:
        assert index.search(queries, 10)[0] == whole.search(queries, 10)[0]
    among = np.arange(0, 2000, 7)
    assert index.search(queries, 10, among=among)[0] == whole.search(queries, 10, among=among)[0]
    assert index.manifest.settings["index"] == (plan.kind if plan else "flat")
    assert index.manifest.settings["recall@10"] >= 0.95


def test_much_gone_builds_anew(tmp_path: Path) -> None:
    vectors, ids = cloud(1000), names(1000)
    VectorIndex.build(vectors, ids, tmp_path / "index", index_plan=HNSW)
    index = update(tmp_path / "index", np.zeros((0, 16), dtype=np.float32), [], remove=ids[:400])
    assert len(index.ids) == len(index) == 600
    assert index.gone is None
    assert len(update(tmp_path / "index", np.zeros((0, 16), dtype=np.float32), [], remove=ids)) == 0
    assert len(update(tmp_path / "index", vectors[:3], ids[:3])) == 3


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    VectorIndex.build(cloud(20), names(20), tmp_path / "index")
    before = (tmp_path / "index" / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="dimension 16"):
        update(tmp_path / "index", cloud(2, dim=3), names(2))
    with pytest.raises(ValueError, match="finite"):
        update(tmp_path / "index", np.full((1, 16), np.nan, dtype=np.float32), names(1))
    assert (tmp_path / "index" / "manifest.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["index"]
