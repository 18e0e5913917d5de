from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontologies.concept import Concept, Relation, Statement, Term, TermKind
from ontologies.merging.knowledge import Conflict

from . import merge_oracle
from .listing import merge
from .merge_oracle import Merged


def concept(curie: str, name: str = "", types: tuple[str, ...] = (), **codes: tuple[str, ...]) -> Concept:
    system, _, code = curie.partition(":")
    return Concept(curie=curie, name=name or f"name of {curie}", semantic_types=types, codes={system: (code,)} | codes)


def term(curie: str, text: str, kind: TermKind = "exact", source: str = "S") -> Term:
    return Term(curie=curie, text=text, kind=kind, source=source)


def relation(
    subject: str,
    predicate: str,
    object_: str,
    frequency: float | None = None,
    count: tuple[int, int] | None = None,
    reference: str = "",
    source: str = "S",
) -> Relation:
    return Relation(
        subject=subject,
        predicate=predicate,
        object=object_,
        source=source,
        frequency=frequency,
        reference=reference,
        count=count,
    )


def xref(one: str, two: str) -> Relation:
    return relation(one, "xref", two)


def everything(merged: Merged) -> tuple[object, ...]:
    """All of it, with the fields that equality of concepts leaves out."""
    concepts = [(c.curie, c.name, c.semantic_types, tuple(c.codes.items()), c.definition) for c in merged.concepts]
    return concepts, merged.terms, merged.relations, tuple(merged.alias.items()), merged.conflicts


def by_curie(merged: Merged) -> dict[str, Concept]:
    return {c.curie: c for c in merged.concepts}


def test_nothing() -> None:
    assert merge([]) == Merged(concepts=(), terms=(), relations=(), alias={}, conflicts=())


def test_one_to_one_becomes_one_concept() -> None:
    merged = merge(
        [
            concept("HP:1", "Pleural effusion", ("Finding",)),
            concept("SNOMEDCT:60046008", "Effusion", ("Disorder",)),
            concept("DOID:9", "pleural effusion", ("Disease or Syndrome",)),
            xref("HP:1", "SNOMEDCT:60046008"),
            xref("HP:1", "UMLS:C1"),
            xref("DOID:9", "UMLS:C1"),
            term("HP:1", "Pleural effusion", "preferred"),
            term("SNOMEDCT:60046008", "Effusion", "preferred"),
            term("DOID:9", "pleural effusion", "preferred"),
        ]
    )
    (only,) = merged.concepts
    assert (only.curie, only.name) == ("UMLS:C1", "Pleural effusion")
    assert only.semantic_types == ("Disease or Syndrome", "Disorder", "Finding")
    assert only.codes == {"DOID": ("9",), "HP": ("1",), "SNOMEDCT": ("60046008",), "UMLS": ("C1",)}
    assert merged.alias == dict.fromkeys(["DOID:9", "HP:1", "SNOMEDCT:60046008", "UMLS:C1"], "UMLS:C1")
    assert merged.relations == ()
    assert merged.conflicts == ()
    assert [t.text for t in merged.terms] == ["Effusion", "Pleural effusion", "pleural effusion"]


def test_without_umls_the_source_names_it() -> None:
    merged = merge([concept("HP:1"), concept("SNOMEDCT:7"), xref("SNOMEDCT:7", "HP:1")])
    assert [c.curie for c in merged.concepts] == ["HP:1"]
    chest = merge(
        [concept("CHEST:pneumonia", "Pneumonia"), concept("HP:1", "Lung infection"), xref("CHEST:pneumonia", "HP:1")]
    )
    assert [(c.curie, c.name) for c in chest.concepts] == [("HP:1", "Pneumonia")]


def test_many_to_one_stays_an_edge() -> None:
    merged = merge(
        [concept("HP:1"), concept("HP:2"), concept("UMLS:C1"), xref("HP:1", "UMLS:C1"), xref("UMLS:C1", "HP:2")]
    )
    assert [c.curie for c in merged.concepts] == ["HP:1", "HP:2", "UMLS:C1"]
    assert merged.relations == (xref("HP:1", "UMLS:C1"), xref("HP:2", "UMLS:C1"))
    assert all("UMLS" not in c.codes for c in merged.concepts if c.curie.startswith("HP"))


def test_one_to_many_stays_an_edge() -> None:
    merged = merge(
        [
            concept("HP:1"),
            concept("SNOMEDCT:1"),
            concept("SNOMEDCT:2"),
            xref("HP:1", "SNOMEDCT:1"),
            xref("HP:1", "SNOMEDCT:2"),
        ]
    )
    assert [c.curie for c in merged.concepts] == ["HP:1", "SNOMEDCT:1", "SNOMEDCT:2"]
    assert merged.relations == (xref("HP:1", "SNOMEDCT:1"), xref("HP:1", "SNOMEDCT:2"))
    assert by_curie(merged)["HP:1"].codes == {"HP": ("1",)}


