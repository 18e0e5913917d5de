"""The user's own cases and papers, from files to a cohort: what a new user types, and what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from home import open_linker
from retrieval.collection import catalogue
from retrieval.collection.build import build
from retrieval.encoder import Encoder

REPOSITORY = Path(__file__).parents[2]
Whydx = Callable[..., Any]  # see tests/conftest.py
CSV = """id,patient_id,patient_name,age,sex,date,report,image,site
1,7,Miller,61,F,2024-01-05,"Ms Miller has a small left pleural effusion.",film.dcm,A
2,8,Jones,72,M,2024-03-09,Cardiomegaly.,,B
3,8,Jones,73,M,2025-03-09,Right pneumothorax.,,B
"""


@pytest.fixture
def own(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phantom: Path) -> Path:
    """A home of its own beside the tests' home, and a folder with a table and an image as the current one."""
    folder = tmp_path / "home"
    folder.mkdir()
    for part in ("graph", "linker", "indexes", "built.json"):
        (folder / part).symlink_to(home / part)
    monkeypatch.setenv("WHYDX_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "film.dcm").write_bytes(phantom.read_bytes())
    return folder


def test_from_a_table_to_a_cohort(whydx: Whydx, own: Path) -> None:
    added = whydx("index", "add", "ours", "cases.csv")
    assert (added.status, added.out) == (0, "")
    assert "patient_name" in added.err
    assert "ours: 3 documents (3 new, 0 changed, 0 gone)" in added.err
    (listed,) = json.loads(whydx("index", "list", "--format", "json").out)
    assert (listed["name"], listed["kind"], listed["documents"], listed["images"]) == ("ours", "cases", 3, 1)
    assert "site text" in " ".join(whydx("index", "show", "ours").out.split())

    alike = json.loads(whydx("cases", "film.dcm", "--collection", "ours", "--format", "json").out)
    # a case without an image can share what is seen on one
    assert alike[0]["document"]["metadata"]["site"] == "A"
    assert alike[0]["explanation"]["image"] == pytest.approx(1)
    assert "Miller" not in json.dumps(alike)
    found = whydx("cases", "--collection", "ours", "--where", "site:b and date>2024", "--export", "csv", "-o", "x.csv")
    assert found.status == 0
    rows = Path("x.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 2
    assert "pneumothorax" in rows[1]

    shown = whydx("cases", "--collection", "ours", "--summary", "--by", "finding,sex", "--plot", "c.svg")
    assert shown.status == 0
    assert "3 cases of 2 patients" in shown.out
    assert Path("c.svg").read_bytes().startswith(b"<?xml")
    some = whydx("cases", "--collection", "ours", "--where", "age>70", "--summary", "--format", "json")
    assert json.loads(some.out)["cases"] == 2

    Path("cases.csv").write_text(CSV + "4,9,Brown,50,F,2025-04-01,Normal chest.,,A\n", encoding="utf-8")
    assert "4 documents (1 new, 0 changed, 0 gone)" in whydx("index", "update", "ours").err
    assert "removed ours with 4 documents" in whydx("index", "remove", "ours").err
    assert json.loads(whydx("index", "list", "--format", "json").out) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CSV.replace("film.dcm", "gone.dcm"), "no such image: 'gone.dcm'"),
        (CSV.replace("\n2,", "\n1,"), "two cases have one id"),
        (CSV + "4,9,Br\udce4un,50,F,,x,,A\n", "line 5 is not UTF-8 text"),
    ],
)
def test_a_table_that_cannot_be_used(whydx: Whydx, own: Path, content: str, said: str) -> None:
    Path("cases.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    ran = whydx("index", "add", "ours", "cases.csv")
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (own / "collections").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "effusion", "--collection", "none"), "no such collection: 'none'"),
        (("index", "update", "none"), "run: whydx index add none PATH"),
        (("index", "remove", "none"), "no such collection"),
        (("index", "add", "a/b", "cases.csv"), "no name for a collection"),
        (("index", "add", "ours", "nowhere"), "no such file or folder"),
        (("index", "add", "ours", "cases.csv", "--column", "report"), "not a part and its column"),
        (("index", "plan", "1000", "384", "--memory", "much"), "not a size of memory: 'much'"),
        (("index", "plan", "1000000", "384", "--memory", "1MB"), "no index fits"),
        (("cases", "--summary", "--plot", "c.pdf"), "no picture of this kind"),
        (("cases", "--summary", "--by", "ward"), "no column to group by: 'ward'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_one_line_and_exit_1(whydx: Whydx, own: Path, arguments: tuple[str, ...], said: str) -> None:
    ran = whydx(*arguments)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_what_cannot_be_read_loses_nothing_of_a_collection_that_is_there(whydx: Whydx, own: Path) -> None:
    def refused(said: str, *arguments: str) -> None:
        ran = whydx("index", "update", *arguments)
        assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1), ran.err
        assert said in ran.err
        assert {name: catalogue.stored(own, name, "sha256").sha256 for name in ("ours", "reading")} == whole

    Path("papers").mkdir()
    Path("papers", "a.txt").write_text("Pneumothorax.\nAir beside the lung.", encoding="utf-8")
    good = CSV.replace("film.dcm", "")
    Path("cases.csv").write_text(good, encoding="utf-8")
    assert whydx("index", "add", "ours", "cases.csv").status == 0
    assert whydx("index", "add", "reading", "papers").status == 0
    whole = {name: catalogue.stored(own, name).sha256 for name in ("ours", "reading")}
    for content, said in (
        (CSV.replace("film.dcm", "gone.dcm"), "line 2: no such image: 'gone.dcm'"),
        (good.replace("\n2,", "\n1,"), "two cases have one id: 'cases.csv, line 2 and cases.csv, line 3'"),
        (good + "4,9,Br\udce4un,50,F,,x,,A\n", "line 5 is not UTF-8 text"),
        (good + "4,9,Brown\n", "line 5: 3 cells, not 9"),
    ):
        Path("cases.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
        refused(said, "ours")
    with Path("papers", "big.txt").open("wb") as big:
        big.truncate(10**9)
    refused("the text is too large: 'big.txt, 1,000 MB'", "reading")
    Path("papers", "big.txt").unlink()
    if find_spec("pymilvus"):
        refused("Milvus does not answer", "reading", "--backend", "milvus://127.0.0.1:1")
    (hit,) = json.loads(whydx("search", "pneumothorax", "--collection", "reading", "--format", "json").out)
    assert hit["document"]["doc_id"] == "a"

    packaged = Encoder.load()
    other = Encoder("other", "0" * 64, packaged.dimension, packaged._embed)
    build(own, "reading", catalogue.sources(own, "reading"), open_linker(own), encoder=other)
    ran = whydx("search", "pneumothorax", "--collection", "reading")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "built with another encoder" in ran.err
    assert "run: whydx index update reading" in ran.err
    assert whydx("index", "update", "reading").status == 0
    assert catalogue.stored(own, "reading").sha256 == whole["reading"]


def test_retracted_papers_and_structured_abstracts_of_the_field(whydx: Whydx, own: Path, shared_data: Path) -> None:
    cases = shared_data / "field_cases"
    for name, case in (("retracted", "90-retracted"), ("structured", "92-structured-abstract")):
        assert whydx("index", "add", name, cases / case / "set.xml").status == 0
    asked = ("search", "bacterial pneumonia cure", "--collection", "retracted", "--format", "json", "-k", "9")
    hits = json.loads(whydx(*asked).out)
    fates = {hit["document"]["doc_id"]: hit["document"]["metadata"].get("status") for hit in hits}
    assert fates["PMID:90000101"] == "retracted"
    assert hits[-1]["document"]["doc_id"] == "PMID:90000101"
    assert hits[-1]["score"] == 0
    assert not any(hit["document"]["title"].startswith("Retraction:") for hit in hits)
    texts = {document.doc_id: document for document in catalogue.papers(own, "structured").index.documents}
    assert "PMID:90000002" not in texts, "the file takes it back"
    assert texts["PMID:90000001"].text == "Second."
    assert texts["PMID:90000005"].metadata["status"] == "retracted"
    assert texts["PMID:90000007"].metadata["year"] == "1998"
    assert texts["PMID:90000011"].text == "p<0.05 for pneumonia"


def test_papers_are_not_cases(whydx: Whydx, own: Path) -> None:
    Path("a.ris").write_text("TY  - JOUR\nTI  - Tension pneumothorax\nER  - \n", encoding="utf-8")
    assert whydx("index", "add", "reading", "a.ris").status == 0
    (hit,) = json.loads(whydx("search", "pneumothorax", "--collection", "reading", "--format", "json").out)
    assert hit["document"]["source_curie"] == "a:1"
    ran = whydx("cases", "--text", "x", "--collection", "reading")
    assert ran.status == 1
    assert "the collection holds papers: 'reading'; expected cases; run: whydx search QUERY" in ran.err


@pytest.mark.parametrize(("memory", "kind"), [("4GB", "hnsw"), ("500 MB", "ivf-sq8"), ("100MB", "ivf-pq")])
def test_a_plan(whydx: Whydx, memory: str, kind: str) -> None:
    row = json.loads(whydx("index", "plan", "1000000", "384", "--memory", memory, "--format", "json").out)
    assert row["index"] == kind
    assert row["mb"] > 0


def test_a_summary_is_of_a_filter_only(whydx: Whydx) -> None:
    assert whydx("cases", "--text", "effusion", "--summary").status == 2


COMMAND = (sys.executable, "-c", "from cli import main; main()")


def run_beside(*arguments: str) -> subprocess.Popen[str]:
    """``whydx ARGUMENT…`` in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen((*COMMAND, *arguments), env=environment, stderr=subprocess.PIPE, text=True)


def test_two_that_add_at_the_same_time_lose_nothing(own: Path) -> None:
    for name, text in (("one", "Pneumothorax.\nAir beside the lung."), ("two", "Cardiomegaly.\nA large heart.")):
        Path(name).mkdir()
        Path(name, f"{name}.txt").write_text(text, encoding="utf-8")
    beside = [run_beside("index", "add", "reading", name) for name in ("one", "two")]
    said = [process.communicate(timeout=120)[1] for process in beside]
    assert [process.returncode for process in beside] == [0, 0], said
    assert sorted(Path(root).name for root in catalogue.sources(own, "reading").roots) == ["one", "two"]
    assert {document.doc_id for document in catalogue.papers(own, "reading").index.documents} == {"one", "two"}


def test_an_update_waits_for_another_and_says_for_whom(whydx: Whydx, own: Path) -> None:
    Path("one").mkdir()
    Path("one", "one.txt").write_text("Pneumothorax.\nAir beside the lung.", encoding="utf-8")
    assert whydx("index", "add", "reading", "one").status == 0
    with catalogue.turn(own, "reading"):
        waiting = [run_beside("index", "update", "reading"), run_beside("index", "remove", "reading")]
        assert all(process.stderr is not None for process in waiting)
        first = [process.stderr.readline() for process in waiting if process.stderr]
        assert all(line.startswith(f"waiting for process {os.getpid()} on ") for line in first), first
        assert len(catalogue.papers(own, "reading")) == 1
    ended = [process.communicate(timeout=120)[1] for process in waiting]
    assert waiting[1].returncode == 0
    assert waiting[0].returncode == 0 or "no such collection" in ended[0]
    assert catalogue.names(own) == ()
