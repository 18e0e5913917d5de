"""The words of a diagnosis leave a note, and nothing else does."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from benchmarks.chest.masking import MASK, masked


@pytest.mark.parametrize(
    ("note", "left"),
    [
        ("Confirmed COVID-19 pneumonia in a woman", f"Confirmed {MASK} {MASK} in a woman"),
        ("covid19, Covid 19 and 2019-nCoV", f"{MASK}, {MASK} and {MASK}"),
        ("SARS-CoV-2 by RT-PCR of a nasopharyngeal swab", f"{MASK} by {MASK} of a {MASK}"),
        ("a novel coronavirus", f"a novel {MASK}"),
        ("ARDS developed on day 3", f"{MASK} developed on day 3"),
        ("acute respiratory distress syndrome", MASK),
        ("Pneumocystis jirovecii (PCP) in AIDS", f"{MASK} ({MASK}) in {MASK}"),
        ("bronchopneumonia, pneumonias", f"{MASK}, {MASK}"),
        ("Streptococcus pneumoniae", MASK),
    ],
)
def test_giveaways_go(note: str, left: str) -> None:
    assert masked(note) == left


def test_given_names_go_however_they_are_hyphenated() -> None:
    assert masked("Viral-pneumonitis or viral  pneumonitis", ["viral pneumonitis"]) == f"{MASK} or {MASK}"


@pytest.mark.parametrize(
    "note",
    [
        "Bilateral ground-glass opacities with pneumothorax and pneumomediastinum",
        "fever, dry cough and dyspnoea for 7 days; oxygen saturation 88 %",
        "patchy shadows towards the hazards of the sarsaparilla",
    ],
)
def test_findings_stay(note: str) -> None:
    assert masked(note) == note


def test_nothing_is_left_in_the_notes_that_are_used(shared_data: Path) -> None:
    told = re.compile(
        r"covid|corona(?!ry|l)|\bncov|sars|\bmers\b|pneumoni|pneumocyst|streptoc|\bards\b|virus|viral|\bpcr\b", re.I
    )
    with (shared_data / "covid_cxr" / "metadata.csv").open(encoding="utf-8", newline="") as rows:
        notes = [row["clinical_notes"] for row in csv.DictReader(rows)]
    assert sum(bool(told.search(n)) for n in notes) > 50, "there was something to mask"
    left = [masked(n) for n in notes]
    assert [n for n in left if told.search(n)] == []
    assert sum(len(n) for n in left) > 0.85 * sum(len(n) for n in notes), "and most of the note is still there"
