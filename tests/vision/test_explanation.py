"""Heat maps by three methods and the figure that says whether to show them."""

from __future__ import annotations

import numpy as np
import pytest

from vision.detector import Detector
from vision.explanation import METHODS, Faithfulness, explain, faithfulness, heatmap
from vision.finding import LABELS
from vision.image import ImageInstance, load_image
from vision.phantom.radiograph import write_phantom


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> ImageInstance:
    return load_image(write_phantom(tmp_path_factory.mktemp("phantom") / "p.dcm"))


@pytest.mark.parametrize("method", METHODS)
def test_each_method_gives_a_map_in_the_unit_range(detector: Detector, phantom: ImageInstance, method: str) -> None:
    prepared = detector.prepare(phantom)
    first = heatmap(detector.members[0], prepared, LABELS.index("Consolidation"), method)  # type: ignore[arg-type]
    again = heatmap(detector.members[0], prepared, LABELS.index("Consolidation"), method)  # type: ignore[arg-type]
    assert first.shape == (prepared.shape[0] // 16,) * 2
    assert first.dtype == np.float32
    assert 0 == first.min() < first.max() == 1
    assert np.array_equal(first, again)


def test_methods_differ_and_gradients_leave_nothing_behind(detector: Detector, phantom: ImageInstance) -> None:
    prepared = detector.prepare(phantom)
    maps = [heatmap(detector.members[0], prepared, 2, method) for method in METHODS]
    assert not np.allclose(maps[0], maps[1])
    assert not np.allclose(maps[0], maps[2])
    assert all(p.grad is None for p in detector.members[0].parameters())


def test_the_best_map_is_faithful_and_its_negative_is_not(detector: Detector, phantom: ImageInstance) -> None:
    (found,) = explain(detector, phantom, ["Pneumonia"])
    f = found.faithfulness
    assert 0 <= f.deletion <= 1
    assert 0 <= f.insertion <= 1
    opposite = {"Pneumonia": 1 - found.heatmap}
    backwards = faithfulness(detector, detector.prepare(phantom), opposite)["Pneumonia"]
    assert (backwards.random_deletion, backwards.random_insertion) == (f.random_deletion, f.random_insertion)
    assert f.insertion > backwards.insertion
    assert f.deletion < backwards.deletion
    assert not backwards.passes


def test_passing_needs_both() -> None:
    def passes(deletion: float, insertion: float) -> bool:
        made = Faithfulness(deletion=deletion, insertion=insertion, random_deletion=0.5, random_insertion=0.5)
        return made.passes

    assert passes(0.4, 0.6)
    assert not passes(0.6, 0.6)
    assert not passes(0.4, 0.4)
    assert not passes(0.5, 0.5)
