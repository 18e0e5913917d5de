"""The chest layer: its tables are as large as promised, agree with each other and with the labels of the detector."""

from __future__ import annotations

import bisect
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ontologies.chest import contraindication, patients
from ontologies.chest import layer as chest
from ontologies.chest.coverage import counts
from vision.finding import LABEL_CURIES, LABELS

from .chest_tables import plain, table_rows

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
    card = (chest.DATA.parents[2] / "docs" / "knowledge-card.md").read_text(encoding="utf-8")
    told = {what: int(number) for what, number in re.findall(r"^\| ([^|]+) \| (\d+) \|$", card, flags=re.M)}
    assert told == counts()
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
            assert owner.setdefault(plain(name), row.id) == row.id, name


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
    vignettes = table_rows(Path(__file__).with_name("chest_vignettes.tsv"))
    assert len(vignettes) >= 90
    for vignette in vignettes:
        seen = [names[name] for name in vignette["findings"].split("|")]
        score = {d: prior[common[d]] * math.prod(shown.get(f, 0.01) for f in seen) for d, shown in share.items()}
        first = sorted(score, key=lambda d: (-score[d], d))[:3]
        assert any(names[vignette["disease"]] in above(d) for d in first), (vignette, first)


def test_every_reference_is_used_and_dated() -> None:
    layer = chest.load()
    rows = (*layer.findings, *layer.diseases, *layer.annotations, *layer.steps, *contraindication.load())
    cited = {row.reference for row in rows if not row.reference.startswith("PMID:")}
    assert cited | {patients.REFERENCE} == set(layer.references)
    assert all(re.search(r", (19|20)\d\d$", text) for text in layer.references.values())


def test_a_counted_frequency_cites_a_paper_and_a_band_may_cite_a_guideline() -> None:
    rows = table_rows(chest.DATA / "disease_findings.tsv")
    counted = [row for row in rows if row["frequency"] and not row["frequency"].startswith("HP:")]
    assert counted
    assert {row["reference"][:5] for row in counted} == {"PMID:"}
    assert all((row["evidence"] == "PCS") == row["reference"].startswith("PMID:") for row in rows)


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