def test_one_to_one_is_judged_on_the_whole_input() -> None:
    pair = [concept("HP:1"), xref("HP:1", "UMLS:C1")]
    assert merge(pair).alias == {"HP:1": "UMLS:C1", "UMLS:C1": "UMLS:C1"}
    more = [*pair, concept("HP:2"), xref("HP:2", "UMLS:C1")]
    assert merge(more).alias == {"HP:1": "HP:1", "HP:2": "HP:2"}


def test_several_codes_of_one_concept_alone() -> None:
    """Nobody describes C1 and C2, only HP:1 claims them: codes of HP:1, which stays itself."""
    merged = merge([concept("HP:1"), xref("HP:1", "UMLS:C2"), xref("HP:1", "UMLS:C1")])
    (only,) = merged.concepts
    assert only.curie == "HP:1"
    assert only.codes == {"HP": ("1",), "UMLS": ("C1", "C2")}
    assert merged.alias == dict.fromkeys(["HP:1", "UMLS:C1", "UMLS:C2"], "HP:1")


def test_a_code_that_several_claim_is_on_none() -> None:
    merged = merge([concept("HP:1"), concept("HP:2"), xref("HP:1", "UMLS:C1"), xref("HP:2", "UMLS:C1")])
    assert all("UMLS" not in c.codes for c in merged.concepts)
    assert merged.conflicts == (
        Conflict(kind="shared code", curies=("UMLS:C1", "HP:1", "HP:2"), detail="claimed by several concepts"),
    )
    assert "UMLS:C1" not in merged.alias


def test_an_identity_is_not_diluted_by_further_codes() -> None:
    merged = merge(
        [
            *(concept("HP:1"), xref("HP:1", "UMLS:C5")),
            *(concept("MONDO:1"), xref("MONDO:1", "HP:1"), xref("MONDO:1", "UMLS:C1"), xref("MONDO:1", "UMLS:C2")),
        ]
    )
    (only,) = merged.concepts
    assert only.codes["UMLS"] == ("C5",)


def test_codes_given_on_a_concept_are_cross_references_and_stay() -> None:
    merged = merge(
        [
            concept("CHEST:tb", "Tuberculosis", UMLS=("C1",), ICD10CM=("A15.0", "A15.9")),
            concept("CHEST:mac", "MAC disease", ICD10CM=("A31.0",)),
            concept("CHEST:mac2", "MAC disease, other", ICD10CM=("A31.0",)),
            concept("ICD10CM:A15.0", "Tuberculosis of lung"),
            concept("ICD10CM:A15.9", "Respiratory tuberculosis"),
        ]
    )
    found = by_curie(merged)
    assert found["UMLS:C1"].codes == {"CHEST": ("tb",), "ICD10CM": ("A15.0", "A15.9"), "UMLS": ("C1",)}
    assert found["CHEST:mac"].codes["ICD10CM"] == found["CHEST:mac2"].codes["ICD10CM"] == ("A31.0",)
    assert merged.alias["ICD10CM:A15.0"] == "ICD10CM:A15.0", "its own concept"
    assert {(r.subject, r.object) for r in merged.relations} == {
        ("ICD10CM:A15.0", "UMLS:C1"),
        ("ICD10CM:A15.9", "UMLS:C1"),
    }


def test_a_chain_never_joins_two_of_one_system() -> None:
    """HP:1 = UMLS:C1 = MESH:D1 would also be HP:2; the least trusted link (to MeSH) gives way."""
    merged = merge(
        [
            concept("HP:1"),
            concept("HP:2"),
            concept("MESH:D1"),
            xref("HP:1", "UMLS:C1"),
            xref("UMLS:C1", "MESH:D1"),
            xref("MESH:D1", "DOID:1"),
            xref("DOID:1", "HP:2"),
            concept("DOID:1"),
        ]
    )
    assert merged.alias["HP:1"] != merged.alias["HP:2"]
    assert [c.kind for c in merged.conflicts] == ["same system"]
    assert merged.conflicts[0].curies == ("DOID:1", "MESH:D1")
    assert relation("HP:2", "xref", "UMLS:C1") in merged.relations


