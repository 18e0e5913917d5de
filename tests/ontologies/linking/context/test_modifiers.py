"""Side, place, size, extent and change on invented sentences (modifiers.tsv, beside this file)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontologies.linking.context.modifiers import Modifiers, modifiers

from .marked import rows, unmark


def _shown(found: Modifiers) -> str:
    cells = (
        found.laterality,
        ", ".join(found.locations),
        " ".join(f"{size:g}" for size in found.size_mm),
        found.extent,
        found.change,
    )
    return "; ".join(cell or "-" for cell in cells)


@pytest.mark.parametrize(("expected", "marked"), rows("modifiers.tsv"))
def test_modifiers(expected: str, marked: str) -> None:
    text, spans = unmark(marked)
    assert "|".join(map(_shown, modifiers(text, spans))) == expected


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="left right small 1.2cm xRUL,.;\n İß ", max_size=120), st.data())
def test_any_text_has_modifiers(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    [found] = modifiers(text, [(start, end)])
    assert all(size >= 0 for size in found.size_mm)
