"""A name that thousands of concepts share is read as the first of them, and does not hold a text up."""

from __future__ import annotations

from pathlib import Path

from ontologies.concept import FINDING, Concept, Term
from ontologies.linking.linker import Linker
from ontologies.linking.recognition import _MOST_ENTRIES, _MOST_RIVALS


def test_a_name_of_many_concepts(tmp_path: Path) -> None:
    curies = [f"UMLS:C{i:07d}" for i in range(3 * _MOST_ENTRIES)]
    last = curies[-1]
    concepts = [
        Concept(
            curie=curie,
            name="Renal cyst",
            semantic_types=(FINDING,),
            codes={"UMLS": (curie[5:],)} | ({"HP": ("0000107",)} if curie == last else {}),
        )
        for curie in curies
    ]
    terms = [Term(curie=curie, text="Renal cyst", kind="preferred") for curie in curies]
    linker = Linker.build(concepts, terms, tmp_path / "linker")
    [match] = linker.link("a renal cyst")
    assert match.concept.curie == last  # it has the most codes
    [reading] = linker.read_all(["a renal cyst"])
    assert len(reading.found[0].rivals) == _MOST_RIVALS
    [match] = linker.link("a renal cyst", systems=("HP",))
    assert match.concept.curie == last
