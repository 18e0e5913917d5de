"""The synthetic release has UMLS's layout and shape, and is the same each time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.scale import synthetic_umls
from kg.graph_build import build_graph
from ontologies.readers import umls
from ontologies.readers.rrf import COLUMNS
from ontologies.sources.archive import members


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("META")
    synthetic_umls.write(folder, scale=0.0003)
    return folder


def rows(release: Path, name: str) -> list[list[str]]:
    return [line.split("|") for line in (release / name).read_text(encoding="utf-8").splitlines()]


def test_every_row_has_the_columns_of_the_manual(release: Path) -> None:
    for path in release.iterdir():
        assert {len(row) - 1 for row in rows(release, path.name)} == {len(COLUMNS[path.name].split())}


def test_counts_follow_the_scale(release: Path) -> None:
    size = synthetic_umls.size(0.0003)
    assert size == synthetic_umls.Size(concepts=1020, names=5100, relation_rows=12_000)
    names = rows(release, "MRCONSO.RRF")
    assert sum(row[1] == "ENG" for row in names) == size.names
    assert len({row[0] for row in names}) == size.concepts
    assert len(rows(release, "MRREL.RRF")) == size.relation_rows
    assert 25 < sum(len(row[14]) for row in names) / len(names) < 45


def test_relationships_stand_in_both_directions_and_have_hubs(release: Path) -> None:
    relations = rows(release, "MRREL.RRF")
    stated = Counter((row[0], row[3], row[4], row[7]) for row in relations)
    inverse = {"isa": "inverse_isa", "has_finding_site": "finding_site_of"}
    for name, other in inverse.items():
        forward = Counter((a, b) for (a, _, b, rela), n in stated.items() for _ in range(n) if rela == name)
        back = Counter((b, a) for (a, _, b, rela), n in stated.items() for _ in range(n) if rela == other)
        assert forward == back
    degree = Counter(row[0] for row in relations)
    assert max(degree.values()) > 8 * len(relations) / len(degree)


def test_the_same_scale_and_seed_give_the_same_bytes(release: Path, tmp_path: Path) -> None:
    synthetic_umls.write(tmp_path, scale=0.0003)
    for path in release.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    synthetic_umls.write(tmp_path, scale=0.0003, seed=1)
    assert (tmp_path / "MRREL.RRF").read_bytes() != (release / "MRREL.RRF").read_bytes()


@pytest.mark.slow
def test_little_memory_gives_the_same_graph(tmp_path: Path) -> None:
    synthetic_umls.write(tmp_path / "META", scale=0.01)
    files = members(tmp_path / "META")
    found = set()
    for memory in ("200MB", "4GB"):
        graph = build_graph(
            tmp_path / memory,
            lambda s: s.once("umls", "1", lambda s: umls.stage(files, s)) and None,
            inputs={"umls": "1"},
            memory=memory,
        )
        found.add(graph.manifest.sha256)
    assert len(found) == 1
