"""Mentions dated to the past, and those whose date is of this illness or of one that stays."""

from __future__ import annotations

import pytest

from ontologies.concept import Presence
from ontologies.linking.context.assertion import assertions

from .marked import unmark


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ("not assessed", "[Pleurisy] at age 20."),
        ("not assessed", "Had [rheumatic fever] when she was 9."),
        ("not assessed", "In 2012, [pulmonary embolism] after a flight."),
        ("not assessed", "Six months ago he had a [stroke]."),
        ("not assessed", "Since the [pneumonia] in May he has been breathless."),
        ("not assessed", "Last autumn she had [shingles]."),
        ("not assessed", "Had [pneumonia] twice as a toddler."),
        ("not assessed", "[COVID-19] in March 2020, recovered."),
        ("present", "[Sarcoidosis] diagnosed in 2015, on methotrexate."),
        ("present", "Diagnosed with [asthma] 12 years ago."),
        ("present", "A man presented in 2015 with [hemoptysis]."),
        ("present", "Two months prior, the patient had [cough], fever and chills."),
        ("present", "Six years ago he had a stroke that left him with [dysphagia]."),
        ("present", "Over the last year she has had [night sweats]."),
        ("present", "Within the past two months he noticed [weight loss]."),
        ("absent", "[Fever] (now resolved), ongoing cough."),
        ("absent", "[Cough] resolved two weeks ago."),
    ],
)
def test_what_is_past(expected: Presence, sentence: str) -> None:
    text, spans = unmark(sentence)
    assert assertions(text, spans)[0].presence == expected
