"""How notes say a finding without its name: "coughing up blood", "has to sleep upright", "abdomen soft, nontender".

The table ``data/wordings.tsv`` has families of such phrases, each with the finding that it states or denies: a row is
"present" or "absent", or "stated" or "denied" of what is so in whatever section it stands ("Past history: none. Never
smoked"), the finding's name, and a family. In a family words are parted by spaces, and

- ``(a|b c)`` is any of several, ``(a|b)?`` any or none, ``(a|b)*`` any number of them, ``(a|b)+`` at least one;
  ``$be`` is what a line "= be (...)" of the table says, ``$be?`` that or nothing;
- ``walk~`` is the word and its regular forms: walks, walked, walking;
- ``#`` is a number, ``_`` any one word, ``..`` up to four words other than denials; ``,`` a comma;
- ``!(of|in)`` is nothing, where none of these words comes next.

Case, hyphens and the spelling of the UK make no difference; a bracket counts as a comma.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).parents[1] / "data" / "wordings.tsv"
_TOKEN = re.compile(r"\\n|\d+(?:[.,/]\d+)*|[^\W\d_][^\W_]*(?:['’][^\W\d_]+)?|\n|[^\w\s]")
_PART = re.compile(r"!?\(|\)[?*+]?|\||[^\s()|]+")
_BRACKET = re.compile(r"\(|\)[?*+]?|(?<![^ ])[^\s()|]+(?= |$)")
_HYPHENS = frozenset("-–‑")
_ANY, _SOME, _NUMBER = "_", "..", "#"
_GAP = 4
_MOST = 8  # times that what may be repeated is
_NUMBERS = frozenset(
    [
        *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen"),
        *("twenty", "thirty", "several", "few", "couple"),
    ]
)
_DENIALS = frozenset(["no", "not", "without", "denies", "denied", "never", "but", "nor", "neither", "except"])
_UK = (
    (re.compile(r"ae(?=[mscd])"), "e"),
    (re.compile(r"oe(?=[adt]|soph|strog)"), "e"),
    (re.compile(r"(?<=\w\w)our(?=s?$|ed$|ing$|ation$)"), "or"),
    (re.compile(r"(?<=[a-z]{3})is(?=e[ds]?$|ing$|ations?$)"), "iz"),
    (re.compile(r"(?<=[a-z]{3})ll(?=ing$|ed$)"), "l"),
)


class Worded(NamedTuple):
    """``text[start:end]`` says that the finding called ``finding`` is there, or not. ``loose``: words of its own stand
    between the phrase's. ``stated``: it is so now, even in a section on the past."""

    start: int
    end: int
    finding: str
    present: bool
    loose: bool
    stated: bool


@dataclass(slots=True)
class _Node:
    """A step of a family: any of ``words``, or any of the sequences ``choices``; from ``least`` to ``most`` times.
    ``never``: none of the words comes next."""

    words: frozenset[str] = frozenset()
    choices: list[list[_Node]] = field(default_factory=list)
    least: int = 1
    most: int = 1
    never: bool = False
    by_first: dict[str, list[list[_Node]]] | None = None
    may_be_empty: bool = False

    def ends(self, tokens: Sequence[str], at: int) -> frozenset[int]:
        """Where the step may end that begins at token ``at``."""
        if self.never:
            return frozenset() if at < len(tokens) and tokens[at] in self.words else frozenset([at])
        if _SOME in self.words:
            last = at
            while last < min(at + _GAP, len(tokens)) and _plain(tokens[last]):
                last += 1
            return frozenset(range(at, last + 1))
        if not self.choices and self.most == 1:
            once = frozenset([at + 1]) if at < len(tokens) and _matches(tokens[at], self.words) else frozenset[int]()
            return once if self.least else once | {at}
        token = tokens[at] if at < len(tokens) else "\n"
        if not self._beginning(token) and not self.may_be_empty and not _matches(token, self.words):
            return frozenset() if self.least else frozenset([at])
        ends, reached = frozenset([at]) if not self.least else frozenset[int](), frozenset([at])
        for times in range(1, self.most + 1):
            reached = frozenset(end for start in reached for end in self._once(tokens, start))
            if times >= self.least:
                ends |= reached
            if not reached:
                break
        return ends

    def _once(self, tokens: Sequence[str], at: int) -> frozenset[int]:
        if at >= len(tokens):
            return frozenset()
        token = tokens[at]
        found = {at + 1} if _matches(token, self.words) else set()
        if self.choices:
            for choice in self._beginning(token):
                found |= _ends(choice, tokens, at)
        return frozenset(found)

    def _beginning(self, token: str) -> list[list[_Node]]:
        """The choices that may begin with a token."""
        if self.by_first is None:
            self.by_first = {}
            self.may_be_empty = any(not _least(choice) for choice in self.choices)
            for choice in self.choices:
                for word in _first(choice):
                    self.by_first.setdefault(word, []).append(choice)
        number = self.by_first.get(_NUMBER) if token[0].isdigit() or token in _NUMBERS else None
        anything = self.by_first.get(_ANY)
        found = self.by_first.get(token, [])
        return [*found, *(number or ()), *(anything or ())] if number or anything else found

    @property
    def is_word(self) -> bool:
        return not self.choices and self.least == self.most == 1 and not self.never

    def first(self) -> frozenset[str]:
        """The words that the step may begin with."""
        return self.words.union(*map(_first, self.choices))


