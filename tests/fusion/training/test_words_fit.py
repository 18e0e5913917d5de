"""Fitting on patients in words finds what made them, and families count alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import InputError
from fusion.calibration import Known, softmax
from fusion.intake import Gathered, Patient
from fusion.training.text_cases import text_cases
from fusion.training.words_fit import (
    Listed,
    Told,
    believed,
    best_settings,
    crossed,
    fit_calibration,
    fit_weights,
    ranks,
    top,
)
from fusion.workup import Case, Observed, WorkupRoom
from kg.weight_of_evidence import Settings

WEIGHTS = np.array([1.0, 0.5, 0.3, 0.8, 0.6])


KNOWN = Known(present=5)


def patients(count: int, temperature: float = 1.0, seed: int = 0) -> list[Told]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        features = rng.normal(size=(12, 5)) * [3.0, 1.0, 3.0, 1.0, 2.0]
        drawn = rng.choice(12, p=softmax(features @ WEIGHTS / temperature))
        found.append(Told("f", f"f/{i % 2}", features, np.arange(12) == drawn))
    return found


def listed(count: int, temperature: float, outside: bool = False, seed: int = 0) -> list[Listed]:
    """Candidates whose scores are on target at ``temperature``; of those ill elsewhere none fits well."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        scores = rng.normal(size=8) * 3 + (0.0 if outside else 6.0)
        right = np.zeros(8, bool)
        if not outside:
            right[rng.choice(8, p=softmax(scores, temperature))] = True
        found.append(Listed("ill", "ill/x", scores, np.zeros(8), right, np.eye(8, dtype=bool), KNOWN, outside))
    return found


def test_weights_that_made_the_patients_are_found() -> None:
    weights, temperature, _ = fit_weights(patients(1500, temperature=2.0))
    np.testing.assert_allclose(weights, WEIGHTS, atol=0.12)
    assert temperature == pytest.approx(2.0, rel=0.15)


def test_the_settings_of_the_least_loss_are_chosen_without_the_source_left_out() -> None:
    good, noise = patients(300), patients(300, seed=1)
    shuffled = [
        Told(c.family, c.source, np.random.default_rng(i).permutation(c.features), c.right) for i, c in enumerate(noise)
    ]
    under = {Settings(noise=0.1): good, Settings(noise=0.2): shuffled}
    chosen, _ = best_settings(under, without="f/1")
    assert chosen.noise == 0.1
    assert chosen.weights[0] == 1.0


def test_ranks_count_ties_against_the_right_answer() -> None:
    case = Told(
        "f", "s", np.array([[1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0]]), np.array([True, False, False])
    )
    assert ranks([case], (1.0, 0.0, 0.0, 0.0, 0.0)) == [2]
    assert top([1, 2, 6]) == {"top1": 0.333, "top3": 0.667, "top5": 0.667, "top10": 1.0}
    assert top([]) == {}


def test_a_calibration_says_what_it_was_fitted_on() -> None:
    cases = [*listed(800, 1.7), *listed(400, 1.7, outside=True, seed=1)]
    found = fit_calibration(cases, "made up")
    assert found.temperature == pytest.approx(1.7, rel=0.15)
    assert (found.on, found.n, found.gate) == ("made up", 1200, 0.0)
    here, elsewhere = believed(cases[:800], found), believed(cases[800:], found)
    assert elsewhere["none"] > 0.7 > 0.2 > here["abstained"]
    assert here["coverage"] == pytest.approx(0.9, abs=0.02)
    assert here["ece"] < 0.1


def test_a_network_that_helps_is_let_through_and_one_that_does_not_is_not() -> None:
    cases = listed(600, 1.0)
    helps = [Listed(c.family, c.source, c.base * 0.2, c.base * 0.8, c.right, c.kinds, KNOWN, False) for c in cases]
    assert fit_calibration(helps, "").gate > 0.3
    rng = np.random.default_rng(3)
    babble = [Listed(c.family, c.source, c.base, rng.normal(size=8) * 4, c.right, c.kinds, KNOWN, False) for c in cases]
    assert fit_calibration(babble, "").gate < 0.1


