"""Whether a mention is said to be present, absent or uncertain, of whom and when.

The rules follow NegEx (Chapman et al., J Biomed Inform 2001;34:301-10, doi:10.1006/jbin.2001.1029) and ConText
(Harkema et al., J Biomed Inform 2009;42:839-51, doi:10.1016/j.jbi.2009.05.002): trigger phrases act on the mentions
after or before them, within a sentence, up to a terminator; phrases that only look like triggers ("no change in") do
nothing. The phrases themselves, and the treatment of lists and of section headings, are written for radiology reports
and short notes.

A mention about the past ("history of"), the family, or an earlier examination is "not assessed": it says nothing about
the patient now. Its context says which: "history" or "family". "No family history of" is not assessed too; "no history
of" is absent. What a report gives as its indication is marked as such: it is why the patient was examined, not what was
seen.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from ontologies.concept import Presence

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[^\w\s]")

_TRIGGERS = Path(__file__).parents[1] / "data" / "assertion_triggers.tsv"
_LONGEST_SENTENCE = 2000
_FARTHEST = 60  # words between a trigger and a mention
_NOW = frozenset(["now", "currently", "today", "presents", "presenting"])
_MARKS = frozenset(["?", "normal"])
_ALONE = frozenset(
    ["absent", "negative", "resolved", "cleared", "unremarkable", "suspected", "questioned", "questionable", "denied"]
)
# Phrases of doubt that a list follows: "differential includes atelectasis, aspiration and pneumonia".
_LISTING = frozenset(["differential", "ddx", "evaluate", "evaluation", "eval", "assess", "assessment", "rule"])
_BE = frozenset(["is", "are", "was", "were", "has", "have", "had", "appears", "appear", "remains", "remain", "seems"])
# A heading starts a line; inside one it is in capitals.
_HEADING = re.compile(r"(?:^[ \t]*([A-Z][A-Za-z /&-]{1,40})|(?<=[.;?!] )([A-Z][A-Z /&-]{3,40})):", re.MULTILINE)
_SECTIONS = (
    ("family", re.compile(r"family (?:medical )?history|fhx?", re.IGNORECASE)),
    (
        "history",
        re.compile(
            r"past (?:medical |surgical )?history|pmhx?|psh|comparisons?|prior (?:studies|imaging|reports?)",
            re.IGNORECASE,
        ),
    ),
    (
        "indication",
        re.compile(
            r"(?:clinical )?(?:indications?|history|information|question)|reason(?: for (?:exam\w*|study|test))?",
            re.IGNORECASE,
        ),
    ),
    ("not now", re.compile(r"techniques?", re.IGNORECASE)),
)
Context = Literal["history", "family", "indication"]


class Assertion(NamedTuple):
    """``context`` says of a mention that is "not assessed" whether it is about the past or the family, and of any other
    whether it stands in the indication; None otherwise."""

    presence: Presence
    context: Context | None = None


_SILENT = frozenset(["nothing", "except", "end"])  # say nothing of a mention by themselves
_ENDS = frozenset(["except", "end"])
_PRESENT, _ABSENT, _UNCERTAIN = Assertion("present"), Assertion("absent"), Assertion("uncertain")
_THEN: dict[str, Assertion] = {
    "history": Assertion("not assessed", "history"),
    "family": Assertion("not assessed", "family"),
    "not now": Assertion("not assessed"),
}


@dataclass(frozen=True, slots=True)
class _Trigger:
    effect: str  # "absent", "uncertain", "history", "family", "not now", "nothing", "except" or "end"
    before: bool = False  # acts on mentions after it
    after: bool = False  # acts on mentions before it
    at_end: bool = False  # … only at the end of a clause


def _read(path: Path) -> tuple[dict[str, dict[tuple[str, ...], list[_Trigger]]], frozenset[str]]:
    """(first token → phrase → its triggers, descriptions that open a new item of a list)."""
    table: dict[str, dict[tuple[str, ...], list[_Trigger]]] = {}
    new_item = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        effect, side, phrase = line.split("\t")
        if effect == "new item":
            new_item.add(phrase)
            continue
        trigger = _Trigger(effect, before=side == "after", after=side.startswith("before"), at_end=side == "before-end")
        words = tuple(phrase.split())
        table.setdefault(words[0], {}).setdefault(words, []).append(trigger)
    return table, frozenset(new_item)


# "no pneumothorax, small left effusion": a description such as "small" opens a new item that the denial does not reach.
_TABLE, _NEW_ITEM = _read(_TRIGGERS)
_LONGEST = max(len(words) for phrases in _TABLE.values() for words in phrases)


@dataclass(frozen=True, slots=True)
class _Hit:
    first: int  # token
    last: int  # token after the phrase
    trigger: _Trigger


def assertions(text: str, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
    """What is said of each mention ``text[start:end]``, in the order of ``spans``."""
    if not spans:
        return []
    result = [_PRESENT] * len(spans)
    sections = _sections(text)
    order = sorted(range(len(spans)), key=lambda i: spans[i])
    starts = [spans[i][0] for i in order]
    for first, last, question in _sentences(text):
        inside = order[bisect_left(starts, first) : bisect_left(starts, last)]
        if not inside:
            continue
        sentence = text[first:last]
        words = _TOKEN.findall(sentence.lower().replace("’", "'"))
        hits = _hits(words)
        if not (sections or question or _speak(words, hits)):
            continue
        tokens = [
            (m.start() + first, m.end() + first, m[0].lower().replace("’", "'")) for m in _TOKEN.finditer(sentence)
        ]
        if len(tokens) != len(words):  # lower case made other words of them
            hits = _hits([token for *_, token in tokens])
        for i in inside:
            start, end = spans[i]
            section = next((kind for a, b, kind in sections if a <= start < b), None)
            if section in _THEN and not _today(tokens, start):
                result[i] = _THEN[section]
                continue
            result[i] = _assertion(tokens, hits, start, end, question)
            if section == "indication" and result[i].context is None:
                result[i] = Assertion(result[i].presence, "indication")
    return result


def _today(tokens: list[tuple[int, int, str]], mention: int) -> bool:
    """Whether a sentence comes back to the present before a mention: "PMH: COPD. Now cough"."""
    return any(end <= mention and word in _NOW for _, end, word in tokens)


def _speak(words: list[str], hits: list[_Hit]) -> bool:
    """Whether a sentence holds anything that makes a mention other than present."""
    return not _MARKS.isdisjoint(words) or any(hit.trigger.effect not in _SILENT for hit in hits)


def _sections(text: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) of what stands under headings whose content is not what was seen on this examination."""
    if ":" not in text:
        return []
    headings = [(m.start(m.lastindex or 0), (m[1] or m[2]).strip()) for m in _HEADING.finditer(text)]
    ends = [*(start for start, _ in headings), len(text)][1:]
    found = []
    for (start, name), end in zip(headings, ends, strict=True):
        kind = next((kind for kind, pattern in _SECTIONS if pattern.fullmatch(name)), None)
        if kind is not None:
            found.append((start, end, kind))
    return found


