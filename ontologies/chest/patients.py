"""What made-up patients show that the layer does not give their disease.

patient_findings.tsv has, of the made-up patients of a disease (fusion/training/data/patients.tsv, by a language model,
and the portraits), how many show a finding that disease_findings.tsv does not have for it; ``python -m
fusion.training.patient_findings`` counts them with the linker. A finding that k of n patients show has the frequency
k / (PRIOR + n), as if PRIOR more patients had been seen without it. The frequencies of the editor stay as they are: a
note tells less than its patient shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ontologies.chest.table import read_table
from ontologies.concept import Relation

TABLE = "patient_findings.tsv"
COLUMNS = ["disease_id", "disease_name", "finding_id", "finding_name", "patients", "of"]
REFERENCE = "Made-up patients 2026"
PRIOR = 10  # from 5 to 20 alike on real patients in words (docs/reasoning.md)
LEAST = 2  # patients that must show it


@dataclass(frozen=True, slots=True)
class Count:
    """``patients`` of the ``of`` made-up patients of a disease show the finding."""

    disease: str
    finding: str
    patients: int
    of: int

    @property
    def frequency(self) -> float:
        return self.patients / (PRIOR + self.of)


def read(folder: Path) -> tuple[Count, ...]:
    """The table in ``folder``; empty when there is none. Raises InputError naming file, line and column."""
    path = folder / TABLE
    return tuple(_rows(path)) if path.is_file() else ()


def relations(folder: Path, source: str) -> Iterator[Relation]:
    """What the made-up patients show, as "has_phenotype"."""
    for seen in read(folder):
        yield Relation(
            subject=seen.disease,
            predicate="has_phenotype",
            object=seen.finding,
            source=source,
            frequency=seen.frequency,
            reference=REFERENCE,
        )


def _rows(path: Path) -> Iterator[Count]:
    for row in read_table(path, COLUMNS):
        patients, of = row.whole("patients"), row.whole("of")
        if not LEAST <= patients <= of:
            raise row.error("patients", f"{LEAST} to {of}")
        yield Count(row.curie("disease_id"), row.curie("finding_id"), patients, of)
