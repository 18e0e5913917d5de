"""Training images as cases, as the detector judges them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from fusion.prior import NORMAL
from fusion.training.curriculum import Curriculum
from fusion.training.imaged_cases import imaged_cases, separations
from kg.graph import KnowledgeGraph
from vision import training_cases
from vision.detector import Detector
from vision.finding import LABEL_CURIES


def test_what_the_detector_does_not_assess_is_not_observed(home: Path) -> None:
    graph, bank, detector = KnowledgeGraph.open(home / "graph"), training_cases.read(), Detector.open()
    cases, _ = imaged_cases(graph, bank, True, detector)
    asks = cast(Curriculum, SimpleNamespace(simulator=SimpleNamespace(imaging=separations(graph, bank))))
    labels = {graph.resolve(curie) for curie in LABEL_CURIES.values()}
    for image in cases[:50]:
        case = Curriculum._image_case(asks, image)
        observed = {o.curie for o in case.observed}
        assert observed == {o.curie for o in image.detected.values()}
        assert NORMAL in observed <= labels | {NORMAL}
        assert all(o.presence != "not assessed" for o in case.observed)
