"""The cases and scripts of questions, with what their answers must say."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion.diagnosis import DiagnosticReport
from fusion.dialogue.dialogue import Dialogue
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from fusion.why.explainer import Explainer
from fusion.why.figures import percent

CASES: dict[str, dict[str, Any]] = {
    "pneumonia": {
        "note": "61-year-old woman with fever, chills and productive cough for three days. Crackles at the right base. "
        "No leg swelling. CRP 180 mg/L. Chest radiograph: consolidation in the right lower lobe."
    },
    "failure": {
        "note": "78-year-old man with orthopnea, progressive dyspnea and bilateral leg edema. History of hypertension "
        "and myocardial infarction. Chest radiograph: cardiomegaly and bilateral pleural effusions. No fever."
    },
    "embolism": {
        "note": "45-year-old woman with sudden dyspnea and pleuritic chest pain two days after a long flight. "
        "Tachycardia. Swelling of the left calf. Uses oral contraceptives. No cough. Clear lungs."
    },
    "tuberculosis": {
        "note": "34-year-old man with night sweats, weight loss and hemoptysis for two months. Chest radiograph: "
        "cavitary lesion in the right upper lobe. Born in India. Zwölfingerdarm blorptitis."
    },
    "pneumothorax": {"present": ("HP:0002107", "HP:0002094"), "absent": ("fever",), "age": 22.0, "sex": "M"},
    "sarcoidosis": {
        "note": "38-year-old woman with dry cough and erythema nodosum. Chest radiograph: bilateral hilar "
        "lymphadenopathy. No fever, no night sweats.",
        "setting": "clinic",
    },
    "allergy": {
        "note": "62-year-old man with fever, productive cough and right-sided pleuritic chest pain for four days. "
        "Smoker, 40 pack-years. Penicillin gave him anaphylaxis. Chronic kidney disease, eGFR 24. No hemoptysis."
    },
    "fibrosis": {
        "note": "70-year-old woman with progressive exertional dyspnea and dry cough for a year, finger clubbing, "
        "bibasilar crackles. CT: honeycombing with basal predominance, traction bronchiectasis. Never smoked. No fever."
    },
    "asthma": {
        "note": "26-year-old man with known asthma, sudden worsening of wheezing and dyspnea after contact with a cat. "
        "Eosinophilia. No fever. Chest radiograph clear."
    },
}


@dataclass(frozen=True)
class Line:
    case: str
    question: str
    intent: str
    expected: tuple[str, ...]


def lines(name: str) -> list[Line]:
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Line(r["case"], r["question"], r["intent"], tuple(r["expected"].split("|"))) for r in rows]


class Stage:
    """The cases diagnosed, each with a dialogue; a fresh one a question, since each line of the script stands alone."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.reports: dict[str, DiagnosticReport] = {}
        self._explainers: dict[str, Explainer] = {}
        for name, given in CASES.items():
            report = pipeline.diagnose(Patient(**given))
            self.reports[name] = report
            self._explainers[name] = Explainer(pipeline, pipeline.intake.recall(report, (), given.get("note")))

    def dialogue(self, case: str) -> Dialogue:
        return Dialogue(self.reports[case], lambda: self._explainers[case], CASES[case].get("note"))

    def wrong(self, line: Line) -> str:
        """What is wrong with the answer to a line, "" when it is right: the intent, or facts that it does not name."""
        answer = self.dialogue(line.case).ask(line.question)
        if answer.intent != line.intent:
            return f"{line.question!r} is taken for {answer.intent}, not {line.intent}: {answer.text[:200]}"
        facts = [self._filled(fact, line.case) for fact in line.expected]
        if missing := [fact for fact in facts if fact.casefold() not in answer.text.casefold()]:
            return f"{line.question!r} does not say {missing}: {answer.text[:400]}"
        if not all(s.text and s.rests_on for s in answer.sentences) or answer.answered == (line.intent == "unknown"):
            return f"{line.question!r} says something that rests on nothing"
        return ""

    def _filled(self, fact: str, case: str) -> str:
        report = self.reports[case]
        names = {f"d{d.rank}": d.concept.name for d in report.diagnoses}
        chances = {f"p{d.rank}": percent(d.probability) for d in report.diagnoses}
        steps = [s.text for s in report.next_steps]
        return fact.format(
            **names,
            **chances,
            none=percent(report.none_of_these),
            set_size=report.set_size,
            step1=steps[0] if steps else "",
            treatment1=steps[1] if len(steps) > 1 else "",
        )
