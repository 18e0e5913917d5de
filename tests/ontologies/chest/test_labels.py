"""Every label of the data sets is a concept, with the codes that the sources have and no other."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from kg.graph import KnowledgeGraph
from ontologies.chest.labels import MORPHOLOGY, WITHOUT_CONCEPT, labels
from ontologies.sources.store import member_path

COUNTS = {"ChestX-ray14": 14, "CheXpert": 14, "VinDr": 26, "RSNA": 2, "LIDC-IDRI": 10}
# Concepts of labels that no fetched source codes in SNOMED CT, in UMLS.
NEITHER = {
    "Aortic enlargement",
    "Benign calcification pattern of a nodule",
    "Bone fracture",
    "Calcified pulmonary nodule",
    "Clavicle fracture",
    "Fat-containing lesion",
    "Focal lung lesion",
    "Lung opacity",
    "Mediastinal shift",
    "No acute cardiopulmonary disease",
    "Pleural thickening",
    "Popcorn calcification of a lung nodule",
    "Pulmonary cavity",
    "Pulmonary consolidation",
    "Pulmonary cyst",
    "Pulmonary mass",
    "Pulmonary nodule",
    "Rib fracture",
    "Spiculated lung nodule or mass",
    "Support device",
    "Thoracic calcification",
    "Widened mediastinum",
}
UMLS_ONLY = {"Pleural abnormality", "Pulmonary infiltrates", "Pulmonary tuberculosis"}


def test_every_label_is_there_once() -> None:
    found = labels()
    assert Counter(label.data_set for label in found) == COUNTS
    assert len({(label.data_set, label.label) for label in found}) == len(found)
    assert not {(label.data_set, label.label) for label in found} & set(WITHOUT_CONCEPT)


def test_every_label_is_a_concept_with_the_codes_of_the_sources(home: Path) -> None:
    graph = KnowledgeGraph.open(home / "graph")
    without: dict[tuple[bool, bool], set[str]] = {}
    for label in labels():
        assert graph.find(label.concept) == graph.resolve(label.concept)  # what `whydx ontology show` shows
        concept = graph.concept(graph.resolve(label.concept))
        coded = (bool(concept.codes.get("UMLS")), bool(concept.codes.get("SNOMEDCT")))
        without.setdefault(coded, set()).add(label.concept)
    names = {row.concept: graph.concept(graph.resolve(row.concept)).name for row in labels()}
    assert {names[c] for c in without[False, False]} == NEITHER
    assert {names[c] for c in without[True, False]} == UMLS_ONLY
    assert (False, True) not in without


def test_every_code_is_in_a_fetched_source(home: Path) -> None:
    """But for pulmonary tuberculosis, whose code the Disease Ontology vouches for (test_chest_codes.py looks it up)."""
    graph = KnowledgeGraph.open(home / "graph")
    hpo = member_path(home, "hpo", "hp.obo").read_text(encoding="utf-8")
    dicom = member_path(home, "snomed-dicom", "concepts.py.txt").read_text(encoding="utf-8")
    mappings = member_path(home, "biomappings", "positive.sssom.tsv").read_text(encoding="utf-8")
    known = set(re.findall(r"^xref: (?:UMLS:(C\d+)|SNOMEDCT_US:(\d+))", hpo, flags=re.M))
    codes = {code for pair in known for code in pair if code}
    unknown = set()
    for label in labels():
        concept = graph.concept(graph.resolve(label.concept))
        given = [*concept.codes.get("UMLS", ()), *concept.codes.get("SNOMEDCT", ())]
        unknown |= {code for code in given if not (code in codes or f'"{code}"' in dicom or code in mappings)}
    assert unknown == {"C0041327"}


def test_morphologies_are_those_of_dicom(home: Path) -> None:
    dicom = member_path(home, "snomed-dicom", "concepts.py.txt").read_text(encoding="utf-8")
    assert {c: label.morphology for label in labels() if (c := label.concept) in MORPHOLOGY} == MORPHOLOGY
    for name, code in (("Nodule", "27925004"), ("Mass", "4147007")):
        assert re.search(rf'"{code}": \("{name}", \[6102, 6104', dicom)
