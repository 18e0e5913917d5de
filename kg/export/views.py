"""Pieces of the graph for other tools: networkx, GraphML, RDF, and back.

A subgraph leaves as what it holds, concepts with all their codes and edges with source, frequency and reference, and
comes back equal. In RDF a concept is an ``owl:Class`` (OBO and SNOMED International IRIs where there are such, else
https://bioregistry.io/), is_a is ``rdfs:subClassOf``, any other predicate is ``urn:whydx:`` and its name, and what is
known of an edge hangs on an ``owl:Axiom`` (OWL 2 section 10.2).
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from errors import InputError
from kg.graph import KnowledgeGraph
from kg.triple import KGPath, Triple
from ontologies.concept import Concept, parse_curie

if TYPE_CHECKING:
    import networkx
    import rdflib

_OBO = ("CL", "DOID", "HP", "MONDO", "UBERON")
_OBO_IRI = "http://purl.obolibrary.org/obo/"
_SNOMED_IRI = "http://snomed.info/id/"
_ANY_IRI = "https://bioregistry.io/"
OWN = "urn:whydx:"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_DCTERMS = "http://purl.org/dc/terms/"
_OIO = "http://www.geneontology.org/formats/oboInOwl#"
PREFIXES = {
    "rdf": _RDF,
    "rdfs": _RDFS,
    "owl": _OWL,
    "skos": _SKOS,
    "dcterms": _DCTERMS,
    "oboInOwl": _OIO,
    "obo": _OBO_IRI,
    "sct": _SNOMED_IRI,
    "concept": _ANY_IRI,
    "whydx": OWN,
}
LARGEST = 50_000
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """Concepts by CURIE and the edges between them, by subject, predicate, object, source and reference."""

    concepts: tuple[Concept, ...]
    triples: tuple[Triple, ...]

    @classmethod
    def of(cls, concepts: Iterable[Concept], triples: Iterable[Triple]) -> Subgraph:
        """The same whatever the order of what is given."""
        return cls(
            concepts=tuple(sorted({c.curie: c for c in concepts}.values(), key=lambda c: c.curie)),
            triples=tuple(sorted(set(triples), key=_edge_order)),
        )


def _edge_order(t: Triple) -> tuple[str, str, str, str, str, float]:
    frequency = -1.0 if t.frequency is None else t.frequency
    return t.subject, t.predicate, t.object, t.source, t.reference, frequency


def spanned(graph: KnowledgeGraph, curies: Iterable[str]) -> Subgraph:
    """These concepts (any CURIEs of them) and all edges between them. Raises InputError for an unknown CURIE."""
    chosen = {graph.resolve(c) for c in curies}
    edges = (t for c in chosen for t in graph.triples(c) if t.object in chosen)
    return Subgraph.of((graph.concept(c) for c in chosen), edges)


def neighbourhood(graph: KnowledgeGraph, curies: Iterable[str], hops: int = 1) -> Subgraph:
    """Everything within ``hops`` edges (either way) of these concepts, and all edges between what is found.

    Raises InputError for an unknown CURIE, and when more than 50,000 concepts would be in it.
    """
    chosen = {graph.node(c) for c in curies}
    frontier = set(chosen)
    for _ in range(hops):
        frontier = {n for x in frontier for n in graph.adjacent(x).tolist()} - chosen
        chosen |= frontier
        if len(chosen) > LARGEST:
            raise InputError(
                "the neighbourhood is too large", value=f"{len(chosen)} concepts", expected=f"at most {LARGEST}"
            )
    return spanned(graph, (graph.curie(n) for n in chosen))


def of_paths(graph: KnowledgeGraph, paths: Sequence[KGPath]) -> Subgraph:
    """The concepts and edges of these paths, nothing else."""
    triples = [t for path in paths for t in path.triples]
    ends = {c for t in triples for c in (t.subject, t.object)}
    return Subgraph.of((graph.concept(c) for c in ends), triples)


# --- networkx and GraphML


def to_networkx(view: Subgraph) -> networkx.MultiDiGraph:
    """CURIEs as nodes (name, definition, types, codes; several joined by "|"); edges keyed by predicate, source and
    reference, with frequency where it is stated."""
    import networkx

    made = networkx.MultiDiGraph()
    for c in view.concepts:
        codes = "|".join(f"{system}:{code}" for system in sorted(c.codes) for code in c.codes[system])
        types = "|".join(c.semantic_types)
        made.add_node(c.curie, name=c.name, definition=c.definition, types=types, codes=codes)
    for t in view.triples:
        known: dict[str, Any] = {"predicate": t.predicate, "source": t.source, "reference": t.reference}
        if t.frequency is not None:
            known["frequency"] = t.frequency
        made.add_edge(t.subject, t.object, key="|".join((t.predicate, t.source, t.reference)), **known)
    return made


def from_networkx(made: networkx.MultiDiGraph) -> Subgraph:
    """The subgraph that ``to_networkx`` was given."""
    names = {curie: str(data["name"]) for curie, data in made.nodes(data=True)}
    concepts = [
        Concept(
            curie=curie,
            name=names[curie],
            semantic_types=_split(data["types"]),
            codes=_codes(_split(data["codes"])),
            definition=data["definition"],
        )
        for curie, data in made.nodes(data=True)
    ]
    triples = [
        Triple(
            subject=subject,
            predicate=data["predicate"],
            object=obj,
            subject_name=names[subject],
            object_name=names[obj],
            source=data["source"],
            frequency=data.get("frequency"),
            reference=data["reference"],
        )
        for subject, obj, data in made.edges(data=True)
    ]
    return Subgraph.of(concepts, triples)


def to_graphml(view: Subgraph) -> bytes:
    """GraphML as networkx writes it."""
    import networkx

    out = io.BytesIO()
    networkx.write_graphml(to_networkx(view), out, named_key_ids=True)
    return out.getvalue()


def from_graphml(content: bytes) -> Subgraph:
    import networkx

    return from_networkx(networkx.read_graphml(io.BytesIO(content), force_multigraph=True))


def _split(joined: str | None) -> tuple[str, ...]:
    return tuple(filter(None, (joined or "").split("|")))


def _codes(curies: Iterable[str]) -> dict[str, tuple[str, ...]]:
    codes: dict[str, tuple[str, ...]] = {}
    for curie in curies:
        system, local = parse_curie(curie)
        codes[system] = (*codes.get(system, ()), local)
    return codes


# --- RDF


def iri(curie: str) -> str:
    """The IRI of a concept."""
    system, local = parse_curie(curie)
    if system in _OBO:
        return f"{_OBO_IRI}{system}_{quote(local, safe='')}"
    if system == "SNOMEDCT":
        return f"{_SNOMED_IRI}{quote(local, safe='')}"
    return f"{_ANY_IRI}{system}:{quote(local, safe='')}"


def curie_of(address: str) -> str:
    """The CURIE of an IRI that ``iri`` made. Raises InputError for any other."""
    for base, mark in ((_OBO_IRI, "_"), (_SNOMED_IRI, ""), (_ANY_IRI, ":")):
        if address.startswith(base):
            rest = address.removeprefix(base)
            system, _, local = rest.partition(mark) if mark else ("SNOMEDCT", "", rest)
            return f"{system}:{unquote(local)}"
    raise InputError("an IRI of no concept", value=address, expected=f"one under {_ANY_IRI} or {_OBO_IRI}")


class Text(str):
    """A literal of an RDF statement; everything else in one is an IRI."""

    __slots__ = ()


class Number(Text):
    """A literal of type xsd:double."""

    __slots__ = ()


def statements(view: Subgraph, first_edge: int = 0) -> Iterator[tuple[str, str, str]]:
    """(subject, predicate, object) of the subgraph in RDF; edges are numbered from ``first_edge``."""
    for c in view.concepts:
        node = iri(c.curie)
        yield node, f"{_RDF}type", f"{_OWL}Class"
        yield node, f"{_RDFS}label", Text(c.name)
        if c.definition:
            yield node, f"{_SKOS}definition", Text(c.definition)
        for kind in c.semantic_types:
            yield node, f"{OWN}semantic_type", Text(kind)
        for system in c.codes:
            for code in c.codes[system]:
                yield node, f"{_OIO}hasDbXref", Text(f"{system}:{code}")
    for number, t in enumerate(view.triples, first_edge):
        predicate = f"{_RDFS}subClassOf" if t.predicate == "is_a" else OWN + quote(t.predicate, safe="")
        subject, obj = iri(t.subject), iri(t.object)
        # Named, not blank: the same subgraph is then the same file.
        axiom = f"{OWN}edge/{number}"
        yield subject, predicate, obj
        yield axiom, f"{_RDF}type", f"{_OWL}Axiom"
        yield axiom, f"{_OWL}annotatedSource", subject
        yield axiom, f"{_OWL}annotatedProperty", predicate
        yield axiom, f"{_OWL}annotatedTarget", obj
        yield axiom, f"{_DCTERMS}source", Text(t.source)
        if t.reference:
            yield axiom, f"{_DCTERMS}bibliographicCitation", Text(t.reference)
        if t.frequency is not None:
            yield axiom, f"{OWN}frequency", Number(repr(t.frequency))


def to_rdf(view: Subgraph) -> rdflib.Graph:
    """The subgraph as RDF, as the head of this file says."""
    import rdflib

    made = rdflib.Graph()
    for prefix, namespace in PREFIXES.items():
        made.bind(prefix, namespace)
    for subject, predicate, obj in statements(view):
        value: rdflib.URIRef | rdflib.Literal
        if isinstance(obj, Text):
            value = rdflib.Literal(str(obj), datatype=rdflib.XSD.double if isinstance(obj, Number) else None)
        else:
            value = rdflib.URIRef(obj)
        made.add((rdflib.URIRef(subject), rdflib.URIRef(predicate), value))
    return made


def from_rdf(made: rdflib.Graph) -> Subgraph:
    """The subgraph that ``to_rdf`` was given."""
    from rdflib.namespace import DCTERMS, OWL, RDF, RDFS, SKOS

    def one(node: Any, predicate: Any) -> str:
        value = made.value(node, predicate)
        return "" if value is None else str(value)

    concepts = []
    for node in made.subjects(RDF.type, OWL.Class):
        kinds = sorted(str(x) for x in made.objects(node, _own("semantic_type")))
        codes = sorted(str(x) for x in made.objects(node, _own("hasDbXref", _OIO)))
        concepts.append(
            Concept(
                curie=curie_of(str(node)),
                name=one(node, RDFS.label),
                semantic_types=tuple(kinds),
                codes=_codes(codes),
                definition=one(node, SKOS.definition),
            )
        )
    names = {c.curie: c.name for c in concepts}
    triples = []
    for axiom in made.subjects(RDF.type, OWL.Axiom):
        subject, obj = (curie_of(one(axiom, x)) for x in (OWL.annotatedSource, OWL.annotatedTarget))
        predicate, frequency = one(axiom, OWL.annotatedProperty), one(axiom, _own("frequency"))
        triples.append(
            Triple(
                subject=subject,
                predicate="is_a" if predicate == str(RDFS.subClassOf) else unquote(predicate.removeprefix(OWN)),
                object=obj,
                subject_name=names[subject],
                object_name=names[obj],
                source=one(axiom, DCTERMS.source),
                frequency=float(frequency) if frequency else None,
                reference=one(axiom, DCTERMS.bibliographicCitation),
            )
        )
    return Subgraph.of(concepts, triples)


def to_turtle(view: Subgraph) -> bytes:
    return to_rdf(view).serialize(format="turtle", encoding="utf-8")


def from_turtle(content: bytes) -> Subgraph:
    import rdflib

    return from_rdf(rdflib.Graph().parse(data=content, format="turtle"))


def _own(name: str, base: str = OWN) -> rdflib.URIRef:
    import rdflib

    return rdflib.URIRef(base + name)


def write_triples(graph: KnowledgeGraph, path: Path, progress: Progress | None = None) -> None:
    """Write the whole graph as N-Triples (which is Turtle), a line a statement, beside and then renamed."""
    beside = path.with_name(f".{path.name}.part")
    numbered = 0
    try:
        with beside.open("w", encoding="utf-8") as lines:
            for view in pieces(graph, progress):
                lines.writelines(_line(*statement) for statement in statements(view, numbered))
                numbered += len(view.triples)
        beside.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write ({error.strerror})", value=path, expected="a file that can be written"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def pieces(graph: KnowledgeGraph, progress: Progress | None = None, size: int = 1_000) -> Iterator[Subgraph]:
    """The whole graph, ``size`` concepts at a time with the edges from them."""
    for first in range(0, len(graph), size):
        nodes = range(first, min(first + size, len(graph)))
        concepts = tuple(graph.concept(graph.curie(n)) for n in nodes)
        yield Subgraph(concepts=concepts, triples=tuple(t for c in concepts for t in graph.triples(c.curie)))
        if progress:
            progress("graph", nodes.stop, len(graph))


def _line(subject: str, predicate: str, obj: str) -> str:
    value = f"<{obj}>"
    if isinstance(obj, Text):
        # JSON escapes what N-Triples does, and the same way.
        value = json.dumps(str(obj), ensure_ascii=False)
        value += "^^<http://www.w3.org/2001/XMLSchema#double>" if isinstance(obj, Number) else ""
    return f"<{subject}> <{predicate}> {value} .\n"
