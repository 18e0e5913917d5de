"""Who a note is about: ages and sexes as people write them, and those that are not the patient's."""

from __future__ import annotations

import pytest

from ontologies.linking.context.demographics import demographics

DAY, WEEK, MONTH = 1 / 365.25, 1 / 52.18, 1 / 12

SAID = [
    ("68M smoker w/ hemoptysis", 68, "M"),
    ("72 y/o F c/o SOB", 72, "F"),
    ("45F with pleuritic CP", 45, "F"),
    ("F, 33, cough for 2/52", 33, "F"),
    ("M/72 ex-shipyard worker", 72, "M"),
    ("72/M ex-shipyard worker", 72, "M"),
    ("Age: 61 Sex: M", 61, "M"),
    ("Patient aged 47, female", 47, "F"),
    ("65-yr-old lady", 65, "F"),
    ("42 year female with cough for 3 days", 42, "F"),
    ("Twenty-three-year-old tall man, sudden chest pain", 23, "M"),
    ("HPI: 7yo F", 7, "F"),
    ("50s male, chest pain", 55, "M"),
    ("A man in his late 60s with weight loss", 65, "M"),
    ("Elderly gentleman from a nursing home", 75, "M"),
    ("Dear doctor, this 54 year old plumber has had a cough; he was never well", 54, "M"),
    ("I am a 35 year old woman and I have had a cough", 35, "F"),
    ("My dad is 81 and he cannot breathe", 81, "M"),
    ("Smokes 20 a day for 40 years. He is 66.", 66, "M"),
    ("18 mo boy with a barking cough", 18 * MONTH, "M"),
    ("a 14 month old toddler", 14 * MONTH, None),
    ("3-wk-old girl, tachypneic since birth", 3 * WEEK, "F"),
    ("Pt is a 2 day old term infant", 2 * DAY, None),
    ("A child is seen on 7 days of life with shock. He was well before.", 7 * DAY, "M"),
    ("Term neonate, grunting at 30 minutes of age", 0.01, None),
    ("Letter: Mr P., 74, former builder. He coughs", 74, "M"),
    ("Lady 49, 3 days of fever", 49, "F"),
    ("Retired plumber, 73, male, feels well", 73, "M"),
    ("72y F with a cough", 72, "F"),
    ("Dear colleague, thank you for seeing this 31-year-old man", 31, "M"),
    ("Toddler with a barking cough", 2, None),
]
NOT_THE_PATIENT = [
    ("His mother died at 60 years of age. He coughs.", None, "M"),
    ("Her 60-year-old husband has tuberculosis. She is 58 years old.", 58, "F"),
    ("Diagnosed with asthma at 12 years old; now 30 years old", 30, None),
    ("Preterm baby girl born at 27 weeks to a 24-year-old mother, grunting", 0.01, "F"),
    ("Female newborn, cyanotic, born at 36 weeks of gestation to a 30-year-old woman", 0.01, "F"),
    ("32 weeks pregnant woman", None, "F"),
    ("temp 38, HR 110, 95% on air", None, None),
    ("cough for 6 weeks", None, None),
    ("40 pack years, male", None, "M"),
    ("6 weeks after surgery, 64-year-old woman", 64, "F"),
    ("PMH: T2DM 30 yr, COPD. Sent in by the care home.", None, None),
    ("Breathless for five weeks. Breast cancer treated 4 yr ago. She", None, "F"),
    ("Gradual breathlessness 2 yrs, clubbed", None, None),
    ("Rheumatic fever as a schoolgirl. Now 43 years old, dyspnoea", 43, "F"),
    ("Her father, a 70-year-old smoker, coughs too.", None, "F"),
]


@pytest.mark.parametrize(("note", "age", "sex"), [*SAID, *NOT_THE_PATIENT])
def test_age_and_sex_are_the_patients(note: str, age: float | None, sex: str | None) -> None:
    found = demographics(note)
    assert found.age == (None if age is None else pytest.approx(age, rel=1e-3))
    assert found.sex == sex


def test_what_is_plainer_goes_first() -> None:
    assert demographics("An elderly man. He is 84 years old.").age == 84
    assert demographics("").age is demographics("").sex is None
