"""Records hold nothing of the patient, and a home that cannot be written to gets none."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from fusion.diagnosis import DiagnosticReport
from records import audit, chain

INPUTS = audit.Inputs(note="Jane Roe, 61, fever", present=("HP:0001945",), age=61.0, sex="F")
REPORT = DiagnosticReport(
    findings=(), diagnoses=(), none_of_these=0.3, understood=0.9, provenance={"graph": "abc", "setting": "ward"}
)


def test_a_record_names_versions_and_digests_and_nothing_of_the_patient(tmp_path: Path) -> None:
    film = tmp_path / "roe_jane.dcm"
    film.write_bytes(b"pixels")
    inputs = audit.Inputs(images=(film,), note=INPUTS.note, present=INPUTS.present, age=61.0, sex="F")
    audit.leave(tmp_path, inputs, "{}\n", REPORT)
    text = (tmp_path / audit.NAME).read_text(encoding="utf-8")
    for secret in ("Roe", "roe", "fever", "61", "HP:", "ward", str(tmp_path)):
        assert secret not in {*json.loads(text)} | {str(v) for v in json.loads(text).values() if v != ""}
    row = json.loads(text)
    assert row["given"] == {"images": 1, "notes": 1, "findings": 1}
    assert row["answer"] == audit.answer_digest("{}\n")
    assert row["versions"]["graph"] == "abc"
    assert row["watched"] == {"abstained": 0, "none": -2, "said": 0, "unread": -4}
    assert "setting" not in row["versions"]
    assert not any(word in text for word in ("Roe", "roe_jane", "fever", "HP:", "ward", str(tmp_path)))


def test_the_same_patient_twice_cannot_be_told_but_can_be_proved(tmp_path: Path) -> None:
    for _ in range(2):
        audit.leave(tmp_path, INPUTS, "{}\n", REPORT)
    one, two = (audit.find(tmp_path, n) for n in (1, 2))
    assert one["inputs"] != two["inputs"]
    assert all(INPUTS.digest(row["salt"]) == row["inputs"] for row in (one, two))
    other = audit.Inputs(note=INPUTS.note, present=INPUTS.present, age=62.0, sex="F")
    assert other.digest(one["salt"]) != one["inputs"]


def test_a_home_that_cannot_be_written_to_only_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = tmp_path / "home"
    home.write_text("a file, in which nothing can be written")
    with caplog.at_level(logging.WARNING, "whydx"):
        audit.leave(home, INPUTS, "{}\n", REPORT)
    assert "no audit record is left" in caplog.text


def test_what_differs_is_named() -> None:
    record = {"versions": {"graph": "a", "torch": "1", "reasoner": "r"}}
    assert audit.differing(record, {"graph": "b", "torch": "1"}) == {"graph": ("a", "b"), "reasoner": ("r", "none")}


def test_records_are_listed_in_order(tmp_path: Path) -> None:
    for _ in range(3):
        audit.leave(tmp_path, INPUTS, "{}\n", REPORT)
    rows = [row["sequence"] for _, row in chain.records(tmp_path / audit.NAME) if row]
    assert rows == [1, 2, 3]