@dataclass(slots=True)
class _Family:
    """A row of the table; its steps are parsed when a text first has one of its first words."""

    written: str
    finding: str
    present: bool
    loose: bool
    stated: bool
    parsed: list[_Node] = field(default_factory=list)
    onward: frozenset[str] = frozenset()

    @property
    def steps(self) -> list[_Node]:
        return self.parsed or self._parse()

    def goes_on(self) -> frozenset[str]:
        """What may stand behind the first word of the family where it matches; "" when anything may."""
        self._parse()
        return self.onward

    def _parse(self) -> list[_Node]:
        self.parsed = parsed(self.written, _table().macros)
        second = _second(self.parsed)
        self.onward = second if second.isdisjoint((_ANY, _SOME, _NUMBER)) else second | {""}
        return self.parsed


class _Table(NamedTuple):
    """``families``: first token → the families that may begin with it."""

    families: dict[str, list[_Family]]
    macros: dict[str, list[_Node]]


def worded(text: str) -> Iterator[Worded]:
    """What the phrases of a text state or deny, left to right: the longest at each place, none inside another; nothing
    when it has none."""
    table = _table().families
    tokens, spans = _tokens(text)
    at = 0
    while at < len(tokens):
        if (families := table.get(tokens[at])) is None:
            at += 1
            continue
        best, found = at, list[_Family]()
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        for family in families:
            onward = family.onward or family.goes_on()
            if following not in onward and "" not in onward:
                continue
            end = max(_ends(family.steps, tokens, at), default=at)
            if end > best:
                best, found = end, [family]
            elif end == best > at:
                found.append(family)
        if found:
            denied = at > 0 and tokens[at - 1] == "non"  # "non-febrile"
            start, end = spans[at - denied][0], spans[best - 1][1]
            yield from dict.fromkeys(
                Worded(start, end, f.finding, f.present != denied, f.loose, f.stated) for f in found
            )
        at = best if found and not any(f.loose for f in found) else at + 1


def findings() -> frozenset[str]:
    """Every finding that the table names."""
    return frozenset(family.finding for families in _table().families.values() for family in families)


def _ends(steps: list[_Node], tokens: Sequence[str], at: int) -> frozenset[int]:
    """Where a sequence of steps may end that begins at token ``at``."""
    reached = frozenset([at])
    for step in steps:
        if len(reached) == 1:
            (start,) = reached
            reached = step.ends(tokens, start)
            if not reached:
                break
            continue
        reached = frozenset(end for start in reached for end in step.ends(tokens, start))
        if not reached:
            break
    return reached


def _least(steps: list[_Node]) -> int:
    """How many words a sequence of steps has at least, as far as it matters whether it has any."""
    return sum(
        step.least and not step.never and bool(step.words or min(map(_least, step.choices), default=0))
        for step in steps
    )


