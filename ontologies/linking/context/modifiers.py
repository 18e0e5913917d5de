"""Side, place, size, extent and change of a finding: "1.2 cm nodule in the right upper lobe, unchanged".

A modifier belongs to the mention that it stands beside: before it, back to the mention before; inside it; and after it,
up to the words that lead to the next mention. Places are those of chest reports (``data/locations.tsv``).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Laterality = Literal["left", "right", "bilateral"]
Extent = Literal["trace", "minimal", "small", "mild", "moderate", "large", "severe"]
Change = Literal["new", "stable", "increased", "decreased", "resolved"]

_WINDOW = 100  # characters looked at on either side
_DATA = Path(__file__).parents[1] / "data"


def _rows(name: str) -> list[list[str]]:
    lines = (_DATA / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


_PLACES: dict[str, str] = dict(_rows("locations.tsv"))
_WORDS = [(kind, value, word) for kind, value, words in _rows("modifier_words.tsv") for word in words.split()]
_EXTENTS = {word: cast(Extent, value) for kind, value, word in _WORDS if kind == "extent"}
_CHANGES = {word: cast(Change, value) for kind, value, word in _WORDS if kind == "change"}
# What must be near a mention for anything to be said of it, and what may stand between such words.
_CUES = frozenset([word for kind, _, word in _WORDS if kind != "filler"] + " ".join(_PLACES).split())
_PLACE_WORDS = frozenset(" ".join(_PLACES).split())
_SIDE_WORDS = frozenset(word for _, value, word in _WORDS if value == "side")
_UNITS = frozenset(word for _, value, word in _WORDS if value == "unit")
_FILLERS = _CUES.union(word for _, _, word in _WORDS)
# "no change in", "has not increased", "no significant improvement": as it was
_NO_CHANGE = re.compile(
    r"\b(?:no|not|without)\s+(?:\w+\s+){0,3}?(?:change[ds]?|different|increased?|decreased?|improved?|improvement|"
    r"worsen(?:ed|ing)|progress(?:ed|ion)|larger|smaller|resolved|resolution)\b"
)
_PARTLY = re.compile(r"\b(?:partial|incomplete)(?:ly)?\s+(?:interval\s+)?(?:resol|clear)")
_PLACE = re.compile(
    r"(?:\b(?P<side>left|right|bilateral|both)(?:[ -]sided)?(?:\s+(?:medial|lateral|anterior|posterior|lung))*\s+"
    r"(?P<list>(?:upper|middle|lower)(?:,| and| or)+\s+)?)?"
    rf"\b(?P<place>{'|'.join(sorted(map(re.escape, _PLACES), key=len, reverse=True))})\b"
)
_N, _UNIT = r"(\d{1,3}(?:\.\d{1,2})?)", r"(?:\s*-?\s*(mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b)?"
_SIZE = re.compile(
    rf"(?<![\w.]){_N}{_UNIT}(?:\s*(?:x|×|by)\s*{_N}{_UNIT})?(?:\s*(?:x|×|by)\s*{_N}{_UNIT})?(?![\w.]*\d)"
)
# "5 cm above the carina" is a distance; "previously 8 mm" is how it was.
_DISTANCE = re.compile(r"\s*(?:above|below|from|proximal|distal|deep|slices?)\b")
_BEFORE_NOW = re.compile(r"\b(?:previously|formerly|was|from|compared (?:to|with)|versus)\s*$")

_SIDE = re.compile(
    r"\b(left|right)\b(?!\s+(?:heart|ventric|atri))|\b(bilateral(?:ly)?|both|bibasilar|bibasal|biapical)\b"
)
_CUT_BEFORE = re.compile(r"[;:()\n]|\.(?!\d)|\b(?:but|with|without|there (?:is|are)|shows?|versus|vs|or)\b")
_CUT_AFTER = re.compile(
    r"[;:()\n]|\.(?!\d)|\b(?:but|with|without|there (?:is|are)|versus|vs|while|or|may|likely|possibly|probably|"
    r"suggest\w*|consistent|compatible|due to|secondary|compared|since|greater than|adjacent)\b"
)
_STARTS_WITH_PLACE = re.compile(r"\s*(?:in|within|at|on|over|overlying|along|projecting over)\b")
_JOINT = re.compile(r",|\band\b")
_LETTERS = re.compile(r"[a-z]+")


def modifier_words() -> frozenset[str]:
    """Every word that says a side, a place, an extent, a change or a size, or stands between such words."""
    return _FILLERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Modifiers:
    """What is said of a finding. ``size_mm`` holds the measured diameters as written, in mm; () when none is given.
    ``locations`` are places such as "right upper lobe", in the order of the text. ``change`` is since the examination
    before."""

    laterality: Laterality | None = None
    locations: tuple[str, ...] = ()
    size_mm: tuple[float, ...] = ()
    extent: Extent | None = None
    change: Change | None = None


_NONE = Modifiers()


def modifiers(text: str, spans: Sequence[tuple[int, int]]) -> list[Modifiers]:
    """The modifiers of each mention ``text[start:end]``, in the order of ``spans``."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose lower case is longer, such as İ
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    starts, ends = sorted({start for start, _ in spans}), sorted({end for _, end in spans})
    result = []
    for start, end in spans:
        nth = bisect_right(ends, start)
        previous = ends[nth - 1] if nth else 0
        nth = bisect_left(starts, end)
        following = starts[nth] if nth < len(starts) else len(text)
        around = lower[max(previous, start - _WINDOW) : min(following, end + _WINDOW)]
        if _CUES.isdisjoint(_LETTERS.findall(around)):
            result.append(_NONE)
            continue
        before, after = _before(lower[:start], previous), _after(lower[end : end + _WINDOW], following - end)
        result.append(_modifiers(before, lower[start:end], after))
    return result


