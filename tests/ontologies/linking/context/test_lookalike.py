"""Mentions that only look like a finding."""

from __future__ import annotations

import pytest

from ontologies.linking.context.lookalike import looks_alike

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
    ],
)
def test_what_stands_beside_a_mention_tells(alike: bool, sentence: str) -> None:
    text, ((start, end),) = unmark(sentence)
    assert looks_alike(text, start, end) == alike
