"""Counted frequencies are set beside the curated ones of the same disease and finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chest.frequencies import compare, summary
from errors import InputError
from kg.graph import KnowledgeGraph
from ontologies.linking.linker import Linker


def row(condition: str, icd10: str, question: str, fraction: str, **more: str) -> dict[str, str]:
    own = {"condition": condition, "icd10": icd10, "question": question, "fraction": fraction}
    return {"chest": "True", "value": "", "antecedent": "False", "patients": "50"} | own | more


def test_counted_beside_curated(home: Path) -> None:
    rows = [
        row("Pulmonary embolism", "I26", "Do you have a cough?", "0.25"),
        row("Pulmonary embolism", "I26", "Did you cough?", "0.99"),  # said before
        row("Possible clot / pulmonary embolism", "", "Did you cough up blood?", "0.5"),
        row("Pulmonary embolism", "I26", "Do you have a cough?", "0.4", value="dry"),  # no share of patients
        row("Pulmonary embolism", "I26", "Do you have a fever?", "0.4", chest="False"),
        row("Green lung", "Z99.99", "Do you have a cough?", "0.9"),
    ]
    pairs, unknown = compare(rows, KnowledgeGraph.open(home / "graph"), Linker.open(home / "linker"))
    assert unknown == ["Green lung"]
    assert [(p.disease, p.finding, p.counted) for p in pairs] == [
        ("Pulmonary embolism", "Cough", 0.25),
        ("Pulmonary embolism", "Hemoptysis", 0.5),
    ]
    assert all(0 < p.curated < 1 for p in pairs)
    with pytest.raises(InputError):
        summary(pairs)
