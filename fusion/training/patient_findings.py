"""What the made-up patients show, counted: ``python -m fusion.training.patient_findings --home HOME``.

Reads fusion/training/data/patients.tsv and the portraits of the chest layer with the linker of HOME, as a note is read,
and writes ``ontologies/chest/data/patient_findings.tsv``: for each finding that the layer gives the disease, how many
of the disease's patients show it or anything below it; for each other finding of the layer, how many notes name it,
where at least `patients.LEAST` do. What the layer excludes and the disease itself are left out.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from fusion.intake import Intake
from fusion.prior import bedside
from home import open_linker
from kg.graph import KnowledgeGraph
from ontologies.chest import layer as chest
from ontologies.chest import patients
from ontologies.chest.table import read_table
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
    given = {(a.disease, graph.resolve(a.finding)): a for a in layer.annotations}
    total: Counter[str] = Counter()
    named: dict[str, Counter[str]] = defaultdict(Counter)
    shown: dict[str, Counter[str]] = defaultdict(Counter)
    for disease, note in told:
        total[disease] += 1
        direct = set(read(note))
        named[disease].update(direct)
        shown[disease].update({above for finding in direct for above in graph.ancestors(finding)} | direct)
    found = []
    for disease in sorted(total):
        itself = {graph.resolve(disease), *graph.ancestors(disease)}
        for finding in sorted(shown[disease]):
            annotation = given.get((disease, finding))
            if finding in itself or finding not in own or (annotation is not None and annotation.excluded):
                continue
            k = named[disease][finding] if annotation is None else shown[disease][finding]
            if annotation is not None or k >= patients.LEAST:
                found.append(patients.Count(disease, own[finding], k, total[disease]))
        missing = [a for (d, f), a in given.items() if d == disease and not a.excluded and f not in shown[disease]]
        found += [patients.Count(disease, a.finding, 0, total[disease]) for a in missing]
    return sorted(found, key=lambda c: (c.disease, c.finding))


def write(graph: KnowledgeGraph, counts: list[patients.Count], path: Path) -> None:
    """Write the table, beside it first."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        out.writerow(patients.COLUMNS)
        for c in counts:
            names = (graph.name(graph.node(curie)) for curie in (c.disease, c.finding))
            disease, finding = names
            out.writerow([c.disease, disease, c.finding, finding, c.patients, c.of])
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    home: Path = parser.parse_args().home
    graph = KnowledgeGraph.open(home / "graph")
    evidence, _ = bedside(graph)
    intake = Intake(graph, open_linker(home), Detector.open(), evidence.words)

    def read(note: str) -> Iterator[str]:
        return (f.concept.curie for f in intake.read_note(note) if f.presence == "present" and f.concept is not None)

    write(graph, counted(graph, read, notes()), chest.DATA / patients.TABLE)


if __name__ == "__main__":
    main()