def test_longer_notes_are_believed_less() -> None:
    """Scores of a note of 30 words say everything twice; the fit of both lengths together is that of the short ones."""
    short = listed(900, 1.5)
    long = [
        Listed(c.family, c.source, 2 * c.base, c.correction, c.right, c.kinds, Known(present=5, words=30), False)
        for c in listed(900, 1.5, seed=1)
    ]
    found = fit_calibration([*short, *long], "")
    assert found.temperature == pytest.approx(1.5, rel=0.12)
    assert believed(long, found)["ece"] < 0.06


def test_a_patient_whom_a_disease_elsewhere_explains_better_is_probably_ill_elsewhere() -> None:
    here = listed(500, 1.5)
    there = [
        Listed(
            c.family, c.source, c.base, c.correction, np.zeros(8, bool), c.kinds, Known(present=5, elsewhere=15), True
        )
        for c in listed(500, 1.5, seed=1)
    ]
    found = fit_calibration([*here, *there], "")
    assert believed(there, found)["none"] > 0.9 > 0.1 > believed(here, found)["none"]


def test_families_count_alike() -> None:
    few = [Listed("small", "small/x", *vars_of(c)) for c in listed(60, 4.0)]
    many = listed(900, 0.8)
    alone, together = fit_calibration(many, ""), fit_calibration([*many, *few], "")
    assert together.temperature > alone.temperature * 1.3


def test_sets_are_wider_where_sources_differ() -> None:
    """A hospital that nobody has seen is like one of those that differ, not like the mean of their patients."""
    differ = [
        Listed(f"h{n}", f"h{n}/x", *vars_of(c))
        for n, temperature in enumerate((0.7, 1.0, 1.6, 3.0, 5.0))
        for c in listed(200, temperature, seed=n)
    ]
    order = np.random.default_rng(0).permutation(len(differ))
    mixed = [Listed(differ[i].family, differ[i].source, *vars_of(c)) for i, c in zip(order, differ, strict=True)]
    assert fit_calibration(differ, "").conformal_threshold < 0.9 * fit_calibration(mixed, "").conformal_threshold
    held = [row["coverage"] for row in crossed(differ).values()]
    assert 0.89 <= np.mean(held) <= 0.94


def vars_of(case: Listed) -> tuple[Any, ...]:
    return case.base, case.correction, case.right, case.kinds, case.known, case.outside


class FakeIntake:
    """Reads a note as its words."""

    def gather(self, patient: Patient) -> Gathered:
        observed = tuple(Observed(curie=word, presence="present") for word in (patient.note or "").split())
        case = Case(observed=observed, age=patient.age, sex=patient.sex, worded=patient.note != "nothing")
        return Gathered(case=case, findings=(), embedding=None, warnings=())


def test_patients_are_read_by_family_and_file(room: WorkupRoom, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    rows = [
        {"id": 1, "note": "HP:1", "accept": "pneumonia", "age": "61", "sex": "female"},
        {"id": 2, "text": "HP:2"},
        {"id": 3, "note": "HP:3", "accept": "none of these"},
        {"id": 4, "note": "HP:3", "accept": "x", "licence": "CC BY-NC 4.0"},
        {"id": 5, "note": "HP:3", "accept": "x", "named": True},
        {"id": 6, "note": "nothing", "accept": "x"},
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(text_cases([folder], FakeIntake(), room.graph, room.disease))  # type: ignore[arg-type]
    assert [(c.case_id, c.family, c.source, c.outside) for c in found] == [
        ("1", "reports", "reports/a", False),
        ("2", "reports", "reports/a", True),
        ("3", "reports", "reports/a", True),
    ]
    assert [room.graph.name(int(n)) for n in room.disease[found[0].right]] == ["Pneumonia"]
    assert (found[0].case.age, found[0].case.sex) == (61.0, "F")
    (folder / "b.jsonl").write_text("{")
    with pytest.raises(InputError, match=r"b\.jsonl, line 1"):
        list(text_cases([folder], FakeIntake(), room.graph, room.disease))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no patients in words"):
        list(text_cases([tmp_path / "gone"], FakeIntake(), room.graph, room.disease))  # type: ignore[arg-type]
