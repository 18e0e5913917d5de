"""Reports on real indexes: every piece of evidence is recomputed, by building the case without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError, InputError
from fusion.checkpoint import PACKAGED_WEIGHTS, load
from fusion.diagnosis import DiagnosticReport
from fusion.intake import Patient
from fusion.pipeline import Pipeline, abstention
from fusion.scorer import Question, Scorer
from fusion.training.curriculum import Curriculum, Drawn
from fusion.training.imaged_cases import imaged_cases
from fusion.weighing import LEAST_WEIGHT
from fusion.workup import FEATURES, PRIOR_OF_IMAGES, WORDS_BESIDE_IMAGES, Workup
from kg.weight_of_evidence import Settings
from ontologies.chest import layer as chest
from ontologies.linking.context.measurement import FINDINGS
from vision import training_cases
from vision.finding import Finding

CASES = 50
CLOSE = 2e-5


@pytest.fixture(scope="module")
def pipeline(home: Path) -> Pipeline:
    return Pipeline.open(home)


@pytest.fixture(scope="module")
def drawn(pipeline: Pipeline) -> tuple[Curriculum, list[Drawn]]:
    """Simulated chest patients, most with a detector's findings and image regions, none seen in training."""
    room = pipeline.room
    annotated = set(room.disease.tolist())
    named = [pipeline.graph.resolve(d.id) for d in chest.load().diseases if d.commonness != "group"]
    diseases = [d for d in named if pipeline.graph.node(d) in annotated]
    _, imaging = imaged_cases(pipeline.graph, training_cases.read(), True, pipeline.intake.detector)
    curriculum = Curriculum(
        room, room, cases=None, chest=diseases, imaging=imaging, search=pipeline.search, validation=True, seed=99
    )
    found = (curriculum.draw(i, "chest") for i in range(2 * CASES))
    return curriculum, [d for d in found if d is not None][:CASES]


@pytest.fixture(scope="module")
def workups(drawn: tuple[Curriculum, list[Drawn]]) -> list[Workup]:
    curriculum, cases = drawn
    return [curriculum.lay_out(d, curriculum.shortlist(d)[:3]) for d in cases]


def test_removing_one_kind_changes_only_what_it_supports(pipeline: Pipeline, workups: list[Workup]) -> None:
    assert len(workups) == CASES
    questions = [Question(workup=w, candidate=c) for w in workups for c in w.candidates]
    scorer = Scorer(pipeline.scorer.reasoner, pipeline.scorer.tokenize)  # whose network is let through
    full = scorer.scores(questions)
    for kind in ("kg_path", "image_region", "literature", "case"):
        removed = [tuple(i for i, b in enumerate(q.candidate.branches) if b.kind == kind) for q in questions]
        has_it = np.array([bool(r) for r in removed])
        assert has_it.sum() >= 10, f"too few candidates with {kind} to tell"
        without = scorer.scores([replace(q, removed=r) for q, r in zip(questions, removed, strict=True)])
        assert np.abs(full - without)[~has_it].max(initial=0) < CLOSE
        assert (np.abs(full - without)[has_it] > CLOSE).mean() > 0.95


def reports(pipeline: Pipeline) -> Iterator[tuple[Workup, DiagnosticReport]]:
    for note in ("65M fever and productive cough, no hemoptysis", "orthopnea and leg swelling, known smoker"):
        gathered = pipeline.intake.gather(Patient(note=note, age=65, sex="M"))
        workup, found = pipeline.lay_out(gathered.case)
        yield workup, pipeline.report(workup, found, gathered.findings, 3)


