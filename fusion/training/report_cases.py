"""Real radiology reports with a known diagnosis: Open-i's, with the diagnosis taken out of their words.

Simulated patients tell what the network learnt of the simulator. What it makes of the words of another hospital, only
such reports tell: nothing is trained on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from fusion.training.curriculum import related
from kg.graph import KnowledgeGraph
from ontologies.linking.linker import Linker
from retrieval.openi import REMOVED, Report

MOST_OF_A_DISEASE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCase:
    """Indication and findings of a report as a note, and the diseases that its readers coded (canonical CURIEs).
    ``case_id`` is the report's in the index of cases, which must not be found for it."""

    case_id: str
    note: str
    diagnoses: frozenset[str]


def report_cases(
    reports: Iterable[Report], graph: KnowledgeGraph, linker: Linker, diseases: Collection[str]
) -> Iterator[ReportCase]:
    """Those whose readers coded one of ``diseases`` (canonical CURIEs), in order, at most MOST_OF_A_DISEASE of the
    first disease of a report.

    The impression is left out, for it states the diagnosis; so is every mention, that the linker finds, of a coded
    disease, of what it is a kind of, and of its kinds. A report of which nothing is left is left out, too.
    """
    coded: dict[str, frozenset[str]] = {}
    taken: Counter[str] = Counter()
    for report in reports:
        headings = [code.split("/")[0] for code in report.mesh]
        for heading in headings:
            if heading not in coded:
                coded[heading] = frozenset(_linked(heading, graph, linker)) & frozenset(diseases)
        found = frozenset[str]().union(*(coded[heading] for heading in headings))
        said = f"{report.indication} {report.findings}".replace(REMOVED, " ")
        if not said.strip() or not found or taken[min(found)] == MOST_OF_A_DISEASE:
            continue
        hidden = frozenset[str]().union(*(related(graph, disease) for disease in found))
        if note := _without(said, hidden, graph, linker):
            taken[min(found)] += 1
            yield ReportCase(case_id=f"openi:{report.report_id}", note=note, diagnoses=found)


def _linked(text: str, graph: KnowledgeGraph, linker: Linker) -> list[str]:
    """Canonical CURIEs of the concepts mentioned."""
    return [graph.resolve(m.concept.curie) for m in linker.link(text) if m.concept.curie in graph]


def _without(text: str, hidden: Collection[str], graph: KnowledgeGraph, linker: Linker) -> str:
    """The text without the mentions of ``hidden`` concepts, spaces made single."""
    for match in sorted(linker.link(text), key=lambda m: -m.start):
        if match.concept.curie in graph and graph.resolve(match.concept.curie) in hidden:
            text = f"{text[: match.start]} {text[match.end :]}"
    return " ".join(text.split())
