"""SPARQL over the small graph: the same answers from memory and from disk, and nothing from the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from errors import InputError
from kg.export import sparql, views
from kg.graph import KnowledgeGraph

SHOWN = """
SELECT ?disease ?finding ?frequency WHERE {
  ?edge owl:annotatedSource ?disease ; owl:annotatedProperty whydx:has_phenotype ; owl:annotatedTarget ?finding .
  ?disease rdfs:label "Alpha disease" .
  OPTIONAL { ?edge whydx:frequency ?frequency }
} ORDER BY ?frequency"""


def test_the_whole_graph_answers_as_a_subgraph_of_everything(small_graph: KnowledgeGraph, tmp_path: Path) -> None:
    everything = views.spanned(small_graph, [small_graph.curie(n) for n in range(len(small_graph))])
    told: list[tuple[str, int, int]] = []
    whole = sparql.of_graph(small_graph, tmp_path, lambda *progress: told.append(progress))
    assert told[-1][1] == told[-1][2] == len(small_graph)
    for text in (SHOWN, "SELECT (count(*) AS ?n) WHERE { ?a ?b ?c }", "ASK { ?a rdfs:subClassOf+ obo:HP_1 }"):
        assert sparql.query(whole, text) == sparql.query(sparql.of_subgraph(everything), text)
    assert sparql.query(whole, SHOWN)["rows"] == [
        {"disease": "OMIM:1", "finding": "UMLS:C0032227", "frequency": 0.2},
        {"disease": "OMIM:1", "finding": "HP:7", "frequency": 0.8},
    ]
    # the store is there already, and not made again
    del whole
    again: list[tuple[str, int, int]] = []
    assert sparql.query(sparql.of_graph(small_graph, tmp_path, lambda *p: again.append(p)), SHOWN)["rows"]
    assert again == []
    assert len(list(tmp_path.iterdir())) == 1


def test_the_hierarchy_is_walked_as_the_graph_walks_it(small_graph: KnowledgeGraph) -> None:
    store = sparql.of_subgraph(views.neighbourhood(small_graph, ["HP:7"], 4))
    rows = sparql.query(store, "SELECT ?above WHERE { obo:HP_7 rdfs:subClassOf* ?above }")["rows"]
    assert {row["above"] for row in rows} == small_graph.ancestors("HP:7")


def test_what_is_constructed_is_turtle(small_graph: KnowledgeGraph) -> None:
    store = sparql.of_subgraph(views.spanned(small_graph, ["HP:7", "HP:5"]))
    made = sparql.query(store, "CONSTRUCT { ?b rdfs:seeAlso ?a } WHERE { ?a rdfs:subClassOf ?b }")["turtle"]
    assert "HP_5> <http://www.w3.org/2000/01/rdf-schema#seeAlso> <http://purl.obolibrary.org/obo/HP_7>" in made


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?a ?b ?c } }",
        "select * where { # }\n service silent <http://127.0.0.1:9/> { ?a ?b ?c } }",
        'SELECT * WHERE { ?a rdfs:label "\\"" . SERVICE ?a { ?a ?b ?c } }',
    ],
)
def test_no_query_asks_another_server(small_graph: KnowledgeGraph, text: str) -> None:
    with pytest.raises(InputError, match="SERVICE"):
        sparql.query(sparql.of_subgraph(views.spanned(small_graph, ["HP:7"])), text)


def test_the_word_alone_is_no_service(small_graph: KnowledgeGraph) -> None:
    store = sparql.of_subgraph(views.spanned(small_graph, ["HP:7"]))
    text = "SELECT ?service WHERE { ?x rdfs:label ?service . FILTER(?service != 'a \" SERVICE') } # SERVICE"
    assert sparql.query(store, text) == {"rows": [{"service": "Consolidation"}]}


@pytest.mark.parametrize(
    "text", ["", "SELEC ?a", "INSERT DATA { obo:HP_1 rdfs:label 'x' }", "LOAD <file:///etc/passwd>"]
)
def test_what_is_no_query_is_an_error(small_graph: KnowledgeGraph, text: str) -> None:
    with pytest.raises(InputError, match="not a SPARQL query"):
        sparql.query(sparql.of_subgraph(views.spanned(small_graph, ["HP:7"])), text)