def test_every_weight_shown_is_what_removal_measures(pipeline: Pipeline) -> None:
    kinds = set()
    for workup, report in reports(pipeline):
        by_curie = {c.curie: c for c in workup.candidates}
        for diagnosis in report.diagnoses:
            candidate = by_curie[diagnosis.concept.curie]
            full = pipeline.scorer.scores([Question(workup=workup, candidate=candidate)])[0]
            assert diagnosis.score == pytest.approx(full, abs=CLOSE)
            for piece in diagnosis.evidence:
                kinds.add(piece.kind)
                if piece.kind in ("finding", "person"):
                    case = workup.case.without(piece.reference)
                    features = pipeline.room.features(case, [candidate.curie])[0]
                    rest = tuple(b for b in candidate.branches if b.kind in ("literature", "case"))
                    papers = {candidate.curie: [b for b in rest if b.kind == "literature"]}
                    similar = {candidate.curie: [b for b in rest if b.kind == "case"]}
                    without = pipeline.room.lay_out(case, [(candidate.curie, features)], papers=papers, cases=similar)
                    question = Question(workup=without, candidate=without.candidates[0])
                elif piece.kind == "words":
                    features = pipeline.room.features(workup.case.without(piece.reference), [candidate.curie])[0]
                    question = Question(workup=workup, candidate=replace(candidate, features=features))
                else:
                    kept = tuple(b for b in candidate.branches if b.reference != piece.reference)
                    features = candidate.features
                    if piece.kind == "kg_path":
                        # The graph's score without a path is that without its finding; the trunk still mentions it.
                        case = workup.case.without(piece.reference.partition(" → ")[0])
                        features = pipeline.room.features(case, [candidate.curie])[0]
                    question = Question(workup=workup, candidate=replace(candidate, features=features, branches=kept))
                measured = full - pipeline.scorer.scores([question])[0]
                assert piece.weight == pytest.approx(measured, abs=2 * CLOSE)
                assert abs(piece.weight) >= LEAST_WEIGHT
                assert piece.stance == ("supports" if measured > 0 else "contradicts")
    assert {"finding", "person", "words", "kg_path"} <= kinds
    assert ("literature" in kinds) == bool(pipeline.calibrations.words.gate), "papers speak through the network"


def test_what_a_note_denies_or_doubts_lends_no_words(pipeline: Pipeline) -> None:
    said = pipeline.intake.gather(Patient(note="Productive cough. No pleural effusion. Possible fever.")).case
    assert next(p.reference for p in said.passages).startswith("note:0-")
    assert "cough" in said.stems
    assert not {"effus", "fever"} & set(said.stems)


def test_images_alone_have_no_words_and_the_whole_prior(pipeline: Pipeline) -> None:
    said = pipeline.intake.gather(Patient(present=("HP:0032177",))).case
    assert said.passages == ()
    worded, seen = (pipeline.room.features(replace(said, worded=w), ["CHEST:lobar-pneumonia"]) for w in (True, False))
    prior = FEATURES.index("prior")
    assert seen[0, prior] == pytest.approx(PRIOR_OF_IMAGES * worded[0, prior])
    assert PRIOR_OF_IMAGES * Settings().weights[prior] == pytest.approx(1)


def test_beside_an_image_words_count_for_less_and_the_prior_whole(pipeline: Pipeline) -> None:
    alone = pipeline.intake.gather(Patient(note="Fever and productive cough for three days, rusty sputum.")).case
    said, beside = (
        pipeline.room.features(c, ["CHEST:lobar-pneumonia"])[0] for c in (alone, replace(alone, imaged=True))
    )
    ratios = {name: beside[i] / said[i] for i, name in enumerate(FEATURES) if said[i]}
    assert ratios.pop("words") == pytest.approx(WORDS_BESIDE_IMAGES)
    assert ratios.pop("prior") == pytest.approx(PRIOR_OF_IMAGES)
    assert set(ratios.values()) == {1.0}, "findings weigh what they weighed"


def test_a_report_is_complete_and_repeatable(pipeline: Pipeline) -> None:
    one, other = (
        pipeline.diagnose(Patient(note="fever and productive cough", present=("HP:0032177",), age=70, sex="F"))
        for _ in range(2)
    )
    assert one == other
    assert [d.rank for d in one.diagnoses] == [1, 2, 3, 4, 5]
    assert [d.probability for d in one.diagnoses] == sorted((d.probability for d in one.diagnoses), reverse=True)
    assert sum(d.probability for d in one.diagnoses) + one.none_of_these <= 1 + 1e-9
    assert len(one.literature) >= 3
    assert all(h.document.source_curie.startswith("PMID:") for h in one.literature)
    assert len(one.cases) >= 3
    names = {f.label for f in one.findings}
    assert {"Fever", "Productive cough"} <= names


def test_the_order_of_findings_changes_nothing(pipeline: Pipeline) -> None:
    findings = ["HP:0001945", "HP:0012735", "HP:0032177"]
    one, other = (pipeline.diagnose(Patient(present=tuple(order))) for order in (findings, findings[::-1]))
    assert one.diagnoses == other.diagnoses


