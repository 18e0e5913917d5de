"""Which findings a film shows together, by films that are read alike."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError
from fusion.collecting import alike
from fusion.collecting.alike import Alike, readings, shipped, training_films
from vision import training_cases
from vision.finding import LABELS


def test_films_read_alike_show_alike() -> None:
    rng = np.random.default_rng(0)
    kinds = (frozenset[str](), frozenset({"Effusion"}), frozenset({"Effusion", "Cardiomegaly"}))
    shown = rng.integers(0, 3, 120)
    read = np.eye(3)[shown] * 3 + rng.normal(0, 0.3, (120, 3))
    model = Alike.fit(read[:90], [kinds[i] for i in shown[:90]])
    found = model.probabilities(read[90:])
    assert found.shape == (30, 3)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found >= 0).all()
    told = [model.patterns[i] for i in found.argmax(1)]
    assert told == [kinds[i] for i in shown[90:]]
    far = model.probabilities(np.full((1, 3), 1e3))  # nothing alike: what is common
    np.testing.assert_allclose(far[0], model.shares)


def test_who_it_is_and_what_is_not_known() -> None:
    logits = np.zeros((2, len(LABELS) + 1), dtype=np.float32)
    said = readings(logits, [(None, None, None, False), (75.0, "M", "AP", True)])
    assert said.shape == (2, 34)
    assert said[0, -4:].tolist() == [0, 0, 0, 0]
    assert said[1, -4:].tolist() == [1, 0.5, 1, 1]


def test_what_ships_is_what_the_command_fits() -> None:
    fitted = Alike.fit(*training_films())
    said, _ = training_films()
    ours = shipped()
    assert ours.patterns == fitted.patterns
    np.testing.assert_allclose(ours.probabilities(said[:50]), fitted.probabilities(said[:50]), atol=5e-3)


def test_a_film_of_pneumonia_is_told_from_a_normal_one() -> None:
    known = training_cases.read()
    pixels = np.zeros((512, 512), dtype=np.float32)
    share: dict[bool, list[float]] = {True: [], False: []}
    for row, logits in zip(known.rows, known.logits, strict=True):
        if row.labels in (("Pneumonia",), ("No Finding",)) and not row.low_resolution:
            film = SimpleNamespace(
                pixels=pixels, patient_age_y=row.age, patient_sex=row.sex, view_position=row.view or ""
            )
            found = shipped().of(SimpleNamespace(logits=logits), film)  # type: ignore[arg-type]
            assert 0.9 < sum(found.values()) <= 1 + 1e-9
            share[row.labels == ("Pneumonia",)].append(found.get(frozenset({"Pneumonia"}), 0.0))
    assert np.mean(share[True]) > 2 * np.mean(share[False])


def test_weights_of_other_readings_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def other() -> Any:
        return "0" * 64

    monkeypatch.setattr(alike, "_cases", other)
    shipped.cache_clear()
    with pytest.raises(ArtifactError, match=r"python -m fusion\.collecting\.alike"):
        shipped()
    monkeypatch.undo()
    shipped.cache_clear()