def test_old_ids() -> None:
    merged = merge(
        [
            concept("HP:1"),
            concept("OMIM:1"),
            relation("HP:9", "alias", "HP:8"),
            relation("HP:8", "alias", "HP:1"),
            relation("HP:7", "alias", "HP:6"),
            relation("HP:6", "alias", "HP:7"),
            relation("HP:5", "alias", "HP:1"),
            relation("HP:5", "alias", "OMIM:1"),
            relation("OMIM:1", "alias", "HP:1"),
            relation("OMIM:1", "has_phenotype", "HP:9", 0.5),
            xref("HP:9", "UMLS:C1"),
            term("HP:8", "old name"),
        ]
    )
    assert merged.alias == {
        **dict.fromkeys(["HP:1", "HP:8", "HP:9", "UMLS:C1"], "UMLS:C1"),
        "OMIM:1": "OMIM:1",
    }
    assert merged.relations == (relation("OMIM:1", "has_phenotype", "UMLS:C1", 0.5),)
    assert merged.terms == (term("UMLS:C1", "old name"),)
    assert [(c.kind, c.curies[0]) for c in merged.conflicts] == [("alias", "HP:5"), ("alias", "OMIM:1")]
    assert by_curie(merged)["UMLS:C1"].codes == {"HP": ("1",), "UMLS": ("C1",)}


def test_counts_are_pooled() -> None:
    rows = [
        relation("OMIM:1", "has_phenotype", "HP:1", 0.5, (1, 2), "PMID:2"),
        relation("OMIM:1", "has_phenotype", "HP:1", 1.0, (6, 6), "PMID:1;PMID:3"),
        relation("OMIM:1", "has_phenotype", "HP:1", 0.17, None, "OMIM:1"),  # no count: does not enter the ratio
        relation("OMIM:1", "has_phenotype", "HP:1"),
        relation("OMIM:1", "has_phenotype", "HP:1", 0.3, source="T"),
        relation("OMIM:1", "has_phenotype", "HP:1", 0.5, source="T"),
    ]
    merged = merge([concept("OMIM:1"), concept("HP:1"), *rows])
    assert merged.relations == (
        relation("OMIM:1", "has_phenotype", "HP:1", 7 / 8, (7, 8), "OMIM:1;PMID:1;PMID:2;PMID:3"),
        relation("OMIM:1", "has_phenotype", "HP:1", pytest.approx(0.4), source="T"),
    )


def test_never_found_is_excluded() -> None:
    facts = [concept("OMIM:1"), concept("HP:1"), concept("HP:2"), concept("HP:3")]
    rows = [
        relation("OMIM:1", "has_phenotype", "HP:1", 0.0, (0, 5), "PMID:1"),
        relation("OMIM:1", "has_phenotype", "HP:1", 0.0, (0, 2), "PMID:2"),
        relation("OMIM:1", "excludes_phenotype", "HP:1", reference="PMID:3"),
        relation("OMIM:1", "has_phenotype", "HP:2", 0.0, (0, 5)),
        relation("OMIM:1", "has_phenotype", "HP:2", 1.0, (5, 5)),
        relation("OMIM:1", "has_phenotype", "HP:3", 1.0, (1, 1)),
        relation("OMIM:1", "excludes_phenotype", "HP:3"),
    ]
    merged = merge([*facts, *rows])
    assert merged.relations == (
        relation("OMIM:1", "excludes_phenotype", "HP:1", 0.0, (0, 7), "PMID:1;PMID:2;PMID:3"),
        relation("OMIM:1", "excludes_phenotype", "HP:3"),
        relation("OMIM:1", "has_phenotype", "HP:2", 0.5, (5, 10)),
        relation("OMIM:1", "has_phenotype", "HP:3", 1.0, (1, 1)),
    )
    assert [(c.kind, c.curies) for c in merged.conflicts] == [("contradiction", ("OMIM:1", "HP:3"))]


def test_statements_about_nobody_are_reported() -> None:
    merged = merge([concept("HP:1"), relation("HP:1", "is_a", "HP:2"), term("HP:2", "x"), term("HP:1", "y")])
    assert merged.relations == ()
    assert merged.terms == (term("HP:1", "y"),)
    assert merged.conflicts == (Conflict(kind="unknown concept", curies=("HP:2",), detail="2 statements dropped"),)


def test_a_curie_described_twice() -> None:
    merged = merge(
        [
            Concept(curie="HP:1", name="Effusion", definition="short", codes={"HP": ("1",)}, semantic_types=("B",)),
            Concept(curie="HP:1", name="Pleural fluid", definition="much longer", semantic_types=("A",)),
            Concept(curie="HP:2", name="same"),
            Concept(curie="HP:2", name="Same"),
        ]
    )
    first, second = merged.concepts
    assert (first.name, first.definition, first.semantic_types) == ("Effusion", "much longer", ("A", "B"))
    assert second.codes == {"HP": ("2",)}
    assert [(c.kind, c.curies) for c in merged.conflicts] == [("name", ("HP:1",))]


