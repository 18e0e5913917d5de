"""The verbs ask, feedback and audit on a built home; what is written goes to a copy of it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Whydx = Callable[..., Any]  # see tests/conftest.py: a run has status, out and err
NOTE = "61-year-old woman with fever and productive cough. Lobar consolidation. Snorklification."


@pytest.fixture
def desk(home: Path, tmp_path: Path) -> Path:
    """A home with the parts of the tests' home, to be written to."""
    folder = tmp_path / "home"
    folder.mkdir()
    for part in ("graph", "linker", "indexes"):
        (folder / part).symlink_to(home / part)
    return folder


@pytest.fixture
def case(whydx: Whydx, desk: Path, tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    ran = whydx("diagnose", "--note", NOTE, "--format", "json", "-o", path, "--home", desk)
    assert (ran.status, ran.err) == (0, "")
    return path


def test_ask_once_for_a_reader_and_for_a_program(whydx: Whydx, desk: Path, case: Path) -> None:
    ran = whydx("ask", case, "Why?", "--note", NOTE, "--home", desk)
    assert (ran.status, ran.err) == (0, "")
    assert "Lobar consolidation" in ran.out
    assert "[measured:" in ran.out
    ran = whydx("ask", case, "Will it rain?", "--format", "json", "--home", desk)
    value = json.loads(ran.out)
    assert (ran.status, value["answered"], value["intent"]) == (0, False, "unknown")
    assert value["can_ask"]
    ran = whydx("ask", case, "What did you not understand?", "--note", NOTE, "--home", desk)
    assert "Snorklification" in ran.out


def test_ask_line_by_line_from_stdin(whydx: Whydx, desk: Path, case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("How sure are you?\n\nWhat is the differential?\nquit\nWhy?\n"))
    ran = whydx("ask", case, "--format", "json", "--home", desk)
    assert [a["intent"] for a in json.loads(ran.out)] == ["sure", "list"]


def test_ask_in_a_terminal_keeps_its_history(
    whydx: Whydx, desk: Path, case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("How sure are you?\n\x04")
        ran = whydx("ask", case, "--home", desk)
    assert ran.status == 0
    assert "cannot be ruled out" in ran.out
    kept = desk / "ask-history"
    assert "How sure are you?" in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o077 == 0


def test_ask_of_what_is_no_report_is_one_line(whydx: Whydx, desk: Path, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("{}", encoding="utf-8")
    ran = whydx("ask", tmp_path / "no.json", "Why?", "--home", desk)
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "not a whydx report" in ran.err


def test_feedback_is_kept_shown_drawn_and_exchanged(whydx: Whydx, desk: Path, case: Path, tmp_path: Path) -> None:
    assert "kept as" in whydx("feedback", case, "--accept", "--home", desk).err
    assert "known already" in whydx("feedback", case, "--accept", "--home", desk).err
    ran = whydx("feedback", case, "--correct", "pulmonary embolism", "--finding", "fever=absent", "--home", desk)
    assert (ran.status, ran.out) == (0, "")
    text = (desk / "feedback.jsonl").read_text(encoding="utf-8")
    assert not any(word in text for word in ("Snorklification", "woman", str(tmp_path)))
    value = json.loads(whydx("feedback", "--stats", "--format", "json", "--home", desk).out)
    assert (value["entries"], value["overall"]["agreed"], value["overall"]["n"]) == (2, 1, 2)
    assert value["by_finding"][0]["corrections"] == [["present → absent", 1]]
    assert "Agreement" in whydx("feedback", "--stats", "--home", desk).out
    for name in ("agreement.png", "agreement.svg"):
        assert whydx("feedback", "--plot", tmp_path / name, "--home", desk).status == 0
        assert (tmp_path / name).stat().st_size
    exported = tmp_path / "out.jsonl"
    assert whydx("feedback", "--export", "-o", exported, "--home", desk).status == 0
    other = tmp_path / "other"
    assert "2 entries" in whydx("feedback", "--import", exported, "--home", other).err
    assert "0 entries" in whydx("feedback", "--import", exported, "--home", other).err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--finding", "fever"), "CURIE=present or CURIE=absent"),
        (("--correct", "dragon pox"), "unknown concept"),
    ],
)
def test_feedback_that_cannot_be_used(
    whydx: Whydx, desk: Path, case: Path, arguments: tuple[str, ...], message: str
) -> None:
    ran = whydx("feedback", case, *arguments, "--home", desk)
    assert (ran.status, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert message in ran.err


def test_every_diagnosis_is_in_the_audit_trail_and_can_be_replayed(whydx: Whydx, desk: Path, case: Path) -> None:
    rows = json.loads(whydx("audit", "show", "--format", "json", "--home", desk).out)
    assert [row["sequence"] for row in rows] == [1]
    assert rows[0]["versions"].keys() >= {"graph", "reasoner", "literature", "whydx", "python", "torch"}
    assert "61" not in json.dumps(rows[0]["given"])
    ran = whydx("audit", "replay", "1", "--note", NOTE, "--home", desk)
    assert (ran.status, "byte for byte" in ran.err) == (0, True)
    ran = whydx("audit", "replay", "1", "--note", NOTE + " No chills.", "--home", desk)
    assert (ran.status, "not the inputs of record 1" in ran.err) == (1, True)
    assert "no such audit record" in whydx("audit", "replay", "7", "--note", NOTE, "--home", desk).err
    assert len(json.loads(whydx("audit", "show", "--format", "json", "--home", desk).out)) == 1
    assert whydx("audit", "verify", "--home", desk).status == 0
    trail = desk / "audit.jsonl"
    trail.write_text(trail.read_text(encoding="utf-8").replace('"notes":1', '"notes":0'), encoding="utf-8")
    ran = whydx("audit", "verify", "--home", desk)
    assert (ran.status, "line 1" in ran.err, "record 1 is not what was written" in ran.out) == (1, True, True)


def test_a_replay_with_another_version_names_it(whydx: Whydx, desk: Path, case: Path) -> None:
    from records import audit, chain

    row = audit.find(desk, 1)
    chain.add(desk / "audit.jsonl", row | {"answer": "0" * 64, "versions": row["versions"] | {"torch": "0.1"}})
    ran = whydx("audit", "replay", "2", "--note", NOTE, "--home", desk)
    assert (ran.status, "torch 0.1 →" in ran.err) == (1, True)


def test_a_review_is_in_the_audit_trail_and_can_be_replayed(
    whydx: Whydx, desk: Path, case: Path, tmp_path: Path
) -> None:
    said = ("--deny", "fever", "--note", NOTE, "--home", desk)
    ran = whydx("report", case, *said, "--format", "json", "-o", tmp_path / "reviewed.json")
    assert (ran.status, ran.err) == (0, "")
    rows = json.loads(whydx("audit", "show", "--format", "json", "--home", desk).out)
    assert [(row["sequence"], row["event"]) for row in rows] == [(1, "diagnose"), (2, "review")]
    assert rows[1]["given"] == {"reports": 1, "images": 0, "notes": 1, "findings": 1}
    assert rows[1]["answer"] != rows[0]["answer"]
    assert "watched" not in rows[1]
    assert not any(word in (desk / "audit.jsonl").read_text(encoding="utf-8") for word in ("fever", "HP:", "woman"))
    ran = whydx("audit", "replay", "2", "--report", case, *said)
    assert (ran.status, "record 2: the same answer, byte for byte" in ran.err) == (0, True)
    for other in (
        ("--report", tmp_path / "reviewed.json", *said),
        ("--report", case, "--confirm", "fever", *said[2:]),
        ("--note", NOTE, "--home", desk),
    ):
        ran = whydx("audit", "replay", "2", *other)
        assert (ran.status, "not the inputs of record 2" in ran.err) == (1, True)
    assert whydx("audit", "replay", "2", *said).status == 2
    assert whydx("audit", "verify", "--home", desk).status == 0


def test_a_saved_report_shown_again_is_no_run(whydx: Whydx, desk: Path, case: Path) -> None:
    assert whydx("report", case, "--format", "plain", "--home", desk).status == 0
    assert whydx("report", case, "--deny", "dragon pox", "--home", desk).status == 1
    assert len(json.loads(whydx("audit", "show", "--format", "json", "--home", desk).out)) == 1


def test_a_home_that_cannot_be_written_to_still_diagnoses(
    whydx: Whydx, desk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (desk / "audit.jsonl").mkdir()  # a user that may do anything cannot be locked out by permissions
    ran = whydx("diagnose", "--note", "fever and productive cough", "--home", desk)
    assert ran.status == 0
    assert "Differential" in ran.out
    assert "no audit record is left" in caplog.text  # Python writes it to stderr where nobody handles logs
