"""Compiling a dictionary on disk gives what compiling it in memory gives; coherence uses the hierarchy it holds."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ontologies.concept import DISEASE, FINDING, Concept, Relation, Term
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


@pytest.mark.parametrize("system", ["UMLS", "HP", "SNOMEDCT", "ICD10CM", "MESH", "OMIM", "NCIT", "RADLEX"])
def test_a_finding_with_codes_of_one_system_is_linked(tmp_path: Path, system: str) -> None:
    """Invented UMLS concepts whose codes are of one system, beside HPO's root, which they are not below."""
    root = Concept(curie="HP:0000118", name="Phenotypic abnormality", codes={"HP": ("0000118",)})
    invented = [
        Concept(
            curie=f"UMLS:C{i:07}",
            name=f"klax{'abcdefghij'[i % 10]}{'abcdefghij'[i // 10]}um sign",
            semantic_types=("Sign or Symptom",),
            codes={"UMLS": (f"C{i:07}",), system: (str(i),)},
        )
        for i in range(100)
    ]
    # what has a code of HPO must be below its root
    below = [Relation(subject=c.curie, predicate="is_a", object=root.curie, source="t") for c in invented]
    terms = [Term(curie=c.curie, text=c.name, kind="preferred") for c in invented]
    Linker.build([root, *invented], terms, tmp_path / "linker", relations=below if system == "HP" else ())
    linker = Linker.open(tmp_path / "linker")
    assert all([m.concept.curie for m in linker.link(f"A {c.name} was seen.")] == [c.curie] for c in invented)


def test_names_of_a_classification_that_a_text_would_use(tmp_path: Path) -> None:
    names = {
        "B05": "Measles",
        "A01": "Typhoid fever, unspecified",
        "J98": "Other disorders of lung",
        "B15": "Acute hepatitis A",
    }
    concepts = [
        Concept(curie=f"ICD10CM:{code}", name=name, semantic_types=(DISEASE,), codes={"ICD10CM": (code,)})
        for code, name in names.items()
    ]
    concepts.append(Concept(curie="SNOMEDCT:1", name="Oblique view", codes={"SNOMEDCT": ("1",)}))
    Linker.build(concepts, [Term(curie=c.curie, text=c.name, kind="preferred") for c in concepts], tmp_path / "linker")
    found = Linker.open(tmp_path / "linker").link(
        "measles, typhoid fever, unspecified, acute hepatitis A, oblique view"
    )
    assert {match.concept.curie for match in found} == {"ICD10CM:B05", "ICD10CM:B15"}
