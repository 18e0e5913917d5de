"""Fifty made reports: random, but the same each time, of the concepts that the graph's findings and diseases have."""

from __future__ import annotations

import random
from collections.abc import Sequence

from fusion.diagnosis import Diagnosis, DiagnosticReport, Evidence, LeftOut, NextStep
from ontologies.concept import Concept
from retrieval.document import Document, SearchHit
from vision.finding import LABEL_CURIES, LABELS, BoundingBox, Finding

IMAGE_UID = "1.2.826.0.1.3680043.8.498.1"
_SIDES = ("left", "right", "bilateral", "midline", None)
_SYSTEMS = ("SNOMEDCT", "UMLS", "ICD10CM", "HP")


def made_concepts(number: int = 60) -> list[Concept]:
    """Concepts with none, one or several codes, of every system."""
    chance = random.Random("concepts")
    found = []
    for n in range(number):
        known = chance.sample(_SYSTEMS, chance.randint(0, len(_SYSTEMS)))
        codes = {s: (_code(s, chance),) for s in known}
        curie = f"{known[0]}:{codes[known[0]][0]}" if known else f"CHEST:thing-{n}"
        found.append(Concept(curie=curie, name=f"Thing {n} of the chest", codes=codes))
    return found


def made_cases(concepts: Sequence[Concept], number: int = 50) -> list[DiagnosticReport]:
    """``number`` reports: with an image, a note, both; with boxes or without; some abstain, some name nothing."""
    return [_case(random.Random(f"case {n}"), n, concepts) for n in range(number)]


def _case(chance: random.Random, n: int, concepts: Sequence[Concept]) -> DiagnosticReport:
    findings: list[Finding] = []
    if n % 3 != 1:
        findings += [_seen(chance, label, chance.choice(concepts)) for label in chance.sample(LABELS, 4)]
    if n % 3 != 0:
        findings += [
            Finding(
                label=concept.name,
                presence=chance.choice(("present", "absent", "uncertain")),
                origin=chance.choice(("note", "user")),
                laterality=chance.choice(_SIDES),
                concept=concept,
            )
            for concept in chance.sample(concepts, 3)
        ]
    ranked = [] if n % 10 == 9 else chance.sample(concepts, chance.randint(1, 5))
    shares = [chance.random() ** 3 for _ in range(len(ranked) + 1)]
    shares = [share / sum(shares) for share in shares]
    diagnoses = tuple(
        Diagnosis(
            concept=concept,
            probability=p,
            rank=rank,
            score=chance.uniform(-5, 5),
            evidence=tuple(_evidence(chance, finding) for finding in findings[:2] if finding.concept),
            conformal_member=chance.random() < 0.4,
            with_kinds=chance.choice((None, min(1.0, p * 1.5))),
        )
        for rank, (concept, p) in enumerate(zip(ranked, sorted(shares[:-1], reverse=True), strict=True), 1)
    )
    case = Document(
        doc_id=str(n), kind="case", title=f"Case {n}", text="A text", source_curie=f"made:{n}", metadata={"age": "61"}
    )
    step = NextStep(disease="Thing", text="Look again", reference="Nobody 2026")
    left = LeftOut(disease="Thing", text="a drug", treatment="drug", because="allergy", reference="Nobody 2026")
    return DiagnosticReport(
        findings=tuple(findings),
        diagnoses=diagnoses,
        none_of_these=shares[-1],
        set_size=3,
        understood=0.5 if n % 3 else None,
        age=chance.choice((None, 61.0, 0.5)),
        sex=chance.choice((None, "F", "M")),
        cases=(SearchHit(document=case, score=chance.random(), rank=1, explanation={"text": chance.random()}),),
        next_steps=(step,) if n % 2 else (),
        left_out=(left,) if n % 2 else (),
        abstention="too many cannot be ruled out" if n % 7 == 6 else None,
        provenance={"whydx": "0.1.0", "graph": "ab12"},
    )


def _seen(chance: random.Random, label: str, concept: Concept) -> Finding:
    presence = chance.choice(("present", "absent", "uncertain", "not assessed"))
    shown = presence in ("present", "uncertain")
    own = Concept(curie=LABEL_CURIES[label], name=concept.name, codes=concept.codes)
    box = BoundingBox(x=chance.uniform(0, 90), y=chance.uniform(0, 90), width=100.25, height=chance.uniform(1, 150))
    return Finding(
        label=label,
        presence=presence,
        probability=chance.choice((chance.random(), 1e-7, 1 / 3)),
        threshold=0.4,
        box=box if shown and chance.random() < 0.7 else None,
        laterality=chance.choice(_SIDES) if shown else None,
        concept=own,
        sop_instance_uid=IMAGE_UID,
    )


def _evidence(chance: random.Random, finding: Finding) -> Evidence:
    weight = chance.choice((-1, 1)) * chance.uniform(0.01, 2)
    stance = "supports" if weight > 0 else "contradicts"
    reference = finding.concept.curie if finding.concept else finding.label
    return Evidence(kind="finding", reference=reference, text=finding.label, stance=stance, weight=weight)


def _code(system: str, chance: random.Random) -> str:
    digits = f"{chance.randint(10**6, 10**7 - 1)}"
    shapes = {"SNOMEDCT": f"{digits}00", "UMLS": f"C{digits}", "ICD10CM": f"J{digits[:2]}.{digits[2]}", "HP": digits}
    return shapes[system]
