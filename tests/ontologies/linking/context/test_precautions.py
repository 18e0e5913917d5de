"""What a patient is told to come back for is not what he has, and what is not typical of a disease denies it."""

from __future__ import annotations

import re

import pytest

from ontologies.linking.context.assertion import assertions

SENTENCES = [
    ("Call also for any weight gain, any unusual rashes, nausea, [vomiting].", "not assessed"),
    ("Please notify your surgeon if you have [fever] or [drainage].", "not assessed"),
    ("Contact our office for any [shortness of breath], [chest pain] or [swelling].", "not assessed"),
    ("Phone the clinic if [cough] or [fever] develops.", "not assessed"),
    ("Return immediately for [chest pain], [dyspnea], or [fever].", "not assessed"),
    ("Come back promptly if [hemoptysis] recurs.", "not assessed"),
    ("Call us if you notice [bleeding].", "not assessed"),
    ("Ring the hospital for worsening [cough].", "not assessed"),
    ("Call your doctor for [fever] over 101 degrees, [chills], or [vomiting].", "not assessed"),
    ("He called the doctor because of [fever].", "present"),
    ("The findings would not be typical for a diagnosis of [hairy cell leukemia].", "absent"),
    ("The findings would be typical for a diagnosis of [sarcoidosis].", "present"),
]


@pytest.mark.parametrize(("sentence", "presence"), SENTENCES)
def test_presence(sentence: str, presence: str) -> None:
    text, spans = "", []
    for before, mention in re.findall(r"([^\[]*)(?:\[([^\]]+)\])?", sentence):
        text += before + mention
        if mention:
            spans.append((len(text) - len(mention), len(text)))
    assert {said.presence for said in assertions(text, spans)} == {presence}
