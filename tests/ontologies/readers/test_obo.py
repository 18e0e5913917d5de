from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.readers import obo

SAMPLE = """format-version: 1.2
data-version: hp/releases/2025-01-16
synonymtypedef: layperson "layperson term"
synonymtypedef: abbreviation "abbreviation"
synonymtypedef: uk_spelling "UK spelling"
synonymtypedef: obsolete_synonym "obsolete"
ontology: hp.obo

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001 ! All

[Term]
id: HP:0012823
name: Clinical modifier
is_a: HP:0000001 ! All

[Term]
id: HP:0002202
name: Pleural effusion
alt_id: HP:0002114
def: "Too much fluid in the \\"pleural\\" cavity." [PMID:1]
synonym: "Fluid around lungs" EXACT layperson []
synonym: "PLEFF" EXACT abbreviation []
synonym: "Pleural oedema" EXACT uk_spelling []
synonym: "Old name" EXACT obsolete_synonym []
synonym: "Fluid in the chest" BROAD layperson []
synonym: "Hydrothorax" RELATED []
synonym: "Parapneumonic effusion" NARROW []
xref: SNOMEDCT_US:60046008
xref: UMLS:C0032227 "Pleural effusion"
xref: MSH:D010996
xref: Fyler:4500
is_a: HP:0000118 {source="x"} ! Phenotypic abnormality
is_a: HP:0000009 ! gone

[Term]
id: HP:0000009
name: obsolete Something
is_obsolete: true
replaced_by: HP:0002202

[Term]
id: HP:0000010
name: obsolete Other
is_obsolete: true

[Typedef]
id: has_part
name: has part
"""


def write(folder: Path, text: str, name: str = "sample.obo") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def concepts(statements: list[Statement]) -> dict[str, Concept]:
    return {s.curie: s for s in statements if isinstance(s, Concept)}


def test_a_term_with_everything(tmp_path: Path) -> None:
    found = list(obo.read(write(tmp_path, SAMPLE)))
    effusion = concepts(found)["HP:0002202"]
    assert effusion.name == "Pleural effusion"
    assert effusion.definition == 'Too much fluid in the "pleural" cavity.'
    assert effusion.semantic_types == ("Finding",)
    assert effusion.codes == {"HP": ("0002202",)}

    source = "HPO 2025-01-16"
    assert [s for s in found if isinstance(s, Term) and s.curie == "HP:0002202"] == [
        Term(curie="HP:0002202", text=text, kind=kind, source=source)  # type: ignore[arg-type]
        for text, kind in [
            ("Pleural effusion", "preferred"),
            ("Fluid around lungs", "layperson"),
            ("PLEFF", "abbreviation"),
            ("Pleural oedema", "exact"),
            ("Fluid in the chest", "broad"),
            ("Hydrothorax", "related"),
            ("Parapneumonic effusion", "narrow"),
        ]
    ]
    assert {(r.subject, r.predicate, r.object) for r in found if isinstance(r, Relation)} == {
        ("HP:0000118", "is_a", "HP:0000001"),
        ("HP:0012823", "is_a", "HP:0000001"),
        ("HP:0002202", "is_a", "HP:0000118"),
        ("HP:0002202", "xref", "SNOMEDCT:60046008"),
        ("HP:0002202", "xref", "UMLS:C0032227"),
        ("HP:0002202", "xref", "MESH:D010996"),
        ("HP:0002114", "alias", "HP:0002202"),
        ("HP:0000009", "alias", "HP:0002202"),
    }
    assert {r.source for r in found if isinstance(r, Relation)} == {source}


def test_only_phenotypic_abnormalities_are_findings(tmp_path: Path) -> None:
    found = concepts(list(obo.read(write(tmp_path, SAMPLE))))
    assert {curie for curie, c in found.items() if c.semantic_types == ("Finding",)} == {"HP:0000118", "HP:0002202"}
    assert found["HP:0012823"].semantic_types == ("Qualitative Concept",)
    assert "HP:0000009" not in found, "obsolete"


def test_disease_ontology_prefixes(tmp_path: Path) -> None:
    text = (
        "format-version: 1.2\nontology: doid/subsets/slim\n\n[Term]\nid: DOID:552\nname: pneumonia\n"
        "xref: UMLS_CUI:C0032285\nxref: SNOMEDCT_US_2025_09_01:233604007\nxref: MIM:123\nxref: ORDO:7\n"
        "xref: ICD10CM:J18\n"
    )
    found = list(obo.read(write(tmp_path, text)))
    assert concepts(found)["DOID:552"].semantic_types == ("Disease or Syndrome",)
    assert [s.object for s in found if isinstance(s, Relation)] == [
        "UMLS:C0032285",
        "SNOMEDCT:233604007",
        "OMIM:123",
        "ORPHA:7",
        "ICD10CM:J18",
    ]
    assert all(s.source == "slim" for s in found if not isinstance(s, Concept))


