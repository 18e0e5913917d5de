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
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

from ontologies.concept import Presence
from ontologies.linking.context.marks import marked
from ontologies.linking.context.sections import sections

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
_ITEM_ENDS = frozenset([",", ";", "and", "but", "or"])
# What in an item of a list says that it is there, and how long it has been.
_AFFIRM = frozenset(
    [
        *("present", "noted", "seen", "heard", "found", "evident", "persists", "persisted", "continues", "remains"),
        *("confirmed", "developed", "worsened", "began", "started", "appeared", "reported", "positive", "ongoing"),
        *("worse", "since", "is", "was", "are", "were", "has", "have"),
    ]
)
_AFFIRM_FIRST = frozenset(["+", "known", "reports", "complains", "endorses", "admits", "ongoing", "positive", "has"])
_AMOUNTS = frozenset(
    ["a", "an", "the", "several", "many", "some", "about", "one", "two", "three", "four", "five", "six"]
)
_LASTING = frozenset(["for", "x", "since", "over"])
_LOOK_BACK = frozenset(["denied", "absent", "excluded", "out", "resolved", "cleared", "negative", "neg", "nil", "gone"])
_SAID_NO = frozenset(["denied", "absent", "none", "negative", "excluded", "nil"])
_DENYING = frozenset(["no", "not", "never", "without", "any", "nor", "un", "non", "longer"])
_UNABLE = frozenset(["cannot", "can't", "unable", "couldn't", "hardly", "rarely", "seldom"])
_DETERMINERS = frozenset(["the", "his", "her", "their", "she", "he", "they", "it", "this", "these", "patient"])
_JOINING = frozenset(
    ["of", "for", "in", "to", "from", "with", "and", "or", ",", "nor", "on", "at", "by", "that", "about"]
)
_BE = frozenset(["is", "are", "was", "were", "has", "have", "had", "appears", "appear", "remains", "remain", "seems"])
Context = Literal["history", "family", "indication"]


class Assertion(NamedTuple):
    """``context`` says of a mention that is "not assessed" whether it is about the past or the family, and of any other
    whether it stands in the indication; None otherwise."""

    presence: Presence
    context: Context | None = None


_SILENT = frozenset(["nothing", "except", "end", "present"])  # change nothing of a mention by themselves
_ENDS = frozenset(["except", "end"])
_PRESENT, _ABSENT, _UNCERTAIN = Assertion("present"), Assertion("absent"), Assertion("uncertain")
_THEN: dict[str, Assertion] = {
    "history": Assertion("not assessed", "history"),
    "family": Assertion("not assessed", "family"),
    "not now": Assertion("not assessed"),
}


# What a list under a heading is: "Pertinent negatives", "Differential diagnosis".
_LISTED = {"absent": _ABSENT, "uncertain": _UNCERTAIN}


@dataclass(frozen=True, slots=True)
class _Trigger:
    effect: str  # "present", "absent", "uncertain", "history", "family", "not now", "nothing", "except" or "end"
    before: bool = False  # acts on mentions after it
    after: bool = False  # acts on mentions before it
    at_end: bool = False  # … only at the end of a clause
    item: bool = False  # … only up to the next comma or conjunction
    next: bool = False  # … only on the one that stands right there


@dataclass(frozen=True, slots=True)
class _Phrase:
    """Steps of (words any of which may stand there, whether the step may be left out), and what they trigger."""

    steps: tuple[tuple[frozenset[str], bool], ...]
    trigger: _Trigger

    def end(self, tokens: Sequence[str], at: int, step: int = 0) -> int:
        """The token after the longest match of the phrase that starts at token ``at``; -1 when it does not match."""
        if step == len(self.steps):
            return at
        words, optional = self.steps[step]
        if at < len(tokens) and tokens[at] in words and (found := self.end(tokens, at + 1, step + 1)) >= 0:
            return found
        return self.end(tokens, at, step + 1) if optional else -1


_SIDES = {
    "after": {"before": True},
    "after-item": {"before": True, "item": True},
    "after-next": {"before": True, "next": True},
    "before": {"after": True},
    "before-end": {"after": True, "at_end": True},
    "before-next": {"after": True, "next": True},
    "none": {},
}


