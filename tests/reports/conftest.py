"""A small, complete report: every kind of finding, evidence and hit once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, LeftOut, NextStep
from kg.triple import KGPath, Triple
from ontologies.concept import Concept
from retrieval.document import Document, SearchHit
from vision.finding import BoundingBox, Finding

CONSOLIDATION = Concept(
    curie="UMLS:C0521530",
    name="Lung consolidation",
    semantic_types=("Finding",),
    codes={"HP": ("0032177",), "SNOMEDCT": ("95436008",), "UMLS": ("C0521530",)},
)
FEVER = Concept(curie="UMLS:C0015967", name="Fever", codes={"HP": ("0001945",), "UMLS": ("C0015967",)})
PNEUMONIA = Concept(
    curie="UMLS:C0004626",
    name="Bacterial pneumonia",
    semantic_types=("Disease or Syndrome",),
    codes={"ICD10CM": ("J15.9",), "SNOMEDCT": ("53084003",), "UMLS": ("C0004626",)},
)
EMBOLISM = Concept(curie="UMLS:C0034065", name="Pulmonary embolism", codes={"ICD10CM": ("I26.99",)})
PATH = KGPath(
    triples=(
        Triple(
            subject="UMLS:C0004626",
            predicate="has_phenotype",
            object="UMLS:C0521530",
            subject_name="Bacterial pneumonia",
            object_name="Lung consolidation",
            source="chest 1",
            frequency=0.9,
            reference="PMID:31573350",
        ),
    ),
    inverted=(True,),
    score=-0.105,
    text="Lung consolidation ← has phenotype – Bacterial pneumonia",
)


def _finding(label: str, presence: str, probability: float, **more: object) -> Finding:
    return Finding(label=label, presence=presence, probability=probability, threshold=0.4, **more)


@pytest.fixture
def report() -> DiagnosticReport:
    paper = Document(
        doc_id="31573350",
        kind="literature",
        title="Diagnosis and treatment of adults with community-acquired pneumonia.",
        text="Background …",
        source_curie="PMID:31573350",
        metadata={"journal": "Am J Respir Crit Care Med", "year": "2019"},
    )
    case = Document(
        doc_id="17", kind="case", title="", text="Fever and cough.\nRight lower lobe opacity.", source_curie="openi:17"
    )
    return DiagnosticReport(
        findings=(
            _finding(
                "Consolidation",
                "present",
                0.8123456789,
                box=BoundingBox(x=10.0, y=20.5, width=100.0, height=80.0),
                laterality="right",
                concept=CONSOLIDATION,
            ),
            _finding("Edema", "uncertain", 0.39),
            _finding("Hernia", "absent", 0.01),
            Finding(label="Fever", presence="present", origin="note", concept=FEVER),
        ),
        diagnoses=(
            Diagnosis(
                concept=PNEUMONIA,
                probability=0.62,
                rank=1,
                score=2.25,
                conformal_member=True,
                with_kinds=0.7,
                evidence=(
                    Evidence(
                        kind="finding",
                        reference="UMLS:C0521530",
                        text="Consolidation on the image",
                        stance="supports",
                        weight=0.84,
                    ),
                    Evidence(
                        kind="kg_path", reference=PATH.text, text=PATH.text, stance="supports", weight=0.413, path=PATH
                    ),
                    Evidence(
                        kind="literature",
                        reference="PMID:31573350",
                        text="Consolidation with fever suggests pneumonia.",
                        stance="supports",
                        weight=0.0312,
                    ),
                    Evidence(
                        kind="case",
                        reference="openi:17",
                        text="A similar case without pneumonia",
                        stance="contradicts",
                        weight=-0.22,
                    ),
                ),
            ),
            Diagnosis(concept=EMBOLISM, probability=0.003, rank=2, score=-3.0),
        ),
        none_of_these=0.377,
        set_size=2,
        literature=(SearchHit(document=paper, score=0.0325, rank=1, explanation={"bm25": 12.34, "dense": 0.61}),),
        cases=(SearchHit(document=case, score=0.5, rank=1, explanation={"image": 0.82, "text": 0.4}),),
        next_steps=(
            NextStep(
                disease="Bacterial pneumonia", text="Sputum and blood cultures if severe", reference="ATS/IDSA 2019"
            ),
        ),
        left_out=(
            LeftOut(
                disease="Bacterial pneumonia",
                text="a respiratory fluoroquinolone alone",
                treatment="fluoroquinolone",
                because="younger than 18 years: damage to growing cartilage",
                reference="BNF for Children 2024",
            ),
        ),
        warnings=("PHANTOM: a computed image, not a patient",),
        provenance={"whydx": "0.1.0", "detector": "ab" * 32},
    )


IMAGE_UID = "1.2.826.0.1.3680043.8.498.1"
STUDY_UID = "1.2.826.0.1.3680043.8.498.2"


@pytest.fixture
def dicom_image(tmp_path: Path) -> Callable[..., Path]:
    """Write a small radiograph with the attributes given on top: ``dicom_image(StudyDate="20260102")`` → its path."""
    import numpy as np
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    def write(name: str = "image.dcm", **more: Any) -> Path:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        shown = {
            "SOPClassUID": DigitalXRayImageStorageForPresentation,
            "SOPInstanceUID": IMAGE_UID,
            "StudyInstanceUID": STUDY_UID,
            "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.3",
            "StudyDate": "20260102",
            "StudyTime": "101112.5",
            "Modality": "DX",
            "PatientOrientation": ["L", "F"],
            "ImagerPixelSpacing": [0.5, 0.5],
            "Rows": 256,
            "Columns": 256,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "BitsAllocated": 8,
            "BitsStored": 8,
            "HighBit": 7,
            "PixelRepresentation": 0,
            "PixelData": np.zeros((256, 256), np.uint8).tobytes(),
        }
        for tag, value in (shown | more).items():
            if value is None:
                continue
            setattr(data, tag, value)
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
            data.SOPClassUID,
            data.get("SOPInstanceUID", "1.2"),
        )
        path = tmp_path / name
        data.save_as(path, enforce_file_format=True)
        return path

    return write
