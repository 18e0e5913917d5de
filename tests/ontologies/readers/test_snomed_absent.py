"""Rows of concepts that a SNOMED CT release lacks, as in an extension without its edition: counted, said, left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from ontologies.concept import Relation
from ontologies.merging import registry
from ontologies.merging.merge import merge
from ontologies.problem import Omission
from ontologies.readers import snomed
from ontologies.staging import Staging

RELEASE = Path(__file__).parent / "snomed_release"
GLASS, CHEST, INACTIVE, GONE, ABSENT = "131999999106", "121999999108", "171999999109", "181999999107", "999999999108"
HEAD, SOME_ID = "20260101\t{active}\t91999999104", "00000000-0000-4002-0000-00000000ffff"
DESCRIPTION = f"991999999112\t{HEAD}\t{{0}}\ten\t{{kind}}\tZonk lung\t900000000000448009"
RELATIONSHIP = f"991999999124\t{HEAD}\t{{0}}\t{{1}}\t0\t{{kind}}\t900000000000011006\t900000000000451002"
AXIOM = f"{SOME_ID}\t{HEAD}\t733073007\t{{0}}\t{{1}}"
MAP = f"{SOME_ID}\t{HEAD}\t6011000124106\t{{0}}\t1\t1\tTRUE\tALWAYS\tJ98.4\t447557004\t447637006"
ASSOCIATION = f"{SOME_ID}\t{HEAD}\t{{kind}}\t{{0}}\t{{1}}"
IS_A, SITE = "116680003", "191999999105"
NAME, FULL, DEFINITION = "900000000000013009", "900000000000003001", "900000000000550004"
SAME_AS, REPLACED, MAYBE = "900000000000527005", "900000000000526001", "900000000000523009"
REFERS_TO = "900000000000531004"


def file(release: Path, name: str) -> Path:
    return next(release.rglob(f"*{name}*.txt"))


def append(release: Path, name: str, row: str) -> None:
    path = file(release, name)
    path.write_bytes(path.read_bytes() + row.encode() + b"\r\n")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASE, tmp_path / "release"))


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Description_Snapshot-en", DESCRIPTION.format(ABSENT, kind=NAME, active=1)),
        ("Description_Snapshot-en", DESCRIPTION.format(ABSENT, kind=FULL, active=1)),
        ("Description_Snapshot-es", DESCRIPTION.format(ABSENT, kind=NAME, active=1)),
        ("TextDefinition", DESCRIPTION.format(ABSENT, kind=DEFINITION, active=1)),
        ("sct2_Relationship", RELATIONSHIP.format(GLASS, ABSENT, kind=IS_A, active=1)),
        ("sct2_Relationship", RELATIONSHIP.format(ABSENT, GLASS, kind=IS_A, active=1)),
        ("sct2_Relationship", RELATIONSHIP.format(GLASS, ABSENT, kind=SITE, active=1)),
        ("sct2_Relationship", RELATIONSHIP.format(ABSENT, "999999998109", kind=SITE, active=1)),
        ("OWLExpression", AXIOM.format(GLASS, f"SubClassOf(:{GLASS} :{ABSENT})", active=1)),
        ("OWLExpression", AXIOM.format(ABSENT, f"EquivalentClasses(:{ABSENT} :{GLASS})", active=1)),
        ("ExtendedMap", MAP.format(ABSENT, active=1)),
        ("Association", ASSOCIATION.format(INACTIVE, ABSENT, kind=SAME_AS, active=1)),
        ("Association", ASSOCIATION.format(INACTIVE, ABSENT, kind=MAYBE, active=1)),
    ],
)
def test_a_row_of_an_absent_concept_is_counted_and_left_out(release: Path, name: str, row: str) -> None:
    append(release, name, row)
    said: list[Omission] = []
    assert list(snomed.read(release, notice=said.append)) == list(snomed.read(RELEASE))
    assert [(o.file, o.rows, o.value) for o in said] == [(file(release, name).name, 1, ABSENT)]
    append(release, name, row)
    said.clear()
    list(snomed.read(release, notice=said.append))
    assert [o.rows for o in said] == [2]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        # of a concept that was retired, of an attribute, of another kind of association, or no longer said at all
        ("Description_Snapshot-en", DESCRIPTION.format(INACTIVE, kind=NAME, active=1)),
        ("sct2_Relationship", RELATIONSHIP.format(SITE, CHEST, kind=IS_A, active=1)),
        ("ExtendedMap", MAP.format(INACTIVE, active=1)),
        ("Association", ASSOCIATION.format(INACTIVE, ABSENT, kind=REFERS_TO, active=1)),
        ("Description_Snapshot-en", DESCRIPTION.format(ABSENT, kind=NAME, active=0)),
        ("sct2_Relationship", RELATIONSHIP.format(GLASS, ABSENT, kind=IS_A, active=0)),
    ],
)
def test_rows_that_say_nothing_by_design_are_not_counted(release: Path, name: str, row: str) -> None:
    append(release, name, row)
    said: list[Omission] = []
    assert list(snomed.read(release, notice=said.append)) == list(snomed.read(RELEASE))
    assert said == []


def test_an_extension_beside_its_edition_is_read_whole(release: Path, tmp_path: Path) -> None:
    extension = tmp_path / "extension" / "Snapshot" / "Terminology"
    extension.mkdir(parents=True)
    rows = {
        "sct2_Concept_Snapshot_SE1_20260201.txt": f"992999999101\t{HEAD.format(active=1)}\t900000000000074008",
        "sct2_Description_Snapshot-en_SE1_20260201.txt": DESCRIPTION.format("992999999101", kind=FULL, active=1),
        "sct2_Relationship_Snapshot_SE1_20260201.txt": RELATIONSHIP.format("992999999101", GLASS, kind=IS_A, active=1),
    }
    for name, row in rows.items():
        head = file(RELEASE, name.partition("_SE1")[0]).read_text(encoding="utf-8").splitlines()[0]
        (extension / name).write_text(f"{head}\n{row}\n", encoding="utf-8")
    said: list[Omission] = []
    assert [s for s in snomed.read(tmp_path / "extension", notice=said.append) if isinstance(s, Relation)] == []
    assert [(o.rows, o.value) for o in said] == [(1, GLASS)]
    said.clear()
    (tmp_path / "both").mkdir()
    (tmp_path / "extension").rename(tmp_path / "both" / "extension")
    release.rename(tmp_path / "both" / "edition")
    found = {
        (s.subject, s.object) for s in snomed.read(tmp_path / "both", notice=said.append) if isinstance(s, Relation)
    }
    assert ("SNOMEDCT:992999999101", f"SNOMEDCT:{GLASS}") in found
    assert said == []


def test_a_replacement_that_was_replaced_is_followed(release: Path) -> None:
    append(release, "Association", ASSOCIATION.format(GONE, INACTIVE, kind=REPLACED, active=1))
    with Staging.of(snomed.read(release)) as staging:
        alias = merge(staging).canonical()
    assert alias[f"SNOMEDCT:{GONE}"] == alias[f"SNOMEDCT:{INACTIVE}"] == f"SNOMEDCT:{GLASS}"


def test_what_to_consider_for_a_retired_concept_is_known() -> None:
    with Staging.of(snomed.read(RELEASE)) as staging:
        assert merge(staging).retired() == {f"SNOMEDCT:{GONE}": f"SNOMEDCT:{CHEST}"}


def test_the_command_says_what_it_left_out(
    whydx: Callable[..., Any], release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(release, "Description_Snapshot-en", DESCRIPTION.format(ABSENT, kind=NAME, active=1))
    append(release, "sct2_Relationship", RELATIONSHIP.format(GLASS, ABSENT, kind=IS_A, active=1))
    append(release, "sct2_Relationship", RELATIONSHIP.format(ABSENT, GLASS, kind=IS_A, active=1))
    home = tmp_path / "home"
    ran = whydx("ontology", "add", release, "--home", home)
    *lines, last = ran.err.splitlines()
    assert ran.status == 0
    assert lines == [
        f"left out: {rows} of {file(release, name).name}: their concept is not in the release: '{ABSENT}'; "
        "expected the edition that the release depends on, in one folder with it"
        for rows, name in (("1 row", "Description_Snapshot-en"), ("2 rows", "sct2_Relationship"))
    ]
    assert last == "added release (snomed) (3 rows of absent concepts left out); run: whydx index build"
    (row,) = json.loads(whydx("ontology", "list", "--format", "json", "--home", home).out)
    assert row["omitted"] == registry.entries(home)[0].omitted == 3
    monkeypatch.setattr("commands.indexing.build", lambda *_, **__: ("graph", "linker"))
    said = whydx("index", "build", "--home", home).err.splitlines()
    assert said[0] == f"of release 3 rows are left out; to see which: whydx ontology add {release}"


@pytest.mark.parametrize("type_", ["Full", "Delta"])
@pytest.mark.parametrize("kind", [None, "snomed"])
def test_a_release_without_a_snapshot_is_said_to_be(release: Path, tmp_path: Path, type_: str, kind: str) -> None:
    for path in release.rglob("*Snapshot*.txt"):
        path.rename(path.with_name(path.name.replace("Snapshot", type_)))
    with pytest.raises(
        InputError, match=rf"no Snapshot in release: 'sct2_Concept_{type_}_.*expected .*Snapshot folder"
    ):
        registry.add(tmp_path / "home", release, kind)


def test_the_shared_case_of_an_extension_alone(shared_data: Path) -> None:
    folder = shared_data / "field_cases" / "70-snomed-extension-alone" / "snomed_extension_only"
    if not folder.is_dir():
        pytest.skip("no field cases in the development data")
    said: list[Omission] = []
    list(snomed.read(folder, notice=said.append))
    assert [(o.file.split("_")[1], o.rows, o.value) for o in said] == [
        ("Description", 1, "73211009"),
        ("Relationship", 1, "73211009"),
    ]
