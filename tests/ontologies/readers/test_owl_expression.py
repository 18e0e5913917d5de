"""What class expressions of OWL say of named classes, in every syntax; and what they do not say."""

from __future__ import annotations

from pathlib import Path

import pytest
import rdflib

from ontologies.concept import Concept, Relation
from ontologies.problem import Problem
from ontologies.readers import rdf

PREFIXES = """@prefix : <http://purl.obolibrary.org/obo/X_> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix sct: <http://snomed.info/id/> .
"""
NAMED = (
    PREFIXES
    + "".join(f':{c} a owl:Class ; rdfs:label "class {c}" .\n' for c in "abcdefgh")
    + ':r a owl:ObjectProperty ; rdfs:label "caused by" . :s a owl:ObjectProperty ; rdfs:label "finding site" .\n'
)
TABLE = Path(__file__).parent / "rdf" / "expressions.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def said(path: Path) -> list[str]:
    return sorted(f"{s.subject[2:]} {s.predicate} {s.object[2:]}" for s in rdf.read(path) if isinstance(s, Relation))


@pytest.mark.filterwarnings("ignore:Assertions on:UserWarning")  # rdflib of lists, which it writes all the same
@pytest.mark.parametrize(("axiom", "expected"), ROWS)
def test_an_expression_says_what_follows_from_it(tmp_path: Path, axiom: str, expected: str) -> None:
    text = f"{NAMED}{axiom} ."
    (tmp_path / "given.ttl").write_text(text, encoding="utf-8")
    assert said(tmp_path / "given.ttl") == ([] if expected == "-" else sorted(expected.split(", ")))
    if "_:" not in axiom and "rdf:first" not in axiom:
        rdflib.Graph().parse(data=text, format="turtle").serialize(tmp_path / "given.owl", format="pretty-xml")
        assert said(tmp_path / "given.owl") == said(tmp_path / "given.ttl")


def test_expressions_shared_over_and_over_are_read_in_no_time(tmp_path: Path) -> None:
    axioms = [
        f"_:e{i} owl:intersectionOf ( _:e{i + 1} _:e{i + 1} [ owl:unionOf ( _:e{i + 1} ) ] ) ." for i in range(60)
    ]
    axioms += [":a rdfs:subClassOf _:e0 .", "_:e60 owl:intersectionOf ( :b :c ) ."]
    (tmp_path / "given.ttl").write_text(NAMED + "\n".join(axioms), encoding="utf-8")
    assert said(tmp_path / "given.ttl") == ["a is_a b", "a is_a c"]


@pytest.mark.parametrize(
    ("types", "concept"),
    [
        ("owl:Class, owl:NamedIndividual", True),
        ("owl:NamedIndividual, owl:Class", True),
        ("skos:Concept, owl:NamedIndividual", True),
        ("rdfs:Class, owl:NamedIndividual", True),
        ("owl:Class, :b, owl:NamedIndividual", True),
        ("owl:Class, owl:ObjectProperty", True),
        ("owl:Class, rdfs:Datatype, owl:AnnotationProperty", True),
        ("skos:Concept, skos:Collection", True),
        ("owl:NamedIndividual", False),
        (":b, owl:NamedIndividual", False),
        ("owl:ObjectProperty, owl:NamedIndividual", False),
        ("owl:Class, owl:DeprecatedClass, owl:NamedIndividual", False),
    ],
)
def test_a_class_may_be_an_individual_or_a_property_too(tmp_path: Path, types: str, concept: bool) -> None:
    text = f'{NAMED}:x a {types} ; rdfs:label "both" ; rdfs:subClassOf :b . '
    text += ":c rdfs:subClassOf [ owl:onProperty :x ; owl:someValuesFrom :d ] ."
    for form in ("turtle", "xml"):
        path = tmp_path / f"given.{form}"
        rdflib.Graph().parse(data=text, format="turtle").serialize(path, format=form)
        found = {s.name for s in rdf.read(path) if isinstance(s, Concept)}
        assert ("both" in found) == concept
        assert ("x is_a b" in said(path)) == concept
        assert "c both d" in said(path), "a property's label names the relation in any case"


def test_a_circle_of_expressions_is_no_error_and_nothing_is_reported(tmp_path: Path) -> None:
    (tmp_path / "given.ttl").write_text(NAMED + ":a rdfs:subClassOf [ owl:unionOf ( :b :c ) ] .", encoding="utf-8")
    problems: list[Problem] = []
    assert len(list(rdf.read(tmp_path / "given.ttl", report=problems.append))) == 16
    assert problems == []


def test_the_shared_cases_of_intersections(shared_data: Path) -> None:
    folder = shared_data / "field_cases" / "64-owl-intersection"
    if not folder.is_dir():
        pytest.skip("no field cases in the development data")
    found = {file.name: [s for s in rdf.read(file) if isinstance(s, Relation)] for file in folder.glob("*.ttl")}
    assert {name: [(r.subject[-1], r.predicate, r.object[-1]) for r in some] for name, some in found.items()} == {
        "eq.ttl": [("1", "is_a", "2"), ("1", "caused_by", "3"), ("4", "is_a", "2"), ("5", "is_a", "2")],
        "sub_intersection.ttl": [("1", "is_a", "2"), ("1", "caused_by", "3")],
        "some_union.ttl": [("1", "possibly_caused_by", "2"), ("1", "possibly_caused_by", "3")],
    }
