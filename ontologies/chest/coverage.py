"""How much the chest layer holds."""

from __future__ import annotations

from pathlib import Path

from ontologies.chest import patients
from ontologies.chest.layer import DATA, load


def counts(folder: Path | None = None) -> dict[str, int]:
    """How much the layer holds, for docs/knowledge-card.md: diseases (without groups), groups, findings, annotations,
    those that cite a paper, what was counted in made-up patients, steps, references, different PMIDs, and rows with a
    code of each system."""
    layer, counted = load(folder), patients.read(DATA if folder is None else folder)
    rows = {row.id: row for row in (*layer.findings, *layer.diseases)}
    codes = {row.id: {row.id, *row.codes} for row in layer.findings}
    for row in layer.diseases:
        codes.setdefault(row.id, set()).update({row.id, *row.codes})
    cited = {row.reference for row in (*layer.findings, *layer.diseases)}
    cited |= {row.reference for row in layer.annotations} | {row.reference for row in layer.steps}
    held = {
        "diseases": sum(row.commonness != "group" for row in layer.diseases),
        "groups": sum(row.commonness == "group" for row in layer.diseases),
        "findings": len(layer.findings),
        "concepts": len(rows),
        "annotations": len(layer.annotations),
        "excluded": sum(row.excluded for row in layer.annotations),
        "citing a paper": sum(row.reference.startswith("PMID:") for row in layer.annotations),
        "made-up patients": sum({c.disease: c.of for c in counted.values()}.values()),
        "counted in made-up patients": len(counted),
        "next steps": len(layer.steps),
        "portraits": len(layer.portraits),
        "references": len(layer.references),
        "papers": sum(reference.startswith("PMID:") for reference in cited),
    }
    for system in ("HP", "UMLS", "SNOMEDCT", "ICD10CM", "MESH", "DOID", "ORPHA", "OMIM"):
        held[f"with {system}"] = sum(any(code.startswith(f"{system}:") for code in some) for some in codes.values())
    return held
