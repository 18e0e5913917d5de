"""Accepted edges on their way out: rows for a pull request or for `whydx ontology add`, and edges beside the curated
graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from errors import InputError
from extraction.layer import Edge, Layer
from extraction.review import Decision, Review, accepted, waiting
from kg import overlay
from kg.graph import KnowledgeGraph
from kg.overlay import Joined, State
from ontologies.chest import layer as chest
from ontologies.readers.hpoa import COLUMNS

OCCASIONAL, OCCASIONAL_TERM = 0.17, "HP:0040283"  # of a finding that too few cases were counted for
# Of an edge that nobody has looked at, to take part while the layer is "on"; about seven in ten are right.
LEAST_SCORE = 0.2
_PHENOTYPE = ("has_phenotype", "excludes_phenotype")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table, header first, and the accepted edges that have no row in it, with why."""

    lines: tuple[str, ...]
    left_out: tuple[tuple[Edge, str], ...]


def rows(graph: KnowledgeGraph, layer: Layer, review: Review, *, table: str) -> Rows:
    """The accepted edges in the layout of ``table``: "chest" (disease_findings.tsv of the chest layer, sorted as it is)
    or "hpoa" (phenotype.hpoa, which `whydx ontology add` takes). Each row names the papers, the day of the decision
    and who made it. Raises InputError when nothing is accepted."""
    found, left_out = [], []
    ids = {graph.resolve(row.id): (row.id, row.name) for row in chest.load().diseases if row.id in graph}
    findings = {graph.resolve(row.id): (row.id, row.name) for row in chest.load().findings if row.id in graph}
    for edge, decision in accepted(layer, review):
        if edge.predicate not in _PHENOTYPE:
            left_out.append((edge, "no column for treatments and places"))
        elif table == "chest" and edge.subject not in ids:
            left_out.append((edge, "the disease is not in the chest layer"))
        elif table == "chest" and edge.object not in findings:
            left_out.append((edge, "the finding has no row in findings.tsv"))
        else:
            disease = ids.get(edge.subject) or (_code(graph, edge.subject), edge.subject_name)
            finding = findings.get(edge.object) or (_code(graph, edge.object), edge.object_name)
            found.append(_row(edge, decision, disease, finding, table))
    if not found and not left_out:
        raise InputError("nothing is accepted yet", expected="an accepted edge", run="whydx ontology review")
    columns = [*COLUMNS[:4], "finding_name", *COLUMNS[4:]] if table == "chest" else list(COLUMNS)
    head = [] if table == "chest" else [f"#version: extracted {max(d.day for _, d in accepted(layer, review))}"]
    return Rows(lines=(*head, "\t".join(columns), *sorted(found)), left_out=tuple(left_out))


def _code(graph: KnowledgeGraph, curie: str) -> str:
    """The code that annotations of phenotypes use: HPO's where there is one."""
    codes = graph.concept(curie).codes
    return next((f"{s}:{codes[s][0]}" for s in ("HP", "OMIM", "ORPHA") if s in codes), curie)


def _row(edge: Edge, decision: Decision, disease: tuple[str, str], finding: tuple[str, str], table: str) -> str:
    excluding = edge.predicate == "excludes_phenotype"
    frequency = "" if excluding else f"{edge.shown}/{edge.examined}" if edge.frequency else OCCASIONAL_TERM
    who = f"WHYDX:{decision.by or 'review'}[{decision.day}]"
    cells = [
        *disease,
        "NOT" if excluding else "",
        finding[0],
        *([finding[1]] if table == "chest" else []),
        ";".join(_papers(edge)) or "local cases",
        "PCS",
        "",
        frequency,
        "",
        "",
        "H" if edge.earlier else "P",
        who,
    ]
    return "\t".join(cells)


def _papers(edge: Edge) -> list[str]:
    return sorted(name for name in edge.references if name.startswith("PMID:"))


def apply(home: Path, graph: KnowledgeGraph, state: State, *, least: float | None = None) -> int:
    """Put the layer in a state, and return how many edges then take part: "off" none; "review" those that were
    accepted; "on" also those of at least the score ``least`` (None: as it was said last) that nobody has looked at.
    What contradicts the curated layer takes no part in any. ``graph`` is the curated one and stays as it is. Raises
    ArtifactError when nothing was extracted."""
    if state == "off":
        overlay.switch(home, "off")
        return 0
    layer, lowest = Layer.open(home), overlay.least(home, LEAST_SCORE) if least is None else least
    edges = list(joined(graph, chosen(layer, Review(home), state, lowest), layer.record.sha256[:12]))
    overlay.switch(home, "off")  # a kill between the two leaves the curated graph in use
    overlay.join(graph, edges, overlay.folder(home) / "graph")
    overlay.switch(home, state, lowest)
    return len(edges)


def chosen(layer: Layer, review: Review, state: State, least: float = LEAST_SCORE) -> list[Edge]:
    """The edges that take part in a state."""
    own = [edge for edge, _ in accepted(layer, review) if edge.predicate in _PHENOTYPE]
    if state == "on":
        unseen = waiting(layer, review, "finding-disease", ("new", "narrower"))
        own += [e for e in unseen if e.score >= least and e.predicate == "has_phenotype"]
    return [] if state == "off" else own


def joined(graph: KnowledgeGraph, edges: Iterable[Edge], version: str) -> Iterator[Joined]:
    """The edges as edges of the graph, each pair once; an edge whose end the graph lost is not among them."""
    seen: set[tuple[int, str, int]] = set()
    for edge in edges:
        if edge.subject not in graph or edge.object not in graph:
            continue
        key = graph.node(edge.subject), edge.predicate, graph.node(edge.object)
        if key in seen:
            continue
        seen.add(key)
        excluding = edge.predicate == "excludes_phenotype"
        yield Joined(
            subject=key[0],
            predicate="excludes_phenotype" if excluding else "has_phenotype",
            object=key[2],
            source=f"extracted:{version}",
            reference=_reference(edge.references),
            frequency=None if excluding else edge.frequency or OCCASIONAL,
        )


def _reference(references: Sequence[str]) -> str:
    return ";".join(sorted(references))
