"""Presence on invented radiology sentences (assertions.tsv, beside this file) and the side of a mention."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ontologies.assertion import laterality, presences

_CODES = {"p": "present", "a": "absent", "u": "uncertain", "n": "not assessed"}


def _rows() -> list[tuple[str, str]]:
    lines = (Path(__file__).parent / "assertions.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(codes, sentence.replace("\\n", "\n")) for codes, sentence in rows]


def _unmark(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The sentence without its brackets, and the spans that they enclosed."""
    text, spans, at = "", [], 0
    for match in re.finditer(r"\[([^\]]+)\]", marked):
        text += marked[at : match.start()]
        spans.append((len(text), len(text) + len(match[1])))
        text, at = text + match[1], match.end()
    return text + marked[at:], spans


def test_the_table_is_large_and_covers_every_presence() -> None:
    rows = _rows()
    assert len(rows) >= 200
    assert {code for codes, _ in rows for code in codes} == set(_CODES)


@pytest.mark.parametrize(("codes", "marked"), _rows())
def test_presence(codes: str, marked: str) -> None:
    text, spans = _unmark(marked)
    assert len(spans) == len(codes)
    assert presences(text, spans) == [_CODES[code] for code in codes]


def test_no_mentions() -> None:
    assert presences("No effusion.", []) == []


SIDES = [
    ("small left pleural [effusion]", "left"),
    ("left and right pleural [effusions]", "bilateral"),
    ("[Effusion] on the left", "left"),
    ("right lower lobe [pneumonia]", "right"),
    ("Bilateral [effusions], left greater than right", "bilateral"),
    ("[Effusions] bilaterally", "bilateral"),
    ("left effusion and [pneumothorax]", None),
    ("[nodule] in the right upper lobe", "right"),
    ("no left effusion, [cardiomegaly]", None),
    ("both lungs show [opacities]", "bilateral"),
    ("[Cardiomegaly]. Left effusion.", None),
]


@pytest.mark.parametrize(("marked", "side"), SIDES)
def test_laterality(marked: str, side: str | None) -> None:
    text, [(start, end)] = _unmark(marked)
    assert laterality(text, start, end) == side
