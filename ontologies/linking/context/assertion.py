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
from itertools import pairwise
from typing import Literal, NamedTuple

from ontologies.concept import Presence
from ontologies.linking.context import triggers
from ontologies.linking.context.double import doubled, speaks_of_doubt
from ontologies.linking.context.marks import marked
from ontologies.linking.context.past import lasting, long_ago, speaks_of_time, told_on
from ontologies.linking.context.reach import FARTHEST, ITEM_ENDS, reaches, reaches_back
from ontologies.linking.context.sections import sections
from ontologies.linking.context.sentences import sentences
from ontologies.linking.context.triggers import Hit

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[^\w\s]")

_WORD = re.compile(r"[^\W\d_]{3,}")
_NOW = frozenset(["now", "currently", "today", "presents", "presenting"])
_MARKS = frozenset(["?", "normal"])
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
_OPEN = frozenset(["exclude", "rule"])  # "the absence of fever does not exclude pneumonia"
_HISTORIES = frozenset(["history", "hx"])
_NUMBERED = re.compile(r"\d+(?:st|nd|rd|th)")  # "fractures of the left 6th and 7th ribs"
_BEFORE_NOW = frozenset(["previous", "prior", "past", "former", "previously", "childhood"])
_OVER = frozenset(["ago", "treated", "previously", "earlier", "childhood", "until", "resolved"])
_SAID_NO = frozenset(["denied", "absent", "none", "negative", "excluded", "nil"])
_DENYING = frozenset(["no", "not", "never", "without", "any", "nor", "un", "non", "longer"])
Context = Literal["history", "family", "indication"]


class Assertion(NamedTuple):
    """``context`` says of a mention that is "not assessed" whether it is about the past or the family, and of any other
    whether it stands in the indication; None otherwise."""

    presence: Presence
    context: Context | None = None


_SILENT = frozenset(["nothing", "except", "end", "present"])  # change nothing of a mention by themselves
_PRESENT, _ABSENT, _UNCERTAIN = Assertion("present"), Assertion("absent"), Assertion("uncertain")
_THEN: dict[str, Assertion] = {
    "history": Assertion("not assessed", "history"),
    "family": Assertion("not assessed", "family"),
    "not now": Assertion("not assessed"),
}


# What a list under a heading is: "Pertinent negatives", "Differential diagnosis".
_LISTED = {"absent": _ABSENT, "uncertain": _UNCERTAIN}


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
    for first, last, question in sentences(text, headings):
        inside = order[bisect_left(starts, first) : bisect_left(starts, last)]
        if not inside:
            continue
        sentence = text[first:last]
        words = _TOKEN.findall(sentence.lower().replace("’", "'"))
        hits = triggers.hits(words)
        signs = {i: said for i in inside if (said := marked(text, *spans[i])) is not None}
        if not (under or signs or question or _speak(words, hits)):
            continue
        tokens = [
            (m.start() + first, m.end() + first, m[0].lower().replace("’", "'")) for m in _TOKEN.finditer(sentence)
        ]
        if len(tokens) != len(words):  # lower case made other words of them
            hits = triggers.hits([token for *_, token in tokens])
        for i in inside:
            start, end = spans[i]
            section = next((s.kind for s in under if s.start <= start < s.end), None)
            own = Assertion(signs[i]) if i in signs else _undoubled(text, tokens, hits, start, end, question)
            # "PMH: no asthma": the patient never had it
            if section in _THEN and not (section == "history" and own == _ABSENT) and not _today(tokens, start):
                result[i] = _THEN[section]
                continue
            result[i] = _LISTED[section] if section in _LISTED and own == _PRESENT else own
            if section == "indication" and result[i].context is None:
                result[i] = Assertion(result[i].presence, "indication")
    return result


def affirmed(note: str, mentions: Sequence[tuple[int, int, bool]]) -> str:
    """The note with blanks in place of what it does not say of the patient; every other character stays where it is.

    Blanked are the ``mentions`` (start, end, present) that are not present, and the words of three letters and more
    that were read as no mention and stand in a denial: "no contact with birds".
    """
    said = list(note)
    for start, end, present in mentions:
        if not present:
            said[start:end] = " " * (end - start)
    read = [(start, end) for start, end, present in mentions if present]
    free = [
        word.span()
        for word in _WORD.finditer("".join(said))
        if not any(start <= word.start() and word.end() <= end for start, end in read)
    ]
    for (start, end), assertion in zip(free, assertions(note, free), strict=True):
        if assertion.presence == "absent":
            said[start:end] = " " * (end - start)
    return "".join(said)


def _today(tokens: list[tuple[int, int, str]], mention: int) -> bool:
    """Whether a sentence comes back to the present before a mention: "PMH: COPD. Now cough"."""
    return any(end <= mention and word in _NOW for _, end, word in tokens)


def _speak(words: list[str], hits: list[Hit]) -> bool:
    """Whether a sentence holds anything that makes a mention other than present."""
    return (
        not _MARKS.isdisjoint(words)
        or any(hit.trigger.effect not in _SILENT for hit in hits)
        or not _BEFORE_NOW.isdisjoint(words)
        or speaks_of_time(words)
        or speaks_of_doubt(words)
    )


def _beside(words: list[str], hits: list[Hit], first: int) -> list[Hit]:
    """The hits, those that run into the mention at token ``first`` cut to the phrases before it: "no history of" says
    nothing of the finding "history of asthma", "no" does."""
    into = [hit for hit in hits if hit.first < first < hit.last]
    if not into:
        return hits
    cut = [hit for hit in triggers.hits(words[:first]) if hit.first >= into[0].first]
    return [hit for hit in hits if hit not in into and hit not in cut] + cut


