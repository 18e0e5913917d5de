"""Subgraphs leave for other formats and come back equal."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Any

import networkx
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.export import views
from kg.export.views import Subgraph
from kg.graph import KnowledgeGraph
from kg.triple import Triple
from ontologies.concept import Concept, Relation
from ontologies.readers import rdf

TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="|"), min_size=1, max_size=12
).map(str.strip).filter(bool)  # fmt: skip
CURIES = st.sampled_from(["HP:0000001", "HP:0000002", "UMLS:C0000001", "SNOMEDCT:123", "ICD10CM:J18.9", "X:a/b%_ü"])


@st.composite
def subgraphs(draw: st.DrawFn) -> Subgraph:
    names = draw(st.dictionaries(CURIES, TEXT, min_size=1))
    concepts = [
        Concept(
            curie=curie,
            name=name,
            semantic_types=tuple(sorted(draw(st.sets(st.sampled_from(["Finding", "Disease or Syndrome"]))))),
            codes=draw(st.sampled_from([{}, {"HP": ("0000001",)}, {"HP": ("1", "2"), "UMLS": ("C1",)}])),
            definition=draw(st.one_of(st.just(""), TEXT)),
        )
        for curie, name in names.items()
    ]
    edges = draw(
        st.lists(
            st.tuples(
                st.sampled_from(sorted(names)),
                st.sampled_from(["is_a", "has_phenotype", "has finding/site"]),
                st.sampled_from(sorted(names)),
                TEXT,
                st.one_of(st.none(), st.floats(0, 1).map(lambda x: round(x, 4))),
                st.one_of(st.just(""), TEXT),
            ),
            unique_by=lambda e: (e[0], e[1], e[2], e[3], e[5]),
            max_size=6,
        )
    )
    triples = [
        Triple(
            subject=s,
            predicate=p,
            object=o,
            subject_name=names[s],
            object_name=names[o],
            source=source,
            frequency=frequency,
            reference=reference,
        )
        for s, p, o, source, frequency, reference in edges
    ]
    return Subgraph.of(concepts, triples)


def whole(view: Subgraph) -> object:
    """Every field: concepts are equal when their CURIEs are."""
    return [astuple(c) for c in view.concepts], view.triples


@settings(max_examples=40, deadline=None)
@given(subgraphs())
def test_what_leaves_comes_back(view: Subgraph) -> None:
    assert whole(views.from_graphml(views.to_graphml(view))) == whole(view)
    turtle = views.to_turtle(view)
    assert whole(views.from_turtle(turtle)) == whole(view)
    assert views.to_turtle(views.from_turtle(turtle)) == turtle


@given(CURIES)
def test_an_iri_is_a_curie(curie: str) -> None:
    assert views.curie_of(views.iri(curie)) == curie


def test_the_order_of_what_is_chosen_does_not_matter(small_graph: KnowledgeGraph) -> None:
    chosen = ["OMIM:1", "HP:7", "HP:5"]
    view = views.spanned(small_graph, chosen)
    assert view == views.spanned(small_graph, reversed(chosen))
    edges = [(t.subject, t.predicate, t.object) for t in view.triples]
    assert edges == [("HP:7", "is_a", "HP:5"), ("OMIM:1", "has_phenotype", "HP:7")]
    answer: Any = views.to_rdf(view).query(
        "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> "
        "SELECT ?label WHERE { <http://purl.obolibrary.org/obo/HP_7> rdfs:subClassOf/rdfs:label ?label }"
    )
    assert [str(row.label) for row in answer] == ["Opacity"]


def test_a_neighbourhood_is_what_networkx_finds(small_graph: KnowledgeGraph) -> None:
    everything = views.to_networkx(views.spanned(small_graph, [small_graph.curie(n) for n in range(len(small_graph))]))
    for hops in range(4):
        near = networkx.ego_graph(everything.to_undirected(), "HP:5", radius=hops)
        view = views.neighbourhood(small_graph, ["HP:5"], hops)
        assert {c.curie for c in view.concepts} == set(near)
        inside = {(s, o) for s, o in everything.edges() if s in near and o in near}
        assert {(t.subject, t.object) for t in view.triples} == inside


def test_what_was_exported_reads_as_an_ontology(small_graph: KnowledgeGraph, tmp_path: Path) -> None:
    view = views.spanned(small_graph, [small_graph.curie(n) for n in range(len(small_graph))])
    path = tmp_path / "all.ttl"
    path.write_bytes(views.to_turtle(view))
    lines = tmp_path / "all.nt"
    views.write_triples(small_graph, lines)
    for file in (path, lines):
        rows = list(rdf.read(file))
        assert {(r.curie, r.name) for r in rows if isinstance(r, Concept)} == {(c.curie, c.name) for c in view.concepts}
        read = {
            (r.subject, r.predicate, r.object, r.source, r.frequency, r.reference)
            for r in rows
            if isinstance(r, Relation) and r.predicate != "xref"
        }
        known = ((t.subject, t.predicate, t.object, t.source, t.frequency, t.reference) for t in view.triples)
        assert read == set(known)