def _before(text: str, previous: int) -> str:
    """The words before a mention that speak of it. ``text`` ends where the mention starts."""
    at = max(previous, len(text) - _WINDOW)
    window = text[at:]
    alone = at != previous or previous == 0
    for cut in reversed(list(_CUT_BEFORE.finditer(window))):
        if cut[0].startswith("there "):
            sentence = re.split(r"[.;\n]", text[: at + cut.start()])[-1]
            if _STARTS_WITH_PLACE.match(sentence):  # "in the left base there is a nodule"
                continue
        window, alone = window[cut.end() :], True
        break
    parts = re.split(r"(,)" if alone else r"(,|\band\b)", window)
    if not alone and len(parts) > 1:  # the first part belongs to the mention before
        parts = parts[2:]
    kept = parts[-1]
    for part, joint in zip(parts[-3::-2], parts[-2::-2], strict=True):
        if not _only_modifiers(part):
            break
        kept = part + joint + kept
    return kept


def _after(window: str, following: int) -> str:
    """The words after a mention that speak of it, up to the next mention's own. ``window`` starts at its end."""
    cut = _CUT_AFTER.search(window)
    end = cut.start() if cut else len(window)
    if following < end:
        joints = [m.start() for m in _JOINT.finditer(window, 0, following)]
        end = joints[-1] if joints else following
    parts = re.split(r"(,|\band\b)", window[:end])
    kept = parts[0]
    for joint, part in zip(parts[1::2], parts[2::2], strict=True):
        if not _only_modifiers(part):
            break
        kept += joint + part
    return kept


def _only_modifiers(part: str) -> bool:
    return _FILLERS.issuperset(_LETTERS.findall(part))


def _modifiers(before: str, inside: str, after: str) -> Modifiers:
    cues = _CUES.intersection(_LETTERS.findall(f"{before} {inside} {after}"))
    if not cues:
        return _NONE
    locations = () if _PLACE_WORDS.isdisjoint(cues) else _locations(before, inside, after)
    return Modifiers(
        laterality=None if _SIDE_WORDS.isdisjoint(cues) else _side(before, inside, after, locations),
        locations=locations,
        size_mm=() if _UNITS.isdisjoint(cues) else _size(inside) or _size(before) or _size(after),
        extent=None if _EXTENTS.keys().isdisjoint(cues) else _extent(before, inside, after),
        change=_change(before, after),
    )


def _locations(*parts: str) -> tuple[str, ...]:
    """The places named, in the order of the text; without those that others include."""
    named = [place for place in dict.fromkeys(place for part in parts for place in _places(part)) if place != "lung"]
    wholes = {"left lung", "right lung", "bilateral lung"}
    if not wholes.issuperset(named):
        named = [place for place in named if place not in wholes]
    return tuple(place for place in named if not any(place != other and place in other for other in named))


def _places(part: str) -> list[str]:
    found = []
    for match in _PLACE.finditer(part):
        side = {"both": "bilateral", None: ""}.get(match["side"], match["side"])
        place = _PLACES[match["place"]]
        for level in _LETTERS.findall(match["list"] or ""):
            if level in ("upper", "middle", "lower"):
                found.append(f"{side} {level} {place.split()[-1]}")
        found.append(f"{side} {place}".strip())
    return found


def _side(before: str, inside: str, after: str, locations: Sequence[str]) -> Laterality | None:
    """The side; of several, the nearest before the mention, unless they are both named."""
    for part in (before, inside, after):
        sides = ["bilateral" if m[2] else m[1] for m in _SIDE.finditer(part)]
        if "bilateral" in sides or {"left", "right"} <= set(sides):
            return "bilateral"
        if sides:
            return cast(Laterality, sides[-1])
    sides = [place.split()[0] for place in locations]
    known = {side for side in sides if side in ("left", "right", "bilateral")}
    if len(known) > 1:
        return "bilateral"
    return cast(Laterality, known.pop()) if known else None


def _size(part: str) -> tuple[float, ...]:
    for match in _SIZE.finditer(part):
        numbers, units = match.groups()[::2], match.groups()[1::2]
        unit = next((u for u in reversed(units) if u), None)
        if unit is None or _DISTANCE.match(part, match.end()) or _BEFORE_NOW.search(part, 0, match.start()):
            continue
        return tuple(
            round(float(number) * (10 if (own or unit).startswith("c") else 1), 2)
            for number, own in zip(numbers, units, strict=True)
            if number
        )
    return ()


def _extent(before: str, inside: str, after: str) -> Extent | None:
    for part in (before, inside):
        words = [word for word in _LETTERS.findall(part) if word in _EXTENTS]
        if words:
            return _EXTENTS[words[-1]]
    match = re.match(r"\s*(?:is|are|was|were|remains?|appears?)\s+(?:again\s+)?(\w+)", after)
    return _EXTENTS.get(match[1]) if match else None


def _change(before: str, after: str) -> Change | None:
    if _NO_CHANGE.search(before) or _NO_CHANGE.search(after):
        return "stable"
    if _PARTLY.search(before) or _PARTLY.search(after):
        return "decreased"
    words = [word for word in _LETTERS.findall(before) if word in _CHANGES][::-1]
    words += [word for word in _LETTERS.findall(after) if word in _CHANGES]
    return _CHANGES[words[0]] if words else None
