"""Questions in plain words: the scripts, the tables, and what a conversation remembers."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from errors import InputError
from fusion.diagnosis import Diagnosis, DiagnosticReport, LeftOut
from fusion.dialogue import cues, intents
from fusion.dialogue.dialogue import ANSWERS, Dialogue
from ontologies.concept import Concept
from vision.anatomy.measures import Measurement
from vision.finding import BoundingBox, Finding


def _script() -> Any:
    """The module beside this one; tests are imported one by one, not as a package."""
    spec = importlib.util.spec_from_file_location("dialogue_script", Path(__file__).with_name("script.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = _script()


@pytest.fixture
def report() -> DiagnosticReport:
    """A consolidation, edema by a hair not, no hernia, no word on nodules, and a heart measured too wide."""
    consolidation = Concept(curie="HP:0032177", name="Consolidation")
    seen = (
        Finding(
            label="Consolidation", presence="present", probability=0.81, threshold=0.4, laterality="right",
            box=BoundingBox(x=10, y=20, width=100, height=80), concept=consolidation,
        ),
        Finding(label="Edema", presence="uncertain", probability=0.39, threshold=0.4),
        Finding(
            label="Hernia", presence="absent", probability=0.01, threshold=0.4,
            concept=Concept(curie="HP:0002036", name="Hernia"),
        ),
        Finding(label="Nodule", presence="not assessed", reason="too few films"),
    )  # fmt: skip
    pneumonia = Concept(curie="UMLS:C0004626", name="Bacterial pneumonia")
    left = LeftOut(
        disease="Bacterial pneumonia", text="a respiratory fluoroquinolone alone", treatment="fluoroquinolone",
        because="younger than 18 years: damage to growing cartilage", reference="BNF for Children 2024",
    )  # fmt: skip
    return DiagnosticReport(
        findings=seen,
        diagnoses=(Diagnosis(concept=pneumonia, probability=0.62, rank=1, score=2.0, conformal_member=True),),
        none_of_these=0.38,
        set_size=2,
        left_out=(left,),
        measurements=(Measurement(name="cardiothoracic ratio", value=0.56, high=0.5),),
    )


@pytest.fixture(scope="module")
def stage(home: Path) -> Any:
    from fusion.pipeline import Pipeline

    return script.Stage(Pipeline.open(home))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("name", "right"), [("dialogue.tsv", 80), ("untuned.tsv", 38), ("fresh.tsv", 28), ("told.tsv", 34)]
)
def test_the_scripts_are_answered(stage: Any, name: str, right: int) -> None:
    """``dialogue.tsv`` was written before the patterns, which were tuned on it (74 of 80 at first). ``untuned.tsv`` was
    asked once (21 of 40, the others refused) and led to the cues; ``fresh.tsv`` was asked after those (30 of 40) and
    led to two corrected patterns and nothing else. ``told.tsv`` asks what stands in the report, and led to the
    kinds of ``told.py``."""
    lines = script.lines(name)
    wrong = [w for line in lines if (w := stage.wrong(line))]
    assert len(lines) - len(wrong) >= right, "\n".join(wrong)


@pytest.mark.slow
def test_a_conversation_remembers_what_it_speaks_of(stage: Any) -> None:
    talk = stage.dialogue("embolism")
    assert "Pulmonary infarction" in talk.ask("Why pulmonary infarction?").text
    assert "Pulmonary infarction" in talk.ask("How sure are you of it?").text
    again = talk.ask("And massive pulmonary embolism?")
    assert (again.intent, "Massive pulmonary embolism" in again.text) == ("sure", True)
    first, second = stage.dialogue("embolism"), stage.dialogue("embolism")
    assert first.ask("Why?") == second.ask("Why?")


@pytest.mark.slow
def test_what_cannot_be_answered_says_what_can_be_asked(stage: Any) -> None:
    for question in ("Will it rain?", "asdf", "?", "why does the sun shine", "DROP TABLE", "\x1b[31mred"):
        answer = stage.dialogue("failure").ask(question)
        assert (answer.answered, answer.intent) == (False, "unknown"), question
        assert answer.can_ask == intents.examples()
    with pytest.raises(InputError, match="question is empty"):
        stage.dialogue("failure").ask("  ")


def test_every_intent_has_an_answer_and_every_kind_an_example() -> None:
    rows = intents.table()
    assert {row.intent for row in rows} - {"follow"} == ANSWERS.keys()
    assert {row.intent for row in rows if row.example} == {row.intent for row in rows}
    assert {row.intent for row in cues.table()} - {cues.UNKNOWN} <= ANSWERS.keys()


def test_every_example_is_taken_for_what_it_is_an_example_of() -> None:
    for row in intents.table():
        if row.example:
            asked = next(intents.matches(row.example))
            assert asked.intent == row.intent, row.example


@pytest.mark.parametrize(
    ("question", "intent", "said"),
    [
        (
            "Where in the lungs is the abnormality?",
            "image",
            "Consolidation (right) (81 %) (box at 10, 20, 100 × 80 pixels)",
        ),
        ("Which image findings were borderline?", "image", "uncertain: Edema (39 %) (cut-off 0.40)"),
        ("What could you not assess on the image?", "image", "Nodule (too few films)"),
        ("What was measured?", "image", "cardiothoracic ratio 0.56 (not as usual: at most 0.50)"),
        ("Do you see a hernia?", "has", "Hernia (1 %) is absent, cut-off 0.40, says the image"),
        ("How old is the patient?", "person", "not known"),
        ("Which diagnoses can't be ruled out?", "set", "Bacterial pneumonia (62 %)"),
        ("Why don't you suggest a fluoroquinolone?", "not_suggested", "younger than 18 years"),
        ("What can I tell the parents?", "simply", "It could be Bacterial pneumonia"),
    ],
)
def test_what_the_report_holds_needs_no_home(report: DiagnosticReport, question: str, intent: str, said: str) -> None:
    def explain() -> Any:
        raise AssertionError("the home is asked")

    answer = Dialogue(report, explain).ask(question)
    assert (answer.intent, said in answer.text) == (intent, True), answer.text
    assert all(s.rests_on for s in answer.sentences)


def test_a_dose_is_never_answered(report: DiagnosticReport) -> None:
    for question in ("How much levofloxacin should I give?", "What dose of aspirin is right?", "Dosage?"):
        answer = Dialogue(report, lambda: pytest.fail("the home is asked")).ask(question)
        assert (answer.answered, "Doses" in answer.text) == (False, True), question


@pytest.mark.parametrize(
    ("question", "plain"),
    [
        ("Why isn't it  tuberculosis?", "Why is it not tuberculosis"),
        ("Please, could you tell me what's next?!", "what is next"),
        ("I can't see why", "I can not see why"),
        ("What’s the chance that it’s PE?", "What is the chance that it is PE"),
    ],
)
def test_plain_words(question: str, plain: str) -> None:
    assert intents.plain_words(question) == plain


def test_long_questions_are_read_at_once() -> None:
    import time

    started = time.perf_counter()
    list(intents.matches("why " + "is it not the case that " * 400 + "pneumonia?"))
    assert time.perf_counter() - started < 5
