"""Facts confirmed or denied, a working differential: what the page holds is what a whole run says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from errors import InputError
from fusion.diagnosis import DiagnosticReport, LeftOut, NextStep
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from fusion.why.answers import Answers, answers
from fusion.why.explainer import Explainer
from fusion.why.review import _still_left_out, facts, named, review, stated, told
from fusion.why.working import working


@pytest.fixture(scope="session")
def answered(explainer: Explainer, report: DiagnosticReport, note: str) -> Answers:
    return answers(explainer, report, note)


def test_a_denied_fact_ranks_as_a_new_diagnosis_does(pipeline: Pipeline, report: DiagnosticReport, note: str) -> None:
    mine = review(pipeline, report, denied=["fever"], note=note)
    anew = pipeline.diagnose(Patient(note=note, age=65, sex="M", absent=("fever",)))
    assert [d.concept for d in mine.diagnoses] == [d.concept for d in anew.diagnoses]
    assert [d.probability for d in mine.diagnoses] == pytest.approx([d.probability for d in anew.diagnoses], abs=1e-9)
    assert mine.next_steps == anew.next_steps
    assert [(f.label, f.presence) for f in mine.findings if f.origin == "user"] == [("Fever", "absent")]
    assert mine.diagnoses[0].probability != report.diagnoses[0].probability
    assert (mine.understood, mine.warnings) == (report.understood, ())


def test_denied_and_then_confirmed_is_as_it_was(pipeline: Pipeline, report: DiagnosticReport, note: str) -> None:
    denied = review(pipeline, report, denied=["fever"], note=note)
    again = review(pipeline, denied, confirmed=["fever"], note=note)
    assert [d.probability for d in again.diagnoses] == pytest.approx(
        [d.probability for d in report.diagnoses], abs=1e-9
    )
    assert [f.presence for f in again.findings if f.origin == "user"] == ["present"]


def test_without_the_note_it_says_what_it_does_without(pipeline: Pipeline, report: DiagnosticReport) -> None:
    warned = " ".join(review(pipeline, report, denied=["fever"]).warnings)
    assert "without the words of the note" in warned
    assert "still left out" in warned


def test_what_was_not_suggested_because_of_a_note_stays_so_without_it() -> None:
    step = NextStep(disease="Pneumonia", text="cultures; amoxicillin", reference="ATS 2019")
    left = LeftOut(disease="Pneumonia", text="amoxicillin", treatment="amoxicillin", because="allergy", reference="BNF")
    new = DiagnosticReport(findings=(), diagnoses=(), none_of_these=1.0, next_steps=(step,))
    assert _still_left_out(new, [left]) == ((replace(step, text="cultures"),), (left,))
    other = replace(left, disease="Asthma")
    assert _still_left_out(new, [other]) == ((step,), ())


@pytest.mark.parametrize("name", ["Fever", "fEv", "HP:0001945", "pyrexia"])
def test_a_finding_goes_by_its_name_a_part_of_it_or_its_code(
    pipeline: Pipeline, report: DiagnosticReport, name: str
) -> None:
    assert named(report, name, pipeline.graph).name == "Fever"


def test_what_cannot_be_confirmed_is_said_in_a_line(pipeline: Pipeline, report: DiagnosticReport) -> None:
    for name, said in (("scoliosis", "not a finding of this report"), ("o", "several"), ("", "not a finding")):
        with pytest.raises(InputError, match=said):
            named(report, name, pipeline.graph)
    with pytest.raises(InputError, match="confirmed and denied"):
        review(pipeline, report, ["fever"], ["pyrexia"])
    with pytest.raises(InputError, match="nothing is confirmed"):
        review(pipeline, report)


def test_the_case_of_a_word_is_the_case_of_the_report_with_it(
    pipeline: Pipeline, report: DiagnosticReport, explainer: Explainer, note: str
) -> None:
    for fact in facts(report):
        assert fact.concept is not None
        mine = told(explainer.case, pipeline.graph.resolve(fact.concept.curie), "absent", pipeline.intake, note)
        assert mine == pipeline.intake.recall(stated(report, (), (fact.concept,)), note=note).case


def test_the_answers_of_a_page_are_those_of_whole_runs(
    pipeline: Pipeline, report: DiagnosticReport, answered: Answers, explainer: Explainer, note: str
) -> None:
    assert {f.label for f in answered.facts} >= {"Fever", "Hemoptysis"}
    single = {tuple(r.said.items()): r.ranking for r in answered.revisions if len(r.said) == 1}
    fever = next(f.concept.curie for f in report.findings if f.label == "Fever" and f.concept)
    mine = review(pipeline, report, denied=["fever"], note=note)
    worked_out = single[(fever, "absent"),]
    ranked = {s.disease.curie: s.probability_after for s in worked_out.shifts}
    for diagnosis in mine.diagnoses:
        assert ranked[diagnosis.concept.curie] == pytest.approx(diagnosis.probability, abs=1e-9)
    assert (fever, "present") not in {item for said in single for item in said}  # the note says so already
    pairs = [r for r in answered.revisions if len(r.said) == 2]
    assert pairs
    first = answered.looked_for[0]
    assert first.present == explainer.what_if({first.about.finding.curie: "present"})
    assert [w.shortlist_rank for w in answered.why_nots] == list(range(2, len(answered.why_nots) + 2))


def test_a_working_differential_stands_beside_ours(explainer: Explainer, report: DiagnosticReport) -> None:
    first = report.diagnoses[0].concept
    same = working(explainer, report, [d.concept.name for d in report.diagnoses])
    assert (same.parts_at, same.only_ours) == (None, ())
    assert same.own[0].why_not is None
    mine = working(explainer, report, [first.curie, "sarcoidosis", "no such disease at all"])
    assert mine.parts_at == 2
    assert [o.likeness for o in mine.own] == ["same", None, None]
    assert mine.own[1].why_not is not None
    assert mine.own[1].why_not.disease is not None
    assert mine.own[2].disease is None
    assert first not in [d.concept for d in mine.only_ours]
    wider = working(explainer, report, ["pneumonia"])
    assert all("neumonia" not in d.concept.name for d in wider.only_ours)
    with pytest.raises(InputError, match="twice"):
        working(explainer, report, [first.name, first.curie])


def test_a_denied_allergy_is_no_objection(pipeline: Pipeline) -> None:
    note = "fever and productive cough, lobar consolidation. Penicillin allergy."
    before = pipeline.diagnose(Patient(note=note, age=40, sex="F"))
    assert any("allergy" in left.because for left in before.left_out)
    after = review(pipeline, before, denied=["penicillin allergy"], note=note)
    assert not any("allergy" in left.because for left in after.left_out)
