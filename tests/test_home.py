"""A home: where it lies, what in it is out of date, and how its parts are opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from errors import ArtifactError, InputError
from home import PARTS, Part, build, home_folder, manifests, open_graph, open_linker, stale
from ontologies.chest import layer as chest
from ontologies.linking import dictionary


def changed_copy(folder: Path, name: str, target: Path) -> Path:
    """A copy of ``folder`` in which the file ``name`` has one more line."""
    copied = Path(shutil.copytree(folder, target))
    with (copied / name).open("a", encoding="utf-8") as table:
        table.write("# a remark\n")
    return copied


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WHYDX_HOME", raising=False)
    assert home_folder(Path("~/mine")) == tmp_path / "mine"
    assert home_folder().name == "whydx"
    monkeypatch.setenv("WHYDX_HOME", "~/named")
    assert home_folder() == tmp_path / "named"
    assert home_folder(Path("given")) == Path("given")


def test_what_was_just_built_is_up_to_date(home: Path) -> None:
    assert stale(home) == ()
    assert build(home) == ()


def test_everything_is_missing_from_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert stale(tmp_path / "nowhere") == PARTS
    assert not (tmp_path / "nowhere").exists()


def test_a_word_list_does_not_rebuild_the_graph(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = changed_copy(dictionary.WORDS, "assertion_triggers.tsv", tmp_path / "words")
    monkeypatch.setattr(dictionary, "WORDS", words)
    assert stale(home) == (Part.linker, Part.literature, Part.cases)


def test_a_table_of_the_chest_layer_rebuilds_all(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chest, "DATA", changed_copy(chest.DATA, "references.tsv", tmp_path / "chest"))
    assert stale(home) == PARTS


def test_only_what_is_asked_for_and_needed_counts(home: Path, tmp_path: Path) -> None:
    assert stale(tmp_path, ["cases"]) == (Part.graph, Part.linker, Part.cases)
    with pytest.raises(InputError, match="unknown part: 'everything'; expected graph, linker"):
        stale(home, ["everything"])


def test_every_part_has_a_manifest(home: Path) -> None:
    found = dict(manifests(home, "sha256"))
    assert tuple(found) == PARTS
    assert all(manifest.files for manifest in found.values())


def test_a_damaged_part_is_out_of_date_and_named(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "linker", tmp_path / "linker")
    with (tmp_path / "linker" / "words.npy").open("ab") as words:
        words.write(b"x")
    with pytest.raises(ArtifactError, match=r"damaged.*run: whydx index build"):
        open_linker(tmp_path)
    with pytest.raises(ArtifactError, match="run: whydx index build"):
        open_graph(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_new_term_gives_what_a_build_from_nothing_gives(home: Path, tmp_path: Path) -> None:
    from ontologies.merging import registry

    own = tmp_path / "home"
    own.mkdir()
    (own / "sources").symlink_to(home / "sources")
    for part in ("graph", "linker", "indexes", "readings"):
        if (home / part).is_dir():
            shutil.copytree(home / part, own / part, ignore=shutil.ignore_patterns("beir", "names"))
    shutil.copy(home / "built.json", own)
    term = "[Term]\nid: DEPT:1\nname: Blunted costophrenic sulcus\nis_a: HP:0002088\n"
    (tmp_path / "dept.obo").write_text(f"format-version: 1.2\nontology: dept\n\n{term}", encoding="utf-8")
    registry.add(own, tmp_path / "dept.obo")
    assert build(own) == PARTS
    grown = {part: manifest.sha256 for part, manifest in manifests(own)}
    for part in ("graph", "linker", "readings"):
        shutil.rmtree(own / part)
    (own / "built.json").unlink()
    assert build(own) == PARTS
    assert {part: manifest.sha256 for part, manifest in manifests(own)} == grown
    reports = (own / "indexes" / "cases" / "documents").rglob("*")
    assert any(b"DEPT:1" in path.read_bytes() for path in reports if path.is_file())
