"""A saved report in other formats: needs no home, and a failed write leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