def test_circles_are_cut() -> None:
    """HP says 1 is a 2, DOID says the other way round; merging closes the circle."""
    facts = [concept(c) for c in ("HP:1", "HP:2", "DOID:1", "DOID:2")]
    merged = merge(
        [
            *facts,
            xref("HP:1", "DOID:1"),
            xref("HP:2", "DOID:2"),
            relation("HP:1", "is_a", "HP:2", source="HPO"),
            relation("DOID:2", "is_a", "DOID:1", source="DO"),
        ]
    )
    assert merged.relations == (relation("HP:1", "is_a", "HP:2", source="HPO"),)
    assert [(c.kind, c.curies) for c in merged.conflicts] == [("cycle", ("HP:2", "HP:1"))]


CURIES = [f"{system}:{n}" for system in ("HP", "UMLS", "SNOMEDCT", "DOID", "MESH") for n in (1, 2, 3)]
curies = st.sampled_from(CURIES)
statements = st.lists(
    st.one_of(
        st.builds(concept, curies, st.sampled_from(["", "a", "b"])),
        st.builds(term, curies, st.sampled_from(["x", "y"])),
        st.builds(xref, curies, curies),
        st.builds(relation, curies, st.sampled_from(["is_a", "alias", "related_to"]), curies),
        st.builds(
            lambda s, o, n, extra, ref: relation(s, "has_phenotype", o, None, (n, n + extra), ref),
            curies,
            curies,
            st.integers(0, 3),
            st.integers(1, 3),
            st.sampled_from(["", "PMID:1", "PMID:2;PMID:1"]),
        ),
        st.builds(relation, curies, st.just("excludes_phenotype"), curies, st.sampled_from([None, 0.1, 0.2, 0.7])),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=8)
@given(statements, st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(given_statements: list[Statement], shuffler: random.Random) -> None:
    agrees_with_the_oracle(given_statements, shuffler)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(statements, st.randoms(use_true_random=False))
def test_merging_by_sql_agrees_with_plain_python(given_statements: list[Statement], shuffler: random.Random) -> None:
    agrees_with_the_oracle(given_statements, shuffler)


def agrees_with_the_oracle(given_statements: list[Statement], shuffler: random.Random) -> None:
    shuffled = list(given_statements)
    shuffler.shuffle(shuffled)
    expected = everything(merge_oracle.merge(given_statements))
    assert everything(merge_oracle.merge(shuffled)) == expected
    assert everything(merge(shuffled)) == expected


@settings(deadline=None, max_examples=300)
@given(statements)
def test_what_always_holds_of_the_oracle(given_statements: list[Statement]) -> None:
    merged = merge_oracle.merge(given_statements)
    known = {c.curie for c in merged.concepts}
    described = {s.curie for s in given_statements if isinstance(s, Concept)}

    assert [c.curie for c in merged.concepts] == sorted(known)
    assert described <= merged.alias.keys()
    assert set(merged.alias.values()) == known
    assert all(merged.alias[curie] == curie for curie in known)

    together = Counter((merged.alias[curie], curie.partition(":")[0]) for curie in described)
    assert set(together.values()) <= {1}, "two described concepts of one code system never become one"

    for relation_ in merged.relations:
        assert relation_.subject in known
        assert relation_.object in known
        assert relation_.subject != relation_.object
        assert relation_.predicate != "alias"
        assert relation_.predicate != "has_phenotype" or relation_.frequency != 0
    keys = [(r.subject, r.predicate, r.object, r.source) for r in merged.relations]
    assert keys == sorted(set(keys))
    assert {t.curie for t in merged.terms} <= known

    parents: dict[str, set[str]] = {}
    for relation_ in merged.relations:
        if relation_.predicate == "is_a":
            parents.setdefault(relation_.subject, set()).add(relation_.object)
    for start in parents:
        above, stack = set(), list(parents[start])
        while stack:
            node = stack.pop()
            if node not in above:
                above.add(node)
                stack.extend(parents.get(node, ()))
        assert start not in above


@settings(deadline=None, max_examples=10)
@given(st.sets(st.tuples(st.sampled_from(["HP:1", "HP:2", "HP:3"]), st.sampled_from(["UMLS:1", "UMLS:2", "UMLS:3"]))))
def test_identity_between_two_systems_is_exactly_one_to_one(pairs: set[tuple[str, str]]) -> None:
    """The definition again, by counting: a pair merges when neither end is in another pair."""
    facts = [concept(c) for c in ("HP:1", "HP:2", "HP:3", "UMLS:1", "UMLS:2", "UMLS:3")]
    merged = merge([*facts, *(xref(h, u) for h, u in pairs)])
    lefts, rights = Counter(h for h, _ in pairs), Counter(u for _, u in pairs)
    for hp, umls in pairs:
        same = lefts[hp] == 1 and rights[umls] == 1
        assert (merged.alias[hp] == merged.alias[umls]) is same
        assert (relation(hp, "xref", umls) in merged.relations) is not same
