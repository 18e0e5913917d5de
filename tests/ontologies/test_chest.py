"""The chest layer: its tables agree, the reader refuses bad ones, and every code and PMID is in a source."""

from __future__ import annotations

import bisect
import csv
import gzip
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from errors import InputError, SourceError
from ontologies import chest, obo
from ontologies.chest import ChestConcept
from ontologies.concept import Concept, Relation, Term
from ontologies.sources import fetch, member_path
from vision.finding import LABEL_CURIES, LABELS

from .listing import merge

CHEXPERT = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Lesion",
    "Lung Opacity",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
VINDR = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung cavity",
    "Lung cyst",
    "Lung Opacity",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pulmonary fibrosis",
    "Pneumothorax",
    "Pleural thickening",
    "Pleural effusion",
    "Rib fracture",
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
    "No finding",
)
_NOT_TELLING = {
    *("acute", "chronic", "disease", "disorder", "lung", "other", "pulmonary", "specified", "syndrome", "unspecified"),
    "with",
}
FILES = ("findings.tsv", "diseases.tsv", "disease_findings.tsv", "next_steps.tsv", "references.tsv")


# The packaged tables, by themselves


def test_the_layer_is_as_large_as_promised() -> None:
    layer = chest.load()
    diseases = [row for row in layer.diseases if row.commonness != "group"]
    assert len(diseases) >= 80
    assert len(layer.findings) >= 100
    shown = Counter(a.disease for a in layer.annotations if not a.excluded)
    assert {row.name for row in diseases if shown[row.id] < 8} == set()
    assert {a.disease for a in layer.annotations} == {row.id for row in diseases}
    for kind in ("investigation", "treatment"):
        assert {step.disease for step in layer.steps if step.kind == kind} == {row.id for row in diseases}


def test_the_knowledge_card_tells_the_numbers() -> None:
    card = (chest.DATA.parents[1] / "docs" / "knowledge-card.md").read_text(encoding="utf-8")
    told = {what: int(number) for what, number in re.findall(r"^\| ([^|]+) \| (\d+) \|$", card, flags=re.M)}
    assert told == chest.counts()
    assert f"version {chest.VERSION}" in card


def test_the_detector_labels_are_concepts_of_the_layer() -> None:
    assert chest.label_concepts() == LABEL_CURIES
    assert tuple(chest.label_concepts()) == LABELS
    assert sorted(LABELS) == list(LABELS)
    assert len(set(LABEL_CURIES.values())) == len(LABELS) == 14


@pytest.mark.parametrize(("data_set", "labels"), [("CheXpert", CHEXPERT), ("VinDr", VINDR)])
def test_the_labels_of_other_data_sets_each_have_one_concept(data_set: str, labels: tuple[str, ...]) -> None:
    layer = chest.load()
    found: dict[str, set[str]] = {}
    for row in (*layer.findings, *layer.diseases):
        for label in row.other_labels:
            if label.startswith(f"{data_set}:"):
                found.setdefault(label.partition(":")[2], set()).add(row.id)
    assert sorted(found) == sorted(labels)
    assert {label for label, ids in found.items() if len(ids) != 1} == set()


def test_a_name_means_one_concept() -> None:
    owner: dict[str, str] = {}
    layer = chest.load()
    for row in (*layer.findings, *layer.diseases):
        for name in (row.name, *row.synonyms, *row.narrower):
            assert owner.setdefault(_plain(name), row.id) == row.id, name


def test_a_normal_image_has_an_answer() -> None:
    said = [a for a in chest.load().annotations if a.disease == "CHEST:normal-chest-radiograph"]
    assert {a.finding for a in said if a.excluded} >= set(LABEL_CURIES.values())
    assert not {a.finding for a in said if not a.excluded} & set(LABEL_CURIES.values())


def test_what_is_more_special_is_not_more_frequent_nor_excluded() -> None:
    layer = chest.load()
    above = _above(layer)
    said = {(a.disease, a.finding): a for a in layer.annotations}
    for (disease, finding), annotation in said.items():
        for parent in above(finding) - {finding}:
            wider = said.get((disease, parent))
            if annotation.excluded or wider is None:
                continue
            assert not wider.excluded, (disease, finding, parent)
            assert wider.count or annotation.count or _band(wider) >= _band(annotation), (disease, finding, parent)


