"""Counts of what the readers yield beside counts by pronto and rdflib, of the same files."""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ontologies.concept import Concept, Relation, Statement, Term
from ontologies.prefix import canonical_curie
from ontologies.readers import obo, rdf
from ontologies.sources.store import member_path

REPOSITORY = Path(__file__).resolve().parents[2]
OBO_IRI, OIO = "http://purl.obolibrary.org/obo/", "http://www.geneontology.org/formats/oboInOwl#"


def loaded(path: Path) -> Any:
    import pronto

    # The Disease Ontology uses this type without declaring it, which pronto does not forgive.
    declared = path.read_bytes().replace(b"\n\n", b'\nsynonymtypedef: OMO:0003012 "acronym"\n\n', 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pronto.Ontology(io.BytesIO(declared), import_depth=0)


def live(ontology: Any) -> list[Any]:
    """Terms that are not obsolete and have a name."""
    return [term for term in ontology.terms() if not term.obsolete and term.name]


def counted(statements: Iterable[Statement]) -> dict[str, Counter[str]]:
    """How many of each kind: term kinds, relation predicates, xrefs by code system."""
    found: dict[str, Counter[str]] = {"concept": Counter(), "term": Counter(), "relation": Counter(), "xref": Counter()}
    for statement in statements:
        if isinstance(statement, Concept):
            found["concept"]["all"] += 1
            found["concept"]["defined"] += bool(statement.definition)
        elif isinstance(statement, Term):
            found["term"][statement.kind] += 1
        else:
            found["relation"][statement.predicate] += 1
            if statement.predicate == "xref":
                found["xref"][statement.object.partition(":")[0]] += 1
    return found


def counted_by_pronto(ontology: Any) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {"concept": Counter(), "term": Counter(), "relation": Counter(), "xref": Counter()}
    for term in ontology.terms():
        if term.obsolete:
            found["relation"]["alias"] += len(term.replaced_by)
            found["relation"]["consider"] += len(term.consider)
            continue
        found["concept"]["all"] += 1
        found["concept"]["defined"] += term.definition is not None
        found["term"]["preferred"] += 1
        found["relation"]["alias"] += len(term.alternate_ids)
        parents = term.superclasses(distance=1, with_self=False)
        found["relation"]["is_a"] += sum(not parent.obsolete for parent in parents)
        for synonym in term.synonyms:
            kind, typed = synonym.scope.lower(), synonym.type.id if synonym.type else ""
            if typed != "obsolete_synonym" and synonym.description.strip():
                typed = {"OMO:0003012": "abbreviation"}.get(typed, typed)
                found["term"][typed if kind == "exact" and typed in ("layperson", "abbreviation") else kind] += 1
        for xref in term.xrefs:
            if (curie := canonical_curie(xref.id)) and curie != term.id:
                found["xref"][curie.partition(":")[0]] += 1
    found["relation"]["xref"] = found["xref"].total()
    return found


@pytest.fixture(scope="module")
def hpo() -> Path:
    home = Path(os.environ.get("WHYDX_TEST_HOME") or REPOSITORY / ".cache" / "test-home")
    return member_path(home, "hpo", "hp.obo")


@pytest.mark.peer
@pytest.mark.parametrize("name", ["DO_RAD_slim.obo", "DO_infectious_disease_slim.obo"])
def test_disease_ontology_counts_as_pronto(shared_data: Path, name: str) -> None:
    path = shared_data / "doid" / name
    assert counted(obo.read(path)) == counted_by_pronto(loaded(path))


@pytest.mark.peer
def test_all_of_hpo_counts_as_pronto(hpo: Path) -> None:
    found = counted(obo.read(hpo))
    assert found == counted_by_pronto(loaded(hpo))
    assert found["concept"]["all"] == 19_034


def as_rdf(ontology: Any) -> Any:
    """The ontology in RDF, as OBO is turned into OWL, written by rdflib from what pronto reads."""
    import rdflib
    from rdflib.namespace import OWL, RDF, RDFS

    graph = rdflib.Graph()
    oio, purl = rdflib.Namespace(OIO), rdflib.Namespace(OBO_IRI)
    graph.add((purl["hp.owl"], RDF.type, OWL.Ontology))
    graph.add((purl["hp.owl"], OWL.versionIRI, purl["hp/releases/2025-01-16/hp.owl"]))
    for term in ontology.terms():
        node = purl[term.id.replace(":", "_")]
        graph.add((node, RDF.type, OWL.Class))
        if term.obsolete:
            graph.add((node, OWL.deprecated, rdflib.Literal(True)))
            for other in term.replaced_by:
                graph.add((node, purl["IAO_0100001"], purl[other.id.replace(":", "_")]))
            for other in term.consider:
                graph.add((node, oio.consider, purl[other.id.replace(":", "_")]))
        if term.name:
            graph.add((node, RDFS.label, rdflib.Literal(term.name)))
        if term.definition is not None:
            graph.add((node, purl["IAO_0000115"], rdflib.Literal(str(term.definition))))
        for other in term.superclasses(distance=1, with_self=False):
            graph.add((node, RDFS.subClassOf, purl[other.id.replace(":", "_")]))
        for xref in term.xrefs:
            graph.add((node, oio.hasDbXref, rdflib.Literal(xref.id)))
        for old in term.alternate_ids:
            graph.add((node, oio.hasAlternativeId, rdflib.Literal(old)))
        for synonym in term.synonyms:
            says, text = oio[f"has{synonym.scope.capitalize()}Synonym"], rdflib.Literal(synonym.description)
            graph.add((node, says, text))
            if synonym.type:
                axiom = rdflib.BNode()
                graph.add((axiom, RDF.type, OWL.Axiom))
                graph.add((axiom, OWL.annotatedSource, node))
                graph.add((axiom, OWL.annotatedProperty, says))
                graph.add((axiom, OWL.annotatedTarget, text))
                graph.add((axiom, oio.hasSynonymType, purl["hp#" + synonym.type.id]))
    return graph


@pytest.mark.peer
@pytest.mark.slow
def test_all_of_hpo_in_rdf_says_what_the_obo_file_says(hpo: Path, tmp_path: Path) -> None:
    graph = as_rdf(loaded(hpo))
    graph.serialize(tmp_path / "hp.owl", format="xml")
    found, expected = set(map(plain, rdf.read(tmp_path / "hp.owl"))), set(map(plain, obo.read(hpo)))
    assert sorted(found ^ expected)[:5] == []
    kinds = Counter(kind for kind, *_ in found)
    assert counted_by_rdflib(graph) == {kind: kinds[kind] for kind in ("concept", "is_a")}


def counted_by_rdflib(graph: Any) -> Counter[str]:
    """Concepts and is_a edges."""
    from rdflib.namespace import OWL, RDFS

    gone = set(graph.subjects(OWL.deprecated))
    counts = Counter(concept=len(set(graph.subjects(RDFS.label)) - gone))
    counts["is_a"] = sum(s not in gone and o not in gone for s, o in graph.subject_objects(RDFS.subClassOf))
    return counts


def plain(statement: Statement) -> tuple[str, ...]:
    """(kind, …), with the white space of texts made one."""
    if isinstance(statement, Concept):
        types = statement.semantic_types
        return ("concept", statement.curie, " ".join(statement.name.split()), statement.definition, *types)
    if isinstance(statement, Term):
        return ("term", statement.curie, " ".join(statement.text.split()), statement.kind)
    assert isinstance(statement, Relation)
    return (statement.predicate, statement.subject, statement.object)
