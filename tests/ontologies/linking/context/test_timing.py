"""When findings were, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontologies.linking.context.timing import times


@pytest.mark.parametrize(
    ("text", "mentions", "expected"),
    [
        ("Fever for 5 days, cough for two weeks.", ["Fever", "cough"], ["for 5 days", "for two weeks"]),
        ("A 2-week history of cough.", ["cough"], ["2-week history"]),
        ("Three days after the pacemaker he had a fever.", ["pacemaker"], ["Three days after the pacemaker"]),
        ("Treated with meropenem for 15 days.", ["meropenem"], ["for 15 days"]),
        ("Hypertension since 2010. Cough.", ["Hypertension", "Cough"], ["since 2010", None]),
        ("Chest pain 20 days before admission.", ["Chest pain"], ["20 days before admission"]),
        ("1-month’s history of ataxia", ["ataxia"], ["1-month’s history"]),
        ("A 60 year old man with cough.", ["cough"], [None]),
        ("Cough. It lasted.", ["Cough"], [None]),
        ("Pneumonia in March 2019", ["Pneumonia"], ["in March 2019"]),
    ],
)
def test_a_time_belongs_to_the_mention_beside_it(text: str, mentions: list[str], expected: list[str | None]) -> None:
    spans = [(text.index(mention), text.index(mention) + len(mention)) for mention in mentions]
    assert times(text, spans) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="for 12 days ago since 2019,.;\n ab", max_size=80), st.data())
def test_any_text_has_times(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    [found] = times(text, [(start, end)])
    assert found is None or found in " ".join(text.split())
