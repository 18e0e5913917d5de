"""OWL axioms of SNOMED CT (functional syntax, one axiom a row) → relations, where an axiom says something simple.

Grammar: SNOMED CT OWL Guide, chapter 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'[()]|"(?:[^"\\]|\\.)*"|[^\s()"]+|"')
_CODE = re.compile(r":(\d{6,18})")
IS_A = "116680003"
_ROLE_GROUP = "609096000"
_DEPTH = 32

Expression = str | list["Expression"]


def axiom_relations(axiom: str) -> Iterator[tuple[str, str, str]]:
    """The (concept, attribute, concept) codes that ``SubClassOf(:A …)`` or ``EquivalentClasses(:A …)`` asserts of A.

    From the other side are taken named classes (is a), ObjectSomeValuesFrom(:role :B), either inside
    ObjectIntersectionOf and a role group. General axioms (a left side that is no named class), concrete values, axioms
    about attributes and prefixes give nothing. Raises ValueError when the axiom is not well formed.
    """
    expression = _parse(axiom)
    match expression:
        case ["SubClassOf" | "EquivalentClasses", str(name), *others] if code := _CODE.fullmatch(name):
            for other in others:
                for attribute, value in _asserted(other, IS_A):
                    yield code[1], attribute, value


def _asserted(expression: Expression, role: str) -> Iterator[tuple[str, str]]:
    match expression:
        case str():
            if code := _CODE.fullmatch(expression):
                yield role, code[1]
        case ["ObjectIntersectionOf", *parts]:
            for part in parts:
                yield from _asserted(part, role)
        case ["ObjectSomeValuesFrom", str(name), value] if code := _CODE.fullmatch(name):
            if code[1] == _ROLE_GROUP:
                yield from _asserted(value, role)
            elif isinstance(value, str):  # a value that is itself an expression has no code
                yield from _asserted(value, code[1])


def _parse(text: str) -> Expression:
    """``Name(a b(c))`` as ["Name", "a", ["b", "c"]]."""
    root: list[Expression] = []
    stack = [root]
    for token in _TOKEN.findall(text):
        if token == "(":
            if not stack[-1] or not isinstance(stack[-1][-1], str):
                raise ValueError("a bracket without a name")
            opened: list[Expression] = [stack[-1].pop()]
            stack[-1].append(opened)
            stack.append(opened)
        elif token == ")":
            stack.pop()
            if not stack:
                raise ValueError("a bracket too many")
        elif token == '"':
            raise ValueError("a quote that is not closed")
        else:
            stack[-1].append(token)
        if len(stack) > _DEPTH:
            raise ValueError("nested too deep")
    if len(stack) != 1 or len(root) != 1 or isinstance(root[0], str):
        raise ValueError("not one whole expression")
    return root[0]
