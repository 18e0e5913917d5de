"""A saved report in other formats, which needs no home; reviewed; beside another; a failed write leaves nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fusion.diagnosis import Diagnosis, DiagnosticReport
from ontologies.concept import Concept
from reports.json import dumps
from reports.reporter import FORMATS

Whydx = Callable[..., Any]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    concept = Concept(curie="UMLS:C0004626", name="Bacterial pneumonia", codes={"ICD10CM": ("J15.9",)})
    diagnosis = Diagnosis(concept=concept, probability=0.62, rank=1, score=2.0)
    path = tmp_path / "report.json"
    path.write_text(dumps(DiagnosticReport(findings=(), diagnoses=(diagnosis,), none_of_these=0.38)), encoding="utf-8")
    return path


@pytest.mark.parametrize("layout", ["json", *FORMATS])
def test_a_saved_report_in_every_format(whydx: Whydx, saved: Path, tmp_path: Path, layout: str) -> None:
    ran = whydx("report", saved, "--format", layout, "-o", tmp_path / "out")
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    written = (tmp_path / "out").read_text(encoding="utf-8")
    assert "acterial pneumonia" in written
    on_stdout = whydx("report", saved, "--format", layout).out
    assert [line.rstrip() for line in on_stdout.splitlines()] == written.splitlines()


@pytest.mark.parametrize("layout", FORMATS)
def test_what_cannot_be_read_or_written_is_one_line_and_no_file(
    whydx: Whydx, saved: Path, tmp_path: Path, layout: str
) -> None:
    before = sorted(tmp_path.iterdir())
    for words in ((saved, "-o", tmp_path / "no" / "out"), (tmp_path / "none.json", "-o", tmp_path / "out")):
        ran = whydx("report", *words, "--format", layout)
        assert ran.status == 1
        assert len(ran.err.splitlines()) == 1
    saved.write_text('{"findings": 3}', encoding="utf-8")
    ran = whydx("report", saved, "--format", layout, "-o", tmp_path / "out")
    assert (ran.status, len(ran.err.splitlines())) == (1, 1)
    assert sorted(tmp_path.iterdir()) == before


def test_what_changed_between_two_reports(whydx: Whydx, saved: Path, tmp_path: Path) -> None:
    from reports.json import loads

    report = loads(saved.read_bytes())
    changed = replace(report, diagnoses=(replace(report.diagnoses[0], probability=0.4),), none_of_these=0.6)
    after = tmp_path / "after.json"
    after.write_text(dumps(changed), encoding="utf-8")
    ran = whydx("compare", saved, after)
    assert (ran.status, ran.err) == (0, "")
    assert "Bacterial pneumonia      1   → 1   62 %   → 40 %" in ran.out
    value = json.loads(whydx("compare", saved, after, "--format", "json").out)
    assert [(d["rank_before"], d["probability_before"], d["probability_after"]) for d in value["diagnoses"]] == [
        (1, 0.62, 0.4)
    ]
    assert whydx("compare", saved, saved).out == "nothing changed\n"
    ran = whydx("compare", saved, tmp_path / "none.json")
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)


def test_a_report_is_reviewed_and_its_page_holds_what_was_asked_for(
    whydx: Whydx, home: Path, phantom: Path, tmp_path: Path
) -> None:
    made, page, other = (tmp_path / name for name in ("made.json", "page.html", "other.png"))
    note = ("--note", "fever and productive cough, blorbing toe", "--home", home)
    assert whydx("diagnose", phantom, *note, "--format", "json", "-o", made).status == 0
    asked = ("--deny", "fever", "--with-image", "--with-note", "--working", "asthma", "--working", "pneumonia")
    ran = whydx("report", made, "--image", phantom, *asked, *note, "--format", "html", "-o", page)
    assert (ran.status, ran.err) == (0, "")
    text = page.read_text(encoding="utf-8")
    for held in ("data:image/png;base64,", "outlines: right lung, left lung, heart", "<mark>blorbing toe</mark>"):
        assert held in text
    assert "The two part at place 1." in text
    rows = [" ".join(row.split()) for row in re.findall(r"<tr><th scope=.row.>Fever</th>(.*?)</tr>", text, re.S)]
    assert ["user" in row and "absent" in row for row in rows].count(True) == 1
    Image.new("L", (300, 300), 90).save(other)
    ran = whydx("report", made, "--image", other, "--with-image", "--format", "html", "-o", page)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert page.read_text(encoding="utf-8") == text
