"""Feedback is kept once, without what identifies a patient; agreement by formula."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errors import InputError
from fusion.diagnosis import Diagnosis, DiagnosticReport
from ontologies.concept import Concept
from records import feedback
from records.agreement import agreement, wilson
from records.feedback import Feedback, Named
from reports.agreement import figure
from reports.json import dumps
from vision.finding import Finding

PNEUMONIA, EMBOLISM = Concept(curie="X:1", name="Pneumonia"), Concept(curie="X:2", name="Pulmonary embolism")
FEVER = Concept(curie="X:3", name="Fever")


def report(probability: float = 0.7) -> DiagnosticReport:
    return DiagnosticReport(
        findings=(Finding(label="Fever", presence="present", origin="note", concept=FEVER),),
        diagnoses=(
            Diagnosis(concept=PNEUMONIA, probability=probability, rank=1, score=2.0),
            Diagnosis(concept=EMBOLISM, probability=0.1, rank=2, score=1.0),
        ),
        none_of_these=0.1,
        provenance={"graph": "g", "literature": "l"},
    )


def said(**given: object) -> Feedback:
    one = report()
    return feedback.of(one, dumps(one), **given)  # type: ignore[arg-type]


def test_an_entry_says_what_was_right_and_where_it_stood() -> None:
    entry = said(correct=EMBOLISM, findings=[(FEVER, "absent")])
    assert (entry.verdict, entry.correct, entry.correct_rank) == (
        "corrected",
        Named(curie="X:2", name=EMBOLISM.name),
        2,
    )
    assert [(c.said, c.correct) for c in entry.findings] == [("present", "absent")]
    assert entry.versions == {"graph": "g"}
    assert entry.note is None
    assert said(accept=True).first == Named(curie="X:1", name="Pneumonia")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing is said"),
        ({"accept": True, "correct": EMBOLISM}, "accepted and corrected"),
        ({"correct": PNEUMONIA}, "first diagnosis already"),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        said(**given)


def test_the_same_entry_is_kept_once_and_homes_exchange_theirs(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    first, second = said(accept=True), said(correct=EMBOLISM)
    assert [feedback.keep(one, [first]), feedback.keep(one, [first, second, second])] == [1, 1]
    exported = tmp_path / "feedback.jsonl"
    exported.write_text(feedback.export(feedback.kept(one)), encoding="utf-8")
    assert feedback.keep(two, [first]) == 1
    assert feedback.keep(two, feedback.read(exported)) == 1
    assert feedback.keep(two, feedback.read(exported)) == 0
    assert feedback.export(feedback.kept(two)) == exported.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: no feedback"),
        ('{"day": "2026-01-01"}', "line 2: no feedback"),
        ("", "none"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f"{json.dumps(said(accept=True).row())}\n{line}\n", encoding="utf-8")
    if message == "none":
        assert len(list(feedback.read(path))) == 1
    else:
        with pytest.raises(InputError, match=message):
            list(feedback.read(path))


def test_an_entry_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(said(accept=True).row() | {"probability": 0.99}) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="changed since it was written"):
        list(feedback.read(path))


def entry(day: str, probability: float, verdict: str, **more: object) -> Feedback:
    first = Named(curie="X:1", name="Pneumonia")
    row = Feedback(day=day, report="r", verdict=verdict, first=first, probability=probability, **more)  # type: ignore[arg-type]
    return row.identified()


def test_agreement_is_what_the_formulas_say() -> None:
    entries = [
        *(entry(f"2026-01-0{d}", 0.9, "accepted") for d in range(1, 5)),
        entry("2026-02-01", 0.9, "corrected", correct_rank=2, related=True),
        entry("2026-02-02", 0.3, "corrected"),
        entry("2026-02-03", 0.9, "accepted", abstained=True),  # no diagnosis was named
    ]
    value = agreement(entries)
    assert (value.entries, value.overall.agreed, value.overall.n, value.in_list, value.related) == (7, 4, 6, 1, 1)
    assert [(s.name, s.share) for s in value.by_month] == [("2026-01", 1.0), ("2026-02", 0.0)]
    assert [(b.low, b.right.share) for b in value.calibration] == [(0.2, 0.0), (0.8, 0.8)]
    # (5 · |0.9 − 0.8| + 1 · |0.3 − 0|) / 6
    assert value.calibration_error == pytest.approx((0.5 + 0.3) / 6)


def test_wilson() -> None:
    # (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n) with p = 0.8, n = 10, z = 1.96
    assert wilson(8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_nothing_said_is_an_answer_and_a_figure() -> None:
    value = agreement([])
    assert (value.overall.n, value.calibration_error) == (0, None)
    assert figure(value, "png").startswith(b"\x89PNG")
    assert figure(agreement([entry("2026-01-01", 0.9, "accepted")]), "svg") == figure(
        agreement([entry("2026-01-01", 0.9, "accepted")]), "svg"
    )
