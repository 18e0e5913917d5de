"""How notes say findings without their names (data/wordings.tsv)."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    "text",
    [
        # A number is no grade of pain without the pain.
        "A 7-day history of cough.",
        "Apgar scores were 8 and 9.",
        "He has a 9 year old son.",
        "an ejection fraction rated as 8",
        # What a leg or an arm was, other than weak.
        "The leg was not swollen.",
        "Her arms were warm.",
        "His legs have been shaved.",
        # Lymph nodes that nobody calls large.
        "The lymph nodes were not examined.",
        "sampling of lymph nodes",
        # Stairs are no aeroplane.
        "He climbs one flight of stairs.",
        "two flights of steps",
        # Tender elsewhere than in the belly.
        "tenderness over the left calf",
        "tender in the right knee",
        # Born in a place.
        "Born in Boston.",
    ],
)
def test_what_only_begins_like_a_phrase_states_nothing(text: str) -> None:
    assert list(worded(text)) == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("pain rated 8 out of 10", "Severe pain"),
        ("9/10 chest pain", "Severe pain"),
        ("Her legs were very weak.", "Limb muscle weakness"),
        ("his legs gave way", "Limb muscle weakness"),
        ("enlarged cervical lymph nodes", "Lymphadenopathy"),
        ("a flight of 9 hours", "Recent air travel"),
        ("tenderness in the right upper quadrant", "Abdominal tenderness or guarding"),
        # Who comes from a place has lived there; who came back from it has not.
        ("refugee from Somalia", "Tuberculosis exposure or endemic origin"),
        ("grew up in rural Nepal", "Tuberculosis exposure or endemic origin"),
        ("returned from Kenya", "Travel to the tropics"),
        ("a holiday in Thailand", "Travel to the tropics"),
    ],
)
def test_what_is_a_phrase_still_states_its_finding(text: str, finding: str) -> None:
    assert {(w.finding, w.present) for w in worded(text)} == {(finding, True)}


_SAY_NOTHING = frozenset(
    re.findall(
        r"\S+",
        """a an the of to in on at for with by from and or is was are were be been being has have had do does did he she
        it his her their who which that this these those as not no more most some any all both each other another two
        three there now then up down out over under about after before during into so too also only same again once day
        days week weeks month months year years time times since until while when where how patient man woman left right
        upper lower side bilateral leg legs arm arms hand hands head face eye eyes mouth body back neck chest abdomen
        skin heart lung lungs # , _ ..""",
    )
)


def _shortest(steps: list[wording._Node]) -> list[list[str]]:
    """What a sequence of steps is met by at least, one for each way through what cannot be left out."""
    found: list[list[str]] = [[]]
    for step in steps:
        if step.least and not step.never:
            ways = [[word] for word in sorted(step.words)] + [s for choice in step.choices for s in _shortest(choice)]
            found = [[*before, *way] for before in found for way in ways[:60]][:4000]
    return found


def test_no_family_is_met_by_words_that_say_nothing() -> None:
    """A place of the body, a number and "was" are no finding, whatever may follow them."""
    families = {id(f): f for own in wording._table().families.values() for f in own}.values()
    assert len(families) > 1000
    wide = {
        (family.finding, " ".join(words))
        for family in families
        for words in _shortest(family.steps)
        if all(word in _SAY_NOTHING or word.isdigit() for word in words)
    }
    assert not wide
