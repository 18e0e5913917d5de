"""What made-up patients show, beside the frequencies of the layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from ontologies.chest import layer as chest
from ontologies.chest import patients
from ontologies.chest.patients import Count

HEADER = "\t".join(patients.COLUMNS)


def table(folder: Path, *lines: str) -> Path:
    (folder / patients.TABLE).write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return folder


def test_a_frequency_is_worth_ten_patients() -> None:
    assert Count("A:1", "B:1", 9, 10).beside(0.5) == pytest.approx((5 + 9) / 20)
    assert Count("A:1", "B:1", 0, 10).beside(0.5) == pytest.approx(0.25)
    assert Count("A:1", "B:1", 2, 10).beside(None) == pytest.approx(0.1)


def test_relations_take_the_counts_in(tmp_path: Path) -> None:
    layer = chest.load()
    own = next(a for a in layer.annotations if a.frequency and a.count is None and not a.excluded)
    excluded = next(a for a in layer.annotations if a.excluded)
    counted = next(a for a in layer.annotations if a.count is not None)
    rows = [(own, 4, 8), (excluded, 3, 8), (counted, 8, 8)]
    lines = [f"{a.disease}\tx\t{a.finding}\ty\t{k}\t{n}" for a, k, n in rows]
    lines += [f"{own.disease}\tx\tHP:0000001\ty\t2\t8", f"{own.disease}\tx\tHP:0000002\ty\t1\t8"]
    found = list(patients.relations([own, excluded, counted], table(tmp_path, *lines), "chest:test"))
    assert [r.frequency for r in found[:3]] == [pytest.approx((10 * own.frequency + 4) / 18), None, counted.frequency]
    assert [r.predicate for r in found] == ["has_phenotype", "excludes_phenotype", "has_phenotype", "has_phenotype"]
    assert (found[3].object, found[3].frequency) == ("HP:0000001", pytest.approx(2 / 18))
    assert found[3].reference == patients.REFERENCE in layer.references


def test_no_table_is_no_count(tmp_path: Path) -> None:
    annotations = chest.load().annotations[:5]
    found = list(patients.relations(annotations, tmp_path, "chest:test"))
    assert [r.frequency for r in found] == [a.frequency for a in annotations]


@pytest.mark.parametrize("cells", ["9\t8", "-1\t8", "x\t8", "2\t"])
def test_a_count_that_is_none_names_its_line(tmp_path: Path, cells: str) -> None:
    with pytest.raises(InputError, match="line 2"):
        patients.read(table(tmp_path, f"HP:1\tx\tHP:2\ty\t{cells}"))


def test_the_packaged_counts_are_of_the_layer() -> None:
    layer = chest.load()
    diseases = {row.id for row in layer.diseases}
    counts = patients.read(chest.DATA)
    assert {disease for disease, _ in counts} == diseases
    assert all(count.of >= 8 for count in counts.values())
