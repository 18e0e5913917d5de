"""Presence on invented radiology sentences (assertions.tsv, beside this file) and of whom and when."""

from __future__ import annotations

import pytest

from ontologies.linking.context.assertion import assertions

from .marked import rows, unmark

_CODES = {"p": "present", "a": "absent", "u": "uncertain", "n": "not assessed"}


def test_the_table_is_large_and_covers_every_presence() -> None:
    table = rows("assertions.tsv")
    assert len(table) >= 200
    assert {code for codes, _ in table for code in codes} == set(_CODES)


@pytest.mark.parametrize(("codes", "marked"), rows("assertions.tsv"))
def test_presence(codes: str, marked: str) -> None:
    text, spans = unmark(marked)
    assert len(spans) == len(codes)
    assert [said.presence for said in assertions(text, spans)] == [_CODES[code] for code in codes]


def test_no_mentions() -> None:
    assert assertions("No effusion.", []) == []


CONTEXTS = [
    ("history of [tuberculosis]", "not assessed", "history"),
    ("[Pneumonia] two years ago.", "not assessed", "history"),
    ("COMPARISON: CT with [effusion]", "not assessed", "history"),
    ("Mother had [breast cancer].", "not assessed", "family"),
    ("FAMILY HISTORY: [emphysema]", "not assessed", "family"),
    ("Vaccination against [influenza].", "not assessed", None),
    ("INDICATION: [cough]. FINDINGS: clear", "present", "indication"),
    ("INDICATION: rule out [pneumonia]", "uncertain", "indication"),
    ("HISTORY: no [fever]", "absent", "indication"),
    ("INDICATION: cough. FINDINGS: [effusion]", "present", None),
    ("INDICATION: cough\nFINDINGS: No [effusion]", "absent", None),
    ("Reason for exam: [dyspnea]\nImpression: [effusion]", "present", "indication"),
    ("No [effusion].", "absent", None),
    ("She never developed [pneumonia].", "absent", None),
    ("They have never experienced [syncope].", "absent", None),
    ("She did not develop [pneumonia].", "absent", None),
    ("He has not complained of [dyspnea].", "absent", None),
    ("His own [asthma] is stable.", "present", None),
    ("He attends the [COPD] group.", "not assessed", None),
    ("An active member of the [asthma] society.", "not assessed", None),
]


@pytest.mark.parametrize(("marked", "presence", "context"), CONTEXTS)
def test_context(marked: str, presence: str, context: str | None) -> None:
    text, spans = unmark(marked)
    assert assertions(text, spans)[0] == (presence, context)