_STOP = re.compile(r"[.!?;\n]")
_NO_STOP = re.compile(r"(?:^|\W)(?:vs|dr|e\.g|i\.e|approx)$", re.IGNORECASE)
_NEW_LINE = re.compile(r"\n\s*(?:\n|[A-Z0-9•*-])")


def _sentences(text: str) -> list[tuple[int, int, bool]]:
    """(start, end, ends in a question mark) of each sentence. A line that starts with a capital starts a sentence."""
    found, start, length = [], 0, len(text)
    for match in _STOP.finditer(text):
        at, end = match.start(), match.end()
        mark = match[0]
        if mark == "\n":
            if not _NEW_LINE.match(text, at):
                continue
        elif mark != ";":
            if (end < length and not text[end].isspace()) or _NO_STOP.search(text, max(start, at - 8), at):
                continue
            if mark == "?" and not text[start:at].strip():
                continue
        found.append((start, end, mark == "?"))
        start = end
    if start < length:
        found.append((start, length, False))
    return [part for sentence in found for part in _parts(text, *sentence)]


def _parts(text: str, start: int, end: int, question: bool) -> list[tuple[int, int, bool]]:
    """A sentence, cut at spaces where it is longer than any sentence is: text without full stops must not cost its
    square."""
    parts = []
    while end - start > _LONGEST_SENTENCE:
        cut = text.rfind(" ", start, start + _LONGEST_SENTENCE) + 1 or start + _LONGEST_SENTENCE
        parts.append((start, cut, False))
        start = cut
    return [*parts, (start, end, question)]


def _hits(tokens: list[str]) -> list[_Hit]:
    """Trigger phrases, the longest at each place, left to right; a shorter one inside a longer one does not count."""
    found: list[_Hit] = []
    at = 0
    while at < len(tokens):
        phrases = _TABLE.get(tokens[at])
        length = 0
        if phrases:
            for size in range(min(_LONGEST, len(tokens) - at), 0, -1):
                triggers = phrases.get(tuple(tokens[at : at + size]))
                if triggers:
                    found.extend(_Hit(at, at + size, trigger) for trigger in triggers)
                    length = size
                    break
        at += max(length, 1)
    return found