def test_textbook_presentations_rank_their_disease_among_the_first_three() -> None:
    """A Bayes rule over the tables alone: frequencies, commonness, 1 % for what is not annotated. The vignettes are
    by the same hand as the tables: they notice a slip of a row, they do not validate the layer."""
    layer = chest.load()
    above = _above(layer)
    prior = {"very common": 8.0, "common": 4.0, "uncommon": 1.0, "rare": 0.25}
    share: dict[str, dict[str, float]] = {}
    names = {row.name: row.id for row in (*layer.diseases, *layer.findings)}
    for row in layer.diseases:
        if row.commonness != "group":
            share[row.id] = dict.fromkeys(above(row.id), 0.95)
    for a in layer.annotations:
        for finding in above(a.finding) if not a.excluded else ():
            share[a.disease][finding] = max(share[a.disease].get(finding, 0.0), a.frequency or 0.0)
    common = chest.commonness()
    vignettes = _table(Path(__file__).with_name("chest_vignettes.tsv"))
    assert len(vignettes) >= 90
    for vignette in vignettes:
        seen = [names[name] for name in vignette["findings"].split("|")]
        score = {d: prior[common[d]] * math.prod(shown.get(f, 0.01) for f in seen) for d, shown in share.items()}
        first = sorted(score, key=lambda d: (-score[d], d))[:3]
        assert any(names[vignette["disease"]] in above(d) for d in first), (vignette, first)


def test_every_reference_is_used_and_dated() -> None:
    layer = chest.load()
    rows = (*layer.findings, *layer.diseases, *layer.annotations, *layer.steps)
    assert {row.reference for row in rows if not row.reference.startswith("PMID:")} == set(layer.references)
    assert all(re.search(r", (19|20)\d\d$", text) for text in layer.references.values())


def test_a_counted_frequency_cites_a_paper_and_a_band_may_cite_a_guideline() -> None:
    rows = _table(chest.DATA / "disease_findings.tsv")
    counted = [row for row in rows if row["frequency"] and not row["frequency"].startswith("HP:")]
    assert counted
    assert {row["reference"][:5] for row in counted} == {"PMID:"}
    assert all((row["evidence"] == "PCS") == row["reference"].startswith("PMID:") for row in rows)


# The reader


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


# Codes and PMIDs against the sources


@dataclass(frozen=True)
class Tables:
    """What the fetched sources say: HP term → names, xrefs; ICD-10-CM code → its words; SNOMED CT code → meaning; HPOA
    disease → name; (HP, MeSH) pairs of Biomappings."""

    hp_names: dict[str, set[str]]
    hp_xrefs: dict[str, set[str]]
    icd: dict[str, str]
    snomed: dict[str, str]
    hpoa: dict[str, str]
    mappings: set[tuple[str, str]]
    doid: dict[str, set[str]] | None = None

    def vouch(self, row: ChestConcept, code: str) -> str | None:
        """The source that gives ``code`` to this row's concept, or None."""
        names = {_plain(name) for name in (row.name, *row.synonyms, *row.narrower)}
        words = {word for name in names for word in _telling(name)}
        doid = {x for curie in row.codes for x in (self.doid or {}).get(curie, ())}
        system = code.partition(":")[0]
        if code == row.id and system == "HP":
            return "HPO" if names & self.hp_names.get(code, set()) else None
        if code in self.hp_xrefs.get(row.id, ()):
            return "HPO"
        if system == "ICD10CM" and code in self.icd and (code in doid or words & _telling(self.icd[code])):
            return "ICD-10-CM"
        if system == "SNOMEDCT" and self.snomed.get(code) in names:
            return "DICOM"
        if system in ("OMIM", "ORPHA") and words & _telling(self.hpoa.get(code, "")):
            return "HPOA"
        if (row.id, code) in self.mappings:
            return "Biomappings"
        if system == "DOID":
            return "DO" if code in (self.doid or {}) else None
        return "DO" if code in doid else None


@pytest.fixture(scope="module")
def source_home() -> Path:
    """Where the rest of the suite has its sources; they are fetched when they are not there."""
    folder = os.environ.get("WHYDX_TEST_HOME") or Path(__file__).resolve().parents[2] / ".cache" / "test-home"
    try:
        fetch(Path(folder), ["hpo", "icd10cm", "snomed-dicom", "biomappings", "medline"])
    except SourceError as error:
        pytest.skip(f"codes are not checked: {error}")
    return Path(folder)