def _read(path: Path) -> tuple[dict[str, list[_Phrase]], frozenset[str]]:
    """(first token → the phrases that may start with it, descriptions that open a new item of a list)."""
    table: dict[str, list[_Phrase]] = {}
    new_item = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        effect, side, phrase = line.split("\t")
        if effect == "new item":
            new_item.add(phrase)
            continue
        steps = tuple((frozenset(filter(None, step.split("|"))), "" in step.split("|")) for step in phrase.split())
        read = _Phrase(steps, _Trigger(effect, **_SIDES[side]))
        for words, optional in steps:
            for word in words:
                table.setdefault(word, []).append(read)
            if not optional:
                break
    return table, frozenset(new_item)


# "no pneumothorax, small left effusion": a description such as "small" opens a new item that the denial does not reach.
_TABLE, _NEW_ITEM = _read(_TRIGGERS)


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
    found = sections(text)
    under = [s for s in found if s.kind != "now"]
    headings = [cut for s in found for cut in (s.start, s.name_end)]
    order = sorted(range(len(spans)), key=lambda i: spans[i])
    starts = [spans[i][0] for i in order]
    for first, last, question in _sentences(text, headings):
        inside = order[bisect_left(starts, first) : bisect_left(starts, last)]
        if not inside:
            continue
        sentence = text[first:last]
        words = _TOKEN.findall(sentence.lower().replace("’", "'"))
        hits = _hits(words)
        signs = {i: said for i in inside if (said := marked(text, *spans[i])) is not None}
        if not (under or signs or question or _speak(words, hits)):
            continue
        tokens = [
            (m.start() + first, m.end() + first, m[0].lower().replace("’", "'")) for m in _TOKEN.finditer(sentence)
        ]
        if len(tokens) != len(words):  # lower case made other words of them
            hits = _hits([token for *_, token in tokens])
        for i in inside:
            start, end = spans[i]
            section = next((s.kind for s in under if s.start <= start < s.end), None)
            own = Assertion(signs[i]) if i in signs else _assertion(tokens, hits, start, end, question)
            # "PMH: no asthma": the patient never had it
            if section in _THEN and not (section == "history" and own == _ABSENT) and not _today(tokens, start):
                result[i] = _THEN[section]
                continue
            result[i] = _LISTED[section] if section in _LISTED and own == _PRESENT else own
            if section == "indication" and result[i].context is None:
                result[i] = Assertion(result[i].presence, "indication")
    return result


def _today(tokens: list[tuple[int, int, str]], mention: int) -> bool:
    """Whether a sentence comes back to the present before a mention: "PMH: COPD. Now cough"."""
    return any(end <= mention and word in _NOW for _, end, word in tokens)


def _speak(words: list[str], hits: list[_Hit]) -> bool:
    """Whether a sentence holds anything that makes a mention other than present."""
    return not _MARKS.isdisjoint(words) or any(hit.trigger.effect not in _SILENT for hit in hits)


_STOP = re.compile(r"[.!?;\n]")
_NO_STOP = re.compile(r"(?:^|\W)(?:vs|dr|e\.g|i\.e|approx|neg|pos|pt|hx)$", re.IGNORECASE)
_NEW_LINE = re.compile(r"\n\s*(?:\n|[A-Z0-9•*-])")


def _sentences(text: str, headings: Sequence[int] = ()) -> list[tuple[int, int, bool]]:
    """(start, end, ends in a question mark) of each sentence. A line that starts with a capital starts a sentence; so
    does what stands under a heading alone on its line (``headings``: where headings start and end)."""
    found, start, length = [], 0, len(text)
    under = {at for at in headings if text[at : at + 1] in ("\n", "\r")}
    for match in _STOP.finditer(text):
        at, end = match.start(), match.end()
        mark = match[0]
        if mark == "\n":
            if at not in under and not _NEW_LINE.match(text, at):
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
    """Trigger phrases, left to right: at each place the longest that acts on mentions after it and the longest that
    acts on those before it, unless one that acts on none is longer. One inside an earlier one that acts to the same
    side, or to none, does not count."""
    found: list[_Hit] = []
    reached = {"after": 0, "before": 0, "none": 0}
    for at, token in enumerate(tokens):
        matched = [(end, p.trigger) for p in _TABLE.get(token, ()) if (end := p.end(tokens, at)) > at]
        if not matched:
            continue
        longest = {side: max((end for end, t in matched if _side(t) == side), default=0) for side in reached}
        before = dict(reached)
        for end, trigger in dict.fromkeys(matched):
            side = _side(trigger)
            needed = longest["none"] if side != "none" else max(longest.values())
            if end == longest[side] and end >= needed and end > max(before[side], before["none"]):
                found.append(_Hit(at, end, trigger))
                reached[side] = end
    return found


