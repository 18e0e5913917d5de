from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Concept, Term
from ontologies.readers import snomed_dicom

TABLE = """# Auto-generated
concepts = {}
concepts["DCM"] = {"Median": {"110000": ("Median", [2])}}
concepts["SCT"] = {
    "Lung": {"39607008": ("Lung", [4031, 7192])},
    "PleuralEffusion": {"60046008": ("Pleural effusion", [645, 8134])},
    "Boxer": {"42250005": ("Boxer", [7480])},
    "Odd": {"T-28000": ("SRT code", [])},
}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "concepts.py.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_concepts_by_code(tmp_path: Path) -> None:
    found = list(snomed_dicom.read(write(tmp_path, TABLE)))
    assert [(s.curie, s.name, s.semantic_types) for s in found if isinstance(s, Concept)] == [
        ("SNOMEDCT:39607008", "Lung", ("Body Part, Organ, or Organ Component",)),
        ("SNOMEDCT:60046008", "Pleural effusion", ()),
    ]
    assert [(s.curie, s.text, s.kind) for s in found if isinstance(s, Term)] == [
        ("SNOMEDCT:39607008", "Lung", "preferred"),
        ("SNOMEDCT:60046008", "Pleural effusion", "preferred"),
    ]


def test_the_table_is_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    run = f"__import__('pathlib').Path({str(marker)!r}).write_text('ran')"
    list(snomed_dicom.read(write(tmp_path, f"{run}\n{TABLE}\n{run}\n")))
    with pytest.raises(InputError, match="not a code table"):
        list(snomed_dicom.read(write(tmp_path, f'concepts["SCT"] = {run}\n')))
    assert not marker.exists()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("concepts = {", "not a code table"),
        ("\0", "not a code table"),
        ("concepts = {}", "no SNOMED CT table"),
        ('concepts["SCT"] = {"Lung": 3}', "not a code table"),
        ('concepts["SCT"] = {"Lung": {"39607008": "Lung"}}', "not a code table"),
        ('concepts["SCT"] = [1]', "not a code table"),
    ],
)
def test_malformed(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        list(snomed_dicom.read(write(tmp_path, text)))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such"):
        list(snomed_dicom.read(tmp_path / "none"))
