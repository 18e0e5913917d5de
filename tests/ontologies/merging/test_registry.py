from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import ArtifactError, InputError, SourceError
from ontologies.merging import registry
from ontologies.merging.merge import merge
from ontologies.problem import Problem
from ontologies.readers import hpoa
from ontologies.readers.kind import sniff
from ontologies.staging import Staging

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
    assert sniff(tmp_path / "bom.tsv").kind == "sssom"


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
    assert sorted(p.name for p in (home / "ontologies").iterdir()) == [".registry.lock", "registry.json"]


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
        registry.add(tmp_path / "home", write(tmp_path, OBO), kind="excel")
    assert registry.entries(tmp_path / "home") == ()


@pytest.mark.usefixtures("no_sources")
def test_a_changed_or_vanished_file_is_an_error(tmp_path: Path) -> None:
    home, path = tmp_path / "home", write(tmp_path, OBO, "ours.obo")
    registry.add(home, path)
    path.write_text(OBO.replace("our", "their"), encoding="utf-8")
    with pytest.raises(InputError, match="has changed since"):
        registry.stage(home, Staging())
    path.unlink()
    with pytest.raises(InputError, match="has vanished") as caught:
        registry.stage(home, Staging())
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


@pytest.fixture
def no_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the user's own ontologies."""
    monkeypatch.setattr(registry, "_open_parts", lambda home: iter(()))


RELEASE = Path(__file__).parents[1] / "readers" / "snomed_release"
TURTLE = '@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n<http://x/1> rdfs:label "one" .\n'
ICD = "<?xml version='1.0'?>\n<ICD10CM.tabular><section id='A00-A09'><desc>Gut</desc></section></ICD10CM.tabular>"


@pytest.mark.usefixtures("no_sources")
def test_what_is_added_is_staged_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    home = tmp_path / "home"
    registry.add(home, write(tmp_path, OBO, "ours.obo"))
    registry.add(home, RELEASE)
    seen: list[tuple[str, int, int]] = []
    with Staging() as staging:
        registry.stage(home, staging, progress=lambda *step: seen.append(step))
        once = staging.counts()
        registry.stage(home, staging)
        assert staging.counts() == once
    assert seen == [("user:ours", 0, 2), ("user:snomed_release", 1, 2), ("done", 2, 2)]
    assert once.concepts == sum(entry.concepts for entry in registry.entries(home)) == 7
    assert once.relations == sum(entry.relations for entry in registry.entries(home))


@pytest.mark.usefixtures("no_sources")
def test_malformed_rows_stop_or_are_counted_and_left_out_of_builds_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = write(tmp_path, OBO + "nonsense\n", "ours.obo")
    with pytest.raises(InputError, match=r"ours\.obo, line 8: not valid OBO"):
        registry.add(home, path)
    problems: list[Problem] = []
    entry = registry.add(home, path, report=problems.append)
    assert (entry.on_error, entry.problems, [p.line for p in problems]) == ("skip", 1, [8])
    with Staging() as staging:
        registry.stage(home, staging)
        assert [(p.file, p.line) for p in staging.problems()] == [("ours.obo", 8)]
        assert staging.counts().concepts == 1


@pytest.mark.usefixtures("no_sources")
def test_a_touched_file_is_the_same_ontology(tmp_path: Path) -> None:
    home, path = tmp_path / "home", write(tmp_path, OBO, "ours.obo")
    registry.add(home, path)
    path.touch()
    with Staging() as staging:
        registry.stage(home, staging)
        assert staging.counts().concepts == 1


def test_an_entry_of_an_older_registry_is_still_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    registry.add(home, write(tmp_path, OBO, "ours.obo"))
    path = home / "ontologies" / "registry.json"
    listed = json.loads(path.read_text())
    for field in ("stamp", "on_error", "problems"):
        del listed["ontologies"][0][field]
    path.write_text(json.dumps(listed))
    assert [e.name for e in registry.entries(home)] == ["ours"]


@pytest.mark.parametrize(
    ("contents", "kind"),
    [
        ({"META/MRCONSO.RRF": "", "META/MRREL.RRF": "", "README.txt": "hello"}, "umls"),
        ({"x/sct2_Concept_Snapshot_INT_20260101.txt": "", "x/sct2_Concept_Full_INT_20260101.txt": ""}, "snomed"),
        ({"hp.obo": OBO, "LICENSE": "free to use"}, "obo"),
        ({"onto.ttl": TURTLE}, "rdf"),
        ({"tabular.xml": ICD}, "icd10cm"),
    ],
)
def test_folders_and_archives_are_told_by_what_they_hold(tmp_path: Path, contents: dict[str, str], kind: str) -> None:
    for name, text in contents.items():
        path = tmp_path / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.make_archive(str(tmp_path / "given"), "zip", tmp_path / "given")
    shutil.make_archive(str(tmp_path / "given"), "gztar", tmp_path / "given")
    for path in (tmp_path / "given", tmp_path / "given.zip", tmp_path / "given.tar.gz"):
        assert sniff(path).kind == kind
    files = [file.base for file in sniff(tmp_path / "given").files]
    assert "README.txt" not in files
    assert "sct2_Concept_Full_INT_20260101.txt" not in files


