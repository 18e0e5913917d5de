"""A piece of evidence has the sign that the curated tables alone would give it.

The rule knows neither graph nor score: a finding that most patients with a disease have, and few diseases show,
supports it; one that is as telling of other diseases, and that the tables do not give this one, does not; and a finding
that most patients have speaks against the disease when it is denied.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from fusion.evidence_search import Retrieved
from fusion.intake import Patient
from fusion.pipeline import Pipeline
from kg.annotations import AnnotationMatrix
from ontologies.chest import layer as chest

PAIRS = 200
MOST, FEW = 0.5, 0.05  # of a disease's patients; of the diseases
Pair = tuple[str, str]


@pytest.fixture(scope="module")
def pipeline(home: Path) -> Pipeline:
    return Pipeline.open(home)


@pytest.fixture(scope="module")
def pairs() -> dict[str, list[Pair]]:
    """(disease, finding) drawn from the tables: "typical", and "foreign" with a typical finding of another disease."""
    layer = chest.load()
    parent = {row.id: row.parent for row in (*layer.findings, *layer.diseases)}
    diseases = sorted(row.id for row in layer.diseases if row.commonness != "group")

    def above(finding: str) -> set[str]:
        found = set()
        while finding and finding not in found:
            found.add(finding)
            finding = parent.get(finding, "")
        return found

    shown: dict[str, set[str]] = defaultdict(set)
    for row in layer.annotations:
        if not row.excluded:
            shown[row.disease] |= above(row.finding)
    showing = {
        f: sum(f in own for own in shown.values()) / len(diseases) for f in {f for s in shown.values() for f in s}
    }
    telling = sorted(
        (row.disease, row.finding)
        for row in layer.annotations
        if not row.excluded and (row.frequency or 0) >= MOST and showing[row.finding] <= FEW
    )
    draw = random.Random(20261127)
    findings = sorted({finding for _, finding in telling})
    foreign = [
        (disease, finding)
        for disease, finding in zip(
            draw.choices(diseases, k=4 * PAIRS), draw.choices(findings, k=4 * PAIRS), strict=True
        )
        if not above(finding) & shown[disease] and finding != disease
    ]
    return {"typical": draw.sample(telling, PAIRS), "foreign": foreign[:PAIRS]}


def weight(pipeline: Pipeline, disease: str, finding: str, presence: str) -> float:
    """What the one finding of a patient weighs for the disease; 0 when it is no evidence."""
    known = {"present": (finding,)} if presence == "present" else {"present": (), "absent": (finding,)}
    case = pipeline.intake.gather(Patient(**known)).case
    curie = pipeline.graph.resolve(disease)
    listed = [(curie, pipeline.room.features(case, [curie])[0])]
    workup = pipeline.room.bare(case, listed)
    scores = pipeline.standing(workup).scores
    evidence = pipeline.scales.weigh(workup, Retrieved(cases=(), paper_branches={}, case_branches={}), [0], scores)[0]
    return sum(piece.weight for piece in evidence if piece.reference == pipeline.graph.resolve(finding))


def test_a_typical_finding_supports(pipeline: Pipeline, pairs: dict[str, list[Pair]]) -> None:
    wrong = [pair for pair in pairs["typical"] if not weight(pipeline, *pair, "present") > 0]
    assert wrong == []


def test_a_typical_finding_that_is_denied_speaks_against(pipeline: Pipeline, pairs: dict[str, list[Pair]]) -> None:
    wrong = [pair for pair in pairs["typical"] if not weight(pipeline, *pair, "absent") < 0]
    assert wrong == []


def test_another_diseases_finding_does_not_support(pipeline: Pipeline, pairs: dict[str, list[Pair]]) -> None:
    """But for a few that are a kind of something wide that the disease shows, which the tables do not say: blue feet
    are an abnormality of the skin."""
    room, graph = pipeline.room, pipeline.graph
    wrong = [pair for pair in pairs["foreign"] if weight(pipeline, *pair, "present") > 0]
    assert len(wrong) <= 0.02 * PAIRS
    for disease, finding in wrong:
        row = int(np.searchsorted(room.disease, graph.node(disease)))
        wider = [int(a) for a in graph.ancestor_nodes(graph.node(finding)) if graph.information[a] > 0]
        assert any(AnnotationMatrix.open(graph.path).frequency_of(row, a) > MOST for a in wider), (disease, finding)