def test_an_ontology_of_ones_own(tmp_path: Path) -> None:
    text = "format-version: 1.2\n\n[Term]\nid: LOCAL:1\nname: our finding\nxref: HP:0002202\n"
    found = list(obo.read(write(tmp_path, text, "ours.obo")))
    assert found[0] == Concept(curie="LOCAL:1", name="our finding")
    assert isinstance(found[0], Concept)
    assert found[0].semantic_types == ()
    assert isinstance(found[2], Relation)
    assert (found[2].object, found[2].source) == ("HP:0002202", "ours")


def test_no_terms_at_all(tmp_path: Path) -> None:
    assert list(obo.read(write(tmp_path, "format-version: 1.2\n"))) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("format-version: 1.2\n\n[Term]\nid: X:1\nname: a\n\n[Term]\nid: X:2\nname without colon\n", 9),
        ('format-version: 1.2\n\n[Term]\nid: X:1\nname: a\nsynonym: "b" SIMILAR []\n', 6),
        ("this is a text file\nwith two lines\n", 1),
    ],
)
def test_malformed(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(InputError) as caught:
        list(obo.read(write(tmp_path, text)))
    assert f"sample.obo, line {line}:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_binary(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such"):
        list(obo.read(tmp_path / "none.obo"))
    (tmp_path / "image.obo").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(InputError):
        list(obo.read(tmp_path / "image.obo"))


def test_disease_ontology_radiology_slim(shared_data: Path) -> None:
    found = list(obo.read(shared_data / "doid" / "DO_RAD_slim.obo"))
    assert len(concepts(found)) == 81
    assert concepts(found)["DOID:1579"].name == "respiratory system disease"
    assert sum(isinstance(s, Relation) and s.predicate == "is_a" for s in found) == 80
    assert sum(isinstance(s, Relation) and s.object.startswith("UMLS:") for s in found) == 115


def test_escapes_comments_and_qualifiers(tmp_path: Path) -> None:
    text = (
        "\ufeffformat-version: 1.2\r\n! a comment\r\nontology: ours ! more\r\n\r\n"
        "[Term] ! stanza\r\n"
        'id: LOCAL:1 {source="x"} ! one\r\n'
        'name: \\"so called\\" {finding\\} {key="v"} ! said twice\r\n'
        'def: "First\\nsecond, \\\\ and \\"quoted\\"." [PMID:1, url:http\\://x]\r\n'
        'synonym: "no scope" []\r\n'
        'synonym: "typed" EXACT abbreviation [PMID:1] {a="b"}\r\n'
        'synonym: "odd type" EXACT HP:0034334 []\r\n'
        'synonym: "" EXACT []\r\n'
        'xref: UMLS\\:C1 "described" {a="b"}\r\n'
        "unknown_tag: whatever\r\n"
    )
    path = tmp_path / "sample.obo"
    path.write_bytes(text.encode())
    found = list(obo.read(path))
    only = concepts(found)["LOCAL:1"]
    assert only.name == '"so called" {finding}'
    assert only.definition == 'First\nsecond, \\ and "quoted".'
    assert [(s.text, s.kind) for s in found if isinstance(s, Term)][1:] == [
        ("no scope", "related"),
        ("typed", "abbreviation"),
        ("odd type", "exact"),
    ]
    assert [(s.object, s.source) for s in found if isinstance(s, Relation)] == [("UMLS:C1", "ours")]


@pytest.mark.parametrize(
    "line",
    [
        "name",
        "name:",
        ": x",
        'synonym: "open EXACT []',
        "synonym: bare EXACT []",
        "def: bare",
        "[Term",
        "na me: x",
        "\xff",
    ],
)
def test_malformed_lines_of_a_term(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sample.obo"
    path.write_bytes(f"format-version: 1.2\n\n[Term]\nid: X:1\n{line}\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"sample\.obo, line 5: not (valid OBO|UTF-8)"):
        list(obo.read(path))


@pytest.mark.parametrize("first", ["name: a", "id: X", "id: X:", "id: :1", "id: a\\Wb:1", "id: !"])
def test_terms_without_a_proper_id(tmp_path: Path, first: str) -> None:
    path = write(tmp_path, f"format-version: 1.2\n\n[Term]\n{first}\nname: a\n")
    try:
        assert list(obo.read(path)) == []
    except InputError as error:
        assert "sample.obo, line 4:" in str(error)  # noqa: PT017 (either is right; silence with a statement is not)