def test_several_ontologies_in_one_archive_are_not_guessed_at(tmp_path: Path) -> None:
    for name, text in {"a.obo": OBO, "b.ttl": TURTLE, "c.txt": "words"}.items():
        (tmp_path / "given").mkdir(exist_ok=True)
        write(tmp_path / "given", text, name)
    with pytest.raises(InputError, match="several ontologies"):
        sniff(tmp_path / "given")
    with pytest.raises(InputError, match="several ontologies"):
        registry.add(tmp_path / "home", tmp_path / "given")
    assert registry.add(tmp_path / "home", tmp_path / "given", kind="rdf").kind == "rdf"


@pytest.mark.usefixtures("no_sources")
def test_a_circle_in_an_ontology_is_reported_and_opened(tmp_path: Path) -> None:
    terms = [f"[Term]\nid: X:{i}\nname: n{i}\nis_a: X:{(i + 1) % 3}\n" for i in range(3)]
    registry.add(tmp_path / "home", write(tmp_path, "format-version: 1.2\n\n" + "\n".join(terms), "round.obo"))
    with Staging() as staging:
        registry.stage(tmp_path / "home", staging)
        merged = merge(staging)
        assert [c.kind for c in merged.conflicts()] == ["cycle"]
        assert sum(r.predicate == "is_a" for r in merged.relations()) == 2


@pytest.mark.usefixtures("no_sources")
def test_a_umls_release_is_listed_by_its_first_rows_and_staged_whole(tmp_path: Path) -> None:
    names = "C0000001|ENG|P|L1|PF|S1|Y|A1||||MSH|MH|D1|Glass lung|0|N||"
    types = "C0000001|T047|B2.2.1.2.1|Disease or Syndrome|AT1||"
    (tmp_path / "META").mkdir()
    write(tmp_path / "META", f"{names}\n{names[:-9]}\n", "MRCONSO.RRF")
    write(tmp_path / "META", f"{types}\n", "MRSTY.RRF")
    with pytest.raises(InputError, match=r"MRCONSO\.RRF, line 2: \d+ columns"):
        registry.add(tmp_path / "home", tmp_path / "META")
    entry = registry.add(tmp_path / "home", tmp_path / "META", report=lambda problem: None)
    assert (entry.kind, entry.concepts, entry.problems) == ("umls", None, 1)
    with Staging() as staging:
        registry.stage(tmp_path / "home", staging)
        assert (staging.counts().concepts, staging.counts().problems) == (1, 1)


@pytest.mark.usefixtures("no_sources")
@pytest.mark.parametrize("packed", ["zip", "nlm"])
def test_a_packed_umls_release_is_staged_where_it_is(tmp_path: Path, packed: str) -> None:
    names = [f"C000000{i}|ENG|P|L{i}|PF|S{i}|Y|A{i}||||MSH|MH|D{i}|Glass lung {i}|0|N||\n" for i in range(1, 7)]
    target = tmp_path / "release"
    target.mkdir()
    if packed == "zip":
        with zipfile.ZipFile(target / "meta.zip", "w") as opened:
            opened.writestr("2026AA/META/MRCONSO.RRF", "".join(names))
        target = target / "meta.zip"
    else:
        for number, piece in enumerate("ab"):
            with zipfile.ZipFile(target / f"2026aa-{number + 1}-meta.nlm", "w") as opened:
                data = gzip.compress("".join(names[3 * number : 3 * number + 3]).encode())
                opened.writestr(f"2026AA/META/MRCONSO.RRF.a{piece}.gz", data)
    assert registry.add(tmp_path / "home", target).kind == "umls"
    with Staging() as staging:
        registry.stage(tmp_path / "home", staging)
        assert staging.counts().concepts == 6


def test_a_home_without_sources_says_what_to_run(tmp_path: Path) -> None:
    with Staging() as staging, pytest.raises(SourceError, match="whydx data fetch"):
        registry.stage(tmp_path, staging)


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([OBO, HPOA, SSSOM, TURTLE, ICD]),
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


def test_two_that_add_at_the_same_time_both_stay(tmp_path: Path) -> None:
    home = tmp_path / "home"
    paths = [write(tmp_path, OBO.replace("LOCAL:1", f"LOCAL:{number}"), f"o{number}.obo") for number in range(8)]
    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda path: registry.add(home, path), paths))
    assert [entry.name for entry in registry.entries(home)] == sorted(path.stem for path in paths)
