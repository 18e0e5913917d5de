"""What changed between two reports, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, NextStep
from fusion.why.comparison import compare
from ontologies.concept import Concept
from vision.finding import Finding

FEVER, COUGH = Concept(curie="HP:1", name="Fever"), Concept(curie="HP:2", name="Cough")
EFFUSION = Concept(curie="HP:3", name="Pleural effusion")
PNEUMONIA, ASTHMA = Concept(curie="D:1", name="Pneumonia"), Concept(curie="D:2", name="Asthma")


def piece(reference: str, weight: float, kind: str = "finding", text: str = "") -> Evidence:
    stance = "supports" if weight > 0 else "contradicts"
    return Evidence(kind=kind, reference=reference, text=text or reference, stance=stance, weight=weight)  # type: ignore[arg-type]


def diagnosis(concept: Concept, rank: int, probability: float, *evidence: Evidence, member: bool = True) -> Diagnosis:
    return Diagnosis(
        concept=concept, rank=rank, probability=probability, score=0.0, evidence=evidence, conformal_member=member
    )


BEFORE = DiagnosticReport(
    findings=(
        Finding(label="Fever", presence="present", origin="note", concept=FEVER),
        Finding(label="Effusion", presence="uncertain", probability=0.3, laterality="left", concept=EFFUSION),
        Finding(label="Mass", presence="absent", probability=0.01),
    ),
    diagnoses=(
        diagnosis(PNEUMONIA, 1, 0.6, piece("HP:1", 1.0), piece("note:0-9", 0.2, "words", "words: rusty")),
        diagnosis(ASTHMA, 2, 0.1),
    ),
    none_of_these=0.3,
    age=60.0,
    next_steps=(NextStep(disease="Pneumonia", text="cultures", reference="x"),),
    provenance={"graph": "a" * 64, "setting": "ward"},
)
AFTER = replace(
    BEFORE,
    findings=(
        Finding(label="Cough", presence="absent", origin="user", concept=COUGH),
        Finding(label="Effusion", presence="present", probability=0.8, laterality="left", concept=EFFUSION),
        Finding(label="Mass", presence="absent", probability=0.03),
    ),
    diagnoses=(
        diagnosis(ASTHMA, 1, 0.4, member=False),
        diagnosis(PNEUMONIA, 2, 0.35, piece("HP:3", -0.5), piece("note:7-19", 0.2, "words", "words: rusty")),
    ),
    none_of_these=0.25,
    age=61.0,
    next_steps=(),
    provenance={"graph": "b" * 64, "setting": "ward"},
)


def test_findings_are_new_gone_or_changed() -> None:
    found = [(f.kind, f.name, f.origin, f.before, f.after) for f in compare(BEFORE, AFTER).findings]
    assert found == [
        ("new", "Cough", "user", None, "absent"),
        ("gone", "Fever", "note", "present", None),
        ("changed", "Effusion", "image", "uncertain", "present"),
    ]


def test_diagnoses_move_with_the_evidence_that_moved_them() -> None:
    first, second = compare(BEFORE, AFTER).diagnoses
    assert (first.disease, first.rank_before, first.rank_after) == (ASTHMA, 2, 1)
    assert (first.member_before, first.member_after, first.kind) == (True, False, "changed")
    assert (second.probability_before, second.probability_after) == (0.6, 0.35)
    moved = [(e.reference, e.weight_before, e.weight_after) for e in second.evidence]
    assert moved == [("HP:1", 1.0, None), ("HP:3", None, -0.5)]  # the same words elsewhere in the note are the same


def test_steps_person_and_versions() -> None:
    value = compare(BEFORE, AFTER)
    assert (value.steps_new, value.steps_gone) == ((), ("Pneumonia: cultures",))
    assert value.person == {"age": ("60 years", "61 years")}
    assert list(value.versions) == ["graph"]
    assert not value.same


def test_a_diagnosis_that_only_one_report_shows_has_no_figure_in_the_other() -> None:
    value = compare(BEFORE, replace(AFTER, diagnoses=AFTER.diagnoses[:1]))
    gone = value.diagnoses[-1]
    assert (gone.kind, gone.disease, gone.rank_after, gone.probability_after) == ("gone", PNEUMONIA, None, None)
    assert gone.evidence == ()


def test_the_same_report_has_not_changed() -> None:
    assert compare(BEFORE, BEFORE).same
    assert not compare(BEFORE, replace(BEFORE, none_of_these=0.31)).same
    little = replace(BEFORE.diagnoses[0], probability=0.603)
    assert compare(BEFORE, replace(BEFORE, diagnoses=(little, BEFORE.diagnoses[1]))).same