def test_a_note_denies_what_an_image_might_show(pipeline: Pipeline) -> None:
    findings = pipeline.intake.read_note("No pleural effusion. No fever.")
    assert {f.label: f.presence for f in findings} == {"Pleural effusion": "absent", "Fever": "absent"}


def test_what_is_not_assessed_is_no_observation(pipeline: Pipeline) -> None:
    nodule = pipeline.graph.concept("HP:0033608")
    unseen = Finding(label="Nodule", presence="not assessed", concept=nodule, reason="a test", sop_instance_uid="1")
    assert pipeline.intake.observed([unseen], ()) == ()
    noted = Finding(label="nodule", presence="present", origin="note", concept=nodule)
    assert [o.presence for o in pipeline.intake.observed([unseen, noted], ())] == ["present"]


@pytest.mark.parametrize(
    ("note", "placed"),
    [
        ("Patchy opacities in both lungs.", {"Bilateral lung opacities"}),
        ("Consolidation in the left lower lobe.", {"Lower lobe opacity"}),
        ("Interstitial infiltrates in the right upper lung.", {"Upper lobe opacity"}),
        ("No consolidation in the left lower lobe.", set()),
        ("Bilateral pleural thickening.", set()),
    ],
)
def test_an_opacity_is_where_the_note_says(pipeline: Pipeline, note: str, placed: set[str]) -> None:
    places = {"Bilateral lung opacities", "Lower lobe opacity", "Upper lobe opacity", "Peripheral lung opacity"}
    assert {f.label for f in pipeline.intake.read_note(note) if f.label in places} == placed


def test_measured_values_of_an_adult_are_findings(pipeline: Pipeline) -> None:
    note = "CRP 106 mg/L, normal white cell count, SpO2 88 % on room air."
    values = {"Elevated C-reactive protein": "present", "Leukocytosis": "absent", "Hypoxemia": "present"}
    values |= {"Leukopenia": "absent", "Normal leukocyte count": "present"}
    assert {f.label: f.presence for f in pipeline.intake.read_note(note, 40)} == values
    young = {f.label for f in pipeline.intake.read_note(f"{note} Heart rate 120, haemoglobin 110 g/L.", 3)}
    assert young == {"Elevated C-reactive protein", "Hypoxemia", "Normal leukocyte count"}, "the others are an adult's"
    assert "Hypoxemia" in {f.label for f in pipeline.intake.read_note("A child with hypoxemia.", 3)}


def test_every_measurement_stands_for_findings_that_the_graph_knows(pipeline: Pipeline) -> None:
    assert len(FINDINGS) >= 15
    for name in FINDINGS:
        (match,) = pipeline.intake.linker.link(name)
        assert match.mention == name
        assert match.concept.curie in pipeline.graph


def test_normal_procalcitonin_speaks_for_a_virus(pipeline: Pipeline) -> None:
    def lead(value: str) -> float:
        found = pipeline.intake.gather(
            Patient(note=f"Fever, cough, bilateral opacities. Procalcitonin {value} ng/mL.", age=50)
        )
        pneumonias = [pipeline.graph.find(name) for name in ("viral pneumonia", "bacterial pneumonia")]
        ratios = pipeline.room.features(found.case, pneumonias)[:, [FEATURES.index(f) for f in ("present", "absent")]]
        viral, bacterial = ratios.sum(1)
        return float(viral - bacterial)

    assert lead("0.08") > lead("4.2")


