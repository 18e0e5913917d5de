"""The labels of the image data sets as concepts: ChestX-ray14, CheXpert, VinDr-CXR, RSNA and LIDC-IDRI.

The chest layer's tables say which of its rows a label means; the codes of a concept are those that the sources give it.
A label whose concept no source codes in SNOMED CT or UMLS has none: none is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ontologies.chest import layer as chest

# Labels that say too little to be a concept.
WITHOUT_CONCEPT = (("RSNA", "No Lung Opacity / Not Normal"), ("LIDC-IDRI", "texture"), ("LIDC-IDRI", "malignancy"))
# SNOMED CT's code for what is seen, whatever the place: so DICOM's reports code these (PS3.16, CID 6104). A wider
# class, so it is no code of the concept.
MORPHOLOGY = {"HP:0033608": "27925004", "HP:0033821": "4147007"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of a data set and the id of its row of the chest layer. ``morphology`` is a SNOMED CT code or None."""

    data_set: str
    label: str
    concept: str
    morphology: str | None = None


def labels(folder: Path | None = None) -> tuple[Label, ...]:
    """Every label that means a concept, by data set, then label."""
    layer = chest.load(folder)
    found = [("ChestX-ray14", label, concept) for label, concept in chest.label_concepts(folder).items()]
    for row in (*layer.findings, *layer.diseases):
        for name in row.other_labels:
            data_set, _, label = name.partition(":")
            found.append((data_set, label, row.id))
    return tuple(
        Label(data_set=data_set, label=label, concept=concept, morphology=MORPHOLOGY.get(concept))
        for data_set, label, concept in sorted(set(found))
    )