@pytest.fixture(scope="module")
def tables(source_home: Path) -> Tables:
    hp_names: dict[str, set[str]] = {}
    hp_xrefs: dict[str, set[str]] = {}
    for stanza in member_path(source_home, "hpo", "hp.obo").read_text(encoding="utf-8").split("\n[Term]\n")[1:]:
        if "\nis_obsolete: true" in stanza:
            continue
        curie = stanza.split("\n", 1)[0].removeprefix("id: ")
        named = re.findall(r'^name: (.*)$|^synonym: "(.*?)" EXACT', stanza, flags=re.M)
        hp_names[curie] = {_plain(a or b) for a, b in named}
        xrefs = re.findall(r"^xref: (UMLS|SNOMEDCT_US[_\d]*):(\S+)", stanza, flags=re.M)
        hp_xrefs[curie] = {f"{'UMLS' if system == 'UMLS' else 'SNOMEDCT'}:{code}" for system, code in xrefs}
    icd = {}
    for entry in ElementTree.parse(member_path(source_home, "icd10cm", "icd10c-tabular-April-1-2026.xml")).iter("diag"):
        notes = [note.text or "" for terms in entry.findall("inclusionTerm") for note in terms]
        icd[f"ICD10CM:{entry.findtext('name')}"] = _plain(" ".join([entry.findtext("desc") or "", *notes]))
    dicom = member_path(source_home, "snomed-dicom", "concepts.py.txt").read_text(encoding="utf-8")
    snomed = {
        f"SNOMEDCT:{code}": _plain(name.partition(" (")[0])
        for code, name in re.findall(r'"(\d{6,18})": \(\s*"([^"]*)"', dicom)
    }
    hpoa = {}
    with open(member_path(source_home, "hpo", "phenotype.hpoa"), encoding="utf-8") as lines:
        for line in lines:
            disease, _, rest = line.partition("\t")
            hpoa.setdefault(disease, _plain(rest.partition("\t")[0]))
    mappings = set()
    for line in member_path(source_home, "biomappings", "positive.sssom.tsv").read_text(encoding="utf-8").splitlines():
        cells = [cell.upper() for cell in line.split("\t")]
        if len(cells) > 3 and cells[2] == "SKOS:EXACTMATCH":
            mappings |= {(cells[0], cells[3]), (cells[3], cells[0])}
    return Tables(hp_names, hp_xrefs, icd, snomed, hpoa, mappings)


@pytest.fixture(scope="module")
def tables_and_doid(tables: Tables, shared_data: Path) -> Tables:
    doid: dict[str, set[str]] = {}
    prefixes = {"UMLS_CUI": "UMLS", "MIM": "OMIM", "ORDO": "ORPHA", "ICD10CM": "ICD10CM", "MESH": "MESH"}
    for row in _table(shared_data / "doid" / "HumanDO.tsv"):
        doid[row["id"]] = set()
    for row in _table(shared_data / "doid" / "allXREFinDO.tsv"):
        prefix, _, code = row["xref"].partition(":")
        system = "SNOMEDCT" if prefix.startswith("SNOMEDCT") else prefixes.get(prefix)
        doid.setdefault(row["id"], set()).add(f"{system}:{code}")
    return replace(tables, doid=doid)


def _concepts() -> dict[str, ChestConcept]:
    """Each id once; of a row in both tables, with the names and codes of both."""
    rows: dict[str, ChestConcept] = {}
    for row in (*chest.load().findings, *chest.load().diseases):
        other = rows.get(row.id, row)
        rows[row.id] = replace(
            row,
            synonyms=tuple({*row.synonyms, *other.synonyms}),
            narrower=tuple({*row.narrower, *other.narrower}),
            codes=tuple({*row.codes, *other.codes}),
        )
    return rows


def test_every_code_is_in_a_fetched_source_or_left_to_the_disease_ontology(tables: Tables) -> None:
    unknown = [
        (row.name, code)
        for row in _concepts().values()
        for code in (row.id, *row.codes)
        if not code.startswith(("CHEST:", "DOID:")) and not tables.vouch(row, code)
    ]
    rows = _concepts()
    by_name = {row.name: row for row in rows.values()}
    assert [(name, code) for name, code in unknown if not any(c.startswith("DOID:") for c in by_name[name].codes)] == []
    assert {code.partition(":")[0] for _, code in unknown} <= {"UMLS", "MESH", "SNOMEDCT", "ICD10CM"}


