"""Trigger phrases: what they say of the mentions beside them, and where they stand in a sentence.

The table ``data/assertion_triggers.tsv`` has them, one a line: effect, side, phrase. A step of a phrase may have
alternatives ("no|without treatment|therapy for"); an empty one may be left out ("denies any| history of|").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TRIGGERS = Path(__file__).parents[1] / "data" / "assertion_triggers.tsv"


@dataclass(frozen=True, slots=True)
class Trigger:
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
    trigger: Trigger

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


def _read(path: Path) -> tuple[dict[str, list[tuple[_Phrase, frozenset[str] | None]]], frozenset[str]]:
    """(first token → the phrases that may start with it and what may follow it, descriptions that open a new item of a
    list)."""
    table: dict[str, list[tuple[_Phrase, frozenset[str] | None]]] = {}
    new_item = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        effect, side, phrase = line.split("\t")
        if effect == "new item":
            new_item.add(phrase)
            continue
        steps = tuple((frozenset(filter(None, step.split("|"))), "" in step.split("|")) for step in phrase.split())
        read = _Phrase(steps, Trigger(effect, **_SIDES[side]))
        for number, (words, optional) in enumerate(steps):
            for word in words:
                table.setdefault(word, []).append((read, _next_words(steps[number + 1 :])))
            if not optional:
                break
    return table, frozenset(new_item)


def _next_words(steps: Sequence[tuple[frozenset[str], bool]]) -> frozenset[str] | None:
    """What must come next for the rest of a phrase to match; None where it may end."""
    found: set[str] = set()
    for words, optional in steps:
        found |= words
        if not optional:
            return frozenset(found)
    return None


# "no pneumothorax, small left effusion": a description such as "small" opens a new item that the denial does not reach.
_TABLE, NEW_ITEM = _read(_TRIGGERS)


@dataclass(frozen=True, slots=True)
class Hit:
    first: int  # token
    last: int  # token after the phrase
    trigger: Trigger


def hits(tokens: list[str]) -> list[Hit]:
    """Trigger phrases, left to right: at each place the longest that acts on mentions after it and the longest that
    acts on those before it, unless one that acts on none is longer. One inside an earlier one that acts to the same
    side, or to none, does not count."""
    found: list[Hit] = []
    reached = {"after": 0, "before": 0, "none": 0}
    for at, token in enumerate(tokens):
        if (phrases := _TABLE.get(token)) is None:
            continue
        onward = tokens[at + 1] if at + 1 < len(tokens) else ""
        matched = [
            (end, phrase.trigger)
            for phrase, following in phrases
            if (following is None or onward in following) and (end := phrase.end(tokens, at)) > at
        ]
        if not matched:
            continue
        if len(matched) == 1:  # as it mostly is
            ((end, trigger),) = matched
            side = _side(trigger)
            if end > max(reached[side], reached["none"]):
                found.append(Hit(at, end, trigger))
                reached[side] = end
            continue
        longest = dict.fromkeys(reached, 0)
        for end, trigger in matched:
            longest[_side(trigger)] = max(end, longest[_side(trigger)])
        before = dict(reached)
        for end, trigger in dict.fromkeys(matched):
            side = _side(trigger)
            needed = longest["none"] if side != "none" else max(longest.values())
            if end == longest[side] and end >= needed and end > max(before[side], before["none"]):
                found.append(Hit(at, end, trigger))
                reached[side] = end
    return found


def _side(trigger: Trigger) -> str:
    return "after" if trigger.before else "before" if trigger.after else "none"


def trigger_words() -> frozenset[str]:
    """Every word of the trigger phrases."""
    steps = (step for phrases in _TABLE.values() for phrase, _ in phrases for step, _ in phrase.steps)
    return frozenset().union(*steps)


def starts_phrase(word: str) -> bool:
    """Whether some phrase starts with this word."""
    return word in _TABLE
