"""The filter language of ``whydx cases --where``: ``age > 60 and (sex = F or not finding:effusion)``.

    filter     = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" filter ")" | field operator value
    field      = "age" | "sex" | "view" | "finding" | a column of the user's collection
    operator   = ":" | "=" | "==" | "!=" | "<" | "<=" | ">" | ">="      (the last four for numbers and dates)
    value      = a word, or text in single or double quotes

Words are read without regard to case. ``finding`` matches a CURIE among the case's concepts, or words that stand
together, but for their endings, in the name of one of its findings ("effusion" in "Pleural effusion"). A case that
does not state a field is neither in nor out by it (Kleene's three-valued logic): it matches neither ``age > 60`` nor
``not age > 60``.

A column is a "number", a "date" or a "text". A date may be cut short: ``date:2024-03`` is any day of that month, and
``date>2024`` begins with 2025.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from errors import InputError
from retrieval.document import Document

EXAMPLE = "age>60 and finding:effusion"
LONGEST = 1000
DEEPEST = 20
FINDINGS_SEPARATOR = "; "  # of metadata["findings"]

Truth = bool | None
Predicate = Callable[[Document], Truth]

_TOKEN = re.compile(
    r"\s*(?:(?P<op>==|!=|<=|>=|[:=<>])|(?P<paren>[()])|\"(?P<d>[^\"]*)\"|'(?P<s>[^']*)'|(?P<word>[^\s()=<>!\"']+))"
)
FIELDS: Mapping[str, str] = {"age": "number", "sex": "text", "view": "text", "finding": "finding"}
_AGE = re.compile(r"\d{1,3}(?:\.\d+)?")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")
_WORDS = re.compile(r"[^\W_]+")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    kind: str  # "op", "paren", "word", "quoted"


def parse(expression: str, columns: Mapping[str, str] | None = None) -> Callable[[Document], bool]:
    """A filter as a predicate of documents: True where it certainly holds. ``columns`` are further fields, in lower
    case, each with its kind ("number", "date" or "text"); their values are the documents' metadata of that name.
    Raises InputError when it is no filter."""
    if len(expression) > LONGEST:
        raise InputError("the filter is too long", value=expression, expected=f"at most {LONGEST} characters")
    parser = _Parser(expression, {**(columns or {}), **FIELDS})
    predicate = parser.any_of(0)
    parser.end()
    return lambda document: predicate(document) is True


class _Parser:
    def __init__(self, expression: str, fields: Mapping[str, str]) -> None:
        self.expression, self.fields = expression, fields
        self.tokens, self.at = _tokens(expression, fields), 0

    def any_of(self, depth: int) -> Predicate:
        parts = [self.all_of(depth)]
        while self._keyword("or"):
            parts.append(self.all_of(depth))
        return lambda document: _or([part(document) for part in parts])

    def all_of(self, depth: int) -> Predicate:
        parts = [self.one(depth)]
        while self._keyword("and"):
            parts.append(self.one(depth))
        return lambda document: _not(_or([_not(part(document)) for part in parts]))

    def one(self, depth: int) -> Predicate:
        if depth > DEEPEST:
            raise InputError("the filter is nested too deep", value=self.expression, expected=f"{DEEPEST} levels")
        if self._keyword("not"):
            inner = self.one(depth + 1)
            return lambda document: _not(inner(document))
        if self._take("paren", "("):
            inner = self.any_of(depth + 1)
            if not self._take("paren", ")"):
                raise self._error("a closing parenthesis")
            return inner
        return self._comparison()

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise self._error("“and”, “or” or the end")

    def _comparison(self) -> Predicate:
        known = f"a field ({', '.join([*FIELDS, *sorted(self.fields.keys() - FIELDS)])})"
        field = self._next("word", known).lower()
        if field not in self.fields:
            self.at -= 1
            raise self._error(known)
        operator = self._next("op", "an operator after the field")
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or token.kind not in ("word", "quoted") or not token.text.strip():
            raise self._error("a value after the operator")
        self.at += 1
        negated, operator = operator == "!=", {":": "=", "==": "=", "!=": "="}.get(operator, operator)
        kind = self.fields[field]
        if kind not in ("number", "date") and operator != "=":
            raise InputError(
                f"{field} has no order", value=self.expression, expected=f"{field}:value or {field}!=value"
            )
        predicate = _field(field, kind, operator, token.text.strip(), self.expression)
        return (lambda document: _not(predicate(document))) if negated else predicate

    def _keyword(self, word: str) -> bool:
        if self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "word" and token.text.lower() == word:
                self.at += 1
                return True
        return False

    def _take(self, kind: str, text: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == _Token(text, kind):
            self.at += 1
            return True
        return False

    def _next(self, kind: str, expected: str) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at].kind != kind:
            raise self._error(expected)
        self.at += 1
        return self.tokens[self.at - 1].text

    def _error(self, expected: str) -> InputError:
        found = self.tokens[self.at].text if self.at < len(self.tokens) else "the end"
        return InputError(
            f"cannot read the filter at {found!r}", value=self.expression, expected=f"{expected}; for example {EXAMPLE}"
        )


def _tokens(expression: str, fields: Mapping[str, str]) -> list[_Token]:
    tokens, at, expression = [], 0, expression.rstrip()
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise InputError("cannot read the filter", value=expression[at:], expected=f"for example {EXAMPLE}")
        at = match.end()
        if match["op"] or match["paren"]:
            tokens.append(_Token(match["op"] or match["paren"], "op" if match["op"] else "paren"))
        elif match["word"] is None:
            tokens.append(_Token(match["d"] if match["d"] is not None else match["s"], "quoted"))
        else:
            tokens.extend(_split_word(match["word"], fields))
    if not tokens:
        raise InputError("the filter is empty", value=expression, expected=f"for example {EXAMPLE}")
    return tokens


def _split_word(word: str, fields: Mapping[str, str]) -> list[_Token]:
    """``finding:HP:0002202`` is a field, an operator and a CURIE; ``HP:0002202`` is one value."""
    field, colon, rest = word.partition(":")
    if not colon or field.lower() not in fields:
        if word.startswith(":") and len(word) > 1:
            return [_Token(":", "op"), _Token(word[1:], "word")]
        return [_Token(":", "op")] if word == ":" else [_Token(word, "word")]
    return [_Token(field, "word"), _Token(":", "op"), *([_Token(rest, "word")] if rest else [])]


def _field(field: str, kind: str, operator: str, value: str, expression: str) -> Predicate:
    if field == "age":
        if not _AGE.fullmatch(value):
            raise InputError("age is not a number of years", value=expression, expected="age>60, for example")
        return _number(field, _AGE, _ORDER[operator], float(value))
    if field == "finding":
        return _finding(value)
    if field == "sex":
        value = {"female": "f", "male": "m"}.get(value.lower(), value.lower())
        if value not in ("f", "m"):
            raise InputError("no such sex in the index", value=expression, expected="sex:F or sex:M")
    if kind == "number":
        if not _NUMBER.fullmatch(value):
            raise InputError(f"{field} is compared with a number", value=expression, expected=f"{field}>1.5")
        return _number(field, _NUMBER, _ORDER[operator], float(value))
    if kind == "date":
        if not _DATE.fullmatch(value):
            raise InputError(f"{field} is compared with a date", value=expression, expected=f"{field}>=2024-03-01")
        return _date(field, _ORDER[operator], value)
    wanted = value.lower()
    return lambda document: document.metadata[field].lower() == wanted if document.metadata.get(field) else None


def _number(field: str, written: re.Pattern[str], holds: Callable[[float, float], bool], value: float) -> Predicate:
    def compare(document: Document) -> Truth:
        stated = document.metadata.get(field, "")
        return holds(float(stated), value) if written.fullmatch(stated) else None

    return compare


def _date(field: str, holds: Callable[[str, str], bool], value: str) -> Predicate:
    """ISO dates stand in the order of their letters; only as much of one is compared as the value has."""

    def compare(document: Document) -> Truth:
        stated = document.metadata.get(field, "")
        return holds(stated[: len(value)], value) if stated else None

    return compare


def _finding(value: str) -> Predicate:
    if re.fullmatch(r"[A-Za-z0-9]+:\S+", value):
        return lambda document: value in document.concepts
    wanted = _stems(value)
    if not wanted:
        raise InputError("a finding needs a name", value=value, expected="finding:effusion or finding:HP:0002202")

    def matches(document: Document) -> Truth:
        for name in document.metadata.get("findings", "").split(FINDINGS_SEPARATOR):
            words = _stems(name)
            if any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1)):
                return True
        return False

    return matches


@lru_cache(maxsize=4096)
def _stems(text: str) -> tuple[str, ...]:
    """The words of a name, by their Snowball stems: "Infiltration" is "infiltrates"."""
    import Stemmer

    return tuple(Stemmer.Stemmer("english").stemWords(_WORDS.findall(text.lower())))


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _or(truths: list[Truth]) -> Truth:
    if any(truth is True for truth in truths):
        return True
    return None if any(truth is None for truth in truths) else False
