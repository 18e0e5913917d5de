"""Who has which disease: what age and sex say of it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from errors import InputError
from ontologies.chest import layer, people
from ontologies.chest.people import BANDS, EXAMINED, SETTINGS, UNUSUAL, People


def test_every_disease_but_groups_has_its_people() -> None:
    known = people.load()
    diseases = {row.id for row in layer.load().diseases if row.commonness != "group"}
    assert diseases - known.keys() == set()
    for own in known.values():
        assert sum(own.ages) == pytest.approx(1)
        assert len(own.ages) == len(BANDS) == len(EXAMINED)
        assert 0 <= own.female <= 1
    assert sum(EXAMINED.values()) == 100


@pytest.mark.parametrize(
    ("disease", "likely", "unlikely"),
    [
        ("Croup", 1.5, 60),
        ("Bronchiolitis", 0.4, 30),
        ("Chronic obstructive pulmonary disease", 70, 2),
        ("Neonatal respiratory distress syndrome", 0.005, 3),
        ("Primary spontaneous pneumothorax", 22, 80),
        ("Aortic valve stenosis", 78, 10),
    ],
)
def test_an_age_speaks_for_and_against(disease: str, likely: float, unlikely: float) -> None:
    own = people.load()[{row.name: row.id for row in layer.load().diseases}[disease]]
    assert own.age_ratio(likely) > 0.5
    assert own.age_ratio(unlikely) < -1


def test_a_ratio_is_that_of_the_shares() -> None:
    own = People(disease="x", ages=(0, 0, 0, 0, 0, 0.2, 0.8), female=0.9)
    share = (1 - UNUSUAL) * 0.8 + UNUSUAL * EXAMINED["old age"] / 100
    assert own.age_ratio(90) == pytest.approx(math.log(share / (EXAMINED["old age"] / 100)), rel=1e-2)
    assert own.sex_ratio("F") == pytest.approx(math.log(((1 - UNUSUAL) * 0.9 + UNUSUAL / 2) / 0.5))
    assert own.sex_ratio("F") > 0 > own.sex_ratio("M")
    assert own.age_ratio(3) == pytest.approx(math.log(UNUSUAL), rel=1e-3), "nobody is ruled out by age alone"
    ends = [own.age_ratio(age) for age in (60, 64, 65, 66, 70)]
    assert ends == sorted(ends), "a birthday changes little"
    assert ends[3] - ends[1] < ends[4] - ends[0]


def test_a_place_changes_how_common_courses_are() -> None:
    assert set(SETTINGS["neutral"].values()) == {0.0}
    assert SETTINGS["emergency"]["acute"] > 0 > SETTINGS["screening"]["acute"]


@pytest.mark.parametrize(("change", "column"), [("\t101\t", "female"), ("\tx\t", "female"), ("\t-1\t", "female")])
def test_a_bad_cell_is_named(tmp_path: Path, change: str, column: str) -> None:
    folder = tmp_path / "data"
    shutil.copytree(layer.DATA, folder)
    lines = (folder / "people.tsv").read_text(encoding="utf-8").split("\n")
    cells = lines[1].split("\t")
    cells[9] = change.strip("\t")
    (folder / "people.tsv").write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]), encoding="utf-8")
    with pytest.raises(InputError, match=rf"line 2, column {column}"):
        people.load(folder)
