from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Relation
from ontologies.readers import sssom

HEAD = "#curie_map:\n#  mesh: x\n#mapping_set_title: Ours\n#mapping_set_version: '7'\n"
COLUMNS = "subject_id\tsubject_label\tpredicate_id\tpredicate_modifier\tobject_id\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "set.sssom.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_exact_matches_between_known_systems(tmp_path: Path) -> None:
    rows = (
        "mesh:D010996\ta\tskos:exactMatch\t\thp:0002202\n"
        "umls:C0032285\ta\towl:equivalentClass\t\tdoid:552\n"
        "orphanet:7\ta\tskos:exactMatch\t\tsnomedct:123456\n"
        "mesh:D1\ta\tskos:broadMatch\t\thp:0002202\n"
        "mesh:D2\ta\tskos:exactMatch\tNot\thp:0002202\n"
        "mesh:D3\ta\tskos:exactMatch\t\tchebi:1\n"
        "mesh:D4\ta\tskos:exactMatch\t\tmesh:D4\n\n"
    )
    assert list(sssom.read(write(tmp_path, HEAD + COLUMNS + rows))) == [
        Relation(subject="MESH:D010996", predicate="xref", object="HP:0002202", source="Ours 7"),
        Relation(subject="UMLS:C0032285", predicate="xref", object="DOID:552", source="Ours 7"),
        Relation(subject="ORPHA:7", predicate="xref", object="SNOMEDCT:123456", source="Ours 7"),
    ]


def test_the_source_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, COLUMNS + "mesh:D1\ta\tskos:exactMatch\t\thp:0002202\n")
    assert [s.source for s in sssom.read(path) if isinstance(s, Relation)] == ["set.sssom.tsv"]
    assert [s.source for s in sssom.read(path, source="B 1") if isinstance(s, Relation)] == ["B 1"]


def test_malformed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: no SSSOM header"):
        list(sssom.read(write(tmp_path, "a\tb\n")))
    with pytest.raises(InputError, match="no SSSOM header"):
        list(sssom.read(write(tmp_path, HEAD)))
    with pytest.raises(InputError, match="line 2: 2 columns"):
        list(sssom.read(write(tmp_path, COLUMNS + "mesh:D1\tx\n")))
    with pytest.raises(InputError, match="no such"):
        list(sssom.read(tmp_path / "none"))
