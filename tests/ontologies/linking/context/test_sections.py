"""Sections of notes, and what is said under them."""

from __future__ import annotations

import pytest

from ontologies.linking.context.assertion import assertions
from ontologies.linking.context.sections import sections

NOTE = """Past Medical History
COPD, pulmonary embolism

Family History:
Father: lung cancer
Mother: asthma

HISTORY OF PRESENT ILLNESS
cough for a week. Exam: wheezing.
PE: clubbing
Pertinent negatives
hemoptysis
"""


def test_headings_with_and_without_colon() -> None:
    kinds = [(NOTE[s.start : s.name_end].strip().rstrip(":").lower(), s.kind) for s in sections(NOTE)]
    assert kinds == [
        ("past medical history", "history"),
        ("family history", "family"),
        ("history of present illness", "now"),
        ("exam", "now"),
        ("pe", "now"),
        ("pertinent negatives", "absent"),
    ]
    assert sections("a sentence without a heading") == []


@pytest.mark.parametrize(
    ("mention", "presence", "context"),
    [
        ("COPD", "not assessed", "history"),
        ("lung cancer", "not assessed", "family"),
        ("asthma", "not assessed", "family"),
        ("cough", "present", None),
        ("wheezing", "present", None),
        ("clubbing", "present", None),
        ("hemoptysis", "absent", None),
    ],
)
def test_what_stands_under_a_heading(mention: str, presence: str, context: str | None) -> None:
    at = NOTE.index(mention)
    (said,) = assertions(NOTE, [(at, at + len(mention))])
    assert (said.presence, said.context) == (presence, context)


def test_a_history_that_denies_is_absent() -> None:
    text = "PMH: no asthma, no diabetes. FH: no cancer."
    spans = [(text.index(word), text.index(word) + len(word)) for word in ("asthma", "diabetes", "cancer")]
    assert [said.presence for said in assertions(text, spans)] == ["absent", "absent", "not assessed"]


def test_a_short_name_in_a_list_is_no_heading() -> None:
    assert [s.kind for s in sections("DDx\n1) ACS\n2) PE\n")] == ["uncertain"]
