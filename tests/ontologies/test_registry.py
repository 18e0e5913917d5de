from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import ArtifactError, InputError
from ontologies import hpoa, registry

OBO = "format-version: 1.2\nontology: ours\n\n[Term]\nid: LOCAL:1\nname: our finding\nxref: HP:0002202\n"
HPOA = "#version: 1\n" + "\t".join(hpoa.COLUMNS) + "\nOMIM:1\tOne\t\tHP:0002202\tPMID:1\tPCS\t\t1/2\t\t\tP\tx\n"
SSSOM = "#curie_map:\nsubject_id\tpredicate_id\tobject_id\nmesh:D1\tskos:exactMatch\thp:0002202\n"


def write(folder: Path, text: str, name: str = "ours.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "kind", "counts"), [(OBO, "obo", (1, 1, 1)), (HPOA, "hpoa", (1, 1, 1)), (SSSOM, "sssom", (0, 0, 1))]
)
def test_kinds_are_told_by_content(tmp_path: Path, text: str, kind: str, counts: tuple[int, int, int]) -> None:
    entry = registry.add(tmp_path / "home", write(tmp_path, text))
    assert (entry.kind, (entry.concepts, entry.terms, entry.relations)) == (kind, counts)
    assert entry.path == str(tmp_path / "ours.txt")
    assert registry.entries(tmp_path / "home") == (entry,)


def test_a_byte_order_mark_does_not_hide_the_kind(tmp_path: Path) -> None:
    (tmp_path / "bom.tsv").write_bytes(b"\xef\xbb\xbf" + SSSOM.partition("\n")[2].encode())
    assert registry.sniff(tmp_path / "bom.tsv") == "sssom"


def test_add_list_remove(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert registry.entries(home) == ()
    registry.add(home, write(tmp_path, OBO, "b.obo"))
    registry.add(home, write(tmp_path, SSSOM, "a.sssom.tsv"))
    assert [e.name for e in registry.entries(home)] == ["a", "b"]
    registry.add(home, write(tmp_path, OBO.replace("our finding", "new name"), "b.obo"))
    assert [e.name for e in registry.entries(home)] == ["a", "b"], "added again, replaced"
    assert registry.remove(home, "a").name == "a"
    assert [e.name for e in registry.entries(home)] == ["b"]
    assert (tmp_path / "a.sssom.tsv").exists()
    with pytest.raises(InputError, match="no such ontology"):
        registry.remove(home, "a")
    assert sorted(p.name for p in (home / "ontologies").iterdir()) == ["registry.json"]


@pytest.mark.parametrize("text", ["", "hello\nworld\n", "{}", "a\tb\tc\n", "format-version: 1.2\n"])
def test_what_is_no_ontology_is_not_listed(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        registry.add(tmp_path / "home", write(tmp_path, text))
    assert "\n" not in str(caught.value)
    assert registry.entries(tmp_path / "home") == ()


def test_a_malformed_file_is_not_listed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line"):
        registry.add(tmp_path / "home", write(tmp_path, OBO + "nonsense\n"))
    with pytest.raises(InputError, match="no such"):
        registry.add(tmp_path / "home", tmp_path / "none.obo")
    with pytest.raises(InputError, match="unknown kind"):
        registry.add(tmp_path / "home", write(tmp_path, OBO), kind="owl")
    assert registry.entries(tmp_path / "home") == ()


def test_a_changed_or_vanished_file_is_an_error(tmp_path: Path) -> None:
    home, path = tmp_path / "home", write(tmp_path, OBO, "ours.obo")
    registry.add(home, path)
    path.write_text(OBO.replace("our", "their"), encoding="utf-8")
    with pytest.raises(InputError, match="has changed since"):
        next(registry.statements(home))
    path.unlink()
    with pytest.raises(InputError, match="has vanished") as caught:
        next(registry.statements(home))
    assert "whydx ontology add" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", '{"ontologies": [{"name": "x"}]}', '{"ontologies": 3}'])
def test_a_damaged_registry(tmp_path: Path, text: str) -> None:
    (tmp_path / "ontologies").mkdir()
    (tmp_path / "ontologies" / "registry.json").write_text(text)
    with pytest.raises(ArtifactError, match="damaged"):
        registry.entries(tmp_path)


def test_the_registry_is_plain_json(tmp_path: Path) -> None:
    entry = registry.add(tmp_path / "home", write(tmp_path, OBO, "ours.obo"))
    data = json.loads((tmp_path / "home" / "ontologies" / "registry.json").read_text())
    assert [e["sha256"] for e in data["ontologies"]] == [entry.sha256]


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([OBO, HPOA, SSSOM]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 20), st.binary(max_size=8)), min_size=1, max_size=4),
)
def test_no_bytes_do_more_than_an_input_error(tmp_path: Path, text: str, edits: list[tuple[int, int, bytes]]) -> None:
    data = text.encode()
    for start, length, insert in edits:
        start %= len(data) + 1
        data = data[:start] + insert + data[start + length :]
    path = tmp_path / "edited.txt"
    path.write_bytes(data)
    try:
        registry.add(tmp_path / "home", path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
