from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indexes.ranking import best_rows, id_ranks


@given(
    st.lists(st.tuples(st.integers(0, 3), st.text(max_size=3)), max_size=30, unique_by=lambda row: row[1]),
    st.integers(0, 40),
)
def test_equals_sorting_by_score_then_id(rows: list[tuple[int, str]], k: int) -> None:
    scores = np.array([score for score, _ in rows], dtype=np.float32)
    found = best_rows(scores, id_ranks([name for _, name in rows]), k)
    expected = sorted(range(len(rows)), key=lambda i: (-rows[i][0], rows[i][1]))[:k]
    assert found.tolist() == expected
