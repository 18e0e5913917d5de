"""What the made-up patients show, counted: ``python -m fusion.training.patient_findings --home HOME``.

Reads fusion/training/data/patients.tsv and the portraits of the chest layer with the linker of HOME, as a note is read,
and writes ``ontologies/chest/data/patient_findings.tsv``: how many patients of a disease are said to show a finding of
the layer, for what the layer does not give the disease and `patients.LEAST` of them or more show. The disease itself
and what it is a kind of are left out.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from fusion.intake import Intake
from fusion.prior import bedside
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.chest import patients
from ontologies.chest.table import read_table
from ontologies.linking.linker import Linker
from vision.detector import Detector

NOTES = Path(__file__).parent / "data" / "patients.tsv"
COLUMNS = ["disease_id", "disease_name", "kind", "text"]


def notes(path: Path = NOTES) -> Iterator[tuple[str, str]]:
    """(disease, note) of every made-up patient: those of ``path``, then the portraits. Raises InputError."""
    yield from ((row.curie("disease_id"), row.text("text")) for row in read_table(path, COLUMNS))
    yield from ((portrait.disease, portrait.text) for portrait in chest.load().portraits)


def counted(
    graph: KnowledgeGraph, read: Callable[[str], Iterator[str]], told: Iterator[tuple[str, str]]
) -> list[patients.Count]:
    """The counts, by disease and finding. ``read`` gives the present findings of a note as canonical CURIEs; ``told``
    are (disease, note)."""
    layer = chest.load()
    own = {graph.resolve(row.id): row.id for row in layer.findings}
    given = {(a.disease, graph.resolve(a.finding)) for a in layer.annotations}
    total: Counter[str] = Counter()
    named: dict[str, Counter[str]] = defaultdict(Counter)
    for disease, note in told:
        total[disease] += 1
        named[disease].update(set(read(note)))
    found = []
    for disease in sorted(total):
        itself = {graph.resolve(disease), *graph.ancestors(disease)}
        found += [
            patients.Count(disease, own[finding], k, total[disease])
            for finding, k in named[disease].items()
            if k >= patients.LEAST and finding in own and finding not in itself and (disease, finding) not in given
        ]
    return sorted(found, key=lambda c: (c.disease, c.finding))


def write(graph: KnowledgeGraph, counts: list[patients.Count], path: Path) -> None:
    """Write the table, beside it first."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        out.writerow(patients.COLUMNS)
        for c in counts:
            disease, finding = (graph.name(graph.node(curie)) for curie in (c.disease, c.finding))
            out.writerow([c.disease, disease, c.finding, finding, c.patients, c.of])
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    home: Path = parser.parse_args().home
    graph = KnowledgeGraph.open(home / "graph")
    evidence, _ = bedside(graph)
    intake = Intake(graph, Linker.open(home / "linker"), Detector.open(), evidence.words)

    def read(note: str) -> Iterator[str]:
        return (f.concept.curie for f in intake.read_note(note) if f.presence == "present" and f.concept is not None)

    write(graph, counted(graph, read, notes()), chest.DATA / patients.TABLE)


if __name__ == "__main__":
    main()
