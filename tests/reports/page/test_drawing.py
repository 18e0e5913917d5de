"""Paths as one graph: every concept once, no box on another, arrows as the edges are stated."""

from __future__ import annotations

from itertools import combinations

from fusion.diagnosis import Diagnosis, Evidence
from kg.triple import KGPath, Triple
from ontologies.concept import Concept
from reports.page.drawing import BOX_WIDTH, drawing


def step(subject: str, predicate: str, target: str, frequency: float | None = None) -> Triple:
    return Triple(
        subject=f"X:{subject}",
        predicate=predicate,
        object=f"X:{target}",
        subject_name=subject,
        object_name=target,
        source="test",
        frequency=frequency,
    )


def piece(weight: float, *steps: tuple[Triple, bool]) -> Evidence:
    path = KGPath(triples=tuple(t for t, _ in steps), inverted=tuple(i for _, i in steps), score=0.0, text=str(steps))
    stance = "supports" if weight > 0 else "contradicts"
    return Evidence(kind="kg_path", reference=path.text, text=path.text, stance=stance, weight=weight, path=path)


SHOWS = (step("disease", "has_phenotype", "fever", 0.9), True)
DIAGNOSIS = Diagnosis(
    concept=Concept(curie="X:disease", name="disease"),
    probability=0.5,
    rank=1,
    score=0.0,
    evidence=(
        piece(0.2, (step("cough", "is_a", "sign"), False), (step("disease", "has_phenotype", "sign"), True)),
        piece(1.0, SHOWS),
        piece(-0.4, (step("rash", "is_a", "sign"), False), (step("disease", "has_phenotype", "sign"), True)),
    ),
)


def test_every_concept_stands_once_and_none_on_another() -> None:
    drawn = drawing(DIAGNOSIS)
    assert drawn is not None
    named = {box.lines[0][1]: box for box in drawn.boxes}
    assert sorted(named) == ["cough", "disease", "fever", "rash", "sign"]
    assert len(drawn.boxes) == 5
    for one, other in combinations(drawn.boxes, 2):
        assert one.x != other.x or one.y + one.height <= other.y or other.y + other.height <= one.y
    assert all(box.x + BOX_WIDTH <= drawn.width and box.y + box.height <= drawn.height for box in drawn.boxes)
    assert named["cough"].x < named["sign"].x < named["disease"].x
    assert named["fever"].x == named["sign"].x  # one step away, both
    assert [line for _, line in named["fever"].lines] == ["fever", "+1.00"]


def test_an_edge_that_two_paths_go_over_is_drawn_once_by_the_heavier() -> None:
    drawn = drawing(DIAGNOSIS)
    assert drawn is not None
    assert len(drawn.edges) == 4
    shared = [e for e in drawn.edges if e.label == "has phenotype"]
    assert [e.stance for e in shared] == ["against"]
    by_label = {e.label: e for e in drawn.edges}
    assert by_label["has phenotype, in 90 %"].width > shared[0].width


def test_an_arrow_points_as_the_edge_is_stated() -> None:
    drawn = drawing(DIAGNOSIS)
    assert drawn is not None
    for edge in drawn.edges:
        tip, back, _ = [float(corner.split(",")[0]) for corner in edge.arrow.split()]
        assert (tip < back) == edge.label.startswith("has phenotype")  # it is stated of the disease, on the right


def test_a_diagnosis_without_a_path_has_no_drawing() -> None:
    bare = Diagnosis(concept=DIAGNOSIS.concept, probability=0.5, rank=1, score=0.0)
    assert drawing(bare) is None
