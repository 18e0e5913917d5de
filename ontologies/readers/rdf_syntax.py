"""RDF files as streams of triples: Turtle, N-Triples, RDF/XML, JSON-LD, told apart by content.

Nothing outside the file is ever read: JSON-LD contexts must be in the file, and XML entities that are external, or that
could multiply, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal, NamedTuple

from errors import InputError
from ontologies.problem import Problem, Report
from ontologies.sources.archive import Member
from ontologies.sources.encoding import open_text, text_head

Syntax = Literal["xml", "turtle", "nt", "json-ld"]

_RDF = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TURTLE = re.compile(rb"^\s*(@prefix|@base|PREFIX|BASE)\s", re.MULTILINE | re.IGNORECASE)
_TRIPLE = re.compile(rb"^\s*(<[^<>\s]+>|_:\S+)\s+<[^<>\s]+>\s+\S.*\.\s*(#.*)?$", re.MULTILINE)
_LONGEST_ENTITY = 512
_DEEPEST = 1000  # elements; RDF/XML as it is written has a dozen
_HEAD = 1 << 16
_LONGEST_LINE = 1 << 24


class Value(NamedTuple):
    """The object of a triple: an IRI, the text of a literal with its language, or the label of a blank node."""

    text: str
    is_iri: bool
    language: str | None


def syntax(head: bytes) -> Syntax | None:
    """The RDF syntax of a file that begins with ``head``, or None when it is not RDF."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<") and _RDF in head and b"RDF" in head and not _TRIPLE.match(start):
        return "xml"
    if start[:1] in (b"{", b"[") and re.search(rb'"@(context|id|graph)"\s*:', head):
        return "json-ld"
    if _TURTLE.search(head):
        return "turtle"
    return "nt" if _TRIPLE.search(head) else None


def triples(file: Member, report: Report) -> Iterator[tuple[str, str, Value]]:
    """(subject, predicate, object) in the order of the file, streamed; a blank subject is its label after "_:", which
    is another the next time. Raises InputError when the file is not RDF or malformed; in Turtle and N-Triples what is
    malformed is reported instead, and reading goes on after the next full stop."""
    import pyoxigraph

    kind = _syntax_of(file)
    formats = {
        "xml": pyoxigraph.RdfFormat.RDF_XML,
        "turtle": pyoxigraph.RdfFormat.TURTLE,
        "nt": pyoxigraph.RdfFormat.N_TRIPLES,
        "json-ld": pyoxigraph.RdfFormat.JSON_LD,
    }
    with open_text(file) as stream:
        base = "urn:whydx:file:"  # for relative IRIs; the file's place on disk must not matter
        quads = pyoxigraph.parse(stream, format=formats[kind], base_iri=base, lenient=True)
        while True:
            try:
                quad = next(quads)
            except StopIteration:
                return
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 0
                problem = Problem(file=file.base, line=line, reason="not valid RDF", value=_said(error))
                if kind not in ("turtle", "nt"):
                    raise problem.error() from error
                report(problem)
                continue
            subject, value = quad.subject, quad.object
            node = subject.value if isinstance(subject, pyoxigraph.NamedNode) else str(subject)
            if isinstance(value, pyoxigraph.Literal):
                yield node, quad.predicate.value, Value(value.value, False, value.language)
            elif isinstance(value, pyoxigraph.NamedNode):
                yield node, quad.predicate.value, Value(value.value, True, None)
            else:
                yield node, quad.predicate.value, Value(str(value), False, None)


def _said(error: Exception) -> str:
    return re.sub(r"^Parser error at |\s*\(line \d+\)$", "", str(error.args[0] if error.args else error))


def _syntax_of(file: Member) -> Syntax:
    kind = syntax(text_head(file, _HEAD))
    if kind is None:
        raise InputError(f"{file.base} is not RDF", expected="Turtle, N-Triples, RDF/XML or JSON-LD")
    return kind


def check(file: Member) -> None:
    """Raise InputError when the file is not RDF, and of XML when it is not well formed, is nested too deep, or declares
    an external DTD or an entity that is external or could multiply (a reference in its value, or a long value). Short
    entities, which OWL editors use for namespaces, may stay. ``triples`` itself would forgive XML that is cut off.
    """
    if _syntax_of(file) != "xml":
        return
    from xml.parsers import expat

    parser = expat.ParserCreate()

    def refuse(what: str, value: str) -> None:
        line = parser.CurrentLineNumber
        expected = "RDF that is whole in itself"
        raise Problem(file=file.base, line=line, reason=f"refused: {what}", value=value, expected=expected).error()

    def entity(name: str, is_parameter: int, value: str | None, *where: str | None) -> None:
        if value is None:
            refuse("an external entity", next((w for w in where if w), name))
        elif is_parameter or "&" in value or len(value) > _LONGEST_ENTITY:
            refuse("an entity that may multiply", name)

    def doctype(name: str, system: str | None, public: str | None, internal: int) -> None:
        if system or public:
            refuse("an external DTD", system or public or name)

    depth = 0

    def start(name: str, attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            refuse("nested too deep", name)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser.EntityDeclHandler, parser.StartDoctypeDeclHandler = entity, doctype
    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        with open_text(file) as stream:
            parser.ParseFile(stream)
    except expat.ExpatError as error:
        said = "not valid XML" + (
            " (not UTF-8, and it declares no other encoding)" if _foreign(file, error.lineno) else ""
        )
        raise Problem(file=file.base, line=error.lineno, reason=said, value=str(error)).error() from error


def _foreign(file: Member, line: int) -> bool:
    """Whether a line, where the parser stopped, is not in UTF-8."""
    with open_text(file) as stream:
        raw = next(islice(iter(lambda: stream.readline(_LONGEST_LINE), b""), line - 1, None), b"")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False
