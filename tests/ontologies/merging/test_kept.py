"""What a source says is read once; after that it comes from what was kept, as long as that is whole and of today."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.merging import kept
from ontologies.merging.merge import merge
from ontologies.staging import Staging

SAID: tuple[Statement, ...] = (
    Concept(curie="HP:1", name="One", semantic_types=("Finding",), codes={"HP": ("1",), "UMLS": ("C1",)}),
    Concept(curie="HP:2", name="Two", definition="ßecond"),
    Term(curie="HP:1", text="first", kind="exact", source="test"),
    Relation(subject="HP:2", predicate="is_a", object="HP:1", source="test"),
    Relation(subject="HP:2", predicate="has_phenotype", object="HP:1", source="test", count=(1, 3), frequency=1 / 3),
)


class Source:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self) -> Iterator[Statement]:
        self.read += 1
        return iter(SAID)


def knowledge(staging: Staging) -> list[object]:
    merged = merge(staging)
    return [*merged.concepts(), *merged.terms(), *merged.relations(), *merged.conflicts()]


def staged(folder: Path, source: Source, version: str = "1") -> list[object]:
    with Staging() as staging:
        kept.stage(folder, version, source, staging)
        return knowledge(staging)


def test_a_source_is_read_once_and_says_the_same(tmp_path: Path) -> None:
    source, folder = Source(), tmp_path / "kept" / "one"
    with Staging.of(SAID) as staging:
        expected = knowledge(staging)
    assert staged(folder, source) == expected
    assert staged(folder, source) == expected
    assert source.read == 1
    assert sorted(path.name for path in folder.parent.iterdir()) == ["one"]


def test_another_release_or_other_code_reads_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source()
    staged(tmp_path / "one", source)
    staged(tmp_path / "one", source, version="2")
    assert source.read == 2
    monkeypatch.setattr(kept, "_code", lambda: "other code")
    staged(tmp_path / "one", source, version="2")
    assert source.read == 3


@pytest.mark.parametrize("name", ["term.parquet", "origin.json"])
def test_what_is_damaged_is_read_anew(tmp_path: Path, name: str) -> None:
    source = Source()
    expected = staged(tmp_path / "one", source)
    path = tmp_path / "one" / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert staged(tmp_path / "one", source) == expected
    assert source.read == 2
    path.unlink()
    assert staged(tmp_path / "one", source) == expected
    assert source.read == 3
