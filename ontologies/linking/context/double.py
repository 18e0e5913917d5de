"""A denial that is itself denied: "does not exclude pneumonia", "not true that she has no pain", "never free of cough".

What is not excluded is uncertain. What is not absent is present, unless only a claim is denied ("cannot say that she
has no pain"): then it is uncertain. The table ``data/double_negations.tsv`` has the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ontologies.concept import Presence

_FAR, _NEAR, _CLAIM = 10, 5, 4  # words


def _read(path: Path) -> dict[str, frozenset[str]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {kind: frozenset(words.split()) for kind, words in rows}


_TABLE = _read(Path(__file__).parents[1] / "data" / "double_negations.tsv")
_DENIERS, _EXCLUDING, _ABSENT = _TABLE["denier"], _TABLE["excluding"], _TABLE["absent"]
_BETWEEN, _BOUNDS, _OPEN_TIME = _TABLE["between"], _TABLE["bound"], _TABLE["open"]
_CLAIMS, _TRUTHS, _FALSE, _NO = _TABLE["claim"], _TABLE["truth"], _TABLE["false"], _TABLE["no"]
_IMPROBABLE, _RARE, _RULE = _TABLE["improbable"], _TABLE["rare"], _TABLE["rule"]
_CUES = _EXCLUDING | _CLAIMS | _TRUTHS | _IMPROBABLE | _ABSENT | _RULE | _FALSE | {"question"}


def speaks_of_doubt(words: Sequence[str]) -> bool:
    """Whether a sentence may deny a denial."""
    return (not _CUES.isdisjoint(words) and any(map(_denies, words))) or not _OPEN_TIME.isdisjoint(words)


def _denies(word: str) -> bool:
    return word in _DENIERS or word.endswith("n't")


def doubled(words: Sequence[str], first: int, last: int, presence: Presence) -> Presence | None:
    """What a denied denial says of the mention ``words[first:last]``, of which ``presence`` was read without; None
    where there is no denied denial."""
    if _CUES.isdisjoint(words) and _OPEN_TIME.isdisjoint(words):
        return None
    start = max((i + 1 for i in range(first) if words[i] in _BOUNDS), default=0)
    end = next((i for i in range(last, len(words)) if words[i] in _BOUNDS), len(words))
    before, after = words[max(start, first - 2 * _FAR) : first], words[last : min(end, last + _FAR)]
    if presence in ("absent", "present") and _not_excluded(before, after):
        return "uncertain"
    return _not_absent(before, after) if presence == "absent" else None


def _excludes(words: Sequence[str], at: int) -> bool:
    return words[at] in _EXCLUDING or (words[at] in _RULE and "out" in words[at + 1 : at + 3])


def _not_excluded(before: Sequence[str], after: Sequence[str]) -> bool:
    for at in range(len(before) - 1, max(-1, len(before) - 1 - _NEAR), -1):
        # "nothing here excludes", "no grounds to exclude", "does not rule pneumonia out"
        apart = before[at] in _RULE and at > len(before) - 4 and "out" in after[:2]
        if apart or (
            _excludes(before, at) and before[at - 1 if at else 0] not in ("be", "been", "was", "were", "is", "are")
        ):
            return any(map(_denies, before[:at]))
    for at in range(len(after)):
        if after[at] in _IMPROBABLE and at < _NEAR and any(word in ("make", "render") for word in before[-_NEAR:]):
            return any(map(_denies, before))  # "does not make asthma unlikely"
        if after[at].endswith(("ed", "en")) and _excludes(after, at):
            # "has still not been excluded", "until cancer has been excluded", "has yet to be excluded"
            opened = _OPEN_TIME.intersection([*before[-_NEAR:], *after[:at]])
            return bool(opened) or any(map(_denies, after[:at]))
        if after[at] == "question" and list(after[max(0, at - 3) : at]) == ["out", "of", "the"]:
            return any(map(_denies, after[:at]))
    return False


def _not_absent(before: Sequence[str], after: Sequence[str]) -> Presence | None:
    # "edema is not absent", "cough has never really gone away", "wheezing is hardly ever absent"
    for at, word in enumerate(after):
        if word in _ABSENT:
            deniers = [i for i in range(at) if _denies(after[i])]
            if deniers and _BETWEEN.issuperset(after[deniers[-1] + 1 : at]):
                return "present"
            break
    nearest = next((i for i in range(len(before) - 1, -1, -1) if before[i] in _NO or before[i].endswith("n't")), None)
    if nearest is None:
        nearest = len(before)
    elif before[nearest] in _ABSENT and before[nearest] not in ("no", "not"):
        # "denies being free of cough", "would not go as far as to deny", "not without"
        for i in range(nearest - 1, -1, -1):
            rare = before[i] in _RARE or before[i : i + 2] == ["not", "once"]
            if rare and nearest - i <= _FAR:
                return "present"  # "scarcely a night without"
            if _denies(before[i]) or (before[nearest] == "free" and before[i] in ("denies", "denied")):
                return "present" if _BETWEEN.issuperset(before[i + 1 : nearest]) else None
    # "it is not true that she has no pain", "I cannot say that there is no pain"
    for i in range(nearest):
        if _denies(before[i]):
            said = before[i + 1 : min(nearest, i + 1 + _CLAIM)]
            if before[i] in _FALSE or not _TRUTHS.isdisjoint(said):
                return "present"
            if not _CLAIMS.isdisjoint(said):
                return "uncertain"
    return None
