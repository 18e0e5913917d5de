"""A large heart is told by the ratio: calibrated, by view, and in place of the network's word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vision.anatomy.large_heart import LABEL, LargeHeart, fit
from vision.anatomy.outliner import Anatomy
from vision.detector import Detector
from vision.image import load_image
from vision.phantom.radiograph import write_phantom


def test_the_curve_that_made_the_labels_is_found() -> None:
    rng = np.random.default_rng(0)
    views = np.where(rng.random(6000) < 0.5, "PA", "AP")
    ratio = rng.normal(np.where(views == "PA", 0.47, 0.53), 0.05)
    excess = 100 * (ratio - np.where(views == "PA", 0.47, 0.53))
    label = rng.random(6000) < 1 / (1 + np.exp(-(0.3 * excess - 3)))
    ratio[:20] = np.nan  # not measured
    fitted = fit(ratio, label, views.tolist())
    assert (fitted["slope"], fitted["offset"]) == (pytest.approx(0.3, abs=0.03), pytest.approx(-3, abs=0.25))
    assert fitted["usual"]["PA"] == pytest.approx(0.47, abs=0.005)
    assert fitted["films"] == 5980
    curve = LargeHeart(**{k: fitted[k] for k in ("usual", "slope", "offset", "cut")})
    p = np.array([curve.probability(r, v) for r, v in zip(ratio[20:], views[20:], strict=True)])
    assert p.mean() == pytest.approx(label[20:].mean(), abs=0.01)
    assert (p[~label[20:]] >= curve.cut).mean() == pytest.approx(0.05, abs=0.01)


def test_the_same_ratio_says_less_on_an_ap_film_and_an_unknown_view_is_between() -> None:
    curve = LargeHeart(usual={"PA": 0.47, "AP": 0.55, "": 0.5}, slope=0.2, offset=-3.0, cut=0.2)
    assert curve.probability(0.55, "AP") < curve.probability(0.55, "LL") < curve.probability(0.55, "PA")
    assert curve.probability(0.6, "PA") > curve.probability(0.5, "PA")


def test_the_detector_says_what_is_measured(detector: Detector, tmp_path: Path) -> None:
    write_phantom(tmp_path / "film.dcm", seed=1)
    image = load_image(tmp_path / "film.dcm")
    seen = detector.detect(image)
    (ratio,) = (m.value for m in seen.measurements if m.name == "cardiothoracic ratio")
    (heart,) = (f for f in seen.findings if f.label == LABEL)
    assert detector._anatomy is not None
    known = detector._anatomy.manifest["large_heart"]["standard"]
    curve = LargeHeart(**{k: known[k] for k in ("usual", "slope", "offset", "cut")})
    assert heart.probability == pytest.approx(curve.probability(ratio, image.view_position), abs=0.02)
    other = replace(image, view_position="AP" if image.view_position == "PA" else "PA")
    (differently,) = (f.probability for f in detector.detect(other).findings if f.label == LABEL)
    assert differently != heart.probability


def test_what_is_read_from_the_outlines_has_a_fingerprint_of_its_own(detector: Detector) -> None:
    own = detector._anatomy
    assert own is not None
    assert detector.anatomy_fingerprint == own.fingerprint != ""
    other = Anatomy(own.members, {}, {**own.manifest, "large_heart": {}})
    assert other.fingerprint != own.fingerprint
    assert detector.judged_by(0).anatomy_fingerprint == own.fingerprint
