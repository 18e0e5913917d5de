"""Lengths of time in a note: how the illness began, how long somebody smoked, how early a newborn came."""

from __future__ import annotations

import pytest

from ontologies.linking.context.course import course

HOURS, DAYS, WEEKS, LONG = "onset over hours", "onset over days", "onset over weeks", "onset over months or years"

BEGAN = [
    ("fever and cough for two days", DAYS),
    ("1-day history of dyspnea, dry cough and chest pain", DAYS),
    ("SOB x 3/7", DAYS),
    ("hemoptysis since yesterday", DAYS),
    ("has been unwell for a few days", DAYS),
    ("symptoms began 4 days ago", DAYS),
    ("several days of fever and cough", DAYS),
    ("chest pain for 3 hours", HOURS),
    ("A 3-week history of progressive dyspnea", WEEKS),
    ("cough for 2/52", WEEKS),
    ("two weeks of worsening dyspnea", WEEKS),
    ("for the past 2 to 3 weeks", WEEKS),
    ("presented with a two-month history of cough", WEEKS),
    ("cough since last month", WEEKS),
    ("persisting for 6 months", LONG),
    ("over the past 6 months he has lost weight", LONG),
    ("gradually worsening over several years", LONG),
    ("about 11 years of productive cough", LONG),
    ("cough lasting 3 months", LONG),
]
NO_COURSE = [
    "34-year-old woman with fever",
    "three days after surgery",
    "dyspnea 2 hours after transfusion",
    "Treated with amoxicillin for 7 days without improvement",
    "worked in a foundry for 20 years",
    "He has had diabetes for 10 years.",
    "2 weeks ago he flew from Thailand",
    "smoked 2 packs daily for 15 years",
    "BP 120/70, RR 20/min",
    "ciprofloxacin 500 mg twice daily for 14 days",
    "Prednisolone 40 mg od for 5 days",
    "the fever subsided within 48 hours",
    "",
]


@pytest.mark.parametrize(("note", "finding"), BEGAN)
def test_how_an_illness_began(note: str, finding: str) -> None:
    (found,) = course(note)
    assert (found.finding, found.present) == (finding, True)
    assert note[found.start : found.end].strip() == note[found.start : found.end] != ""


@pytest.mark.parametrize("note", NO_COURSE)
def test_what_is_no_course_of_the_illness(note: str) -> None:
    assert list(course(note)) == []


def test_the_complaints_own_time_counts() -> None:
    assert [m.finding for m in course("He has had diabetes for 10 years. Cough for 3 days.")] == [DAYS]
    assert [m.finding for m in course("worked in a foundry for 20 years and now breathless for 2 years")] == [LONG]


def test_smoking_and_birth_have_their_own_measure() -> None:
    assert [m.finding for m in course("a 40-pack-year history of smoking")] == ["long smoking history"]
    assert [m.finding for m in course("5 pack-years")] == []
    assert [m.finding for m in course("He smoked a pack a day for 30 years.")] == ["long smoking history"]
    (early,), (term,) = course("Baby born at 29 weeks, grunting"), course("born at 39 weeks of gestation")
    assert (early.finding, early.present, term.present) == ("preterm newborn", True, False)


@pytest.mark.parametrize(
    ("note", "early"),
    [
        ("Born at term to a mother admitted at 34 weeks with bleeding.", []),
        ("Born to a woman who was hospitalised at 34 weeks.", []),
        ("Delivery followed a scan at 34 weeks; born at 38 weeks.", [False]),
        ("A boy born to a mother with rupture of membranes at 34 weeks, delivered at 37 weeks.", [False]),
        ("Birth by forceps, antenatal steroids at 34 weeks.", []),
        ("Delivered at 39 weeks; the mother had a urinary infection at 34 weeks.", [False]),
        ("Birth was normal. Mother's scan at 34 weeks showed polyhydramnios.", []),
        ("Delivered after contractions at 33 weeks had been stopped.", []),
        ("Born at 34 weeks.", [True]),
        ("Delivered by caesarean section at 34 weeks because of maternal pre-eclampsia.", [True]),
        ("born to a 23-year-old primigravida at 34 weeks", [True]),
        ("born to a diabetic mother at 34 weeks", [True]),
    ],
)
def test_the_weeks_of_the_mother_are_not_the_childs(note: str, early: list[bool]) -> None:
    assert [m.present for m in course(note)] == early
