"""Denied denials: what is not excluded is uncertain, what is not absent is present."""

from __future__ import annotations

import pytest

from ontologies.concept import Presence
from ontologies.linking.context.assertion import assertions

from .marked import unmark


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ("uncertain", "Nothing here excludes a [pulmonary embolism]."),
        ("uncertain", "Neither CT nor bronchoscopy could exclude [malignancy]."),
        ("uncertain", "[Pneumothorax] has still not been excluded."),
        ("uncertain", "Until [lung cancer] has been excluded he should not travel."),
        ("uncertain", "The absence of fever does not make [asthma] unlikely."),
        ("uncertain", "The white count does not rule [pneumonia] out."),
        ("uncertain", "I am not certain that there is no [pneumothorax]."),
        ("present", "It is not true that she has no [chest pain]."),
        ("present", "He denies being free of [cough] at any time."),
        ("present", "Her [cough] has never really gone away."),
        ("present", "Scarcely a night without [cough]."),
        ("absent", "CT without contrast excluded [pneumothorax]."),
        ("absent", "No fever, no cough, and [PE] was excluded."),
        ("absent", "She never had asthma and denied [wheezing]."),
        ("absent", "No fever no [cough] no rash."),
        ("present", "A mass cannot be excluded given the [atelectasis]."),
    ],
)
def test_a_denied_denial(expected: Presence, sentence: str) -> None:
    text, spans = unmark(sentence)
    assert assertions(text, spans)[0].presence == expected
