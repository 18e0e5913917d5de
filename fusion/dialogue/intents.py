"""What a question asks: the table ``data/intents.tsv`` read, and a question matched against it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from errors import ArtifactError

TABLE = Path(__file__).parent / "data" / "intents.tsv"
_COLUMNS = ("intent", "pattern", "example")
_SLOT = re.compile(r"\{(disease|other|finding|topic|clause|step)\}")
_NUMBERED = re.compile(r"__\d+$")

# Contractions, written out; the last turns "is not it" round.
_WRITTEN_OUT = (
    (re.compile(r"[’`´]"), "'"),
    (re.compile(r"\bcan(?:no|')t\b", re.I), "can not"),
    (re.compile(r"\bwon't\b", re.I), "will not"),
    (re.compile(r"\b(\w+?)n't\b", re.I), r"\1 not"),
    (re.compile(r"\b(what|it|that|this|who|he|she|where|how|there|which|why)'s\b", re.I), r"\1 is"),
    (re.compile(r"\b(you|we|they|what|there)'re\b", re.I), r"\1 are"),
    (re.compile(r"\bi'm\b", re.I), "i am"),
    (re.compile(r"\b(\w+)'d\b", re.I), r"\1 would"),
    (re.compile(r"\b(\w+)'ve\b", re.I), r"\1 have"),
    (re.compile(r"\b(\w+)'ll\b", re.I), r"\1 will"),
    (
        re.compile(
            r"\b(is|are|was|were|do|does|did|could|can|would|should|have|has) not "
            r"(it|this|that|he|she|you|we|the patient)\b",
            re.I,
        ),
        r"\1 \2 not",
    ),
)
_POLITE = re.compile(
    r"^(?:(?:please|hi|hello|hey|thanks|thank you|ok|okay|well|hm+|now|right|sorry|doctor|whydx)\b[\s,.!:]*"
    r"|(?:can|could|would|will) you (?:please )?(?:tell|show|explain to|give|remind) (?:me|us)[\s,:]+"
    r"|(?:can|could|would|will) you (?:please )?(?=(?:list|explain|compare|suggest|recommend)\b)"
    r"|(?:i|we) (?:would like|want|need) to (?:know|understand|see)[\s,:]+|(?:i|we) wonder[\s,:]+"
    r"|do you know[\s,:]+(?=wh|how)|(?:tell|remind) me[\s,:]+(?=wh|how)|just )+",
    re.I,
)
_TAIL = re.compile(r"(?:[\s,]+(?:please|exactly|again|actually|though|anyway|in your opinion|here))*[\s?!.…]*$", re.I)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A row of the table."""

    intent: str
    pattern: str
    example: str
    compiled: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A row that matches a question, and the words in its slots."""

    intent: str
    pattern: str
    slots: Mapping[str, str]


@cache
def table() -> tuple[Pattern, ...]:
    """The rows, in order. Raises ArtifactError when the table is damaged."""
    rows = []
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    if tuple(lines[0].split("\t")) != _COLUMNS:
        raise ArtifactError("the table of questions is damaged", value=lines[0], expected=" ".join(_COLUMNS))
    for line in lines[1:]:
        intent, pattern, *example = line.split("\t")
        try:
            rows.append(Pattern(intent, pattern, "".join(example).strip(), _compiled(pattern)))
        except re.error as error:
            raise ArtifactError("the table of questions is damaged", value=f"{intent}: {error}") from error
    return tuple(rows)


def examples() -> tuple[str, ...]:
    """What can be asked, an example a kind."""
    return tuple(row.example for row in table() if row.example)


def matches(question: str) -> Iterator[Asked]:
    """The rows that match, in the order of the table."""
    said = plain_words(question)
    for row in table():
        if found := row.compiled.fullmatch(said):
            slots: dict[str, str] = {}
            for name, words in found.groupdict().items():
                if words and words.strip():
                    slots.setdefault(_NUMBERED.sub("", name), words.strip(" ,"))
            yield Asked(row.intent, row.pattern, slots)


def plain_words(question: str) -> str:
    """The question in one line, contractions written out, without politeness and the mark at its end."""
    said = " ".join(question.split())
    for pattern, words in _WRITTEN_OUT:
        said = pattern.sub(words, said)
    return _TAIL.sub("", _POLITE.sub("", said))


def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern with its slots as groups; a slot may stand in it more than once, and Python numbers no group twice."""
    count = iter(range(1000))
    return re.compile(_SLOT.sub(lambda slot: f"(?P<{slot[1]}__{next(count)}>.+?)", pattern), re.I)
