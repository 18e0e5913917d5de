"""The next steps of a differential, fitted to the patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fusion.diagnosis import Diagnosis, LeftOut, NextStep
from kg.graph import KnowledgeGraph
from ontologies.chest import contraindication
from ontologies.chest import layer as chest
from vision.finding import Finding

FIRST = 3


def fitted(
    diagnoses: Sequence[Diagnosis], findings: Iterable[Finding], age: float | None, graph: KnowledgeGraph
) -> tuple[tuple[NextStep, ...], tuple[LeftOut, ...]]:
    """What to consider for those of the FIRST diagnoses that cannot be ruled out, in their order, investigations first;
    and what is left out of it, with why.

    A step is a line of the curated layer; its parts between semicolons stand for themselves. A part goes out when
    `contraindication.objection` has one against it, by what the findings say is present (anything that it is a kind of
    counts as well) and by age (years). Both are empty when the layer has no step for any of the diagnoses.
    """
    present = [f.concept.curie for f in findings if f.concept and f.presence == "present"]
    facts = frozenset().union(*(graph.ancestors(curie) for curie in present if curie in graph), present)
    steps, left_out = [], []
    for diagnosis in diagnoses[:FIRST]:
        if not diagnosis.conformal_member:
            continue
        concept = diagnosis.concept
        names = [f"{system}:{code}" for system, codes in concept.codes.items() for code in codes]
        for step in chest.next_steps(names):
            kept = []
            for part in step.text.split("; "):
                against = contraindication.objection(part, names, facts, age)
                if against is None:
                    kept.append(part)
                    continue
                treatment, row = against
                why = row.fact_name if row.below_age is None else f"younger than {_years(row.below_age)}"
                left_out.append(
                    LeftOut(
                        disease=concept.name,
                        text=part,
                        treatment=treatment,
                        because=f"{why}: {row.why}",
                        reference=chest.citation(row.reference),
                    )
                )
            if kept:
                text = "; ".join(kept)
                steps.append(NextStep(disease=concept.name, text=text, reference=chest.citation(step.reference)))
    return tuple(steps), tuple(left_out)


def _years(age: float) -> str:
    return f"{age:g} years" if age >= 1 else f"{round(age * 12)} month{'s' if round(age * 12) > 1 else ''}"
