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


def test_the_frequency_is_as_if_ten_more_had_been_seen_without_it() -> None:
    assert Count("A:1", "B:1", 2, 10).frequency == pytest.approx(0.1)
    assert Count("A:1", "B:1", 10, 10).frequency == pytest.approx(0.5)


def test_relations_cite_the_made_up_patients(tmp_path: Path) -> None:
    (found,) = patients.relations(table(tmp_path, "HP:1\tx\tHP:2\ty\t2\t8"), "chest:test")
    assert (found.subject, found.predicate, found.object) == ("HP:1", "has_phenotype", "HP:2")
    assert (found.frequency, found.reference) == (pytest.approx(2 / 18), patients.REFERENCE)
    assert patients.REFERENCE in chest.load().references


def test_no_table_is_no_count(tmp_path: Path) -> None:
    assert list(patients.relations(tmp_path, "chest:test")) == []


@pytest.mark.parametrize("cells", ["9\t8", "1\t8", "-1\t8", "x\t8", "2\t"])
def test_a_count_that_is_none_names_its_line(tmp_path: Path, cells: str) -> None:
    with pytest.raises(InputError, match="line 2"):
        patients.read(table(tmp_path, f"HP:1\tx\tHP:2\ty\t{cells}"))


def test_the_packaged_counts_are_of_what_the_layer_does_not_give() -> None:
    layer = chest.load()
    diseases, findings = {row.id for row in layer.diseases}, {row.id for row in layer.findings}
    given = {(a.disease, a.finding) for a in layer.annotations}
    counts = patients.read(chest.DATA)
    assert {c.disease for c in counts} <= diseases
    assert {c.finding for c in counts} <= findings
    assert not {(c.disease, c.finding) for c in counts} & given
    assert all(c.of >= 8 for c in counts)
