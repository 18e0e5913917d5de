"""What the detector gets wrong, counted."""

from __future__ import annotations

import pytest

from benchmarks.failures import Reading, table, worst
from vision.finding import NO_FINDING
from vision.training_cases import TrainingCase


def reading(labels: tuple[str, ...], said: tuple[str, ...], anything: float, view: str = "PA") -> Reading:
    film = TrainingCase(case_id="x", labels=labels, age=50.0, sex="F", view=view, fold=0, low_resolution=False)
    return Reading(film=film, said=said, anything=anything)


READINGS = [
    reading(("Edema", "Effusion"), ("Edema",), 0.9),
    reading(("Edema",), (), 0.1, view="AP"),
    reading(("Effusion",), (), 0.2),
    reading((NO_FINDING,), ("Edema",), 0.7, view="AP"),
    reading((NO_FINDING,), (), 0.3),
]


def test_films_and_labels_are_counted_apart() -> None:
    found = table(READINGS)
    assert list(found) == ["all", "40 to 64", "view AP", "view PA", "women", "Edema", "Effusion"]
    assert found["all"] == {"abnormal": 3, "missed": 0.667, "named": 0.25, "normal": 2, "false_alarms": 0.5}
    assert found["view AP"] == {"abnormal": 1, "missed": 1.0, "named": 0.0, "normal": 1, "false_alarms": 1.0}
    assert found["Effusion"] == {"abnormal": 2, "missed": 0.5, "named": 0.0, "normal": 0, "false_alarms": None}


@pytest.mark.parametrize(("n", "expected"), [(1, [0.1, 0.7]), (9, [0.1, 0.2, 0.7])])
def test_the_worst_are_the_surest_of_the_wrong(n: int, expected: list[float]) -> None:
    assert [r.anything for r in worst(READINGS, n)] == expected
