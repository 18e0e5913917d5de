"""The text for the patient: short sentences, layperson names, a source for each, nothing that is not in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from fusion.diagnosis import DiagnosticReport
from reports.plain import PlainReporter, concepts_of, grade, lay_names

NAMES = {"UMLS:C0521530": "Part of the lung is filled", "UMLS:C0004626": "Lung infection"}


def test_the_measure_tells_easy_from_hard() -> None:
    assert grade("The cat sat on the mat. It was a big cat.") < 1
    hard = "Radiographic abnormalities necessitate multidisciplinary consideration of differential possibilities."
    assert grade(hard) > 15


def test_it_can_be_read_at_the_age_of_thirteen(report: DiagnosticReport) -> None:
    assert grade(PlainReporter(NAMES).render(replace(report, next_steps=(), warnings=()))) <= 7


def test_what_is_in_doctors_words_says_so(report: DiagnosticReport) -> None:
    lines = PlainReporter(NAMES).render(report).splitlines()
    for heading in ("# What you can ask your doctor", "# What is not right for you, as far as we know"):
        assert lines[lines.index(heading) + 1] == "This is in doctors' words. Ask what it means."


def test_names_are_the_patients_and_the_doctors(report: DiagnosticReport) -> None:
    text = PlainReporter(NAMES).render(report)
    assert "We saw this on your picture: Part of the lung is filled (right side). [UMLS:C0521530]" in text
    assert "1. Lung infection. The chance is 62 %. Doctors call it: Bacterial pneumonia. [UMLS:C0004626]" in text
    assert "2. Pulmonary embolism. The chance is <1 %. [UMLS:C0034065]" in text
    assert "   This fits with it: Part of the lung is filled [UMLS:C0521530]." in text
    assert "We read this: Fever. [UMLS:C0015967]" in text
    assert "The chance of that is 38 %." in text
    assert "Hernia" not in text  # looked for and not seen


def test_absent_and_uncertain_are_never_said_as_present(report: DiagnosticReport) -> None:
    fever = replace(report.findings[3], presence="absent")
    text = PlainReporter().render(replace(report, findings=(fever, report.findings[1])))
    assert "We read that you do not have this: Fever." in text
    assert "We may see this on your picture: Edema." in text


def test_nothing_found_is_said() -> None:
    nothing = DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0, abstention="nothing was found")
    text = PlainReporter().render(nothing)
    assert "We cannot name an illness: nothing was found." in text
    assert "What we know" not in text


def test_layperson_names_come_from_the_graphs_terms(report: DiagnosticReport, tmp_path: Path) -> None:
    rows = [
        {"curie": "UMLS:C0015967", "text": "High temperature", "kind": "layperson"},
        {"curie": "UMLS:C0015967", "text": "Hot", "kind": "exact"},
        {"curie": "UMLS:C0015967", "text": "Running a high temperature", "kind": "layperson"},
        {"curie": "HP:1", "text": "Not asked", "kind": "layperson"},
    ]
    path = tmp_path / "terms.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), path)
    assert lay_names(path, concepts_of(report)) == {"UMLS:C0015967": "High temperature"}
    assert lay_names(tmp_path / "none.parquet", concepts_of(report)) == {}
