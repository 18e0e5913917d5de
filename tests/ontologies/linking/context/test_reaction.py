"""Drugs that a patient did not bear, in the words of notes; what is denied, doubted or somebody else's is not read."""

from __future__ import annotations

import pytest

from ontologies.linking.context.reaction import reactions


@pytest.mark.parametrize(
    ("note", "finding", "words"),
    [
        ("Broke out in hives when given amoxicillin as a child.", "penicillin allergy", "Broke out in hives when"),
        ("Cannot take penicillin: throat swelling in 2010.", "penicillin allergy", "Cannot take penicillin"),
        ("Penicillin allergy with anaphylaxis.", "penicillin allergy", "Penicillin allergy with anaphylaxis"),
        ("Augmentin gave her a rash.", "penicillin allergy", "Augmentin gave her a rash"),
        ("ALLERGIES: Augmentin (facial swelling), latex.", "penicillin allergy", "Augmentin (facial swelling"),
        ("Urticaria after a single dose of ceftriaxone.", "cephalosporin allergy", "Urticaria after"),
        ("Intolerant of clarithromycin, does not tolerate erythromycin.", "macrolide allergy", "Intolerant of"),
        ("Hypersensitivity to levofloxacin", "quinolone allergy", "Hypersensitivity to levofloxacin"),
        ("Got a severe rash from Bactrim.", "sulfonamide allergy", "rash from Bactrim"),
        ("Sulfa drugs gave him Stevens-Johnson syndrome.", "sulfonamide allergy", "Sulfa drugs gave him"),
        ("Ibuprofen brings on his wheezing.", "symptoms after aspirin or NSAID", "Ibuprofen brings on his wheezing"),
        ("Reacted to contrast with bronchospasm.", "iodine contrast allergy", "Reacted to contrast"),
        ("Previous HIT.", "heparin-induced thrombocytopenia", "Previous HIT"),
        ("A bleeding duodenal ulcer last week.", "gastrointestinal hemorrhage", "bleeding duodenal ulcer"),
        ("A stomach ulcer that bled.", "gastrointestinal hemorrhage", "stomach ulcer that bled"),
        ("Positive pregnancy test yesterday.", "pregnancy", "Positive pregnancy test"),
        ("Still nursing her four-month-old baby.", "breastfeeding", "nursing her four-month-old baby"),
    ],
)
def test_a_reaction_is_read_with_its_drug(note: str, finding: str, words: str) -> None:
    found = [(m.finding, note[m.start : m.end]) for m in reactions(note)]
    assert any(name == finding and said.startswith(words) for name, said in found), found


def test_a_list_of_allergies_names_each() -> None:
    found = [m.finding for m in reactions("Allergies: penicillin (rash), sulfa, shellfish")]
    assert found == ["penicillin allergy", "sulfonamide allergy"]


@pytest.mark.parametrize(
    "note",
    [
        "No reaction to penicillin.",
        "Denies allergy to penicillin.",
        "Tolerates amoxicillin well, no rash.",
        "Mother allergic to penicillin.",
        "Allergies: none. Takes amoxicillin.",
        "Allergies: no penicillin allergy.",
        "Possible penicillin allergy.",
        "Penicillin allergy was ruled out by testing.",
        "Rash and fever; treated with amoxicillin.",
        "Chest CT with contrast shows swelling of the hilum.",
        "He takes aspirin. Swelling of the ankles.",
        "Wheezing, on aspirin.",
        "No GI bleeding.",
        "He did not receive penicillin and does not take aspirin.",
        "Peptic ulcer, never bled.",
        "Negative pregnancy test.",
        "Lives in a nursing home with her son.",
        "",
    ],
)
def test_what_is_none_is_not_read(note: str) -> None:
    assert list(reactions(note)) == []


def test_long_notes_are_read_at_once() -> None:
    import time

    started = time.perf_counter()
    list(reactions("rash after the first dose of the course of treatment with " * 400 + "allergies: " + "a, " * 2000))
    assert time.perf_counter() - started < 2