def _first(steps: list[_Node]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for step in steps:
        found |= step.first()
        if step.least:
            break
    return found


def _second(steps: list[_Node]) -> frozenset[str]:
    """What may stand at the second place of a sequence of steps; "" where it may end after one word."""
    found: frozenset[str] = frozenset()
    for number, step in enumerate(steps):
        if not step.never:
            rest = steps[number + 1 :]
            within = [_second(choice) for choice in step.choices]
            found = found.union(*within) - {""}
            if step.words or any("" in second for second in within):
                found |= _next(rest) | (step.first() if step.most > 1 else frozenset())
        if not _skipped(step):
            break
    return found


def _next(steps: list[_Node]) -> frozenset[str]:
    """What a sequence of steps may begin with; "" where it may be empty."""
    found: frozenset[str] = frozenset()
    for step in steps:
        if not step.never:
            found = found.union(step.words, *map(_next, step.choices)) - {""}
        if not _skipped(step):
            return found
    return found | {""}


def _skipped(step: _Node) -> bool:
    """Whether a step may match nothing."""
    return step.never or not step.least or _SOME in step.words or any(map(_may_be_empty, step.choices))


def _may_be_empty(steps: list[_Node]) -> bool:
    return all(map(_skipped, steps))


def _tokens(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The words and marks of a text in the table's spelling, hyphens and the ends of wrapped lines left out, and where
    each stands."""
    tokens, spans = list[str](), list[tuple[int, int]]()
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in _HYPHENS and match.start() and text[match.start() - 1].isalnum():
            continue
        if token in ("\n", "\\n") and text[match.end() : match.end() + 1].islower():
            continue
        tokens.append("," if token in "()" else _spelt(token.lower().replace("’", "'")))
        spans.append(match.span())
    return tokens, spans


@lru_cache(maxsize=1 << 14)
def _spelt(word: str) -> str:
    """A word in the spelling of the US."""
    for pattern, instead in _UK:
        word = pattern.sub(instead, word)
    return word


def _plain(token: str) -> bool:
    return token[0].isalnum() and token not in _DENIALS


def _matches(token: str, words: frozenset[str]) -> bool:
    return (
        token in words
        or (_ANY in words and _plain(token))
        or (_NUMBER in words and (token[0].isdigit() or token in _NUMBERS))
    )


@lru_cache(maxsize=1)
def _table() -> _Table:
    families: dict[str, list[_Family]] = {}
    macros: dict[str, list[_Node]] = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("= "):
            _, name, written = line.split(" ", 2)
            macros[f"${name}"] = parsed(written, macros)
        elif line and not line.startswith("#"):
            said, finding, written = line.split("\t")
            family = _Family(
                written, finding, said in ("present", "stated"), ".." in written, said in ("stated", "denied")
            )
            for word in _first(parsed(_head(written), macros)):
                families.setdefault(word, []).append(family)
    for number in _NUMBERS:
        families.setdefault(number, []).extend(families.get(_NUMBER, ()))
    return _Table(families, macros)


def _head(written: str) -> str:
    """The first steps of a family, up to one that cannot be left out."""
    depth = 0
    for part in _BRACKET.finditer(written):
        depth += 1 if part[0] == "(" else -1 if part[0][0] == ")" else 0
        if depth == 0 and part[0] not in (")?", ")*") and part[0][0] != "$":
            return written[: part.end()]
    return written


def parsed(written: str, macros: Mapping[str, list[_Node]]) -> list[_Node]:
    """The steps of a family. Raises ValueError when its brackets do not close."""
    parts = _PART.findall(written)[::-1]
    choices, closed = _choices(parts, macros)
    if closed or len(choices) != 1:
        raise ValueError(f"not a family of phrases: {written!r}")
    return choices[0]


def _choices(parts: list[str], macros: Mapping[str, list[_Node]]) -> tuple[list[list[_Node]], str]:
    """The sequences up to the bracket that closes, and that bracket; ``parts`` are taken from their end."""
    choices: list[list[_Node]] = [[]]
    while parts:
        part = parts.pop()
        if part[0] == ")":
            return choices, part
        if part == "|":
            choices.append([])
        elif part[0] == "$":
            own = macros[part.rstrip("?")]
            choices[-1] += [_Node(choices=[own], least=0)] if part[-1] == "?" else own
        elif part[-1] == "(":
            within, closed = _choices(parts, macros)
            if not closed:
                raise ValueError("a bracket that is not closed")
            short = [choice[0].words for choice in within if len(choice) == 1 and choice[0].is_word]
            choices[-1].append(
                _Node(
                    frozenset[str]().union(*short),
                    [choice for choice in within if not (len(choice) == 1 and choice[0].is_word)],
                    least=0 if closed in (")?", ")*") else 1,
                    most=_MOST if closed in (")*", ")+") else 1,
                    never=part[0] == "!",
                )
            )
        else:
            choices[-1].append(_word(part))
    return choices, ""


@lru_cache(maxsize=1 << 14)
def _word(written: str) -> _Node:
    return _Node(frozenset(_spelt(form) for form in _forms(written)))


def _forms(word: str) -> list[str]:
    """A word, or one that ends in ~ with its regular forms."""
    if not word.endswith("~"):
        return [word]
    stem = word[:-1]
    if stem.endswith("e"):
        return [stem, f"{stem}s", f"{stem}d", f"{stem[:-1]}ing"]
    if stem.endswith("y") and stem[-2:-1] not in "aeiou":
        return [stem, f"{stem[:-1]}ies", f"{stem[:-1]}ied", f"{stem}ing"]
    plural = f"{stem}es" if stem.endswith(("s", "x", "ch", "sh")) else f"{stem}s"
    return [stem, plural, f"{stem}ed", f"{stem}ing"]