def test_the_duration_of_a_complaint_is_not_the_past(pipeline: Pipeline) -> None:
    findings = pipeline.intake.read_note("A 7-day history of fever and cough.")
    found = {f.label: f.presence for f in findings}
    assert found == {"Fever": "present", "Cough": "present", "Onset over days": "present"}
    child = pipeline.intake.read_note("A 7-day history of fever and cough.", 3)
    assert {f.label: f.presence for f in child} == found, "a length of time is the same in a child"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"note": "  "}, "the note is empty"),
        ({}, "nothing to diagnose from"),
        ({"present": ("HP:9999999",)}, "unknown"),
        ({"present": ("HP:0001945",), "absent": ("fever",)}, "present and as absent"),
    ],
)
def test_bad_input_is_named(pipeline: Pipeline, given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pipeline.diagnose(Patient(**given))  # type: ignore[arg-type]


def test_weights_that_do_not_match_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing"):
        load(tmp_path)
    for name in ("reasoner.safetensors", "reasoner.json"):
        (tmp_path / name).write_bytes((PACKAGED_WEIGHTS / name).read_bytes())
    load(tmp_path)
    with pytest.raises(ArtifactError, match="another detector"):
        load(tmp_path, detector="0" * 16)
    data = bytearray((tmp_path / "reasoner.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "reasoner.safetensors").write_bytes(data)
    with pytest.raises(ArtifactError, match="do not match their card"):
        load(tmp_path)
    (tmp_path / "reasoner.json").write_text("{")
    with pytest.raises(ArtifactError, match="card is damaged"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("none", "best", "members", "said"),
    [
        (0.2, 0.3, 15, None),
        (0.6, 0.3, 2, "none of the candidates fits: 60% for none of these, 30% for the first"),
        (0.4, 0.3, 2, None),
        (0.2, 0.3, 0, "no diagnosis is likely enough to be named at 90 % coverage"),
        (0.05, 0.06, 16, "16 of 21 diagnoses cannot be ruled out at 90 % coverage"),
    ],
)
def test_abstention_says_why(none: float, best: float, members: int, said: str | None) -> None:
    assert abstention(none, best, members, 21) == said


@pytest.mark.parametrize("listed", [3, 20])
def test_every_disease_of_the_chest_is_a_candidate_or_one_of_the_rest(pipeline: Pipeline, listed: int) -> None:
    case = pipeline.intake.gather(Patient(note="65M fever and productive cough. Lobar consolidation.")).case
    room, graph = pipeline.room, pipeline.graph
    shortlist = room.shortlist(case, listed)
    now = pipeline.standing(room.lay_out(case, shortlist))
    names = [curie for curie, _ in shortlist]
    rows, scores = room.rest(case, names)
    layer = {graph.resolve(d.id) for d in chest.load().diseases if d.commonness != "group"}
    assert set(room.named(rows)) == layer - set(names)
    assert (np.diff(scores) <= 0).all()
    everyone = now.calibration.with_rest(now.scores, room.known(case, names))
    assert everyone.sum() == pytest.approx(1)
    likely = everyone[len(names) : -1] >= now.calibration.conformal_threshold
    assert now.others == room.named(rows[likely])
    assert now.set_size == (everyone >= now.calibration.conformal_threshold).sum()


def test_a_diagnosis_counts_with_its_kinds(pipeline: Pipeline) -> None:
    graph = pipeline.graph
    report = pipeline.diagnose(Patient(note="65M fever and productive cough. Lobar consolidation."), k=20)
    p = {d.concept.curie: d.probability for d in report.diagnoses}
    pneumonia = next(d for d in report.diagnoses if d.concept.curie == graph.find("pneumonia"))
    of_it = sum(x for c, x in p.items() if pneumonia.concept.curie in graph.ancestors(c))
    assert pneumonia.with_kinds == pytest.approx(of_it)
    assert pneumonia.with_kinds > pneumonia.probability
    leaf = next(d for d in report.diagnoses if d.concept.curie == graph.find("pneumococcal pneumonia"))
    assert leaf.with_kinds is None


def test_a_lateral_film_beside_a_frontal_one_is_passed_over_with_a_word(pipeline: Pipeline, tmp_path: Path) -> None:
    import pydicom

    from vision.phantom.radiograph import write_phantom

    frontal = write_phantom(tmp_path / "pa.dcm")
    data = pydicom.dcmread(frontal)
    data.ViewPosition, data.SOPInstanceUID = "LL", "1.2.3.9"
    data.save_as(tmp_path / "lat.dcm")
    both = pipeline.intake.gather(Patient(images=(tmp_path / "lat.dcm", frontal)))
    alone = pipeline.intake.gather(Patient(images=(frontal,)))
    assert both.findings == alone.findings
    assert any(line.startswith("lat.dcm is refused (lateral_view)") for line in both.warnings)
    with pytest.raises(InputError, match="lateral_view"):
        pipeline.intake.gather(Patient(images=(tmp_path / "lat.dcm",)))