def _side(trigger: _Trigger) -> str:
    return "after" if trigger.before else "before" if trigger.after else "none"


def _assertion(tokens: list[tuple[int, int, str]], hits: list[_Hit], start: int, end: int, question: bool) -> Assertion:
    first = next((i for i, (a, b, _) in enumerate(tokens) if b > start), len(tokens))
    last = next((i for i, (a, _, _) in enumerate(tokens) if a >= end), len(tokens))
    words = [word for *_, word in tokens]
    acting: list[tuple[int, _Hit]] = []
    hits = [hit for hit in hits if first - _FARTHEST <= hit.first <= last + _FARTHEST]
    # "except for scoliosis, the examination is unremarkable"
    excepted = any(hit.trigger.effect == "except" and 0 <= first - hit.last <= 3 for hit in hits)
    affirmed = _affirmed_from(words, first, last)
    for hit in hits:
        if hit.trigger.effect == "present" and hit.first and words[hit.first - 1] in _DENYING:
            continue  # "no known asthma"
        if hit.trigger.before and hit.last <= first and _reaches(words, hits, hit, first):
            if hit.trigger.effect == "absent" and hit.last <= affirmed:
                continue
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
        denied += [-1 for _, hit in acting if hit.trigger.effect == "absent" and words[hit.last - 1] in _SAID_NO]
        distance, effect = min(then)
        if effect == "family" or not denied or distance <= min(denied):
            return _THEN[effect]
    if not acting:
        return _UNCERTAIN if question else _PRESENT
    acting.sort(key=lambda pair: (pair[0], pair[1].first))
    effect = acting[0][1].trigger.effect
    if effect in _THEN:
        return _THEN[effect]
    if effect == "present":
        return _PRESENT
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


def _affirmed_from(words: list[str], first: int, last: int) -> int:
    """The token from which on a mention's own item of a list says that it is there ("no fever, cough for 3 days"), so
    that no denial before it reaches it; -1 when it does not say so."""
    start = next((i + 1 for i in range(first - 1, -1, -1) if words[i] in _ITEM_ENDS), 0)
    if not start or "or" in words[start - 1 : first] or "nor" in words[start - 1 : first]:
        return -1
    end = next((i for i in range(last, len(words)) if words[i] in ",.;"), len(words))
    if words[start - 1] == "," and "or" in words[last:end]:
        return -1  # "no fever, cough or rash for a week"
    item, after = words[start:first], words[last:end]
    if item[:1] and (item[0] in _AFFIRM_FIRST or item[0].isdigit()):
        return start - 1
    if after[:1] and after[0] in _AFFIRM:
        return start - 1
    if any(one in _LASTING and (two[0].isdigit() or two in _AMOUNTS) for one, two in pairwise(after)):
        return start - 1
    said = [i for i, word in enumerate(after[:4]) if word in _AFFIRM]
    return start - 1 if said and "not" not in after[: said[0]] and "no" not in after[: said[0]] else -1


def _reaches(words: list[str], hits: list[_Hit], hit: _Hit, mention: int) -> bool:
    """Whether a trigger acts on a mention that starts at token ``mention`` after it."""
    effect = hit.trigger.effect
    for other in hits:
        if hit.last <= other.first < mention and other.trigger.effect in _ENDS:
            return False
    between = words[hit.last : mention]
    if (hit.trigger.next and between) or (hit.trigger.item and not _ITEM_ENDS.isdisjoint(between)):
        return False
    if effect == "absent" and words[hit.first] == "without":
        if not _UNABLE.isdisjoint(words[max(0, hit.first - 10) : hit.first]):
            return False  # "cannot climb stairs without dyspnea"
        if any(word in _DETERMINERS and before not in _JOINING for before, word in pairwise(between)):
            return False  # "without oxygen the hypoxemia is severe"
    if words[hit.last - 1] in _LOOK_BACK and words[hit.last : hit.last + 1] in ([","], ["-"], [")"], ["/"], ["."]):
        return False  # "pneumonia ruled out, effusion": it looks back
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
    if hit.trigger.next and hit.first != mention_end:
        return False
    if hit.trigger.effect == "present" and not _ITEM_ENDS.isdisjoint(words[mention_end : hit.first]):
        return False
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
