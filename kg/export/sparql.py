"""SPARQL 1.1 over a subgraph, or over the whole graph, in Oxigraph; nothing is ever fetched.

The whole graph is written once into an Oxigraph store beside the home's graph, named by the graph's hash, and opened
read-only after that. The vocabulary is that of ``kg.export.views``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errors import InputError
from indexes import manifest
from kg.export import views
from kg.export.views import Subgraph
from kg.graph import KnowledgeGraph

if TYPE_CHECKING:
    import pyoxigraph

Progress = Callable[[str, int, int], None]
# Strings, IRIs, comments and variables, in which the word is no keyword.
_NO_KEYWORDS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|' + r"'''(?:[^\\]|\\.)*?'''" + r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'|<[^<>\s]*>|[#][^\n]*|[?$]\w+|\w*:\w+",
    re.DOTALL,
)


def of_subgraph(view: Subgraph) -> pyoxigraph.Store:
    """A store in memory that holds a subgraph."""
    import pyoxigraph

    store = pyoxigraph.Store()
    store.bulk_extend(_quads(view))
    return store


def of_graph(graph: KnowledgeGraph, folder: Path, progress: Progress | None = None) -> pyoxigraph.Store:
    """The store of the whole graph in ``folder``, which is made when it is missing or of another graph."""
    import pyoxigraph

    path = folder / graph.manifest.sha256[:16]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with manifest.atomic_directory(path) as beside:
            store = pyoxigraph.Store(str(beside))
            store.bulk_extend(_whole(graph, progress))
            store.flush()
            del store
        for old in folder.iterdir():
            if old != path and old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
    return pyoxigraph.Store.read_only(str(path))


def query(store: pyoxigraph.Store, text: str) -> dict[str, Any]:
    """The answer to a query: {"rows": [{variable: value}]} of SELECT, {"answer": bool} of ASK, {"turtle": text} of
    CONSTRUCT and DESCRIBE. IRIs of concepts come as CURIEs, numbers as numbers. The prefixes of ``kg.export.views``
    need not be declared. Raises InputError for what is no query, and for SERVICE, which would ask the network.
    """
    import pyoxigraph

    words = _NO_KEYWORDS.sub(" ", text)
    if re.search(r"\bSERVICE\b", words, re.IGNORECASE):
        raise InputError("SERVICE is not available", value=text, expected="a query of this graph alone")
    try:
        found = store.query(text, prefixes=views.PREFIXES)
    except SyntaxError as error:
        expected = "SELECT, ASK, CONSTRUCT or DESCRIBE"
        raise InputError(f"not a SPARQL query ({error})", value=text, expected=expected) from error
    if isinstance(found, pyoxigraph.QueryBoolean):
        return {"answer": bool(found)}
    if isinstance(found, pyoxigraph.QueryTriples):
        content = found.serialize(format=pyoxigraph.RdfFormat.TURTLE)
        return {"turtle": (content or b"").decode()}
    names = [variable.value for variable in found.variables]
    return {"rows": [{name: _value(row[name]) for name in names} for row in found]}


def _value(term: Any) -> str | float | bool | None:
    import pyoxigraph

    if term is None:
        return None
    if isinstance(term, pyoxigraph.NamedNode):
        try:
            return views.curie_of(term.value)
        except InputError:
            return term.value.removeprefix(views.OWN)
    if not isinstance(term, pyoxigraph.Literal):
        return str(term)
    kind = term.datatype.value.rpartition("#")[2]
    if kind == "boolean":
        return term.value == "true"
    if kind == "integer":
        return int(term.value)
    return float(term.value) if kind in ("double", "float", "decimal") else term.value


def _quads(view: Subgraph, first_edge: int = 0) -> Iterator[pyoxigraph.Quad]:
    import pyoxigraph

    double = pyoxigraph.NamedNode("http://www.w3.org/2001/XMLSchema#double")
    for subject, predicate, obj in views.statements(view, first_edge):
        value: pyoxigraph.NamedNode | pyoxigraph.Literal
        if isinstance(obj, views.Text):
            value = pyoxigraph.Literal(str(obj), datatype=double if isinstance(obj, views.Number) else None)
        else:
            value = pyoxigraph.NamedNode(obj)
        yield pyoxigraph.Quad(pyoxigraph.NamedNode(subject), pyoxigraph.NamedNode(predicate), value)


def _whole(graph: KnowledgeGraph, progress: Progress | None) -> Iterator[pyoxigraph.Quad]:
    numbered = 0
    for view in views.pieces(graph, progress):
        yield from _quads(view, numbered)
        numbered += len(view.triples)
