"""Mentions that only look like a finding."""

from __future__ import annotations

import pytest

from ontologies.linking.context.lookalike import looks_alike, unlike_its_expansion

from .marked import unmark


@pytest.mark.parametrize(
    ("alike", "sentence"),
    [
        (True, "Three days of [flu]-like symptoms."),
        (False, "Three days of [flu]."),
        (True, "[PE]: lungs clear, no edema."),
        (True, "Alert.\n[PE]\nLungs: clear"),
        (False, "CT excluded a [PE]."),
        (True, "SpO2 97 % on [RA]."),
        (True, "[RA] and RV dilated"),
        (False, "Known [RA] on methotrexate."),
        (True, "[stroke] volume 58 mL"),
        (False, "[stroke] two years ago"),
        (True, "Mucinex [DM] at night"),
        (False, "[DM] and hypertension"),
        (True, "the regional [cancer] center"),
        (True, "[cough] drops at the bedside"),
        (True, "Cardioverted with a single 200 J [shock]."),
        (False, "Admitted with [shock] and fever."),
        (True, "Seen by Dr. [Burns] today."),
        (True, "Lives in Lansing, [MI]."),
        (False, "Known DM, [MI]."),
        (True, "[Depression] of the left hemidiaphragm"),
        (False, "[Depression] and anxiety"),
        (True, "Attended [mass] on Sunday."),
        (False, "Mediastinal [mass] on CT."),
    ],
)
def test_what_stands_beside_a_mention_tells(alike: bool, sentence: str) -> None:
    text, ((start, end),) = unmark(sentence)
    assert looks_alike(text, start, end) == alike


def test_letters_spelt_out_by_words_that_are_no_finding() -> None:
    text, spans = unmark("[TB] (total bilirubin) 1.4, old [TB]")
    assert unlike_its_expansion(text, spans) == {spans[0]}
    text, spans = unmark("[MI] ([myocardial infarction]) in 2010")
    assert unlike_its_expansion(text, spans) == set()
