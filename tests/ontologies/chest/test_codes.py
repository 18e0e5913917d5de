"""The chest layer's codes, names and PMIDs are those of a source, and of no other concept there."""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from errors import SourceError
from ontologies.chest import layer as chest
from ontologies.chest.layer import ChestConcept
from ontologies.readers import obo
from ontologies.sources.store import fetch, member_path

from ..merging.listing import merge
from .chest_tables import plain, table_rows

_NOT_TELLING = {
    *("acute", "chronic", "disease", "disorder", "lung", "other", "pulmonary", "specified", "syndrome", "unspecified"),
    "with",
}


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
        names = {plain(name) for name in (row.name, *row.synonyms, *row.narrower)}
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
    folder = os.environ.get("WHYDX_TEST_HOME") or Path(__file__).resolve().parents[3] / ".cache" / "test-home"
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
        hp_names[curie] = {plain(a or b) for a, b in named}
        xrefs = re.findall(r"^xref: (UMLS|SNOMEDCT_US[_\d]*):(\S+)", stanza, flags=re.M)
        hp_xrefs[curie] = {f"{'UMLS' if system == 'UMLS' else 'SNOMEDCT'}:{code}" for system, code in xrefs}
    icd = {}
    for entry in ElementTree.parse(member_path(source_home, "icd10cm", "icd10c-tabular-April-1-2026.xml")).iter("diag"):
        notes = [note.text or "" for terms in entry.findall("inclusionTerm") for note in terms]
        icd[f"ICD10CM:{entry.findtext('name')}"] = plain(" ".join([entry.findtext("desc") or "", *notes]))
    dicom = member_path(source_home, "snomed-dicom", "concepts.py.txt").read_text(encoding="utf-8")
    snomed = {
        f"SNOMEDCT:{code}": plain(name.partition(" (")[0])
        for code, name in re.findall(r'"(\d{6,18})": \(\s*"([^"]*)"', dicom)
    }
    hpoa = {}
    with open(member_path(source_home, "hpo", "phenotype.hpoa"), encoding="utf-8") as lines:
        for line in lines:
            disease, _, rest = line.partition("\t")
            hpoa.setdefault(disease, plain(rest.partition("\t")[0]))
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
    for row in table_rows(shared_data / "doid" / "HumanDO.tsv"):
        doid[row["id"]] = set()
    for row in table_rows(shared_data / "doid" / "allXREFinDO.tsv"):
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
            assert row.id in owners.get(plain(name), {row.id}), name


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


def _telling(name: str) -> set[str]:
    """The words of a name that tell it from others, without plural s."""
    return {word.removesuffix("s") for word in name.split() if len(word) > 3} - _NOT_TELLING
