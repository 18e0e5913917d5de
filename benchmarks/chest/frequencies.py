"""Curated frequencies beside counted ones: ``python -m benchmarks.chest.frequencies TABLE --home DIR [--json]``.

TABLE is ddxplus/evidence_frequency.tsv of the development data: for each condition, how many of its made-up patients
say yes to a question. A condition is the disease of its name, or else of its ICD-10 code; a question is the findings
that are read in it, whatever their presence ("Do you have a cough?"). Compared are the shares of patients with the
finding or anything below it. Listed, the largest difference first, is what differs by DIFFERENCE or more: a work list
for the curated layer, not a list of its errors, for these patients are drawn from a table too. That table has some risk
factors in most patients (cystic fibrosis in nine of ten with bronchiectasis), so they are summed up apart.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import stamp
from errors import InputError
from kg.annotations import AnnotationMatrix
from kg.graph import KnowledgeGraph
from ontologies.linking.linker import Linker

DIFFERENCE = 0.4


@dataclass(frozen=True, slots=True)
class Pair:
    """A disease and a finding: the curated share of patients (0: not annotated) and the counted one, of ``patients``;
    ``antecedent``: a risk factor or an earlier illness."""

    disease: str
    finding: str
    curated: float
    counted: float
    patients: int
    antecedent: bool


def compare(rows: list[dict[str, str]], graph: KnowledgeGraph, linker: Linker) -> tuple[list[Pair], list[str]]:
    """The pairs, in the order of the rows, the first row of a pair counting; and the conditions of the chest that the
    graph does not annotate, sorted."""
    own = AnnotationMatrix.open(graph.path)
    place = {int(node): i for i, node in enumerate(own.disease)}
    pairs: dict[tuple[int, int], Pair] = {}
    unknown = set()
    for row in rows:
        if row["chest"] != "True":
            continue
        disease = next((place[n] for n in _condition(row, graph, linker) if n in place), None)
        if disease is None:
            unknown.add(row["condition"])
        elif not row["value"]:
            for node in _read(row["question"], graph, linker):
                names = graph.name(int(own.disease[disease])), graph.name(node)
                counted, patients = float(row["fraction"]), int(row["patients"])
                antecedent = row["antecedent"] == "True"
                pair = Pair(*names, own.frequency_of(disease, node), counted, patients, antecedent)
                pairs.setdefault((disease, node), pair)
    return list(pairs.values()), sorted(unknown)


def _condition(row: dict[str, str], graph: KnowledgeGraph, linker: Linker) -> Iterator[int]:
    """Nodes that the condition may be: of its whole name, of the parts of its name, of its codes."""
    for name in (row["condition"], *row["condition"].split("/")):
        yield from _read(name, graph, linker)
    for code in row["icd10"].split(","):
        if (curie := f"ICD10CM:{code.strip()}") in graph:
            yield graph.node(curie)


def _read(text: str, graph: KnowledgeGraph, linker: Linker) -> Iterator[int]:
    for found in linker.link(text):
        if found.concept is not None and found.concept.curie in graph:
            yield graph.node(found.concept.curie)


def summary(pairs: list[Pair]) -> dict[str, float]:
    """Spearman's correlation over the pairs, and of the pairs that half of the patients or more are counted to show,
    the share that is annotated at all. Raises InputError for fewer than three pairs."""
    from scipy.stats import spearmanr

    if len(pairs) < 3:
        raise InputError("too few findings to compare", value=len(pairs), expected="the table of DDXPlus")
    curated, counted = (np.array([getattr(p, how) for p in pairs]) for how in ("curated", "counted"))
    frequent = counted >= 0.5
    return {
        "pairs": len(pairs),
        "diseases": len({p.disease for p in pairs}),
        "spearman": round(float(spearmanr(curated, counted).statistic), 3),
        "frequent and annotated": round(float((curated[frequent] > 0).mean()), 3),
        "mean difference": round(float(np.abs(curated - counted).mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with arguments.table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    home = arguments.home
    pairs, unknown = compare(rows, KnowledgeGraph.open(home / "graph"), Linker.open(home / "linker"))
    apart = sorted(pairs, key=lambda p: (-abs(p.curated - p.counted), p.disease, p.finding))
    apart = [p for p in apart if abs(p.curated - p.counted) >= DIFFERENCE]
    found = {
        "what they have": summary([p for p in pairs if not p.antecedent]),
        "what they had": summary([p for p in pairs if p.antecedent]),
        "not annotated under this name": unknown,
        "apart": [asdict(p) for p in apart],
    }
    if arguments.json:
        print(json.dumps(found | {"machine": stamp()}, indent=1))
        return
    print(stamp())
    for what, value in found.items():
        if what != "apart":
            print(f"{what}: {value}")
    for p in apart:
        had = " (antecedent)" if p.antecedent else ""
        print(f"{p.curated:.2f} curated  {p.counted:.2f} of {p.patients:3} counted  {p.disease}: {p.finding}{had}")


if __name__ == "__main__":
    main()
