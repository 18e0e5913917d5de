"""Class expressions of OWL in RDF (blank nodes and lists) → what they state of named classes.

Grammar: OWL 2 Mapping to RDF Graphs, chapter 3. An expression is gathered triple by triple, because blank nodes have
other labels when the file is read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ontologies.readers.rdf_syntax import Value

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_OWL = "http://www.w3.org/2002/07/owl#"
_FIRST, _REST, _NIL = _RDF + "first", _RDF + "rest", _RDF + "nil"
_BELOW, _SAME = "http://www.w3.org/2000/01/rdf-schema#subClassOf", _OWL + "equivalentClass"
_ALL_OF, _ANY_OF, _PARTITION = _OWL + "intersectionOf", _OWL + "unionOf", _OWL + "disjointUnionOf"
_PROPERTY, _ON_CLASS = _OWL + "onProperty", _OWL + "onClass"
_SOME, _VALUE = _OWL + "someValuesFrom", _OWL + "hasValue"
_AT_LEAST = (_OWL + "minQualifiedCardinality", _OWL + "qualifiedCardinality")
_PARTS = frozenset({_ALL_OF, _ANY_OF, _PARTITION, _PROPERTY, _ON_CLASS, _SOME, _VALUE, *_AT_LEAST})
# Groups the roles of a SNOMED CT definition and is none itself.
_ROLE_GROUP = "http://snomed.info/id/609096000"
_POSITIVE = re.compile(r"\s*\+?0*[1-9][0-9]*\s*")

IS_A = "is_a"


@dataclass(frozen=True, slots=True)
class Asserted:
    """``subject`` is a kind of ``object`` (``role`` is ``IS_A``), or each has the role, a property's IRI, to some of
    it; of a union only to one of several, which then are not ``certain``."""

    subject: str
    role: str
    object: str
    certain: bool = True


@dataclass(slots=True)
class Expressions:
    """The expressions of a file.

    What C ⊑ E and C ≡ E (also owl:intersectionOf on C itself) assert of a named class C: each named operand of an
    intersection is a parent; owl:someValuesFrom, owl:hasValue and qualified cardinalities of one and more are roles, to
    the named class, or the named operands, that they are about. Each named operand of a union that is equal to C, or
    below it, is a child of C. A union above C, complements, enumerations, owl:allValuesFrom, inverse properties and
    what is nested in a role's class assert nothing.
    """

    parts: dict[str, dict[str, str]] = field(default_factory=dict)  # node → predicate → value
    first: dict[str, str] = field(default_factory=dict)  # of lists
    rest: dict[str, str] = field(default_factory=dict)
    above: list[tuple[str, str]] = field(default_factory=list)  # named class, expression
    below: list[tuple[str, str]] = field(default_factory=list)  # expression, named class

    def take(self, subject: str, predicate: str, value: Value) -> bool:
        """Keep the triple if it is part of an expression, or has one on either side; whether it was."""
        text = value.text
        if predicate in (_BELOW, _SAME):
            if _blank(text) == _blank(subject):
                return False
            if _blank(text):
                self.above.append((subject, text))
            else:
                self.below.append((subject, text))
            if predicate == _SAME:
                (self.below if _blank(text) else self.above).append((text, subject))
        elif predicate == _FIRST:
            self.first[subject] = text
        elif predicate == _REST:
            self.rest[subject] = text
        elif predicate in _PARTS:
            self.parts.setdefault(subject, {})[predicate] = text
            if not _blank(subject) and predicate in (_ALL_OF, _ANY_OF, _PARTITION):
                self.above.append((subject, subject))
                self.below.append((subject, subject))
        else:
            return False
        return True

    def asserted(self) -> Iterator[Asserted]:
        """What the file's expressions assert, each once, in the order of the file."""
        found: dict[Asserted, None] = {}
        for subject, node in self.above:
            found.update(dict.fromkeys(self._of(subject, node)))
        for node, parent in self.below:
            for operand in self._operands(node, _ANY_OF, _PARTITION):
                if not _blank(operand):
                    found[Asserted(operand, IS_A, parent)] = None
        yield from (one for one in found if one.subject != one.object)

    def _of(self, subject: str, node: str) -> Iterator[Asserted]:
        """What a superclass asserts of ``subject``."""
        waiting, seen = [(node, False)], set()
        while waiting:
            node, grouped = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if not _blank(node) and node != subject:
                if not grouped:
                    yield Asserted(subject, IS_A, node)
                continue
            parts = self.parts.get(node, {})
            operands = self._operands(node, _ALL_OF)
            if not operands and len(alternatives := self._operands(node, _ANY_OF)) == 1:
                operands = alternatives
            waiting += [(operand, grouped) for operand in reversed(operands)]
            role, filler = parts.get(_PROPERTY, "_:"), self._filler(parts)
            if role == _ROLE_GROUP and filler:
                waiting.append((filler, True))
            elif filler and not _blank(role):
                for named, certain in self._named(filler):
                    yield Asserted(subject, role, named, certain)

    def _filler(self, parts: dict[str, str]) -> str:
        """The class of which a restriction asks at least one; "" when it asks none."""
        if any(_POSITIVE.fullmatch(parts.get(predicate, "")) for predicate in _AT_LEAST):
            return parts.get(_ON_CLASS, "")
        return parts.get(_SOME, parts.get(_VALUE, ""))

    def _named(self, node: str) -> Iterator[tuple[str, bool]]:
        """The named classes that a role goes to, and whether it goes to each of them or to one of several."""
        waiting, seen = [(node, True)], set()
        while waiting:
            node, certain = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if not _blank(node):
                yield node, certain
            else:
                alternatives = self._operands(node, _ANY_OF)
                of_several = certain and len(alternatives) == 1
                waiting += [(operand, of_several) for operand in reversed(alternatives)]
                waiting += [(operand, certain) for operand in reversed(self._operands(node, _ALL_OF))]

    def _operands(self, node: str, *predicates: str) -> list[str]:
        """The list that a node has as one of ``predicates``, however broken it is."""
        parts = self.parts.get(node, {})
        at = next((parts[predicate] for predicate in predicates if predicate in parts), _NIL)
        operands: list[str] = []
        seen: set[str] = set()
        while at in self.first and at not in seen:
            seen.add(at)
            operands.append(self.first[at])
            at = self.rest.get(at, _NIL)
        return list(dict.fromkeys(operands))


def _blank(node: str) -> bool:
    return node.startswith("_:")