def _assertion(tokens: list[tuple[int, int, str]], hits: list[_Hit], start: int, end: int, question: bool) -> Assertion:
    first = next((i for i, (a, b, _) in enumerate(tokens) if b > start), len(tokens))
    last = next((i for i, (a, _, _) in enumerate(tokens) if a >= end), len(tokens))
    words = [word for *_, word in tokens]
    acting: list[tuple[int, _Hit]] = []
    hits = [hit for hit in hits if first - _FARTHEST <= hit.first <= last + _FARTHEST]
    # "except for scoliosis, the examination is unremarkable"
    excepted = any(hit.trigger.effect == "except" and 0 <= first - hit.last <= 3 for hit in hits)
    for hit in hits:
        if hit.trigger.before and hit.last <= first and _reaches(words, hits, hit, first):
            acting.append((first - hit.last, hit))
        elif excepted:
            continue
        elif hit.trigger.after and hit.first >= last and _reaches_back(words, hits, hit, last):
            acting.append((hit.first - last, hit))
    if (
        (first and words[first - 1] == "?")
        or (last < len(words) and words[last] == "?")
        or (first < last and words[last - 1] == "?")
    ):
        return _UNCERTAIN
    if (first and words[first - 1] == "normal") or (
        first > 1 and words[first - 2] == "normal" and words[first - 1] not in ",.;:and"
    ):
        return _ABSENT
    then = [(d, hit.trigger.effect) for d, hit in acting if hit.trigger.effect in _THEN and hit.trigger.before]
    if then:
        denied = [d for d, hit in acting if hit.trigger.effect == "absent" and hit.trigger.before]
        distance, effect = min(then)
        if not denied or distance <= min(denied) or not any(hit.trigger.after for _, hit in acting):
            return _THEN[effect]
    if not acting:
        return _UNCERTAIN if question else _PRESENT
    acting.sort(key=lambda pair: (pair[0], pair[1].first))
    effect = acting[0][1].trigger.effect
    if effect in _THEN:
        return _THEN[effect]
    if effect == "uncertain":
        nearest = acting[0][1]
        # "no findings to suggest": the suspicion itself is denied; so is each "suspicious opacity" of a denied list
        adjective = words[nearest.first : nearest.last] == ["suspicious"]
        for _, hit in acting[1:]:
            if (
                hit.trigger.effect == "absent"
                and hit.trigger.before
                and nearest.trigger.before
                and hit.last <= nearest.first
            ) and (adjective or not {",", "or", "and", ":"} & set(words[hit.last : nearest.first])):
                return _ABSENT
        return _UNCERTAIN
    return _ABSENT


def _reaches(words: list[str], hits: list[_Hit], hit: _Hit, mention: int) -> bool:
    """Whether a trigger acts on a mention that starts at token ``mention`` after it."""
    effect = hit.trigger.effect
    for other in hits:
        if hit.last <= other.first < mention and other.trigger.effect in _ENDS:
            return False
    between = words[hit.last : mention]
    if words[hit.first : hit.last] == ["not"] and len(between) > 4:
        return False
    if (
        ":" in between[1:]
        or (
            between[:1] == [":"]
            and effect != "uncertain"
            and words[hit.first] not in ("pmh", "pmhx", "past", "family", "fh")
        )
        or ("(" in between and ")" in between and effect != "absent")
    ):
        return False
    if any(word in _BE for word in (between if effect == "absent" else between[1:] if effect in _THEN else ())):
        return False
    if effect == "absent" and "with" in between and words[hit.first] not in ("without", "not"):
        return False
    listed = any(word in ("or", "nor") for word in words[hit.last : mention + _FARTHEST])
    lists = words[hit.first] in _LISTING
    for i, word in enumerate(between):
        following = words[hit.last + i + 1] if hit.last + i + 1 < len(words) else ""
        if (
            word == ","
            and effect == "uncertain"
            and following not in ("or", "and", "versus", "vs")
            and (following in _NEW_ITEM or not (listed or lists))
        ):
            return False
        if (
            word in (",", "and")
            and following in _NEW_ITEM
            and not (listed and word == "," and "or" in words[hit.last + i : mention + _FARTHEST])
        ):
            return False
        if word == "and" and effect == "uncertain" and not lists:
            return False
        if word in (",", "and", "/") and effect != "absent" and following in _TABLE and effect not in _THEN:
            return False
    return True


def _reaches_back(words: list[str], hits: list[_Hit], hit: _Hit, mention_end: int) -> bool:
    """Whether a trigger acts on a mention that ends before token ``mention_end`` before it."""
    if hit.trigger.at_end and hit.last < len(words) and words[hit.last] not in (".", ",", ";", "?", "!", ")", "but"):
        return False
    if len(words[hit.first : hit.last]) == 1 and words[hit.first] in ("no", "none", "nil", "absent", "negative"):
        # as in a form: "Effusion: none."
        if words[mention_end : hit.first] in ([":"], ["-"], ["="]):
            return hit.last == len(words) or not words[hit.last].isalnum()
        if words[hit.first] in ("no", "none", "nil"):
            return False
    for other in hits:
        if mention_end <= other.first < hit.first and other.trigger.effect in _ENDS:
            return False
    between = words[mention_end : hit.first]
    if len(words[hit.first : hit.last]) == 1 and words[hit.first] in _ALONE:
        after = words[hit.last] if hit.last < len(words) else "."
        if after.isalnum() and after not in (
            "on",
            "in",
            "at",
            "by",
            "since",
            "and",
            "or",
            "as",
            "from",
            "with",
            "completely",
            "now",
            "after",
        ):
            return False
    verbs = [i for i, word in enumerate(between) if word in _BE]
    if len(verbs) > 1 or (verbs and len(between) - verbs[0] > 3):
        return False
    if any(word in (";", ":", "(") for word in between):
        return False
    if "," in between and "or" not in between and "and" not in between and hit.trigger.effect != "absent":
        return between[-1] == "," and len(between) <= 4
    if verbs and "," in between[: verbs[0]] and not {"or", "and"} & set(between[: verbs[0]]):
        return False
    return len(between) <= 14
