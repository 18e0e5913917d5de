"""Steps are fitted to the patient: what age or a fact speaks against is not suggested, and the report says why."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from errors import InputError
from fusion.diagnosis import Diagnosis, LeftOut, NextStep
from fusion.next_steps import fitted, open_to
from home import open_graph, open_linker
from kg.graph import KnowledgeGraph
from ontologies.chest import contraindication, layer
from ontologies.concept import Concept
from ontologies.linking.linker import Linker
from vision.finding import Finding

TABLE = Path(__file__).with_name("left_out.tsv")
with TABLE.open(encoding="utf-8", newline="") as _stream:
    ROWS = list(csv.DictReader(_stream, delimiter="\t"))
ADULT = 50.0


class Desk(NamedTuple):
    graph: KnowledgeGraph
    linker: Linker


@pytest.fixture(scope="module")
def desk(home: Path) -> Desk:
    return Desk(open_graph(home), open_linker(home))


def steps(desk: Desk, disease: str, note: str, age: float | None) -> tuple[Sequence[NextStep], Sequence[LeftOut]]:
    """What is suggested, and what is not, to a patient with the disease of whom the note is known."""
    (curie,) = (row.id for row in layer.load().diseases if row.name == disease)
    diagnosis = Diagnosis(concept=desk.graph.concept(curie), probability=0.9, rank=1, score=1.0, conformal_member=True)
    read = desk.linker.link(note, note=True) if note else ()
    findings = [
        Finding(label=m.mention, presence=m.presence, origin="note", concept=desk.graph.concept(m.concept.curie))
        for m in read
    ]
    past = [m.concept.curie for m in read if m.context == "history" and m.presence == "not assessed"]
    return fitted([diagnosis], findings, past, age, desk.graph)


def suggests(found: Sequence[NextStep], treatment: str) -> bool:
    return any(treatment.lower() in step.text.lower() for step in found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['treatment']}, {row['note'] or row['age']}")
def test_what_is_contraindicated_is_left_out_with_the_reason(desk: Desk, row: dict[str, str]) -> None:
    kept, left_out = steps(desk, row["disease"], row["note"], float(row["age"]))
    told = [left.treatment.lower() for left in left_out if row["treatment"].lower() in left.text.lower()]
    assert told
    assert all(row["treatment"].lower() in treatments for treatments in told)
    assert not suggests(kept, row["treatment"])
    assert all(left.because and left.reference for left in left_out)
    control, nothing = steps(desk, row["disease"], "Fever and cough.", ADULT)
    assert suggests(control, row["treatment"])
    assert nothing == ()


def test_a_denied_or_doubted_fact_leaves_nothing_out(desk: Desk) -> None:
    for note in ("She is not pregnant.", "No penicillin allergy.", "Her mother has myasthenia gravis."):
        assert steps(desk, "Bacterial pneumonia", note, ADULT)[1] == ()


def test_only_the_part_of_a_step_goes(desk: Desk) -> None:
    kept, (left,) = steps(desk, "Pneumocystis jirovecii pneumonia", "Known sulfa allergy.", ADULT)
    assert left.text == "Trimethoprim-sulfamethoxazole for 21 days"
    assert any(step.text.startswith("adjunctive corticosteroids") for step in kept)
    assert left.objection == (
        "Trimethoprim-sulfamethoxazole for 21 days "
        "(Trimethoprim-sulfamethoxazole: Sulfonamide allergy: known allergy to sulfonamides)"
    )


def test_children_with_kawasaki_disease_are_given_aspirin(desk: Desk) -> None:
    kept, left_out = steps(desk, "Kawasaki disease", "", 3.0)
    assert suggests(kept, "aspirin")
    assert left_out == ()


def test_what_a_step_forbids_is_not_what_it_recommends() -> None:
    (row,) = (r for r in contraindication.load() if r.treatments[0] == "methotrexate" and "HP:0001399" in r.facts)
    assert row.treatments_in("Methotrexate weekly") == ["Methotrexate"]
    assert row.treatments_in("Stop methotrexate for good, corticosteroids") == []
    assert row.treatments_in("Avoid alcohol, methotrexate weekly") == ["methotrexate"]
    assert row.treatments_in("methotrexate-like") == []


def test_what_is_over_counts_only_where_it_should(desk: Desk) -> None:
    assert steps(desk, "Massive pulmonary embolism", "Intracranial hemorrhage ten years ago.", ADULT)[1]
    assert steps(desk, "Pneumonic plague", "Pregnancy two years ago.", ADULT)[1] == ()


def test_every_fact_is_in_the_graph_and_every_row_can_matter(desk: Desk) -> None:
    parts = [part for step in layer.load().steps for part in step.text.split("; ")]
    for row in contraindication.load():
        assert all(fact in desk.graph for fact in row.facts), row
        assert any(row.treatments_in(part) for part in parts), row


@pytest.mark.parametrize(
    ("column", "value"),
    [("below_age", "young"), ("facts", ""), ("reference", "hearsay"), ("why", ""), ("past", "once")],
)
def test_a_bad_row_is_refused(tmp_path: Path, column: str, value: str) -> None:
    lines = (layer.DATA / "contraindications.tsv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split("\t")
    cells = dict(zip(header, lines[1].split("\t"), strict=True)) | {column: value}
    text = "\n".join([lines[0], "\t".join(cells[name] for name in header), ""])
    (tmp_path / "contraindications.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=column if column != "facts" else "below_age"):
        contraindication.load(tmp_path)


def test_the_table_of_cases_is_long_enough() -> None:
    assert len(ROWS) >= 30


@pytest.mark.parametrize(
    ("rank", "probability", "with_kinds", "member", "told"),
    [
        (1, 0.001, None, True, True),
        (2, 0.05, None, True, True),
        (2, 0.001, None, True, False),
        (2, 0.001, 0.3, True, True),
        (1, 0.9, None, False, False),
    ],
)
def test_steps_are_for_what_is_first_or_not_unlikely(
    rank: int, probability: float, with_kinds: float | None, member: bool, told: bool
) -> None:
    concept = Concept(curie="CHEST:x", name="x")
    diagnosis = Diagnosis(
        concept=concept, probability=probability, rank=rank, score=0.0, conformal_member=member, with_kinds=with_kinds
    )
    assert open_to(diagnosis) == told


def test_of_alternatives_only_those_go_that_something_speaks_against(desk: Desk) -> None:
    kept, (left,) = steps(desk, "Bacterial pneumonia", "Penicillin gave her hives.", ADULT)
    assert left.text == "Empirical beta-lactam with a macrolide"
    assert any(s.text.startswith("A respiratory fluoroquinolone alone, for 5 days") for s in kept)
    kept, left_out = steps(desk, "Legionnaires' disease", "Long QT interval.", ADULT)
    assert [left.text for left in left_out] == ["Levofloxacin or azithromycin"]
    assert not suggests(kept, "azithromycin")


def test_what_a_reaction_looked_like_is_no_finding_of_today(desk: Desk, home: Path) -> None:
    from fusion.pipeline import Pipeline

    intake = Pipeline.open(home).intake
    told = {f.label: f.presence for f in intake.read_note("Fever. Amoxicillin gave him anaphylaxis and hives in 2010.")}
    assert told == {"Fever": "present", "Penicillin allergy": "present"}


@pytest.mark.parametrize(
    ("note", "treatments"),
    [
        ("Warfarin is contraindicated.", ["Warfarin"]),
        ("Heparin and warfarin were both contraindicated.", ["Heparin", "warfarin"]),
        ("Thrombolysis was contraindicated because of a recent operation.", ["Thrombolysis", "alteplase"]),
        ("There is a contraindication to heparin.", ["heparin"]),
        ("Levofloxacin is absolutely contraindicated (myasthenia).", ["Levofloxacin"]),
        ("Avoid NSAIDs and aspirin.", ["NSAID", "ibuprofen", "aspirin"]),
        ("Steroids should be avoided.", ["Steroid"]),
        ("Not a candidate for thrombolysis.", ["alteplase"]),
        ("He cannot be given amiodarone.", ["amiodarone"]),
        ("Methotrexate must not be given.", ["Methotrexate"]),
        ("Warfarin is not contraindicated.", []),
        ("No contraindication to anticoagulation.", []),
        ("His mother cannot take penicillin.", []),
        ("Warfarin for atrial fibrillation; warfarin should be given.", []),
    ],
)
def test_a_note_may_say_what_is_contraindicated(note: str, treatments: list[str]) -> None:
    told = [treatment for row in contraindication.refused(note) for treatment in row.treatments]
    assert set(treatments) <= set(told)
    assert bool(told) == bool(treatments)


def test_what_the_note_calls_contraindicated_is_left_out_and_no_drug_of_the_patients(desk: Desk) -> None:
    (curie,) = (row.id for row in layer.load().diseases if row.name == "Pulmonary embolism")
    found = Diagnosis(concept=desk.graph.concept(curie), probability=0.9, rank=1, score=1.0, conformal_member=True)
    refused = contraindication.refused("Anticoagulation is contraindicated.")
    kept, left_out = fitted([found], (), (), ADULT, desk.graph, refused)
    assert not suggests(kept, "anticoagulation")
    assert {left.because for left in left_out} == {"Anticoagulation contraindicated: the note says so"}
    assert suggests(fitted([found], (), (), ADULT, desk.graph)[0], "anticoagulation")
    (used,) = (m.presence for m in desk.linker.link("Warfarin is contraindicated.", note=True))
    assert used == "not assessed"
