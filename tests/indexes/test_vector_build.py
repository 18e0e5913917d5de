"""An approximate index is built block by block: a kill loses little, and what comes out is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, DependencyError
from indexes import faiss_device, vector_build
from indexes.planner import IndexPlan
from indexes.vector_index import VectorIndex

HNSW = IndexPlan(
    kind="hnsw", parameters={"M": 8, "efConstruction": 40, "efSearch": 4}, estimated_bytes=0, reason="a test"
)
IVF = IndexPlan(kind="ivf-sq8", parameters={"nlist": 20, "nprobe": 1, "refine": 2}, estimated_bytes=0, reason="a test")
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from indexes import vector_build
from indexes.planner import IndexPlan
from indexes.vector_index import VectorIndex

vector_build.BLOCK = 200

def progress(stage, done, total):
    if done >= 1200:
        os.kill(os.getpid(), signal.SIGKILL)

numbers = {"M": 8, "efConstruction": 40, "efSearch": 4}
plan = IndexPlan(kind="hnsw", parameters=numbers, estimated_bytes=0, reason="a test")
vectors = np.load(sys.argv[1], mmap_mode="r")
ids = [f"doc-{row}" for row in range(len(vectors))]
VectorIndex.build(vectors, ids, Path(sys.argv[2]), index_plan=plan, checkpoint=0, progress=progress)
"""


@pytest.fixture
def vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """2,000 vectors, mapped, in blocks of 200."""
    monkeypatch.setattr(vector_build, "BLOCK", 200)
    np.save(tmp_path / "given.npy", np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32))
    mapped: np.ndarray = np.load(tmp_path / "given.npy", mmap_mode="r")
    return mapped


def ids(vectors: np.ndarray) -> list[str]:
    return [f"doc-{row}" for row in range(len(vectors))]


def test_a_killed_build_goes_on_and_gives_the_same_bytes(tmp_path: Path, vectors: np.ndarray) -> None:
    whole = VectorIndex.build(vectors, ids(vectors), tmp_path / "whole", index_plan=HNSW)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "given.npy"), str(tmp_path / "killed")]
    assert (
        subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": os.getcwd()}).returncode == -signal.SIGKILL
    )
    assert not (tmp_path / "killed").exists()
    assert (tmp_path / ".killed.partial" / "1000.faiss").is_file()
    done: list[int] = []
    VectorIndex.build(
        vectors, ids(vectors), tmp_path / "killed", index_plan=HNSW, progress=lambda _, some, __: done.append(some)
    )
    assert done[0] == 1200  # the thousand that were there are not added again
    assert (tmp_path / "killed" / "manifest.json").read_bytes() == (tmp_path / "whole" / "manifest.json").read_bytes()
    assert not (tmp_path / ".killed.partial").exists()
    assert whole.manifest.settings["recall@10"] >= 0.95


def test_what_another_build_left_is_not_taken_up(tmp_path: Path, vectors: np.ndarray) -> None:
    left = tmp_path / ".index.partial"

    def stop(stage: str, done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        VectorIndex.build(vectors, ids(vectors), tmp_path / "index", index_plan=IVF, checkpoint=0, progress=stop)
    assert list(left.glob("*.faiss")) or left.is_dir()
    other = np.asarray(vectors) * 2
    index = VectorIndex.build(other, ids(vectors), tmp_path / "index", index_plan=IVF)
    np.testing.assert_allclose(index.search(other[5], 1)[1][0, 0], (other[5] ** 2).sum(), rtol=1e-5)


def test_two_builds_of_one_index(tmp_path: Path, vectors: np.ndarray) -> None:
    def second(stage: str, done: int, total: int) -> None:
        with pytest.raises(ArtifactError, match="another process builds this index"):
            VectorIndex.build(vectors, ids(vectors), tmp_path / "index", index_plan=HNSW)

    VectorIndex.build(vectors, ids(vectors), tmp_path / "index", index_plan=HNSW, progress=second)


class _Gpu:
    """FAISS with a GPU, played by the processor: the same calls, the same interface."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import faiss

        self.there = 0
        monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
        monkeypatch.setattr(faiss, "StandardGpuResources", lambda: object(), raising=False)
        monkeypatch.setattr(faiss, "GpuClonerOptions", type("Options", (), {}), raising=False)
        monkeypatch.setattr(faiss, "index_cpu_to_gpu", self._to, raising=False)
        monkeypatch.setattr(faiss, "index_gpu_to_cpu", faiss.clone_index, raising=False)

    def _to(self, resources: object, device: int, index: object, options: object) -> object:
        import faiss

        self.there += 1
        return faiss.clone_index(index)


@pytest.mark.parametrize("plan", [None, IVF], ids=["flat", "ivf-sq8"])
def test_on_a_gpu_the_answers_are_the_same(
    tmp_path: Path, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch, plan: IndexPlan | None
) -> None:
    here = VectorIndex.build(vectors, ids(vectors), tmp_path / "here", index_plan=plan)
    gpu = _Gpu(monkeypatch)
    there = VectorIndex.build(vectors, ids(vectors), tmp_path / "there", index_plan=plan, device="cuda")
    assert gpu.there >= 1
    queries = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
    assert there.search(queries, 10)[0] == here.search(queries, 10)[0]
    assert (tmp_path / "here/manifest.json").read_bytes() == (tmp_path / "there/manifest.json").read_bytes()


def test_without_a_gpu(tmp_path: Path, vectors: np.ndarray) -> None:
    assert not faiss_device.available("cuda")
    with pytest.raises(DependencyError, match=r"cannot use this device: 'cuda'.*whydx\[gpu\]"):
        VectorIndex.build(vectors, ids(vectors), tmp_path / "index", device="cuda")
    assert not (tmp_path / "index").exists()