def test_every_code_is_in_a_source(tables_and_doid: Tables) -> None:
    unknown = [
        (row.name, code)
        for row in _concepts().values()
        for code in (row.id, *row.codes)
        if not code.startswith("CHEST:") and not tables_and_doid.vouch(row, code)
    ]
    assert unknown == []


def test_no_code_of_ours_belongs_to_another_hpo_term(tables: Tables) -> None:
    owners: dict[str, set[str]] = {}
    for curie, codes in tables.hp_xrefs.items():
        for code in codes:
            owners.setdefault(code, set()).add(curie)
    stolen = [
        (row.name, code)
        for row in _concepts().values()
        for code in (row.id, *row.codes)
        if row.id not in owners.get(code, {row.id})
    ]
    assert stolen == []


def test_a_wrong_code_would_be_noticed(tables_and_doid: Tables) -> None:
    row = _concepts()["HP:0002090"]
    for code in ("UMLS:C0034069", "SNOMEDCT:36118008", "ICD10CM:I50", "OMIM:219700", "MESH:D008175", "DOID:99999999"):
        assert tables_and_doid.vouch(row, code) is None
    assert tables_and_doid.vouch(replace(row, id="HP:0002107"), "HP:0002107") is None


def test_no_name_of_ours_is_the_name_of_another_hpo_term(tables: Tables) -> None:
    owners: dict[str, set[str]] = {}
    for curie, names in tables.hp_names.items():
        for name in names:
            owners.setdefault(name, set()).add(curie)
    for row in _concepts().values():
        for name in (row.name, *row.synonyms, *row.narrower):
            assert row.id in owners.get(_plain(name), {row.id}), name


def test_every_pmid_is_a_citation_of_a_fetched_source(source_home: Path) -> None:
    layer = chest.load()
    rows = (*layer.findings, *layer.diseases, *layer.annotations, *layer.steps)
    wanted = {row.reference.removeprefix("PMID:") for row in rows if row.reference.startswith("PMID:")}
    assert wanted
    found: set[str] = set()
    for name in ("pubmed20n0014.xml.gz", "pubmed21n1298.xml.gz"):
        with gzip.open(member_path(source_home, "medline", name), "rt", encoding="utf-8") as lines:
            begun = False
            for line in lines:
                if "<MedlineCitation " in line:
                    begun = True
                elif begun and "<PMID" in line:
                    found.add(line.partition(">")[2].partition("<")[0])
                    begun = False
    assert wanted - found == set()


def test_with_hpo_each_row_stays_one_concept_and_goes_by_its_umls_code(source_home: Path) -> None:
    merged = merge([*obo.read(member_path(source_home, "hpo", "hp.obo")), *chest.read()])
    rows = _concepts()
    canonical = {curie: merged.alias[curie] for curie in rows}
    assert len(set(canonical.values())) == len(rows)
    assert canonical["HP:0002090"] == "UMLS:C0032285"
    concepts = {concept.curie: concept for concept in merged.concepts}
    assert {curie for curie, row in rows.items() if concepts[canonical[curie]].name != row.name} == set()
    ours = {*rows, *canonical.values()}
    assert [c for c in merged.conflicts if c.kind in ("cycle", "same system") and ours & set(c.curies)] == []


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()


def _above(layer: chest.ChestLayer) -> Callable[[str], set[str]]:
    """What is above an id in the layer's own hierarchy, the id included."""
    parents: dict[str, set[str]] = {}
    for row in (*layer.findings, *layer.diseases):
        if row.parent:
            parents.setdefault(row.id, set()).add(row.parent)

    def above(curie: str) -> set[str]:
        return {curie}.union(*(above(parent) for parent in parents.get(curie, ())))

    return above


def _band(annotation: chest.Annotation) -> int:
    """0 very rare … 4 obligate: the HPO band of a frequency."""
    assert annotation.frequency is not None
    return bisect.bisect([0.05, 0.30, 0.80, 0.995], annotation.frequency)


def _telling(name: str) -> set[str]:
    """The words of a name that tell it from others, without plural s."""
    return {word.removesuffix("s") for word in name.split() if len(word) > 3} - _NOT_TELLING


def _table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))
