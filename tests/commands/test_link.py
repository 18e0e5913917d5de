"""``whydx link``: a text, a folder, stdin, PubTator, and what it cannot read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Whydx = Callable[..., Any]  # see tests/conftest.py: a run has status, out and err


def test_link(whydx: Whydx, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    ran = whydx("link", "Fever, but no pleural effusion.", "--format", "json", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    found = {match["mention"].lower(): match for match in json.loads(ran.out)}
    assert found["fever"]["presence"] == "present"
    assert found["pleural effusion"]["presence"] == "absent"
    assert found["pleural effusion"]["concept"]["codes"]["HP"] == ["0002202"]
    assert "Pleural effusion" in whydx("link", "no pleural effusion", "--home", home).out


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of a note, a PubTator file and something else."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_text("Small left pleural effusion,\nno fever.", encoding="utf-8")
    (folder / "b.pubtator").write_text("7|t|Fever\n7|a|no cough\n7\t0\t5\tFever\tX\tHP:1\n\n8|t|\n8|a|Cough\n")
    (folder / "c.pdf").write_bytes(b"\xff\x00")
    return folder


def test_link_reads_the_values_of_a_note_when_asked(whydx: Whydx, home: Path) -> None:
    note = "WBC 14.2, CRP 106 mg/L, history of LDH 900."
    assert json.loads(whydx("link", note, "--format", "json", "--home", home).out) == []
    found = json.loads(whydx("link", note, "--note", "--format", "json", "--home", home).out)
    said = [(m["mention"], m["concept"]["name"], m["presence"], m["method"]) for m in found]
    assert said == [
        ("WBC 14.2", "Leukocytosis", "present", "measurement"),
        ("CRP 106 mg/L", "Elevated C-reactive protein", "present", "measurement"),
        ("LDH 900", "Elevated lactate dehydrogenase", "not assessed", "measurement"),
    ]
    only = whydx("link", note, "--note", "--vocab", "UMLS", "--format", "json", "--home", home).out
    assert [m["mention"] for m in json.loads(only)] == ["WBC 14.2", "CRP 106 mg/L"]


def test_link_says_what_of_a_note_it_did_not_understand(whydx: Whydx, home: Path) -> None:
    note = "Fever and cough since he polished zirconium crowns."
    (row,) = map(json.loads, whydx("link", note, "--note", "--format", "jsonl", "--home", home).out.splitlines())
    assert row["unread"] == [{"phrase": "polished zirconium crowns", "start": 25, "end": 50}]
    assert row["understood"] == pytest.approx(0.4)
    table = whydx("link", note, "--note", "--home", home).out
    assert "understood: 40 %; not understood: polished zirconium crowns" in table
    assert "understood" not in whydx("link", note, "--home", home).out


def test_link_a_folder(whydx: Whydx, home: Path, notes: Path) -> None:
    ran = whydx("link", notes, "--format", "jsonl", "--home", home)
    assert (ran.status, ran.err) == (0, "")
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["id"] for row in rows] == ["a", "7", "8"]
    assert [(m["mention"], m["presence"]) for m in rows[1]["matches"]] == [("Fever", "present"), ("cough", "absent")]
    assert (rows[0]["matches"][0]["laterality"], rows[0]["matches"][0]["extent"]) == ("left", "small")
    assert json.loads(whydx("link", notes, "--format", "json", "--home", home).out) == rows
    table = whydx("link", notes / "a.txt", notes / "b.pubtator", "--home", home).out
    assert "small, left" in table


def test_link_to_pubtator_keeps_offsets(whydx: Whydx, home: Path, notes: Path, tmp_path: Path) -> None:
    from ontologies.linking.evaluate import read_pubtator

    target = tmp_path / "out.pubtator"
    ran = whydx("link", notes, "--format", "pubtator", "--vocab", "HP", "-o", target, "--home", home)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    texts, mentions = read_pubtator(target)
    assert texts["a"] == "Small left pleural effusion, no fever."
    assert {(texts["a"][a:b], code) for a, b, code in mentions["a"]} == {
        ("pleural effusion", "HP:0002202"),
        ("fever", "HP:0001945"),
    }
    assert whydx("link", target, "--format", "pubtator", "--vocab", "HP", "--home", home).out == target.read_text()


def test_link_lines_of_stdin(whydx: Whydx, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*options: str) -> list[str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"fever\n\nno cough\n")))
        return [json.loads(line)["id"] for line in whydx("link", "-", *options, "--home", home).out.splitlines()]

    assert link("--format", "jsonl") == link("--format", "jsonl", "--lines") == ["1", "3"]


def test_a_spacy_pipeline_finds_what_the_command_does(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from ontologies.linking import spacy_component

    lines = tmp_path / "notes.txt"
    lines.write_text(
        "Small left pleural effusion, no pneumothorax.\nMother had asthma; cough for two weeks.\n"
        "Brachydactyly type A1 (BDA1). No BDA1 in his brother.\nCRP 106 mg/L\n",
        encoding="utf-8",
    )
    rows = whydx("link", lines, "--lines", "--format", "jsonl", "--home", home).out.splitlines()
    wanted = [
        [(m["start"], m["end"], m["concept"]["curie"], m["presence"]) for m in json.loads(row)["matches"]]
        for row in rows
    ]
    spacy_component.register()
    nlp = spacy.blank("en")
    nlp.add_pipe("whydx_linker", config={"home": str(home)})
    found = [[span._.concept_match for span in doc.spans["whydx_linker"]] for doc in nlp.pipe(lines.open("r"))]
    assert [[(m.start, m.end, m.concept.curie, m.presence) for m in matches] for matches in found] == wanted
    assert sum(map(len, wanted)) > 5


def test_a_text_gives_the_same_whatever_was_read_before(whydx: Whydx, home: Path, tmp_path: Path) -> None:
    texts = [
        "BDA1 is brachydactyly type A1.",
        "No ASD (autism spectrum disorder); ASD.",
        "pleural effuusion",
        "jaw cysts",
    ]
    answers: list[dict[str, list[object]]] = []
    for order in (texts, texts[::-1], texts[2:] + texts[:2]):
        listed = tmp_path / "lines.txt"
        listed.write_text("\n".join(order), encoding="utf-8")
        rows = whydx("link", listed, "--lines", "--format", "jsonl", "--home", home).out.splitlines()
        answers.append({text: json.loads(row)["matches"] for text, row in zip(order, rows, strict=True)})
    alone = {t: json.loads(whydx("link", t, "--format", "json", "--home", home).out) for t in texts}
    assert answers == [alone] * 3
    assert all(alone.values())


def test_link_all_spans(whydx: Whydx, home: Path) -> None:
    text = "vestibular schwannoma"
    plain, nested = (
        {m["mention"] for m in json.loads(whydx("link", text, *more, "--format", "json", "--home", home).out)}
        for more in ((), ("--all-spans",))
    )
    assert plain < nested


def test_link_says_what_it_cannot_read(whydx: Whydx, home: Path, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (notes / "bad.txt").write_bytes(b"fi\xe8vre")
    (notes / "broken.pubtator").write_text("1|t|Fever\nnonsense\n")
    for arguments, message in (
        ((tmp_path / "empty",), "no texts in the folder"),
        (("missing.txt",), "no such file"),
        (("left", "effusion"), "one text in quotes"),
        ((notes / "bad.txt",), "not UTF-8"),
        ((notes / "broken.pubtator",), "line 2: not PubTator"),
        (("cough", "--vocab", "XX"), "no concept of the dictionary has a code in"),
        ((notes / "a.txt", "--format", "jsonl", "-o", tmp_path / "no" / "x"), "cannot write"),
    ):
        ran = whydx("link", *arguments, "--home", home)
        assert (ran.status, ran.out) == (1, ""), arguments
        assert message in ran.err
        assert ran.err.count("\n") == 1
    target = tmp_path / "out.jsonl"
    ran = whydx("link", notes, "--format", "jsonl", "-o", target, "--home", home)
    assert ran.status == 1
    assert sorted(tmp_path.iterdir()) == [tmp_path / "empty", notes]


def test_nothing_found_is_success(whydx: Whydx, home: Path) -> None:
    ran = whydx("link", "zzzz", "--home", home)
    assert (ran.status, ran.out.strip(), ran.err) == (0, "nothing found", "")


def test_a_note_in_another_language_is_said_to_be(whydx: Whydx, home: Path) -> None:
    ran = whydx("link", "Kein Pneumothorax.", "--note", "--format", "json", "--home", home)
    assert (ran.status, json.loads(ran.out)) == (0, [])
    assert "seems to be in German, and only English is read" in ran.err
