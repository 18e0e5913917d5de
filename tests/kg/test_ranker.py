"""The ranker's formula, its weights, and what it ranks by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from errors import ArtifactError
from kg.graph import KnowledgeGraph
from kg.likelihood import LikelihoodModel, Observation
from kg.profile import REPORTING_FEATURES
from kg.ranker import (
    CLIP,
    PACKAGED_WEIGHTS,
    POPULATION_FEATURES,
    Ranker,
    RankerWeights,
    load,
    read_card,
    save,
    write_calibration,
)


def random_weights(features: int, members: int = 2, hidden: int = 3) -> RankerWeights:
    rng = np.random.default_rng(0)
    shapes = [(features,), (features,), (members, features), (members, features, hidden)] + [(members, hidden)] * 2
    mean, spread, direct, inner, bias, outer = (rng.normal(size=s).astype(np.float32) for s in shapes)
    return RankerWeights(mean, np.abs(spread) + 0.1, direct, inner, bias, outer)


def test_the_formula() -> None:
    weights = random_weights(4)
    features = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32) * 20
    z = np.clip((features - weights.mean) / weights.spread, -CLIP, CLIP)
    expected = np.zeros(5)
    for m in range(2):
        inner = z @ weights.inner[m] + weights.bias[m]
        expected += (z @ weights.direct[m] + (inner / (1 + np.exp(-inner))) @ weights.outer[m]) / 2
    np.testing.assert_allclose(weights.scores(features), expected, rtol=1e-4)
    assert weights.scores(np.zeros((0, 4), np.float32)).shape == (0,)


def test_only_published_patients_are_ranked_by_reporting() -> None:
    assert set(REPORTING_FEATURES) <= set(POPULATION_FEATURES["published"])
    assert not set(REPORTING_FEATURES) & set(POPULATION_FEATURES["patient"])


@pytest.mark.parametrize("population", ["patient", "published"])
def test_shipped_weights_rank_the_fitting_disease_first(small_graph: KnowledgeGraph, population: str) -> None:
    likelihood = LikelihoodModel(small_graph)
    ranker = Ranker(likelihood, population)  # type: ignore[arg-type]
    seen = (Observation(curie="HP:7"),)
    rows = ranker.pool(seen)
    assert sorted(rows.tolist()) == list(range(len(likelihood.annotations.disease)))
    best = int(rows[np.argmax(ranker.scores(seen, rows))])
    assert small_graph.curie(int(likelihood.annotations.disease[best])) == "OMIM:1"


def test_weights_return_from_disk(tmp_path: Path) -> None:
    weights = random_weights(len(POPULATION_FEATURES["patient"]))
    save(tmp_path, "patient", weights, {"command": "test"})
    back = load("patient", tmp_path)
    for name in RankerWeights.__slots__:
        np.testing.assert_array_equal(getattr(back, name), getattr(weights, name))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    for path in PACKAGED_WEIGHTS.glob("ranker-patient.*"):
        shutil.copy(path, tmp_path)
    card = tmp_path / "ranker-patient.json"
    text = card.read_text()
    card.write_text(json.dumps(json.loads(text) | {"features": ["match"]}))
    with pytest.raises(ArtifactError, match="do not match their card"):
        load("patient", tmp_path)
    card.write_text(text)
    weights = tmp_path / "ranker-patient.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(ArtifactError, match="ranker"):
        load("patient", tmp_path)
    weights.unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        load("patient", tmp_path)


def test_a_new_calibration_leaves_the_rest_of_the_card(tmp_path: Path) -> None:
    save(tmp_path, "patient", random_weights(len(POPULATION_FEATURES["patient"])), {"command": "test"})
    before = read_card("patient", tmp_path)
    write_calibration(tmp_path, "patient", {"temperature": 2.0})
    assert read_card("patient", tmp_path) == before | {"calibration": {"temperature": 2.0}}
    load("patient", tmp_path)
    (tmp_path / "ranker-patient.json").write_text("[]")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_card("patient", tmp_path)
