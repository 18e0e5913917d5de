"""Who a note is about: the patient's age and sex, as the note says them.

What is said of a relative ("his 70-year-old father"), of a time of life that is past ("at the age of 12") and of
gestation ("born at 32 weeks") is not the patient's age.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal, NamedTuple

Sex = Literal["F", "M"]

_ONES = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS_WORDS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: number for number, word in enumerate(_ONES, 1)}
_TENS = {word: 10 * number for number, word in enumerate(_TENS_WORDS, 2)}
_YEARS_IN = {"h": 24 * 365.25, "d": 365.25, "w": 52.18, "m": 12.0, "y": 1.0}
OLDEST = 120.0  # years

_SPELT = rf"(?:{'|'.join(_TENS)})(?:[-\s](?:{'|'.join(_WORDS)}))?|{'|'.join(sorted(_WORDS, key=len, reverse=True))}"
_NUMBER = rf"(?P<number>\d{{1,3}}(?:\.\d)?|{_SPELT})"
_UNIT = r"(?P<unit>years?|yrs?|y/?\.?o|y\.?|months?|mths?|mos?|m/o|weeks?|wks?|w/o|days?|d/o|hours?|hrs?)(?![a-z])"
_FEMALE = r"females?|wom[ae]n|girls?|lady|ladies|mother|gentlewoman|housewife|nun|widow|schoolgirl"
_MALE = r"males?|m[ae]n|boys?|gentlem[ae]n|father|widower|schoolboy"
_ADJECTIVE = r"(?:[a-z-]+\s+){0,4}?"
_AGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # 59-year-old, 3 month old, 72 y.o., 59 yo, forty-five year old
        rf"(?<![\w.,/-]){_NUMBER}[-\s]*{_UNIT}[-.\s]*(?:olds?\b|of\s+(?:age|life)\b)",
        # 42 year female
        rf"(?<![\w.,/-]){_NUMBER}[-\s]*{_UNIT}[-\s,]+(?:{_FEMALE}|{_MALE})\b",
        r"(?<![\w.,/-])(?P<number>\d{1,3})\s*-?(?P<unit>y/?\.?o)\b\.?",
        rf"(?<![\w.,/-])(?P<number>\d{{1,3}})\s*(?P<unit>y|yrs?)[\s,/]+(?:[MF♂♀]\b|{_FEMALE}|{_MALE})",
        # Mr P., 74, former builder; lady 49, three days of fever; plumber, 73, male
        r"\b(?:Mr|Mrs|Ms|Miss)\b\.?\s+[\w.]+\s*,\s*(?:aged\s+)?(?P<number>\d{1,3})(?P<unit>)(?=\s*[,.;])",
        rf"^\W*(?:{_FEMALE}|{_MALE})\s+(?P<number>\d{{1,3}})(?P<unit>)(?=\s*[,.;])",
        rf",\s*(?P<number>\d{{1,3}})(?P<unit>)\s*,\s*(?:{_FEMALE}|{_MALE})\b",
        # 59M, 59 F, M59, 59/F, 59 ♀
        r"(?<![\w.,/-])(?P<number>\d{1,3})\s*[/,]?\s*(?P<unit>)(?:[MF♂♀]\b|[♂♀])(?!\w)",
        r"(?<![\w.,/-])(?:[MF♂♀][/,]?\s?)(?P<number>\d{2,3})(?P<unit>)(?![\w.%/-])",
        # a man aged 60, age: 60, Age 7 months
        rf"\bag(?:ed?|e\s*[:=]|e\s+is)\s*(?:of\s+)?:?\s*{_NUMBER}(?:[-\s]*{_UNIT})?(?![\w%/.]\d)",
        # a woman of 60, a man in his 60s
        rf"\b(?:{_FEMALE}|{_MALE})\s*(?:,|\(|of)\s*(?P<number>\d{{1,3}})(?P<unit>)(?![\w%/.])",
        rf"\b(?:{_FEMALE}|{_MALE})\s+in\s+(?:his|her|their)\s+(?:early\s+|mid[-\s]?|late\s+)?(?P<decade>\d0)(?:'?s)\b",
        # 50s male; he is 66; I'm 34
        rf"(?<![\w.,/-])(?P<decade>[1-9]0)'?s[,\s]+(?:{_FEMALE}|{_MALE})\b",
        r"\b(?:he|she|patient|pt|i|dad|mum|mom|daddy|mummy)\s*(?:'s|'m|is|am)\s+(?:now\s+)?(?P<number>\d{1,3})(?P<unit>)"
        r"(?=\s*(?:[,.;]|and\b|$))",
        # a child: 6 months, 2 days of age; hours old
        rf"\b(?:bab(?:y|ies)|infant|neonate|newborn|toddler|child|boy|girl)\s*(?:,|\(|of)\s*{_NUMBER}[-\s]*{_UNIT}",
    )
)
_STAGES = (
    (
        re.compile(
            r"\b(?:newborn|neonat(?:e|al)|pre-?term\s+(?:baby|infant|boy|girl)|just\s+born|minutes\s+after\s+birth|at\s+birth)\b",
            re.IGNORECASE,
        ),
        0.01,
    ),
    (re.compile(r"\b(?:infant|baby)\b", re.IGNORECASE), 0.5),
    (re.compile(r"\btoddler\b", re.IGNORECASE), 2.0),
    (re.compile(r"\b(?:school-?(?:boy|girl|child)|kid)\b", re.IGNORECASE), 8.0),
    (re.compile(r"\b(?:teen-?ager?|teenaged?|adolescent)\b", re.IGNORECASE), 15.0),
    (re.compile(r"\byoung\s+(?:adult|man|woman|male|female|lady)\b", re.IGNORECASE), 25.0),
    (re.compile(r"\bmiddle[-\s]aged\b", re.IGNORECASE), 50.0),
    (re.compile(r"\b(?:elderly|octogenarian|old\s+(?:man|woman|lady|gentleman)|geriatric)\b", re.IGNORECASE), 75.0),
)
_NOT_THE_PATIENT = re.compile(
    r"\b(?:father|mother|brother|sister|sibling|son|daughter|uncle|aunt|cousin|wife|husband|partner|grand\w+|parents?|"
    r"neighbou?r|friend|contact|(?:his|her|my|their)\s+child(?:ren)?|niece|nephew|roommate)\b[^.;:]{0,40}$",
    re.IGNORECASE,
)
_ANOTHER_TIME = re.compile(
    r"\b(?:at|since|until|from|before|by|after|around|when|gestation\w*|diagnosed|born)\s+"
    r"(?:(?:the|an|about|around|he|she|was|were|age[ds]?|of|her|his)\s+){0,4}$",
    re.IGNORECASE,
)
_MOTHER = re.compile(
    r"\b(?:born|deliver(?:ed|y)|newborn|birth)\b[^.;]{0,60}\b(?:to|by|of|from)\s+(?:an?|the)\s+$", re.IGNORECASE
)
_RELATIVE_AFTER = re.compile(
    r"^\W*(?:[a-z]+\s+)?(?:father|mother|brother|sister|son|daughter|uncle|aunt|cousin|wife|husband|grand\w+)\b(?!\s+of)",
    re.IGNORECASE,
)
_GESTATION = re.compile(r"^\W*(?:of\s+)?(?:gestation|gestational|pregnan|premature|preterm|amenorrh)", re.IGNORECASE)
_SEXES = (
    ("F", re.compile(rf"\b(?:{_FEMALE}|pregnant|postpartum|multigravida|primigravida|gravida)\b", re.IGNORECASE)),
    ("M", re.compile(rf"\b(?:{_MALE})\b", re.IGNORECASE)),
)
_LETTER = re.compile(r"\b\d{1,3}\s*(?:y/?\.?o\.?|yrs?|years?|y|m|mo|d)?[-\s/,]*(?:old\s+)?([MF♂♀])(?![\w'])")
_LETTER_FIRST = re.compile(r"(?<![\w'.])([MF♂♀])[\s/,]{1,2}\d{1,3}(?![\w%/.-])")
_LABEL = re.compile(r"\b(?:sex|gender)\s*[:=]?\s*([mf])(?:ale|emale)?\b", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:(she|her|hers)|(he|his|him))\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\b(?:his|her|the|their|whose|patient'?s|maternal|paternal)\s+(?:[a-z-]+\s+){0,2}(?:father|mother|brother|sister|"
    r"son|daughter|uncle|aunt|wife|husband|grand\w+|girlfriend|boyfriend)\b",
    re.IGNORECASE,
)


class Demographics(NamedTuple):
    """``age`` in years, ``sex`` "F" or "M"; None where the note does not say."""

    age: float | None
    sex: Sex | None


def demographics(text: str) -> Demographics:
    """The patient's age and sex, by the first statement of each; of several ways to say an age the plainest goes first
    ("59-year-old" before "elderly"). Sex by what the patient is called, else by most of the pronouns."""
    return Demographics(_age(text), _sex(text))


def _age(text: str) -> float | None:
    found: list[tuple[int, float]] = []
    for pattern in _AGES:
        for match in pattern.finditer(text):
            before, after = text[max(0, match.start() - 80) : match.start()], text[match.end() : match.end() + 30]
            if _NOT_THE_PATIENT.search(before) or _ANOTHER_TIME.search(before):
                continue
            if _MOTHER.search(before) or _GESTATION.match(after) or _relative(before, after):
                continue
            years = _years(match)
            if years is not None and years <= OLDEST:
                found.append((match.start(), years))
                break
    if found:
        return min(found)[1]
    stages = [
        (said.start(), years)
        for pattern, years in _STAGES
        if (said := pattern.search(text))
        and not re.search(r"\bas\s+an?\s+$", text[: said.start()], re.IGNORECASE)
        and not _NOT_THE_PATIENT.search(text[max(0, said.start() - 60) : said.start()])
    ]
    return min(stages)[1] if stages else None


def _relative(before: str, after: str) -> bool:
    """Whether it is the age of "her 60-year-old husband"."""
    return bool(
        _RELATIVE_AFTER.match(after) and re.search(r"\b(?:his|her|my|their|the|whose)\s+$", before, re.IGNORECASE)
    )


def _years(match: re.Match[str]) -> float | None:
    said = match.groupdict()
    if said.get("decade"):
        return float(said["decade"]) + 5
    number = _number(said["number"].lower())
    unit = (said.get("unit") or "y").lower()
    return None if number is None else number / _YEARS_IN[unit[0]]


def _number(word: str) -> float | None:
    if word[0].isdigit():
        return float(word)
    parts = re.split(r"[-\s]", word)
    return float(sum(_TENS.get(p, 0) + _WORDS.get(p, 0) for p in parts)) or None


def _sex(text: str) -> Sex | None:
    if label := _LABEL.search(text):
        return "F" if label[1].lower() == "f" else "M"
    own = _RELATIVE.sub(lambda match: " " * len(match[0]), text)
    first = [(match.start(), sex) for sex, pattern in _SEXES if (match := pattern.search(own))]
    letter = _LETTER.search(own) or _LETTER_FIRST.search(own)
    if letter:
        first.append((letter.start(), "F" if letter[1] in "F♀" else "M"))
    if first:
        return "F" if min(first)[1] == "F" else "M"
    told = Counter("F" if she else "M" for she, _ in _PRONOUN.findall(text))
    if told["F"] == told["M"]:
        return None
    return "F" if told["F"] > told["M"] else "M"
