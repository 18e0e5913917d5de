"""What is let in as a frontal chest film by header, look and outlines together."""

from __future__ import annotations

import numpy as np
import pytest

from vision.anatomy.outliner import Anatomy
from vision.detector import Detector
from vision.frontal import Frontal, without_frame
from vision.image import ImageInstance, load_image
from vision.phantom.radiograph import write_phantom
from vision.quality import IN_A_FRAME, admit, refusal


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return load_image(write_phantom(tmp_path_factory.mktemp("film") / "p.dcm")).pixels


def instance(pixels: np.ndarray) -> ImageInstance:
    return ImageInstance(sop_instance_uid="2.25.1", study_instance_uid="2.25.1", pixels=pixels.astype(np.float32))


def on_a_sheet(film: np.ndarray, shade: float) -> np.ndarray:
    """The film in the upper left corner of an even sheet."""
    sheet = np.full((film.shape[0] * 2, film.shape[1] * 2), shade, np.float32)
    sheet[: film.shape[0], : film.shape[1]] = film
    return sheet


@pytest.mark.parametrize("shade", [0.0, 1.0])
def test_even_borders_are_cut_and_nothing_else(film: np.ndarray, shade: float) -> None:
    inside = without_frame(on_a_sheet(film, shade))
    assert inside is not None
    assert abs(inside.shape[0] - film.shape[0]) < 0.1 * film.shape[0]
    assert abs(inside.shape[1] - film.shape[1]) < 0.1 * film.shape[1]
    assert without_frame(np.random.default_rng(0).random((90, 90)).astype(np.float32)) is None
    assert without_frame(np.full((90, 90), shade, np.float32)) is None


def test_a_film_on_a_white_sheet_is_read_and_said_to_be(film: np.ndarray, detector: Detector) -> None:
    framed = instance(on_a_sheet(film, 1.0))
    judged = admit([framed, instance(film)], Frontal.open(), Anatomy.open())
    assert [a.refused for a in judged] == [None, None]
    assert [a.framed for a in judged] == [True, False]
    seen = detector.detect(framed)
    assert seen.refused is None
    assert IN_A_FRAME in seen.warnings
    assert IN_A_FRAME not in detector.detect(instance(film)).warnings


def test_what_is_no_film_is_not_one_on_a_sheet_either(film: np.ndarray) -> None:
    pictures = [1 - film, np.rot90(film).copy(), film[:150, :150]]
    judged = admit([instance(on_a_sheet(p, 1.0)) for p in pictures], Frontal.open(), Anatomy.open())
    assert all(a.refused for a in judged)


def test_outlines_weigh_beside_the_look(film: np.ndarray) -> None:
    look = Frontal.open()
    probability = np.array([[0.9, 0.025, 0.025, 0.025, 0.025]] * 3)
    margins = look.margins(probability, np.array([0.2, 1.0, 5.0]))
    assert margins[0] > margins[1] > margins[2]
    assert look.reasons([film], [0.2]) == [None]


def test_header_and_grey_levels_are_asked_first(film: np.ndarray) -> None:
    blank = instance(np.zeros((64, 64)))
    (judged,) = admit([blank], Frontal.open(), Anatomy.open())
    assert judged.refused == refusal(blank) == "blank"
    assert judged.outlines is None
    assert admit([], Frontal.open(), Anatomy.open()) == []


def test_without_models_the_header_alone_decides(film: np.ndarray) -> None:
    assert [a.refused for a in admit([instance(1 - film)], None, None)] == [None]
    (judged,) = admit([instance(np.random.default_rng(1).random((99, 99)))], None, Anatomy.open())
    assert judged.refused == "not_a_chest_radiograph"
