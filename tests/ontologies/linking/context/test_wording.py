"""How notes say findings without their names (data/wordings.tsv)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontologies.linking.context import wording
from ontologies.linking.context.noted import noted
from ontologies.linking.context.wording import worded
from ontologies.linking.linker import Linker


@pytest.mark.parametrize(
    ("text", "mention", "finding"),
    [
        ("She woke up gasping for air.", "woke up gasping for air", "Paroxysmal nocturnal dyspnea"),
        ("He sleeps on three pillows", "sleeps on three pillows", "Orthopnea"),
        ("cannot lie flat", "cannot lie flat", "Orthopnea"),
        ("Brings up rust-coloured sputum", "rust-coloured sputum", "Rusty sputum"),
        ("coughing up bright red blood", "coughing up bright red blood", "Hemoptysis"),
        ("Oedema of both ankles", "Oedema of both ankles", "Leg edema"),
        ("lost about 12 kg", "lost about 12 kg", "Weight loss"),
        ("worked for years in a shipyard", "worked for years in a shipyard", "Asbestos exposure"),
        ("liver function tests, ESR and urinalysis were normal", None, "Normal laboratory tests"),
        ("pain radiating\nto the left arm", "radiating\nto the left arm", "Radiating chest pain to arm or jaw"),
    ],
)
def test_a_phrase_states_its_finding(text: str, mention: str | None, finding: str) -> None:
    found = {text[w.start : w.end]: w for w in worded(text) if w.finding == finding and w.present}
    assert list(found) == [mention or text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "He was fit and walked home.",
        "Not for the first time. Blood. Urine",
        "up blood coughing",
        "the lie of the land",
    ],
)
def test_other_words_state_nothing(text: str) -> None:
    assert list(worded(text)) == []


def test_a_hyphenated_non_denies() -> None:
    [fever] = [w for w in worded("non-febrile") if w.finding == "Fever"]
    assert not fever.present


def test_the_longest_phrase_at_a_place_wins_and_hides_what_is_inside() -> None:
    text = "short of breath when walking"
    assert [(text[w.start : w.end], w.finding) for w in worded(text)] == [(text, "Exertional dyspnea")]


def test_a_denied_wording_is_absent_and_a_normal_one_denies_its_finding() -> None:
    said = {(n.finding, n.presence) for n in noted("Denies coughing up blood. Abdomen soft and nontender.")}
    assert ("Hemoptysis", "absent") in said
    assert {("Normal abdominal examination", "present"), ("Abdominal tenderness or guarding", "absent")} <= said


def test_what_never_was_is_said_in_a_section_on_the_past_too() -> None:
    said = {
        n.finding: n.presence for n in noted("Past medical history: none. Never smoked. Coughing up blood in 2011.")
    }
    assert said["No relevant past medical history"] == said["Never smoker"] == "present"
    assert said["Smoker"] == "absent"
    assert said["Hemoptysis"] == "not assessed"


@pytest.mark.parametrize("family", ["(a|b", "a)", "(a|(b)"])
def test_a_family_whose_brackets_do_not_close_is_refused(family: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|family"):
        wording.parsed(family, {})


@pytest.mark.parametrize(
    ("family", "text", "length"),
    [
        ("(a|b c)? d", "b c d", 3),
        ("(a)* b", "a a a b", 4),
        ("(a)+ b", "b", 0),
        ("a .. b", "a x y z b", 5),
        ("a .. b", "a no b", 0),
        ("walk~ #", "walking 12", 2),
        ("a !(b)", "a b", 0),
        ("a !(b)", "a c", 1),
        ("a _ b", "a , b", 0),
    ],
)
def test_the_grammar(family: str, text: str, length: int) -> None:
    assert max(wording._ends(wording.parsed(family, {}), text.split(), 0), default=0) == length


def test_every_family_can_be_parsed_and_its_first_words_lead_to_it() -> None:
    table = wording._table()
    families = {id(family): family for own in table.families.values() for family in own}.values()
    assert len(families) > 1000
    for family in families:
        assert wording._first(family.steps) <= wording._first(
            wording.parsed(wording._head(family.written), table.macros)
        )


def test_every_finding_of_the_table_is_in_the_dictionary(home: Path) -> None:
    linker = Linker.open(home / "linker")
    assert [name for name in sorted(wording.findings()) if linker._recognizer.named(name) is None] == []


def test_a_wording_goes_before_the_names_inside_it_and_a_name_before_the_wordings_inside_that(home: Path) -> None:
    linker = Linker.open(home / "linker")
    [match] = linker.link("Spat out blood clots.", note=True)
    assert (match.concept.name, match.method, match.presence) == ("Hemoptysis", "wording", "present")
    assert [m.concept.name for m in linker.link("Lung adenocarcinoma.", note=True)] == ["Lung adenocarcinoma"]
    assert "wording" not in {m.method for m in linker.link("Spat out blood clots.")}
