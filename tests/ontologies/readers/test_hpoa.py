from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Concept, Relation, Term
from ontologies.readers import hpoa

HEADER = "#description: annotations\n#version: 2025-01-16\n" + "\t".join(hpoa.COLUMNS) + "\n"


def row(
    disease: str = "OMIM:1",
    name: str = "Disease one",
    qualifier: str = "",
    phenotype: str = "HP:0002202",
    reference: str = "PMID:7",
    frequency: str = "",
    aspect: str = "P",
) -> str:
    return "\t".join(
        [disease, name, qualifier, phenotype, reference, "PCS", "", frequency, "", "", aspect, "HPO:x[2020-01-01]"]
    )


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "phenotype.hpoa"
    path.write_text(header + "".join(f"{r}\n" for r in rows), encoding="utf-8")
    return path


def relations(path: Path) -> list[Relation]:
    return [s for s in hpoa.read(path) if isinstance(s, Relation)]


def test_a_row(tmp_path: Path) -> None:
    found = list(hpoa.read(write(tmp_path, row(frequency="3/4", reference="PMID:9;PMID:7"))))
    assert found == [
        Concept(curie="OMIM:1", name="Disease one"),
        Term(curie="OMIM:1", text="Disease one", kind="preferred", source="HPOA 2025-01-16"),
        Relation(
            subject="OMIM:1",
            predicate="has_phenotype",
            object="HP:0002202",
            source="HPOA 2025-01-16",
            frequency=0.75,
            reference="PMID:7;PMID:9",
            count=(3, 4),
        ),
    ]
    assert isinstance(found[0], Concept)
    assert found[0].semantic_types == ("Disease or Syndrome",)
    assert found[0].codes == {"OMIM": ("1",)}


@pytest.mark.parametrize(
    ("text", "share", "count"),
    [
        ("", None, None),
        ("1/2", 0.5, (1, 2)),
        ("0/5", 0.0, (0, 5)),
        ("12 / 48", 0.25, (12, 48)),
        ("45%", 0.45, None),
        ("2.5%", 0.025, None),
        ("HP:0040280", 1.0, None),
        ("HP:0040281", (0.80 + 0.99) / 2, None),
        ("HP:0040282", (0.30 + 0.79) / 2, None),
        ("HP:0040283", (0.05 + 0.29) / 2, None),
        ("HP:0040284", (0.01 + 0.04) / 2, None),
        ("HP:0040285", 0.0, None),
    ],
)
def test_frequencies(text: str, share: float | None, count: tuple[int, int] | None) -> None:
    found = hpoa.parse_frequency(text)
    assert found == (share if share is None else pytest.approx(share), count)


@pytest.mark.parametrize("text", ["often", "5/4", "0/0", "-1/2", "120%", "HP:0000001", "1/2/3", "0.5"])
def test_what_is_no_frequency(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        hpoa.parse_frequency(text)
    with pytest.raises(InputError, match=r"phenotype\.hpoa, line 5: not a frequency"):
        list(hpoa.read(write(tmp_path, row(), row(frequency=text))))


def test_not_and_excluded(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        row(qualifier="NOT"),
        row(phenotype="HP:0000002", frequency="HP:0040285"),
        row(phenotype="HP:0000003", frequency="0/9"),
        row(phenotype="HP:0000006", qualifier="NOT", aspect="I"),
    )
    assert [(r.predicate, r.object, r.frequency, r.count) for r in relations(path)] == [
        ("excludes_phenotype", "HP:0002202", None, None),
        ("excludes_phenotype", "HP:0000002", 0.0, None),
        ("has_phenotype", "HP:0000003", 0.0, (0, 9)),
    ]


@pytest.mark.parametrize("aspect", list("ICMH"))
def test_other_aspects_are_related(tmp_path: Path, aspect: str) -> None:
    (only,) = relations(write(tmp_path, row(phenotype="HP:0000006", aspect=aspect)))
    assert only.predicate == "related_to"


def test_a_disease_with_two_names(tmp_path: Path) -> None:
    found = list(hpoa.read(write(tmp_path, row(), row(name="Disease 1"), row(disease="ORPHA:2", name="Two"), row())))
    assert [s.curie for s in found if isinstance(s, Concept)] == ["OMIM:1", "ORPHA:2"]
    assert [(s.curie, s.text, s.kind) for s in found if isinstance(s, Term)] == [
        ("OMIM:1", "Disease one", "preferred"),
        ("OMIM:1", "Disease 1", "exact"),
        ("ORPHA:2", "Two", "preferred"),
    ]
    assert sum(isinstance(s, Relation) for s in found) == 4, "rows are kept; merge pools them"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a\tb", "line 4: 2 columns"),
        (row(disease="none"), "line 4: not an annotation"),
        (row(phenotype="HP:"), "line 4: not an annotation"),
        (row(name=""), "line 4: not an annotation"),
        (row(aspect="Q"), "line 4: not an aspect"),
        (row(qualifier="MAYBE"), "line 4: not an aspect or qualifier"),
    ],
)
def test_malformed_rows(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        list(hpoa.read(write(tmp_path, text)))
    assert f"phenotype.hpoa, {what}" in str(caught.value)


def test_no_header(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no HPOA header"):
        list(hpoa.read(write(tmp_path, row(), header="")))
    with pytest.raises(InputError, match="no HPOA header"):
        list(hpoa.read(write(tmp_path, header="#version: 1\n")))
    with pytest.raises(InputError, match="no such"):
        list(hpoa.read(tmp_path / "none"))
    (tmp_path / "bytes").write_bytes(b"\xff\xfd\x00" * 100)
    with pytest.raises(InputError, match="line 1: not UTF-8"):
        list(hpoa.read(tmp_path / "bytes"))
