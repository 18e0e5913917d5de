"""Side, place, size, extent and change on invented sentences (modifiers.tsv, beside this file)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontologies.linking.modifiers import Modifiers, modifiers


def _rows() -> list[tuple[str, str]]:
    lines = (Path(__file__).parent / "modifiers.tsv").read_text(encoding="utf-8").splitlines()
    return [(expected, sentence) for expected, sentence in (x.split("\t") for x in lines if not x.startswith("#"))]


def _unmark(marked: str) -> tuple[str, list[tuple[int, int]]]:
    text, spans, at = "", [], 0
    for match in re.finditer(r"\[([^\]]+)\]", marked):
        text += marked[at : match.start()]
        spans.append((len(text), len(text) + len(match[1])))
        text, at = text + match[1], match.end()
    return text + marked[at:], spans


def _shown(found: Modifiers) -> str:
    cells = (
        found.laterality,
        ", ".join(found.locations),
        " ".join(f"{size:g}" for size in found.size_mm),
        found.extent,
        found.change,
    )
    return "; ".join(cell or "-" for cell in cells)


@pytest.mark.parametrize(("expected", "marked"), _rows())
def test_modifiers(expected: str, marked: str) -> None:
    text, spans = _unmark(marked)
    assert "|".join(map(_shown, modifiers(text, spans))) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="left right small 1.2cm xRUL,.;\n İß ", max_size=120), st.data())
def test_any_text_has_modifiers(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    [found] = modifiers(text, [(start, end)])
    assert all(size >= 0 for size in found.size_mm)
