"""What holds for every graph: the order of the input does not matter, ancestors are closed, paths are paths."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kg.export import views
from kg.graph import KnowledgeGraph
from kg.paths import PathFinder
from ontologies.concept import DISEASE, FINDING, Concept, Relation, Statement, Term
from ontologies.merging.merge import merge
from ontologies.staging import Staging

FINDINGS, DISEASES = 8, 4


@st.composite
def knowledge(draw: st.DrawFn) -> list[Statement]:
    """Findings in a hierarchy without cycles, diseases that show them, other relations, synonyms and codes."""
    rows: list[Statement] = []
    curies = [f"HP:{i}" for i in range(FINDINGS)] + [f"OMIM:{i}" for i in range(DISEASES)]
    for curie in curies:
        system, code = curie.split(":")
        kind = DISEASE if system == "OMIM" else FINDING
        rows.append(Concept(curie=curie, name=f"Name of {code}", semantic_types=(kind,), codes={system: (code,)}))
        rows.append(Term(curie=curie, text=f"synonym {draw(st.integers(0, 5))}"))
    pairs = st.tuples(st.integers(0, FINDINGS - 1), st.integers(0, FINDINGS - 1))
    below = draw(st.sets(pairs.filter(lambda p: p[0] > p[1]), max_size=10))
    shown = draw(st.dictionaries(st.tuples(st.integers(0, DISEASES - 1), st.integers(0, FINDINGS - 1)), FREQUENCY))
    other = draw(st.sets(st.tuples(st.sampled_from(curies), st.sampled_from(["finding_site_of", "part_of"]), CURIE)))
    rows += [Relation(subject=f"HP:{a}", predicate="is_a", object=f"HP:{b}", source="one") for a, b in below]
    rows += [
        Relation(subject=f"OMIM:{d}", predicate="has_phenotype", object=f"HP:{f}", source="two", frequency=x)
        for (d, f), x in shown.items()
    ]
    rows += [Relation(subject=s, predicate=p, object=o, source="three") for s, p, o in other if s != o]
    codes = draw(st.sets(st.tuples(st.sampled_from(curies), st.integers(0, 3)), max_size=4))
    return rows + [Relation(subject=c, predicate="xref", object=f"UMLS:C{n}", source="one") for c, n in codes]


FREQUENCY = st.one_of(st.none(), st.sampled_from([0.02, 0.5, 0.9]))
CURIE = st.sampled_from([f"HP:{i}" for i in range(FINDINGS)] + [f"OMIM:{i}" for i in range(DISEASES)])


@settings(max_examples=6, deadline=None)
@given(knowledge(), st.integers(), st.integers(1, 4))
def test_of_any_knowledge(rows: list[Statement], seed: int, max_hops: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        graph = KnowledgeGraph.build(merge(Staging.of(rows)), Path(scratch) / "a")
        shuffled = random.Random(seed).sample(rows, len(rows))
        again = KnowledgeGraph.build(merge(Staging.of(shuffled)), Path(scratch) / "b")
        files = sorted(p.name for p in graph.path.iterdir())
        assert files == sorted(p.name for p in again.path.iterdir())
        assert {n for n in files if (graph.path / n).read_bytes() != (again.path / n).read_bytes()} == set()

        nodes = [graph.curie(n) for n in range(len(graph))]
        for curie in nodes:
            above = graph.ancestors(curie)
            assert curie in above
            assert all(graph.ancestors(a) <= above for a in above)
            assert all(t.object in above for t in graph.triples(curie, "is_a"))

        whole = views.spanned(graph, nodes)
        edges = set(whole.triples)
        finder = PathFinder(graph)
        for start, goal in [(nodes[0], nodes[-1]), (nodes[-1], nodes[1]), (nodes[2], nodes[3])]:
            found = finder.find(start, goal, 5, max_hops)
            assert found == PathFinder(again).find(start, goal, 5, max_hops)
            for path in found:
                here = start
                for triple, inverted in zip(path.triples, path.inverted, strict=True):
                    assert triple in edges
                    assert triple.source
                    assert here == (triple.object if inverted else triple.subject)
                    here = triple.subject if inverted else triple.object
                assert here == goal
                assert 1 <= len(path.triples) <= max_hops
            assert views.from_turtle(views.to_turtle(views.of_paths(graph, found))) == views.of_paths(graph, found)
        assert views.from_graphml(views.to_graphml(whole)) == whole
        assert views.from_turtle(views.to_turtle(whole)) == whole
