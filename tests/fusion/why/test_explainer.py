"""Why, why not and what if: every figure is recomputed from a run of its own."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from errors import InputError, UnknownConceptError
from fusion.diagnosis import DiagnosticReport
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from fusion.scorer import Scorer
from fusion.why.counterfactual import smallest_change
from fusion.why.explainer import Explainer

NOTE = "65M fever and productive cough, no hemoptysis. Right lower lobe consolidation."
CLOSE = 2e-5


def test_a_saved_report_explains_itself(explainer: Explainer, report: DiagnosticReport) -> None:
    first = report.diagnoses[0]
    answer = explainer.why()
    assert answer.warnings == ()
    assert answer.diagnosis.concept == first.concept
    assert answer.diagnosis.probability == pytest.approx(first.probability, abs=1e-4)
    told = {(e.kind, e.reference): e.weight for e in first.evidence}
    assert {(e.kind, e.reference) for e in answer.diagnosis.evidence} == set(told)
    for piece in answer.diagnosis.evidence:
        assert piece.weight == pytest.approx(told[piece.kind, piece.reference], abs=1e-4)
    assert sum(answer.by_kind.values()) == pytest.approx(sum(told.values()), abs=1e-3)


def test_without_the_note_the_answer_says_so(pipeline: Pipeline, report: DiagnosticReport) -> None:
    recalled = pipeline.intake.recall(report)
    assert recalled.case.note == ""
    assert "note" in recalled.warnings[0]
    assert recalled.case.age == 65
    assert recalled.case.sex == "M"


def test_interactions_are_the_difference_to_the_sum(explainer: Explainer) -> None:
    answer = explainer.why()
    weights = {e.text: e.weight for e in answer.diagnosis.evidence}
    for pair in answer.interactions:
        assert pair.apart == pytest.approx(weights[pair.first] + weights[pair.second], abs=1e-6)
        assert abs(pair.together - pair.apart) > 0.1 * (abs(weights[pair.first]) + abs(weights[pair.second]))


def test_what_if_is_the_diagnosis_of_the_changed_case(pipeline: Pipeline, explainer: Explainer) -> None:
    fever = pipeline.graph.find("fever")
    answer = explainer.what_if({fever: "absent"})
    assert [(c.finding.curie, c.before, c.after) for c in answer.changes] == [(fever, "present", "absent")]
    again = pipeline.diagnose(Patient(note=NOTE, absent=(fever,), age=65, sex="M"), k=10)
    after = {s.disease: s for s in answer.shifts}
    assert answer.shifts[0].disease == again.diagnoses[0].concept
    for diagnosis in again.diagnoses:
        assert after[diagnosis.concept].rank_after == diagnosis.rank
        assert after[diagnosis.concept].probability_after == pytest.approx(diagnosis.probability, abs=1e-4)


def test_what_if_needs_a_change_and_something_left(pipeline: Pipeline, explainer: Explainer) -> None:
    with pytest.raises(InputError, match="nothing would change"):
        explainer.what_if({pipeline.graph.find("fever"): "present"})
    with pytest.raises(InputError, match="nothing would be left"):
        explainer.what_if({o.curie: "not assessed" for o in explainer.case.observed})


def test_why_not_a_disease_that_is_low(explainer: Explainer) -> None:
    answer = explainer.why_not("Marfan syndrome")
    assert answer.status == "low"
    assert answer.rank is not None
    assert answer.rank > 20
    assert answer.shortlist_rank is not None
    assert answer.shortlist_rank > 1
    assert answer.score_gap is not None
    assert answer.score_gap > 0
    named = {explainer.graph.name(explainer.graph.node(o.curie)) for o in explainer.case.observed}
    assert {c.finding for c in answer.comparisons} <= named
    differences = [c.weight - c.weight_for_first for c in answer.comparisons]
    assert differences == sorted(differences)
    assert answer.expected
    assert all(t.source for t in answer.expected)


def test_why_not_a_disease_that_is_excluded(pipeline: Pipeline) -> None:
    graph = pipeline.graph
    annotated = set(pipeline.room.disease.tolist())
    subjects, objects, _ = graph.all_edges("excludes_phenotype")
    disease, finding = next((s, o) for s, o in zip(subjects, objects, strict=True) if int(s) in annotated)
    report = pipeline.diagnose(Patient(present=(graph.curie(int(finding)),)))
    answer = Explainer(pipeline, pipeline.intake.recall(report)).why_not(graph.curie(int(disease)))
    assert answer.status == "excluded"
    assert graph.curie(int(finding)) in {t.object for t in answer.excluding}


def test_why_not_a_disease_that_no_source_describes(explainer: Explainer) -> None:
    graph = explainer.graph
    annotated = set(explainer.pipeline.room.disease.tolist())
    silent = next(c for c in sorted(graph.codes_in("ICD10CM").values()) if graph.node(c) not in annotated)
    answer = explainer.why_not(silent)
    assert answer.status == "not annotated"
    assert answer.rank is None
    assert answer.sources["hpo"]


def test_why_not_a_name_that_is_misspelt_or_missing(explainer: Explainer) -> None:
    misspelt = explainer.why_not("Marfen syndrome")
    assert misspelt.status == "not in the graph"
    assert "Marfan syndrome" in misspelt.suggestions
    missing = explainer.why_not("Qwxzyvian plague of the ninth moon")
    assert missing.status == "not in the graph"
    assert missing.suggestions == ()
    assert missing.sources["hpo"] == "2025-01-16"


def test_why_of_a_disease_off_the_shortlist_points_to_why_not(explainer: Explainer) -> None:
    with pytest.raises(InputError, match="why-not"):
        explainer.why("Marfan syndrome")
    with pytest.raises(UnknownConceptError):
        explainer.why("Marfen syndrome")


@pytest.mark.slow
def test_a_counterfactual_changes_the_first_diagnosis(pipeline: Pipeline, explainer: Explainer) -> None:
    answer = smallest_change(explainer)
    assert answer.tried > len(explainer.case.observed)
    sizes = {len(flip.changes) for flip in answer.flips}
    assert len(sizes) <= 1
    for flip in answer.flips:
        present = [c.finding.curie for c in flip.changes if c.after == "present"]
        absent = [c.finding.curie for c in flip.changes if c.after == "absent"]
        gone = {c.finding.curie for c in flip.changes if c.after == "not assessed"}
        changed = explainer.changed({c.finding.curie: c.after for c in flip.changes})
        assert not gone & {o.curie for o in changed.observed}
        again = Explainer(
            pipeline, replace(pipeline.intake.recall(pipeline.diagnose(Patient(note=NOTE))), case=changed)
        )
        assert again.now.curie(0) != answer.first.curie
        assert present or absent or gone


def test_an_image_of_another_patient_is_refused(pipeline: Pipeline, report: DiagnosticReport, tmp_path: Path) -> None:
    from vision.phantom.radiograph import write_phantom

    path = write_phantom(tmp_path / "phantom.dcm", seed=3)
    with pytest.raises(InputError, match="not an image of this report"):
        pipeline.intake.recall(report, [path])


def test_a_note_of_which_nothing_is_understood_changes_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    from vision.phantom.radiograph import write_phantom

    path = write_phantom(tmp_path / "phantom.dcm", seed=3)
    assert not pipeline.intake.gather(Patient(images=(path,), note="Seen on Tuesday.")).case.worded
    assert pipeline.intake.gather(Patient(images=(path,), note="No fever.")).case.worded


def test_a_what_if_about_an_image_hears_the_network_as_before(pipeline: Pipeline, tmp_path: Path) -> None:
    """Else what the network says of the image would change by a factor, and pass for the weight of a fever."""
    from vision.phantom.radiograph import write_phantom

    pipeline = copy(pipeline)
    scorer, shipped = pipeline.scorer, pipeline.calibrations
    seen = pipeline.diagnose(Patient(images=(write_phantom(tmp_path / "phantom.dcm", seed=3),)))
    recalled = pipeline.intake.recall(seen)
    looked = Explainer(pipeline, recalled)
    asked = looked.what_if({pipeline.graph.find("fever"): "present"})
    other = replace(shipped, words=replace(shipped.words, gate=2.0, temperature=9.0))
    pipeline.scorer, pipeline.calibrations = Scorer(scorer.reasoner, scorer.tokenize, calibrations=other), other
    assert Explainer(pipeline, recalled).what_if({pipeline.graph.find("fever"): "present"}) == asked
    assert shipped.words.gate != shipped.images.gate
