"""Measured values in a note are the findings that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ontologies.linking.context.measurement import measured


def said(text: str) -> dict[str, bool]:
    return {m.finding: m.present for m in measured(text)}


CRP, PCT, LDH = "elevated C-reactive protein", "elevated procalcitonin", "elevated lactate dehydrogenase"


@pytest.mark.parametrize(
    ("text", "finding", "present"),
    [
        ("CRP 106 mg/L", CRP, True),
        ("CRP was 10.6 mg/dl", CRP, True),
        ("CRP: 4 mg/l", CRP, False),
        ("C-reactive protein (CRP) levels (106.3mg/l; normal range <5mg/l)", CRP, True),
        ("CRP was not elevated", CRP, False),
        ("PCT 0.13 ng / mL", PCT, False),
        ("a normal procalcitonin level", PCT, False),
        ("procalcitonin was within normal limits", PCT, False),
        ("LDH 314 (limit 214)", LDH, True),
        ("LDH 240 (limit 214)", LDH, True),  # the note's own limit goes before the table's 250
        ("LDH 240 U/L", LDH, False),
        ("WBC 12 (limit 11)", "leukocytosis", True),
        ("WBC 12,300/µL", "leukocytosis", True),
        ("leukocytes 11.2 x 10(3)/mm3", "leukocytosis", True),
        ("WBC 3.1 K/uL", "leukopenia", True),
        ("WBC 6,84", "leukocytosis", False),
        ("White cell count was normal", "leukocytosis", False),
        ("lymphocytes 0.6 ×10⁹/L", "lymphopenia", True),
        ("lymphocytes 800 cells/µL (reference range 1000-4000)", "lymphopenia", True),
        ("Hb 98 g/L", "anemia", True),
        ("hemoglobin 13.1 g/dL", "anemia", False),
        ("normal blood count", "thrombocytopenia", False),
        ("D-dimer 1.2 mg/L", "elevated D-dimer", True),
        ("sodium was low", "hyponatremia", True),
        ("SpO2 88 % on room air", "hypoxemia", True),
        ("oxygen saturation of 98% on room air", "hypoxemia", False),
        ("RR 28, HR 88", "tachypnea", True),
        ("Reflexes: Normal.", "abnormal reflex", False),
        ("LFTs WNL", "elevated hepatic transaminase", False),
        ("neurological examination revealed no abnormalities", "neurologic abnormality", False),
        ("Hemoglobin: Within normal limits", "anemia", False),
        ("TLC - 21,400 /cumm", "leukocytosis", True),
        ("GCS 15/15", "reduced consciousness", False),
        ("GCS 9", "reduced consciousness", True),
        ("Lactate ↑ 4.1", "increased circulating lactate concentration", True),  # mg/dL or mmol/L, the arrow says
        ("fibrinogen ↓", "hypofibrinogenemia", True),
        ("Na+ 134 L\nK+ 3.9", "hyponatremia", True),  # the laboratory's own mark goes before the limits
        ("CRP 12 H.", CRP, True),
        ("Creatinine 0.8 L arm weak", "elevated serum creatinine", False),
        ("platelets 210 L1 vertebra", "thrombocytopenia", False),
        ("temperature 38.5°C", "fever", True),
        ("temp 101.3 F", "fever", True),
        ("Temperature 36.6", "fever", False),
        ("T 39.1 C", "fever", True),
        ("D-dimer negative", "elevated D-dimer", False),
        ("WBC 18k", "leukocytosis", True),
        ("eosinophil count 1,200 cells/uL", "eosinophilia", True),
        ("Na+ 128", "hyponatremia", True),
        ("BP 85/50", "hypotension", True),
        ("BP 124/80 mmHg", "hypotension", False),
        ("CRP and ESR were elevated", CRP, True),
        ("CRP, ESR and LDH were normal", CRP, False),
        ("normal CRP and ESR", "elevated erythrocyte sedimentation rate", False),
        ("Afebrile, normotensive", "fever", False),
    ],
)
def test_a_value_is_its_finding(text: str, finding: str, present: bool) -> None:
    assert said(text)[finding] is present


@pytest.mark.parametrize(
    "text",
    [
        "CRP 3",  # normal in mg/L, high in mg/dL
        "CRP was measured",
        "WBC 3 (limit 11)",  # of the lower limit it says nothing
        "Hb 6.5 mg/L",  # a unit that the table does not have
        "CRP and other tests were done",
        "lymphocytes 12 %",  # a share, not a count
        "calcium 500 mg daily",
        "pulse 5 mg prednisolone",
        "RR 3 days",
        "low sodium diet",
        "98 % on 6 liters",
        "SpO2 97 % on 6 L of oxygen",  # what the oxygen does
        "the count of nodules is 12",
        "crp 106 mg/l of another",  # no abbreviation
    ],
)
def test_what_cannot_be_read_for_sure_says_nothing(text: str) -> None:
    assert said(text) == {}


def test_one_measurement_speaks_of_both_sides() -> None:
    assert said("WBC 6.84") == {"leukocytosis": False, "leukopenia": False}
    assert said("WBC 14") == {"leukocytosis": True}


def test_spans_are_what_was_read() -> None:
    text = "He had a CRP of 106 mg/L, and a normal platelet count."
    assert [text[m.start : m.end] for m in measured(text)] == [
        "CRP of 106 mg/L",
        *["normal platelet count"] * 2,  # neither too many nor too few
    ]


PIECES = st.sampled_from(
    ["CRP", "WBC ", "SpO2", "normal ", " and ", ", ", "1,2.3", "12,300", " x10^9/L", "mg/", "(limit ", "–", "٣"]
)


@given(st.lists(PIECES | st.text(max_size=4), max_size=12))
def test_any_text_can_be_read(pieces: list[str]) -> None:
    text = "".join(pieces)
    for found in measured(text):
        assert 0 <= found.start < found.end <= len(text)


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("CRP > 100 mg/L", [True]),
        ("CRP <5 mg/L", [False]),
        ("D-dimer >2000 ng/mL", [True]),
        ("SpO2 >95 %", [False]),
        ("SpO2 < 88 %", [True]),
        ("CRP > 5 mg/L", []),  # may be both
        ("CRP < 100 mg/L", []),
        ("procalcitonin less than 0.05 ng/mL", [False]),
        ("hs-troponin T 6 ng/L", [False]),
        ("Troponin I 2.4 ng/mL", [True]),
        ("lactate 4.1 mmol/L", [True]),
        ("creatinine 212 µmol/L", [True]),
        ("creat 2.3", [True]),
        ("Trop I <0.01 ng/mL", [False]),
        ("Hs-TnT: 60 ng/L", [True]),
        ("eos 1.9 x10^9/L", [True]),
        ("ADA 78 U/L", [True]),
        ("QTc 512 ms", [True]),
        ("QTc 430 ms", [False]),
        ("bilirubin 12 µmol/L", [False]),
        ("FEV1 38% predicted", [True]),
        ("FEV1 92 %", [False]),
        ("FEV1 2.1 L", []),  # of what was to be expected it says nothing
        ("K+ 6.1 mmol/L", [True]),
        ("pH 7.21", [True]),
        ("LDH | 612 U/L", [True]),
    ],
)
def test_a_sign_before_a_value_says_all_that_it_may_be(text: str, present: list[bool]) -> None:
    assert [value.present for value in measured(text)] == present
