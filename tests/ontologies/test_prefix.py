from __future__ import annotations

import pytest

from ontologies.prefix import canonical_curie, system_of, written_curie


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("umls:C0032285", "UMLS:C0032285"),
        ("UMLS_CUI:C0032285", "UMLS:C0032285"),
        ("SNOMEDCT_US:60046008", "SNOMEDCT:60046008"),
        ("SNOMEDCT_US_2025_09_01:60046008", "SNOMEDCT:60046008"),
        ("MSH:D010996", "MESH:D010996"),
        ("hp:0002202", "HP:0002202"),
        ("Orphanet:7", "ORPHA:7"),
        ("MIM:154700", "OMIM:154700"),
        ("ICD10CM:J18.9", "ICD10CM:J18.9"),
        ("ICD-10:J18", "ICD10:J18"),  # the international edition is another code system
        ("mondo:MONDO:0005249", "MONDO:0005249"),
        (" HP:0002202 ", "HP:0002202"),
        ("Fyler:4500", None),
        ("HP:", None),
        ("HP", None),
        ("HP:00 02", None),
        ("", None),
    ],
)
def test_canonical_curie(given: str, expected: str | None) -> None:
    assert canonical_curie(given) == expected


def test_system_of_is_stable() -> None:
    assert system_of("SNOMEDCT_US_2025") is None
    for system in ("HP", "UMLS", "SNOMEDCT", "ICD10CM", "OMIM", "ORPHA", "DECIPHER", "MONDO", "DOID", "MESH", "CHEST"):
        assert system_of(system) == system


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("hp:0002202", "HP:0002202"),
        ("HP_0002202", "HP:0002202"),
        ("http://purl.obolibrary.org/obo/HP_0002202", "HP:0002202"),
        ("<https://purl.obolibrary.org/obo/HP_0002202>", "HP:0002202"),
        ("HP:0002202 Pleural effusion", "HP:0002202"),
        ("[HP:0002202]", "HP:0002202"),
        ("HP: 0002202", "HP:0002202"),
        ("ICD10CM:J18.9", "ICD10CM:J18.9"),
        ("SNOMEDCT_US:60046008 |Pleural effusion|", "SNOMEDCT:60046008"),
        ("Pleural effusion", None),
        ("note: fever", None),
        ("", None),
    ],
)
def test_ids_in_any_usual_spelling(written: str, expected: str | None) -> None:
    assert written_curie(written) == expected
