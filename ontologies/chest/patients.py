"""What made-up patients show: counts beside the frequencies that the editor gave.

patient_findings.tsv has, of the made-up patients of a disease (fusion/training/data/patients.tsv, by a language model),
how many show a finding; ``python -m fusion.training.patient_findings`` counts them with the linker. A finding that the
layer gives the disease with frequency f, and that k of n patients show, has the frequency (W f + k) / (W + n), the mean
of a beta distribution that f is worth W patients to; one that the layer does not give it has k / (W + n), where at
least LEAST show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ontologies.chest.table import read_table
from ontologies.concept import Relation

if TYPE_CHECKING:
    from ontologies.chest.layer import Annotation

TABLE = "patient_findings.tsv"
COLUMNS = ["disease_id", "disease_name", "finding_id", "finding_name", "patients", "of"]
REFERENCE = "Made-up patients 2026"
# Fitted on real patients in words (docs/reasoning.md): from 5 to 20 alike.
W = 10
LEAST = 2


@dataclass(frozen=True, slots=True)
class Count:
    """``patients`` of the ``of`` made-up patients of a disease show the finding."""

    disease: str
    finding: str
    patients: int
    of: int

    def beside(self, frequency: float | None) -> float:
        """The frequency in view of the counts; None: the layer gives none."""
        return (W * (frequency or 0.0) + self.patients) / (W + self.of)


def read(folder: Path) -> dict[tuple[str, str], Count]:
    """(disease, finding) → their count, in the order of the table in ``folder``; empty when there is none. Raises
    InputError naming file, line and column."""
    path = folder / TABLE
    return {(c.disease, c.finding): c for c in _rows(path)} if path.is_file() else {}


def relations(annotations: Iterable[Annotation], folder: Path, source: str) -> Iterator[Relation]:
    """The annotations as "has_phenotype" and "excludes_phenotype", their frequencies in view of the counts in
    ``folder`` unless published patients were counted; then what only the made-up patients show."""
    counts = read(folder)
    for annotation in annotations:
        frequency, seen = annotation.frequency, counts.pop((annotation.disease, annotation.finding), None)
        if seen is not None and annotation.count is None and not annotation.excluded:
            frequency = seen.beside(frequency)
        yield Relation(
            subject=annotation.disease,
            predicate="excludes_phenotype" if annotation.excluded else "has_phenotype",
            object=annotation.finding,
            source=source,
            frequency=frequency,
            count=annotation.count,
            reference=annotation.reference,
        )
    for (disease, finding), seen in counts.items():
        if seen.patients >= LEAST:
            yield Relation(
                subject=disease,
                predicate="has_phenotype",
                object=finding,
                source=source,
                frequency=seen.beside(None),
                reference=REFERENCE,
            )


def _rows(path: Path) -> Iterator[Count]:
    for row in read_table(path, COLUMNS):
        patients, of = row.whole("patients"), row.whole("of")
        if not 0 <= patients <= of:
            raise row.error("patients", f"0 to {of}")
        yield Count(row.curie("disease_id"), row.curie("finding_id"), patients, of)
