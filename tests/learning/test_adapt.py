"""A local head is better where it was fitted and changes nothing elsewhere; a worse one is refused; one step back."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import ArtifactError, InputError
from indexes import versions
from learning.adapt import LOCAL, Adapted, _refusals, adapt, keep
from learning.head_fit import MOST_LOST, Films, change, shipped
from vision.detector import WEIGHTS, Detector
from vision.local_head import NAME, LocalHead


@pytest.fixture(scope="session")
def adapted(local_films: Films, other_films: Films) -> Adapted:
    return adapt(local_films, Detector.open().fingerprint, test=other_films)


def digests() -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(WEIGHTS.iterdir())}


def test_it_is_better_on_films_that_it_has_not_seen_and_no_worse_elsewhere(adapted: Adapted) -> None:
    assert [j.output for j in adapted.judged] == ["Pneumonia", "any finding"]
    for judged in adapted.judged:
        assert judged.auroc[0] < 0.7
        assert judged.auroc[1] > 0.9
        assert judged.loss[1] < judged.loss[0]
        assert judged.guard >= -MOST_LOST
    assert adapted.refusals == ()


def test_a_film_from_elsewhere_is_read_as_before(adapted: Adapted, other_films: Films) -> None:
    guard = shipped().guard
    assert np.median(adapted.head.of_place(guard.embedding)) < 0.1
    assert np.median(adapted.head.of_place(other_films.embedding)) > 0.9


def test_without_test_films_each_is_judged_by_a_head_that_did_not_see_its_patient(make_films: Any) -> None:
    films = make_films(60, 5)
    rng = np.random.default_rng(0)
    films.y[:] = films.y[rng.permutation(60)]  # nothing to be learnt
    for judged in adapt(films, "x").judged:
        assert judged.auroc[1] < 0.7


def test_a_worse_head_is_refused_and_nothing_is_written(tmp_path: Path, other_films: Films, make_films: Any) -> None:
    wrong = adapt(make_films(80, 3, wrong=True), "x", test=other_films)
    assert any("held-out" in line for line in wrong.refusals)
    with pytest.raises(ArtifactError, match="worse and is not kept"):
        keep(tmp_path, wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_head_that_costs_the_guard_set_is_refused(adapted: Adapted) -> None:
    costly = replace(adapted.judged[0], guard=-0.02)
    assert "guard" in _refusals([costly])[0]


def test_versions_are_kept_used_and_left_and_what_is_shipped_stays(tmp_path: Path, adapted: Adapted) -> None:
    before, place = digests(), tmp_path / LOCAL
    assert keep(tmp_path, adapted) == 1
    assert keep(tmp_path, adapted) == 2
    detector = Detector.open(local=place)
    assert detector.local == adapted.head
    assert detector.local_rates.keys() == {"Pneumonia", "No Finding"}
    assert versions.back(place) == 1
    assert versions.back(place) == 0
    assert Detector.open(local=place).local is None
    with pytest.raises(InputError, match="nothing to go back to"):
        versions.back(place)
    versions.use(place, 2)
    assert Detector.open(local=place).local is not None
    assert digests() == before


def test_a_detection_is_the_head_s_and_as_before_without_it(tmp_path: Path, adapted: Adapted, phantom: Path) -> None:
    from vision.image import load_image

    keep(tmp_path, adapted)
    image, place = load_image(phantom), tmp_path / LOCAL
    plain = Detector.open().detect(image)
    local = Detector.open(local=place).detect(image)
    expected = adapted.head.probabilities(
        np.array([[f.probability for f in plain.findings] + [1 - plain.no_finding]]),
        plain.logits[None],
        plain.embedding[None],
    )[0]
    by_label = {f.label: f.probability for f in local.findings}
    assert by_label["Pneumonia"] == pytest.approx(expected[12], abs=2e-3)
    assert local.no_finding == pytest.approx(1 - expected[-1], abs=2e-3)
    assert {k: v for k, v in by_label.items() if k != "Pneumonia"} == {
        f.label: f.probability for f in plain.findings if f.label != "Pneumonia"
    }
    versions.back(place)
    again = Detector.open(local=place).detect(image)
    assert [f.probability for f in again.findings] == [f.probability for f in plain.findings]


def test_a_head_of_another_detector_is_refused(tmp_path: Path, adapted: Adapted) -> None:
    versions.add(tmp_path, {NAME: replace(adapted.head, detector="other").text()}, {})
    with pytest.raises(ArtifactError, match="another detector"):
        LocalHead.open(tmp_path, "mine")
    versions.add(tmp_path, {NAME: "{"}, {})
    with pytest.raises(ArtifactError, match="damaged"):
        LocalHead.open(tmp_path, "mine")


def test_too_few_films_or_nothing_to_learn_is_said(local_films: Films) -> None:
    with pytest.raises(InputError, match="too few labelled films"):
        adapt(local_films.some(np.arange(10)), "x")
    with pytest.raises(InputError, match="nothing to adapt"):
        adapt(local_films, "x", only=["Hernia"])
    with pytest.raises(InputError, match="not an output"):
        adapt(local_films, "x", only=["Hernias"])


def test_the_guard_is_kept_when_the_place_looks_like_the_training_films() -> None:
    """Films that the gate cannot tell from the others, with labels that contradict theirs."""
    base = shipped()
    rows = np.random.default_rng(0).permutation(len(base.rehearsal))[:120]
    films = base.rehearsal.some(rows)
    films.y[:] = ~films.y
    found = adapt(films, "x", only=["any finding"])
    assert found.refusals or found.judged[0].guard >= -MOST_LOST
    assert change(found.head, base.guard, base)["any finding"] == pytest.approx(found.judged[0].guard, abs=1e-4)


def test_a_head_that_is_worse_than_the_one_in_use_is_refused(
    adapted: Adapted, other_films: Films, make_films: Any
) -> None:
    few = adapt(make_films(24, 9), "x", test=other_films, in_use=adapted.head)
    assert any("the version in use is better" in line for line in few.refusals)
