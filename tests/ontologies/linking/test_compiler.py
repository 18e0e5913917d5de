"""Compiling a dictionary on disk gives what compiling it in memory gives; coherence uses the hierarchy it holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ontologies.concept import FINDING, Concept, Relation, Term
from ontologies.linking import spill
from ontologies.linking.linker import Linker
from ontologies.linking.spill import SortedRows

_PARTS = ["heart", "kidney", "lung", "nail", "liver", "retina"]
_STATES = ["cyst", "atrophy", "hypoplasia", "calcification", "mass", "abnormality"]


def _concept(code: str, name: str) -> Concept:
    return Concept(curie=f"HP:{code}", name=name, semantic_types=(FINDING,), codes={"HP": (code,)})


def _vocabulary() -> tuple[list[Concept], list[Term], list[Relation]]:
    concepts, terms, relations = [], [], []
    for i, part in enumerate(_PARTS):
        for j, state in enumerate(_STATES):
            code = f"{i}{j}"
            concepts.append(_concept(code, f"{part} {state}"))
            names = [f"{part} {state}", f"{state} of the {part}", f"severe {state}, {part}"]
            terms += [Term(curie=f"HP:{code}", text=name, kind="exact") for name in names]
            if j:
                relations.append(Relation(subject=f"HP:{code}", predicate="is_a", object=f"HP:{i}0", source="t"))
    return concepts, terms, relations


def test_on_disk_and_in_memory_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    concepts, terms, relations = _vocabulary()
    Linker.build(concepts, terms, tmp_path / "memory", relations=relations)
    monkeypatch.setattr(spill, "_RUN", 7)
    monkeypatch.setattr(spill, "_BATCH", 11)
    monkeypatch.setattr(spill, "_IN_MEMORY", 20)
    shuffled = random.Random(3).sample(terms, len(terms))
    Linker.build(reversed(concepts), iter(shuffled), tmp_path / "disk", relations=reversed(relations))
    for file in sorted((tmp_path / "memory").iterdir()):
        assert (tmp_path / "disk" / file.name).read_bytes() == file.read_bytes(), file.name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["disk", "memory"]  # no run is left behind


@pytest.mark.parametrize("run", [1, 2, 5, 6, 7, 100])
def test_rows_are_unique_and_ascending_however_many_fit_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int
) -> None:
    monkeypatch.setattr(spill, "_RUN", run)
    rows = [("b", "ß"), ("a", '"\n'), ("b", "ß"), ("c", ""), ("a", '"\n'), ("a", "z")]
    kept = SortedRows(iter(rows), tmp_path / "rows")
    assert list(kept) == list(kept) == sorted(set(rows))


def test_the_texts_other_concepts_decide_between_concepts_of_one_name(tmp_path: Path) -> None:
    heart, mind = _concept("1", "Heart problem"), _concept("2", "Mental problem")
    defect, autism = _concept("3", "Atrial septal defect"), _concept("4", "Autism spectrum disorder")
    murmur, anxiety = _concept("5", "Murmur"), _concept("6", "Anxiety")
    concepts = [heart, mind, defect, autism, murmur, anxiety]
    terms = [Term(curie=c.curie, text=c.name, kind="preferred") for c in concepts]
    terms += [Term(curie=c.curie, text="ASD", kind="abbreviation") for c in (defect, autism)]
    above = {"3": "1", "5": "1", "4": "2", "6": "2"}
    relations = [
        Relation(subject=f"HP:{child}", predicate="is_a", object=f"HP:{parent}", source="t")
        for child, parent in above.items()
    ]
    linker = Linker.build(concepts, terms, tmp_path / "linker", relations=relations)
    assert [m.concept for m in linker.link("ASD and a murmur")] == [defect, murmur]
    assert [m.concept for m in linker.link("ASD and anxiety")] == [autism, anxiety]
    [alone] = linker.link("ASD")
    assert alone.concept == linker.link("an ASD")[0].concept
