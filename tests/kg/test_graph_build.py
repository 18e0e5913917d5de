"""A build that is killed leaves the old graph as it was, and the next run goes on from where it was."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from errors import InputError
from kg.graph import KnowledgeGraph
from kg.graph_build import build_graph
from ontologies.staging import Staging

from .conftest import statements

REPOSITORY = Path(__file__).resolve().parents[2]
RELEASE = REPOSITORY / "tests" / "ontologies" / "readers" / "umls"
PROGRAM = """
import sys
from pathlib import Path
from kg.graph_build import build_graph
from ontologies.readers import umls
from ontologies.sources.archive import members

def read(staging):
    print("source", flush=True)
    umls.stage(members(Path(sys.argv[2])), staging)

def say(stage, done, total):
    print(stage, flush=True)

build_graph(Path(sys.argv[1]), lambda s: s.once("umls", "1", read), inputs={"umls": "1"}, progress=say)
"""


def start(path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(path), str(RELEASE)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph that is there before."""
    path = tmp_path_factory.mktemp("old") / "graph"
    build_graph(path, lambda s: s.add(statements()), inputs={"statements": "1"})
    assert not path.with_name("graph.part").exists()
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """(hash of the graph, stages) of a build that nobody kills."""
    path = tmp_path_factory.mktemp("whole") / "graph"
    stages = start(path).communicate(timeout=250)[0].splitlines()
    return KnowledgeGraph.open(path).manifest.sha256, stages


def kill_and_go_on(moment: random.Random, old: Path, whole: tuple[str, list[str]], folder: Path) -> None:
    path = folder / "graph"
    shutil.copytree(old, path)
    sha256, stages = whole
    process = start(path)
    assert process.stdout is not None
    seen = [process.stdout.readline().strip() for _ in range(moment.randint(1, len(stages) - 1))]
    time.sleep(moment.uniform(0, 0.05))
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    seen += process.stdout.read().splitlines()  # it went on until the signal came

    found = KnowledgeGraph.open(path)
    if "graph: checksums" not in seen:  # else the new one may be there already
        assert found.manifest.sha256 == KnowledgeGraph.open(old).manifest.sha256
        assert found.resolve("HP:4") == "UMLS:C0032227"

    again = start(path).communicate(timeout=250)[0].splitlines()
    assert KnowledgeGraph.open(path).manifest.sha256 == sha256
    assert not path.with_name("graph.part").exists()
    if any(stage.startswith(("merge", "graph")) for stage in seen) and found.manifest.sha256 != sha256:
        assert "source" not in again, "the source was read whole before the kill"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_build_goes_on(seed: int, old: Path, whole: tuple[str, list[str]], tmp_path: Path) -> None:
    kill_and_go_on(random.Random(seed), old, whole, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_builds_killed_at_ten_moments_go_on(old: Path, whole: tuple[str, list[str]], tmp_path: Path) -> None:
    for seed in range(10):
        kill_and_go_on(random.Random(f"moment {seed}"), old, whole, tmp_path / str(seed))


def test_a_step_that_fails_leaves_the_old_graph_and_what_was_staged(old: Path, tmp_path: Path) -> None:
    path = tmp_path / "graph"
    shutil.copytree(old, path)
    work: list[str] = []

    def stage(staging: Staging) -> None:
        staging.once("good", "1", lambda s: (work.append("good"), s.add(statements()))[1])
        if len(work) == 1:
            staging.once("bad", "1", lambda s: (_ for _ in ()).throw(InputError("malformed")))
            work.append("never")

    with pytest.raises(InputError, match="malformed"):
        build_graph(path, stage, inputs={"statements": "2"})
    assert KnowledgeGraph.open(path).manifest.inputs == {"statements": "1"}
    work.append("again")
    assert build_graph(path, stage, inputs={"statements": "2"}).manifest.inputs == {"statements": "2"}
    assert work == ["good", "again"]


def test_a_damaged_staging_file_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "graph"
    with pytest.raises(InputError):
        build_graph(path, lambda s: (_ for _ in ()).throw(InputError("stop")), inputs={"statements": "1"})
    (file,) = path.with_name("graph.part").glob("*.duckdb")
    file.write_bytes(b"damaged" * 10_000)
    graph = build_graph(path, lambda s: s.add(statements()), inputs={"statements": "1"})
    assert graph.resolve("HP:4") == "UMLS:C0032227"