def _undoubled(
    text: str, tokens: list[tuple[int, int, str]], hits: list[Hit], start: int, end: int, question: bool
) -> Assertion:
    """As ``_assertion``, with what is denied of a denial: "cannot be excluded", "not true that she has no pain"."""
    own = _assertion(text, tokens, hits, start, end, question)
    first = next((i for i, (_, b, _) in enumerate(tokens) if b > start), len(tokens))
    last = next((i for i, (a, _, _) in enumerate(tokens) if a >= end), len(tokens))
    said = doubled([word for *_, word in tokens], first, last, own.presence)
    if own.context == "history" and lasting([word for *_, word in tokens], first, last):
        return _PRESENT  # "sarcoidosis diagnosed in 2015"
    return own if said is None or own.context is not None else Assertion(said)


def _assertion(
    text: str, tokens: list[tuple[int, int, str]], hits: list[Hit], start: int, end: int, question: bool
) -> Assertion:
    first = next((i for i, (a, b, _) in enumerate(tokens) if b > start), len(tokens))
    last = next((i for i, (a, _, _) in enumerate(tokens) if a >= end), len(tokens))
    words = [word for *_, word in tokens]
    acting: list[tuple[int, Hit]] = []
    hits = [hit for hit in _beside(words, hits, first) if first - FARTHEST <= hit.first <= last + FARTHEST]
    # "except for scoliosis, the examination is unremarkable"
    excepted = any(hit.trigger.effect == "except" and 0 <= first - hit.last <= 3 for hit in hits)
    affirmed = _affirmed_from(words, first, last)
    lasting = _lasts(words, first, last)
    for hit in hits:
        if hit.trigger.effect == "present" and hit.first and words[hit.first - 1] in _DENYING:
            continue  # "no known asthma"
        if hit.trigger.before and hit.last <= first and reaches(words, hits, hit, first):
            if hit.trigger.effect == "absent" and hit.last <= affirmed:
                continue
            if lasting and words[hit.last - 1] == "of" and words[hit.last - 2] in _HISTORIES:
                continue  # "history of orthopnea for three weeks"
            acting.append((first - hit.last, hit))
        elif excepted:
            continue
        elif hit.trigger.after and hit.first >= last and reaches_back(words, hits, hit, last):
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
    denied_before = any(hit.trigger.effect == "absent" and hit.trigger.before for _, hit in acting)
    if not denied_before and (
        (words[first:last][:1] and words[first] in _BEFORE_NOW) or _dated(text, words, first, last, end)
    ):
        return _THEN["history"]
    if not acting:
        return _UNCERTAIN if question else _PRESENT
    if denied_before:
        # "no pneumothorax or effusion is present"
        acting = [(d, hit) for d, hit in acting if hit.trigger.effect != "present" or hit.trigger.before]
    acting.sort(key=lambda pair: (pair[0], pair[1].first))
    effect = acting[0][1].trigger.effect
    if effect in _THEN:
        return _THEN[effect]
    if effect == "present":
        return _PRESENT
    if effect == "uncertain":
        nearest = acting[0][1]
        # "no findings to suggest": the suspicion itself is denied; so is each "suspicious opacity" of a denied list
        phrase = words[nearest.first : nearest.last]
        adjective = phrase == ["suspicious"]
        for _, hit in acting[1:] if _OPEN.isdisjoint(phrase) else ():
            if (
                hit.trigger.effect == "absent"
                and hit.trigger.before
                and nearest.trigger.before
                and hit.last <= nearest.first
            ) and (adjective or not {",", "or", "and", ":"} & set(words[hit.last : nearest.first])):
                return _ABSENT
        return _UNCERTAIN
    return _ABSENT


def _dated(text: str, words: list[str], first: int, last: int, end: int) -> bool:
    """Whether a mention that ends at ``end`` is dated to the past, and not as the illness that the note tells of."""
    return long_ago(words, first, last) and (not told_on(text, end) or long_ago(words, first, last, told=True))


def _says_how_long(words: list[str]) -> bool:
    return any(one in _LASTING and (two[0].isdigit() or two in _AMOUNTS) for one, two in pairwise(words))


def _lasts(words: list[str], first: int, last: int) -> bool:
    """Whether a mention's clause says after it for how long it has been so ("cough for two months"), and does not put
    it in the past."""
    end = next((i for i in range(last, len(words)) if words[i] in ".;"), len(words))
    said = words[first:end]
    return _says_how_long(said) and not _OVER.intersection(said)


def _affirmed_from(words: list[str], first: int, last: int) -> int:
    """The token from which on a mention's own item of a list says that it is there ("no fever, cough for 3 days"), so
    that no denial before it reaches it; -1 when it does not say so."""
    start = next((i + 1 for i in range(first - 1, -1, -1) if words[i] in ITEM_ENDS), 0)
    if not start or "or" in words[start - 1 : first] or "nor" in words[start - 1 : first]:
        return -1
    end = next((i for i in range(last, len(words)) if words[i] in ",.;"), len(words))
    if words[start - 1] == "," and "or" in words[last:end]:
        return -1  # "no fever, cough or rash for a week"
    item, after = words[start:first], words[last:end]
    if item[:1] and (item[0] in _AFFIRM_FIRST or item[0].isdigit()):
        return start - 1
    if (after[:1] and after[0] in _AFFIRM) or any(map(_NUMBERED.fullmatch, after[:6])):
        return start - 1
    if _says_how_long(after):
        return start - 1
    said = [i for i, word in enumerate(after[:4]) if word in _AFFIRM]
    return start - 1 if said and "not" not in after[: said[0]] and "no" not in after[: said[0]] else -1
