"""What of a note becomes a finding of the case: the past counts where it lasts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fusion.intake import Intake, Patient
from fusion.prior import bedside
from kg.graph import KnowledgeGraph
from ontologies.linking.linker import Linker
from vision.detector import Detector

Read = Callable[[str], dict[str, str]]


@pytest.fixture(scope="module")
def intake(home: Path) -> Intake:
    graph = KnowledgeGraph.open(home / "graph")
    return Intake(graph, Linker.open(home / "linker"), Detector.open(), bedside(graph)[0].words)


@pytest.fixture(scope="module")
def read(intake: Intake) -> Read:
    return lambda note: {f.label: f.presence for f in intake.gather(Patient(note=note)).findings}


@pytest.mark.parametrize(
    ("note", "finding"),
    [
        ("Past history: asbestos exposure in a shipyard. Now dyspnea.", "Asbestos exposure"),
        ("A former smoker with cough.", "Long smoking history"),
        ("He has a history of hypertension and emphysema, and presents with cough.", "Emphysema"),
        ("Breast cancer 2019. Increasing dyspnea.", "Breast cancer"),
        ("In the past she was treated with methotrexate. Cough.", "Methotrexate use"),
    ],
)
def test_what_lasts_is_present(read: Read, note: str, finding: str) -> None:
    assert read(note)[finding] == "present"


@pytest.mark.parametrize(
    ("note", "finding"),
    [
        ("History of pneumonia two years ago. Cough.", "Pneumonia"),
        ("Previous hemoptysis. Cough.", "Hemoptysis"),
        ("Family history of emphysema. Cough.", "Emphysema"),
        ("No history of asbestos exposure. Cough.", "Asbestos exposure"),
    ],
)
def test_what_is_over_or_of_others_is_not(read: Read, note: str, finding: str) -> None:
    assert read(note).get(finding) != "present"


def test_the_words_of_what_lasts_count(intake: Intake) -> None:
    passages = intake.passages("Breast cancer 2019. Her sister had asthma.")
    assert [dict(p.words).keys() & {"breast", "cancer", "asthma"} for p in passages[:1]] == [{"breast", "cancer"}]
    assert all("asthma" not in dict(p.words) for p in passages)
    assert all(p.meaning is not None and p.meaning.shape == (384,) for p in passages)


@pytest.mark.parametrize(
    ("note", "denied", "said"),
    [
        ("He denies any dust at work but coughs.", "dust", "cough"),
        ("No transplant, no steroids. Living in a damp flat.", "steroid", "damp"),
        ("Without any tar or paint at work; he kept pigeons.", "paint", "pigeon"),
        ("There is no river or lake nearby. Fever.", "river", "fever"),
        ("No needles were used. Fever.", "needl", "fever"),
        ("Never lived on a farm. Cough.", "farm", "cough"),
        ("There was no blood in the bottle. Cough.", "bottl", "cough"),
        ("No chest tube, no catheter. Fever.", "cathet", "fever"),
        ("No rope or ladder accident; bee sting.", "ladder", "sting"),
    ],
)
def test_words_of_a_denial_speak_for_nothing(intake: Intake, note: str, denied: str, said: str) -> None:
    stems = {stem for passage in intake.passages(note) for stem in dict(passage.words)}
    assert intake.words.stems(denied), "a word that some disease's names hold, and no mention here"
    assert denied not in stems
    assert said in stems


def test_a_childs_values_count_by_the_limits_of_its_age(intake: Intake) -> None:
    def told(note: str, age: float | None) -> dict[str, str]:
        return {f.label: f.presence for f in intake.gather(Patient(note=note, age=age)).findings}

    values = "temp 39.1, HR 140, RR 38, CRP 180 mg/L, NT-proBNP 900 pg/mL."
    infant = told(f"A 6-month-old boy, {values}", None)
    assert (infant["Fever"], infant["Elevated C-reactive protein"]) == ("present", "present")
    assert (infant["Tachycardia"], infant["Tachypnea"]) == ("absent", "absent")
    assert "Elevated B-type natriuretic peptide" not in infant  # an adult's limit
    unsaid = told(values, 0.5)
    assert unsaid["Fever"] == "present"
    assert "Tachycardia" not in unsaid  # the note was read with an adult's limits
    assert told(f"A 60-year-old man, {values}", None)["Tachycardia"] == "present"
