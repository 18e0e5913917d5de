"""The next steps of a differential, fitted to the patient.

They are those of the curated layer, then the drugs that the user's UMLS says may treat a disease, less those that it
says are not for the patient (MED-RT's relations). The open sources of a home state neither.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from fusion.diagnosis import Diagnosis, LeftOut, NextStep
from kg.graph import KnowledgeGraph
from ontologies.chest import alternatives, contraindication
from ontologies.chest import layer as chest
from ontologies.chest.contraindication import Contraindication
from ontologies.chest.layer import Step
from ontologies.chest.table import StepKind
from ontologies.concept import Concept
from vision.finding import Finding

FIRST = 3
MOST_DRUGS = 8  # named of those that UMLS gives a disease
LEAST = 0.02  # probability, of another than the first: a set may hold much that is unlikely

# Predicate, and whether the drug is its subject: a release states each in both directions, and is kept in one.
_TREATS = (("may_be_treated_by", False), ("may_treat", True))
_HARMS = (("contraindicated_with_disease", True), ("has_contraindicated_drug", False))


class Drug(NamedTuple):
    """A drug by canonical CURIE and name, and the source that says so."""

    curie: str
    name: str
    source: str


def may_treat(graph: KnowledgeGraph, disease: str) -> tuple[Drug, ...]:
    """The drugs that may treat a disease (a CURIE of the graph), by name, each once; () when no source says of any."""
    found = [
        Drug(t.subject, t.subject_name, t.source) if drug_first else Drug(t.object, t.object_name, t.source)
        for predicate, drug_first in _TREATS
        for t in graph.triples(disease, predicate, inverse=drug_first)
    ]
    by_curie = {drug.curie: drug for drug in reversed(found)}
    return tuple(sorted(by_curie.values(), key=lambda drug: (drug.name.casefold(), drug.curie)))


def contraindicated_by(graph: KnowledgeGraph, drug: str, facts: Collection[str]) -> Drug | None:
    """The first of the ``facts`` (CURIEs of the graph) with which a drug is contraindicated, with its name and the
    source that says so; None when it is with none of them."""
    against = [
        Drug(t.object, t.object_name, t.source) if drug_first else Drug(t.subject, t.subject_name, t.source)
        for predicate, drug_first in _HARMS
        for t in graph.triples(drug, predicate, inverse=not drug_first)
    ]
    return next((fact for fact in sorted(against) if fact.curie in facts), None)


def open_to(diagnosis: Diagnosis) -> bool:
    """Whether steps for the diagnosis are worth a word: it cannot be ruled out, and is the first or not unlikely."""
    likely = max(diagnosis.probability, diagnosis.with_kinds or 0.0) >= LEAST
    return diagnosis.conformal_member and (diagnosis.rank == 1 or likely)


def fitted(
    diagnoses: Sequence[Diagnosis],
    findings: Iterable[Finding],
    past: Iterable[str],
    age: float | None,
    graph: KnowledgeGraph,
    refused: Sequence[Contraindication] = (),
) -> tuple[tuple[NextStep, ...], tuple[LeftOut, ...]]:
    """What to consider for those of the FIRST diagnoses that are `open_to`, in their order, investigations first; and
    what is left out of it, with why.

    A step is a line of the curated layer; its parts between semicolons stand for themselves. A part goes out when a row
    of `ontologies.chest.contraindication` is against it, by what the findings say is present, what the note says was
    there once (``past``, CURIEs of the graph), and age (years); anything that a finding is a kind of counts as well.
    So do the rows for what the note says is not for the patient (``refused``). Of alternatives only those go out that a
    row is against, unless none is left. What the user says is absent is not present, whatever the note says. After a
    disease's steps stand the drugs that the user's UMLS says may treat it (`may_treat`), fitted the same way, by their
    names and those of their classes, and by whom UMLS says they are not for. Both are empty when neither says anything
    of any of the diagnoses.
    """
    told = [(f.concept.curie, f) for f in findings if f.concept]
    denied = {curie for curie, f in told if f.origin == "user" and f.presence == "absent"}
    present = _facts((curie for curie, f in told if f.presence == "present" and curie not in denied), graph)
    once = _facts(past, graph)
    steps, left_out = [], []
    for diagnosis in diagnoses[:FIRST]:
        if not open_to(diagnosis):
            continue
        names, disease = _names(diagnosis.concept), diagnosis.concept.name
        rows = [*refused, *contraindication.against(names, present, once, age)]
        for step in chest.next_steps(names):
            parts = [_parted(part, rows) for part in step.written.split("; ")]
            left_out += [_left_out(disease, text, objections) for _, out in parts for text, objections in out.items()]
            if kept := "; ".join(part for part, _ in parts if part):
                steps.append(NextStep(disease=disease, text=kept, reference=chest.citation(step.reference)))
        listed, out = _drugs(diagnosis.concept, rows, present | once, graph)
        steps += listed
        left_out += out
    return tuple(steps), tuple(left_out)


def _drugs(
    disease: Concept, rows: Sequence[Contraindication], facts: Collection[str], graph: KnowledgeGraph
) -> tuple[list[NextStep], list[LeftOut]]:
    """One step with the drugs of UMLS that nothing speaks against, and those that something does."""
    kept: list[Drug] = []
    out: list[LeftOut] = []
    for drug in may_treat(graph, disease.curie) if disease.curie in graph else ():
        classes = " . ".join(graph.name(int(node)) for node in graph.ancestor_nodes(graph.node(drug.curie)))
        objections = _against(f"{drug.name} . {classes}", rows)
        if objections:
            out.append(_left_out(disease.name, drug.name, objections))
        elif fact := contraindicated_by(graph, drug.curie, facts):
            why = f"{fact.name}: contraindicated"
            out.append(
                LeftOut(disease=disease.name, text=drug.name, treatment=drug.name, because=why, reference=fact.source)
            )
        else:
            kept.append(drug)
    if not kept:
        return [], out
    more = f" and {len(kept) - MOST_DRUGS} more" if len(kept) > MOST_DRUGS else ""
    text = f"Drugs that may treat it: {', '.join(drug.name for drug in kept[:MOST_DRUGS])}{more}"
    return [NextStep(disease=disease.name, text=text, reference=kept[0].source)], out


def kind_of(text: str, steps: Sequence[Step]) -> StepKind | None:
    """Whether a text that ``fitted`` made of one of ``steps`` is an investigation or a treatment, by its words; None
    when it is of none of them."""
    said = set(text.split("; ")[0].lower().replace(",", "").split())
    return next((s.kind for s in steps if said <= set(s.text.lower().replace(",", "").replace(";", "").split())), None)


Objections = dict[str, Contraindication]


def _parted(written: str, rows: Sequence[Contraindication]) -> tuple[str, dict[str, Objections]]:
    """What is left of a part of a step, "" for nothing, and what goes out of it: text → objections."""
    groups = alternatives.alternatives(written)
    against = {option: _against(option, rows) for group in groups for option in group}
    whole = _against(alternatives.frame(written), rows)
    if whole or any(all(against[option] for option in group) for group in groups):
        text = alternatives.plain(written)
        return "", {text: _against(text, rows)}
    out = {option: found for option, found in against.items() if found}
    return alternatives.without(written, list(out)), out


def _against(text: str, rows: Sequence[Contraindication]) -> Objections:
    return {t: row for row in rows for t in row.treatments_in(text)}


def _left_out(disease: str, text: str, objections: Objections) -> LeftOut:
    """``objections``: treatment in the text → the row against it."""
    reasons = dict.fromkeys(f"{_who(row)}: {row.why}" for row in objections.values())
    references = dict.fromkeys(chest.citation(row.reference) for row in objections.values())
    return LeftOut(
        disease=disease,
        text=text,
        treatment=", ".join(objections),
        because="; ".join(reasons),
        reference="; ".join(references),
    )


def _who(row: Contraindication) -> str:
    if row.below_age is None:
        return row.fact_name
    months = round(row.below_age * 12)
    young = f"{row.below_age:g} years" if row.below_age >= 1 else f"{months} month{'s' if months > 1 else ''}"
    return f"younger than {young}"


def _facts(curies: Iterable[str], graph: KnowledgeGraph) -> set[str]:
    """Every CURIE of the concepts and of all that they are a kind of."""
    wider = {a for curie in curies if curie in graph for a in graph.ancestors(curie)}
    return {name for curie in wider for name in (curie, *_names(graph.concept(curie)))}


def _names(concept: Concept) -> list[str]:
    return [f"{system}:{code}" for system, codes in concept.codes.items() for code in codes]
