"""Simulated patients are like their disease."""

from __future__ import annotations

import numpy as np

from fusion.training.simulator import PatientSimulator
from fusion.workup import WorkupRoom
from kg.annotations import AnnotationMatrix


def simulator_of(room: WorkupRoom, imaging: dict[int, np.ndarray] | None = None) -> PatientSimulator:
    return PatientSimulator(room.graph, AnnotationMatrix.open(room.graph.path), imaging)


def test_simulated_patients_show_findings_as_often_as_annotated(room: WorkupRoom) -> None:
    simulator = simulator_of(room)
    row = int(np.flatnonzero(room.disease == room.graph.node("OMIM:2"))[0])
    drawn = [simulator.draw(row, np.random.default_rng(i), others=np.array([row])) for i in range(400)]
    share = np.mean([any(o.curie == "HP:4" and o.presence == "present" for o in c.observed) for c in drawn])
    # .6 by annotation; more by noise (from this disease only, here) and because a patient shows something
    assert 0.6 < share < 0.85


def test_the_same_seed_draws_the_same_patient(room: WorkupRoom) -> None:
    simulator = simulator_of(room)
    one, other = (simulator.draw(0, np.random.default_rng(5)) for _ in range(2))
    assert one == other


def test_a_detectors_words_follow_its_odds(room: WorkupRoom) -> None:
    node = room.graph.node("HP:3")
    regions = np.ones((2, 8), np.float32)
    simulator = simulator_of(room, {node: regions})
    shown = [simulator.detect(node, True, np.random.default_rng(i)) for i in range(300)]
    hidden = [simulator.detect(node, False, np.random.default_rng(i)) for i in range(300)]
    pairs = [(a.odds_ratio or 0) > (b.odds_ratio or 0) for a in shown for b in hidden]
    assert 0.75 < np.mean(pairs) < 0.85, "AUROC of the simulated detector"
    for o in shown + hidden:
        assert (o.presence == "present") == ((o.odds_ratio or 0) > np.e)
        assert (o.region is not None) == (o.presence == "present")
