"""Real reports as cases: the diagnosis is known and no longer in the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion.training.report_cases import MOST_OF_A_DISEASE, report_cases
from fusion.workup import WorkupRoom
from ontologies.concept import Concept, Term
from ontologies.linking.linker import Linker
from retrieval.openi import Report

from ..conftest import DISEASES, FINDINGS


@pytest.fixture(scope="module")
def linker(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    names = {**FINDINGS, **DISEASES}
    concepts = [Concept(curie=c, name=n, semantic_types=(), codes={}) for c, n in names.items()]
    terms = [Term(curie=c, text=n, kind="preferred") for c, n in names.items()]
    path: Path = tmp_path_factory.mktemp("reports") / "linker"
    Linker.build(concepts, terms, path)
    return Linker.open(path)


def report(*mesh: str, indication: str = "XXXX-year-old with fever", findings: str, number: int = 1) -> Report:
    return Report(
        report_id=f"CXR{number}",
        indication=indication,
        findings=findings,
        impression="Tuberculosis.",
        mesh=mesh,
        automatic=(),
    )


def test_the_diagnosis_is_known_and_not_said(room: WorkupRoom, linker: Linker) -> None:
    said = "Right pleural effusion, heart failure; TUBERCULOSIS in 1999. Cardiomegaly."
    reports = [
        report("Heart Failure/mild", "Tuberculosis", "Opacity/lung", findings=said),
        report("normal", findings="Clear lungs."),
        report("Pneumonia", indication="", findings="Pneumonia", number=3),
        report("Pneumonia", indication="XXXX", findings="", number=4),
    ]
    (case,) = report_cases(reports, room.graph, linker, tuple(DISEASES))
    assert case.case_id == "openi:CXR1"
    assert case.diagnoses == {"OMIM:2", "OMIM:3"}
    assert case.note == "-year-old with fever Right pleural effusion, ; in 1999. Cardiomegaly."


def test_a_common_disease_does_not_crowd_out_the_others(room: WorkupRoom, linker: Linker) -> None:
    reports = [report("Pneumonia", findings="Consolidation.", number=i) for i in range(MOST_OF_A_DISEASE + 5)]
    reports.append(report("Heart Failure", findings="Cardiomegaly.", number=999))
    found = list(report_cases(reports, room.graph, linker, tuple(DISEASES)))
    assert len(found) == MOST_OF_A_DISEASE + 1
    assert found[-1].diagnoses == {"OMIM:2"}
    assert not list(report_cases(reports, room.graph, linker, ["OMIM:3"]))
