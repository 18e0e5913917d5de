"""The reader of the chest layer: what it says of a row, and the tables it refuses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from errors import InputError
from ontologies.chest import layer as chest
from ontologies.concept import Concept, Relation, Term

from ..merging.listing import merge

FILES = (
    "findings.tsv",
    "diseases.tsv",
    "disease_findings.tsv",
    "next_steps.tsv",
    "patient_findings.tsv",
    "portraits.tsv",
    "references.tsv",
)


def test_the_reader_says_what_a_row_says() -> None:
    said = list(chest.read())
    pneumonia = [s for s in said if isinstance(s, Concept) and s.curie == "CHEST:pneumonia"]
    assert [(c.name, c.semantic_types) for c in pneumonia] == [("Pneumonia", ("Disease or Syndrome", "Finding"))]
    assert pneumonia[0].codes["UMLS"] == ("C0032285",)
    xrefs = {
        s.object for s in said if isinstance(s, Relation) and s.predicate == "xref" and s.subject == "CHEST:pneumonia"
    }
    assert xrefs >= {"HP:0002090", "UMLS:C0032285", "SNOMEDCT:233604007", "ICD10CM:J18.9"}
    terms = {(t.text, t.kind) for t in said if isinstance(t, Term) and t.curie == "HP:0006510"}
    assert terms >= {("Chronic obstructive pulmonary disease", "preferred"), ("COPD", "abbreviation")}
    kerley = [
        s for s in said if isinstance(s, Relation) and (s.subject, s.object) == ("HP:0001635", "CHEST:kerley-b-lines")
    ]
    assert [(s.predicate, s.frequency, s.source) for s in kerley] == [("has_phenotype", 0.545, chest.SOURCE)]
    counted = [s for s in said if isinstance(s, Relation) and s.reference == "PMID:417585"]
    assert [(s.subject, s.frequency, s.count) for s in counted] == [("HP:0032262", 0.66, (66, 100))]
    excluded = [s for s in said if isinstance(s, Relation) and s.predicate == "excludes_phenotype"]
    assert excluded
    assert all(s.frequency is None for s in excluded)


def test_after_the_merge_each_row_is_one_concept_and_no_hierarchy_goes_round() -> None:
    merged = merge(chest.read())
    layer = chest.load()
    ids = {row.id for row in (*layer.findings, *layer.diseases)}
    assert len(merged.concepts) == len(ids) == len({merged.alias[curie] for curie in ids})
    assert merged.conflicts == ()
    names = {merged.alias[row.id]: row.name for row in (*layer.findings, *layer.diseases)}
    assert {concept.curie: concept.name for concept in merged.concepts} == names
    assert {r.predicate for r in merged.relations} == {"is_a", "has_phenotype", "excludes_phenotype"}


def test_steps_and_commonness_are_found_by_any_code() -> None:
    by_code = chest.next_steps(["UMLS:C5203670", "ICD10CM:U07.1", "OMIM:1"])
    assert by_code == chest.next_steps(["CHEST:covid-19"])
    assert [step.kind for step in by_code] == ["investigation", "treatment"]
    assert chest.next_steps([]) == chest.next_steps(["HP:0000118"]) == ()
    common = chest.commonness()
    assert common["UMLS:C0032285"] == common["HP:0002090"] == common["CHEST:pneumonia"] == "very common"
    assert common["CHEST:lower-respiratory-tract-infection"] == "group"


def test_a_citation_is_spelled_out() -> None:
    assert chest.citation("Berlin definition of ARDS 2012").endswith("ARDS Definition Task Force, 2012")
    assert chest.citation("PMID:417585") == "PMID:417585"


BAD = [
    ("findings.tsv", "^id\tname", "curie\tname", "line 1"),
    ("findings.tsv", r"^(HP:0100750\t[^\n]*)$", r"\1\textra", "11 columns"),
    ("findings.tsv", r"^HP:0100750\t", "HP 0100750\t", "column id"),
    ("findings.tsv", r"^HP:0100750\t", "HP:0001640\t", "column id"),
    ("findings.tsv", r"^(HP:0100750)\tAtelectasis\t", r"\1\t\t", "column name"),
    ("findings.tsv", "\timaging\t", "\tpicture\t", "column kind"),
    ("findings.tsv", "SNOMEDCT:46621007", "SNOMEDCT:8186001", "each code on one row"),
    ("findings.tsv", "SNOMEDCT:46621007", "SNOMEDCT", "column codes"),
    ("findings.tsv", r"\|lung collapse\|", "|lung collapse||", "column synonyms"),
    ("diseases.tsv", "\tvery common\t", "\tubiquitous\t", "column commonness"),
    ("diseases.tsv", "\tCHEST:lower-respiratory-tract-infection\t", "\tCHEST:nowhere\t", "column parent"),
    ("diseases.tsv", r"^HP:0002090\tPneumonia\t", "HP:0002090\tPneumonitis\t", "column name"),
    (
        "diseases.tsv",
        r"^(CHEST:lower-respiratory-tract-infection\t[^\t]*\t[^\t]*\t[^\t]*)\t\t",
        r"\1\tHP:0002090\t",
        "without circles",
    ),
    ("disease_findings.tsv", "\tHP:0040281\t", "\tHP:0040285\t", "column frequency"),
    ("disease_findings.tsv", "\tHP:0040281\t", "\toften\t", "column frequency"),
    ("disease_findings.tsv", "\tHP:0040281\t", "\t3/2\t", "column frequency"),
    ("disease_findings.tsv", "\tNOT\t", "\t\t", "column frequency"),
    ("disease_findings.tsv", "\tNOT\t", "\tnot\t", "column qualifier"),
    ("disease_findings.tsv", r"\tHP:0100750\tAtelectasis\t", "\tHP:9999999\tAtelectasis\t", "column hpo_id"),
    ("disease_findings.tsv", r"\tHP:0100750\tAtelectasis\t", "\tHP:0100750\tCollapse\t", "column finding_name"),
    ("disease_findings.tsv", r"^(HP:0002090\tPneumonia\t\t[^\n]*\n)", r"\1\1", "given twice"),
    (
        "disease_findings.tsv",
        r"^(HP:0002097\tEmphysema\t\t)[^\t]*\t[^\t]*\t",
        r"\1HP:0002097\tEmphysema\t",
        "disease itself",
    ),
    ("disease_findings.tsv", "PMID:417585", "PMID:x", "column reference"),
    ("disease_findings.tsv", "\tWHYDX:editorial", "\tP\tWHYDX:editorial", "columns"),
    ("next_steps.tsv", "\tinvestigation\t", "\ttest\t", "column kind"),
    ("next_steps.tsv", "\tGOLD report 2024$", "\tGOLD report\n", "column reference"),
    ("references.tsv", "\t2012\t", "\tMMXII\t", "column year"),
]


@pytest.mark.parametrize(("file", "pattern", "replacement", "says"), BAD)
def test_a_bad_table_is_refused_by_file_line_and_column(
    tmp_path: Path, file: str, pattern: str, replacement: str, says: str
) -> None:
    for name in FILES:
        shutil.copy(chest.DATA / name, tmp_path / name)
    text, changed = re.subn(pattern, replacement, (tmp_path / file).read_text(), count=1, flags=re.M)
    assert changed == 1
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError) as error:
        list(chest.read(tmp_path))
    assert says in str(error.value)
    assert f"{tmp_path / file}, line " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_cut_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such table"):
        list(chest.read(tmp_path))
    for name in FILES:
        shutil.copy(chest.DATA / name, tmp_path / name)
    assert list(chest.read(tmp_path)) == list(chest.read())
    path = tmp_path / "diseases.tsv"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="cut short"):
        list(chest.read(tmp_path))
    path.write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="UTF-8"):
        list(chest.read(tmp_path))
