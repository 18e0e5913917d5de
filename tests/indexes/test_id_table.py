from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexes.id_table import IdTable
from indexes.ranking import id_ranks


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), unique=True, max_size=20))
def test_ids_come_back_in_their_order(tmp_path: Path, ids: list[str]) -> None:
    IdTable.write(ids, tmp_path)
    table = IdTable.open(tmp_path)
    assert list(table) == ids
    assert [table[row] for row in range(len(ids))] == ids
    assert table[1:3] == ids[1:3]
    assert table.ranks.tolist() == id_ranks(ids).tolist()
    if ids:
        assert table[-1] == ids[-1]
