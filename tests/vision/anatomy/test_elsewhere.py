"""Films from elsewhere: what the outlines say of them, when they are asked, and how it is fitted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.imaging.elsewhere import Film, fit_outlines, fit_place
from errors import ArtifactError
from vision.anatomy.elsewhere import FEATURES, NAME, WARNING, Elsewhere, features
from vision.anatomy.outliner import Anatomy
from vision.detector import Detector
from vision.image import ImageInstance, load_image
from vision.metrics import auroc
from vision.phantom.radiograph import write_phantom
from vision.weights_pair import WEIGHTS


@pytest.fixture(scope="module")
def shipped() -> Elsewhere:
    found = Elsewhere.open()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> ImageInstance:
    return load_image(write_phantom(tmp_path_factory.mktemp("film") / "a.dcm"))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.open()


def test_it_is_of_the_shipped_detector(shipped: Elsewhere, detector: Detector) -> None:
    assert shipped.belongs_to(detector.manifest["sha256"])
    assert not shipped.belongs_to("0" * 64)


def test_a_phantom_is_read_by_the_networks_and_a_strange_film_by_its_outlines(
    detector: Detector, shipped: Elsewhere, film: ImageInstance
) -> None:
    plain = detector.detect(film)
    nets = float(detector.probabilities(plain.logits)[-1])
    assert 1 - plain.no_finding == pytest.approx(nets, abs=1e-4)
    assert WARNING not in plain.warnings

    child = detector.detect(replace(film, is_phantom=False, patient_age_y=4.0))
    (seen,) = Anatomy.open().outline([film.upright])
    own = shipped.manifest["outlines"]
    odds = own["slope"] * shipped.score(features(seen.traits, seen.shares, film.upright)) + own["offset"]
    assert 1 - child.no_finding == pytest.approx(1 / (1 + np.exp(-odds)), abs=1e-4)
    assert abs((1 - child.no_finding) - nets) > 0.02
    assert WARNING in child.warnings
    assert np.array_equal(child.logits, plain.logits)
    shown = any(f.presence == "present" for f in child.findings)
    assert shown == (1 - child.no_finding >= own["cut"])


def test_the_networks_count_as_far_as_the_film_is_familiar(shipped: Elsewhere) -> None:
    place = shipped._a["place"][1:]
    near, far = place / np.linalg.norm(place), -place / np.linalg.norm(place)
    usual = np.full(FEATURES, np.nan)
    assert shipped.familiar(near) > 0.9 > 0.1 > shipped.familiar(far)

    def said(embedding: np.ndarray, nets: float, low: bool = False) -> float:
        found = shipped.judge(usual, embedding, (nets, 0.5), low_resolution=low, age=None)
        return found.probability

    assert said(near, 0.95) - said(near, 0.05) > 0.7
    assert abs(said(far, 0.95) - said(far, 0.05)) < 0.3
    assert said(far, 0.7, low=True) > said(far, 0.3, low=True)


def test_features_do_not_depend_on_the_proportions_of_the_picture(film: ImageInstance) -> None:
    anatomy = Anatomy.open()
    picture = film.upright
    wide = np.repeat(picture, 2, axis=1)  # the same film, its pixels half as wide
    (seen,) = anatomy.outline([picture])
    one, two = features(seen.traits, seen.shares, picture), features(seen.traits, seen.shares, wide)
    assert one.shape == (FEATURES,)
    heights = np.flatnonzero(~np.isclose(one, two, rtol=0.02, atol=0.02, equal_nan=True))
    assert np.allclose(two[heights] * 2, one[heights])
    assert len(heights)
    assert {*heights} <= {27, 28}  # the lungs' heights, over their width


def test_what_only_tells_the_sets_apart_is_not_learnt() -> None:
    rng = np.random.default_rng(0)
    films = []
    for name, share, level in (("a", 0.9, 3.0), ("b", 0.1, -3.0)):
        for i in range(200):
            sick = bool(rng.random() < share)
            x = rng.normal(size=FEATURES)
            x[0] = level + rng.normal()  # goes with the set alone
            x[1] += sick  # goes with disease in both
            films.append(Film(set=name, image=str(i), patient=str(i), diseased=sick, fold=-1, outlines=x.tolist()))
    fit = fit_outlines(films, ridge=10)
    weight = fit.arrays["weight"][1:]
    assert abs(weight[0]) < 0.2 * weight[1]
    own = [f for f in films if f.set == "a"]
    assert auroc(fit.score(own), np.array([f.diseased for f in own])) > 0.65


def test_the_place_keeps_nine_in_ten_of_its_own() -> None:
    rng = np.random.default_rng(0)

    def unit(shift: float, n: int) -> np.ndarray:
        x = rng.normal(size=(n, 16)) + np.eye(16)[0] * shift
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    films = [
        Film(set="b", image=str(i), patient="", diseased=True, fold=-1, outlines=[], embedding=e.tolist())
        for i, e in enumerate(unit(-3, 80))
    ]
    place = Elsewhere({"place": fit_place(films, unit(3, 200), unseen := unit(3, 100))}, {})
    assert np.mean(place.familiar(unseen) >= 0.5) == pytest.approx(0.9, abs=0.01)
    assert np.mean(place.familiar(unit(-3, 100)) >= 0.5) < 0.1


def test_damaged_files_are_an_error_and_none_are_none(tmp_path: Path) -> None:
    assert Elsewhere.open(tmp_path) is None
    for suffix in ("json", "safetensors"):
        shutil.copy(WEIGHTS / f"{NAME}.{suffix}", tmp_path)
    assert Elsewhere.open(tmp_path) is not None
    listing = tmp_path / f"{NAME}.json"
    whole = json.loads(listing.read_text())
    for damage in ({"format": 99}, {"sha256": "0"}, {"outlines": {}}):
        listing.write_text(json.dumps(whole | damage))
        with pytest.raises(ArtifactError, match="elsewhere"):
            Elsewhere.open(tmp_path)
    listing.unlink()
    with pytest.raises(ArtifactError, match="elsewhere"):
        Elsewhere.open(tmp_path)
