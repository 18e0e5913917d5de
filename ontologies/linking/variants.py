"""The forms under which a name is looked up: without function words, with its slashes resolved, with words exchanged
for others that the vocabulary itself uses in their place.

Which words stand for each other is learnt from the vocabulary: when two exact names of one concept differ in one word
("renal cyst", "kidney cyst"), those words form a pair; pairs that recur over several concepts are exchanged in all
names.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ontologies.concept import Term
from ontologies.linking.normalize import (
    COORDINATORS,
    STOP_WORDS,
    USUAL_NAMES,
    WORD_TABLES,
    family,
    is_letter,
    light,
    split,
)

LONGEST_NAME = 12
_ALIKE = frozenset(["preferred", "exact", "layperson"])
_LEAST_PAIRS = 3
_LEAST_SHARE = 0.04
_LEAST_STRONG, _STRONG_SHARE = 8, 0.2
_DROPPED_SHARE = 0.1

# Qualifiers whose exchange changes the meaning, though names of one concept do exchange them.
_FIXED = frozenset(WORD_TABLES["fixed"])
_QUALIFIERS = _FIXED | frozenset(WORD_TABLES["qualifier"])

# An abnormality is worded in many ways; classes of anatomy are named "Abnormality of X" or "Abnormal X morphology".
_ABNORMALITY = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^Abnormalit(?:y|ies) of (?:the |an? )?(?P<x>.+)$",
        r"^Abnormal (?P<x>.+?) morphology$",
        r"^Abnormal (?P<x>.+?) (?:physiology|function)$",
        r"^(?P<x>.+?) abnormality$",
        r"^Abnormal (?P<x>[\w-]+)$",
    )
)
# What happens to an anatomical part, when no concept says just that: "gingival papules".
_CHANGES = tuple(WORD_TABLES["change"])
_HEADS = tuple(WORD_TABLES["head"])
# Heads that speak of form do not name an abnormal function, and the other way round.
_OF_FORM = frozenset(["malformation", "deformity", "anomaly", "lesion"])
_OF_FUNCTION = frozenset(["dysfunction", "impairment", "compromise", "derangement"])
# Laboratory findings are named in full, "Elevated circulating creatine kinase concentration", and written in brief.
_MEASURED = re.compile(
    r"^(?P<degree>Elevated|Increased|High|Decreased|Reduced|Low|Abnormal) (?:circulating|blood|serum|plasma) "
    r"(?P<substance>.+?)(?: concentration| levels?| activity)?$",
    re.IGNORECASE,
)
_DEGREES = dict.fromkeys(("elevated", "increased", "high"), ("increased", "high")) | dict.fromkeys(
    ("decreased", "reduced", "low"), ("decreased", "low")
)
_SHORT = tuple(
    (short, re.compile(rf"\b{re.escape(phrase)}(?:s\b|\b)", re.IGNORECASE))
    for short, phrase in WORD_TABLES["short"].items()
)
_ANY_SHORT = re.compile(
    rf"\b(?:{'|'.join(re.escape(phrase) for phrase in WORD_TABLES['short'].values())})", re.IGNORECASE
)
_KIND = r"(?P<kind>[A-Z]\d?[a-z]?|\d{1,2}[A-Za-z]?|[IVX]{1,4})"
_TYPE_FIRST = re.compile(rf"^[Tt]ype {_KIND} (?P<rest>.+)$")
_TYPE_LAST = re.compile(rf"^(?P<rest>.+?),? [Tt]ype {_KIND}$")
_HEAD_COST = (3, 5, 6, 4, 5)


class Name(NamedTuple):
    """A name as the index holds it: word families in order, the lighter forms, what joins them, and how far it is
    from the source's wording (cost 0 is the source's own)."""

    families: tuple[str, ...]
    lights: tuple[str, ...]
    gap: bool = False
    coordinated: bool = False
    cased: bool = False
    variant: bool = False
    cost: int = 0


def content_words(text: str) -> tuple[list[str], bool, bool]:
    """The words of ``text`` without function words, whether function words were dropped, and whether a coordinator
    was."""
    words: list[str] = []
    said = 0
    pieces = split(text)
    for i, piece in enumerate(pieces):
        joins = _JOINS[piece]
        if joins == _WORD or is_letter(pieces, i):
            words.append(piece)
        else:
            said |= joins
    return words, bool(said & _GAP), bool(said & _COORDINATES)


_WORD, _GAP, _COORDINATES = -1, 1, 2


class _Joins(dict[str, int]):
    """Piece of a name → what it says: a word, or that words are left out or coordinated where it stands."""

    def __missing__(self, piece: str) -> int:
        lower = piece.lower()
        if not piece[0].isalnum():
            found = _COORDINATES * ("/" in piece or "&" in piece) | _GAP * ("," in piece)
        elif lower in COORDINATORS:
            found = _COORDINATES
        else:
            found = _GAP if lower in STOP_WORDS else _WORD
        self[piece] = found
        return found


_JOINS = _Joins()


def with_usual(terms: Iterable[Term], concepts: Iterable[tuple[str, ...]]) -> Iterator[Term]:
    """``terms``, and what texts call the concepts of HPO that they name beside the names in it
    (``data/usual_names.tsv``), for concepts given as (CURIE, JSON with "codes"); a wording that a nearer concept may
    have, too, is related."""
    usual: dict[str, list[str]] = {}
    for curie, text in concepts:
        if '"HP"' in text:
            for code in json.loads(text)["codes"].get("HP", ()):
                if code in USUAL_NAMES:
                    usual.setdefault(curie, []).extend(USUAL_NAMES[code])
    named = set()
    for term in terms:
        if term.curie in usual:
            named.add(term.curie)
        yield term
    for curie in sorted(named):
        for wording in usual[curie]:
            yield Term(curie=curie, text=wording.lstrip("~"), kind="related" if wording[0] == "~" else "exact")


def names_of(text: str, kind: str, own: Name, exchanges: Exchanges | None) -> Iterator[Name]:
    """Every form of a source's name, its ``own`` first; without exchanges only that and it turned round."""
    yield own
    if own.cased or kind in ("related", "broad"):
        return
    forms = _rewordings(text, own, exchanges is not None)
    for form, cost in forms.items():
        name = name_of(form, kind, cost=cost)
        if name is not None:
            yield name
    size = len(own.families)
    if exchanges is None or not 2 <= size <= 6:
        return
    pairs = exchanges.pairs if size > 2 else exchanges.strong
    if size == 2 and own.families in exchanges.understood:
        yield Name(families=own.families[1:], lights=own.lights[1:], variant=True, cost=3)
    for i, word in enumerate(own.families):
        before, after = own.families[:i], own.families[i + 1 :]
        changed = [(*before, other, *after) for other in pairs.get(word, ()) if other not in own.families]
        if size > 2 and after and (word, after[0]) in exchanges.optional:
            changed.append(before + after)
        for families in changed:
            yield Name(
                families=families,
                lights=families,
                gap=own.gap,
                coordinated=own.coordinated,
                variant=True,
                cost=3,
            )


def _rewordings(text: str, own: Name, every: bool) -> dict[str, int]:
    """Other wordings of a name → how far they are from it; only the closest unless ``every``."""
    forms: dict[str, int] = {}
    if own.gap:
        for form in _turned(text):
            forms[form] = 1
    bare = re.sub(r"\s*\([^)]*\)|\s*\[[^\]]*\]", "", text).strip() if "(" in text or "[" in text else ""
    if bare and bare != text and len(bare.split()) > 1:
        forms.setdefault(bare, 1)
    if not every:
        return forms
    measured = _MEASURED.match(text)
    if measured:
        substance = measured["substance"]
        for degree in _DEGREES.get(measured["degree"].lower(), (measured["degree"],)):
            for form in (f"{degree} {substance}", f"{degree} serum {substance}", f"{degree} {substance} level"):
                forms.setdefault(form, 4)
    for form in _slashes(text):
        forms[form] = 4
    for form in _shortened(text):
        forms.setdefault(form, 2)
        if own.gap:
            for turned in _turned(form):
                forms.setdefault(turned, 3)
    for form, cost in _typed(text):
        forms.setdefault(form, cost)
    patterns = zip(_ABNORMALITY, _HEAD_COST, strict=True) if "abnormal" in text.lower() else ()
    for pattern, cost in patterns:
        match = pattern.match(text)
        if match:
            for head in _HEADS:
                if (head in _OF_FORM and "physiology" in text) or (head in _OF_FUNCTION and "morphology" in text):
                    continue
                forms.setdefault(f"{match['x']} {head}", cost)
                if match["x"].endswith(" system"):
                    forms.setdefault(f"{match['x'][:-7]} {head}", cost)
            for head in _CHANGES:
                forms.setdefault(f"{match['x']} {head}", cost + 4)
            break
    return forms


def name_of(text: str, kind: str, cost: int = 0) -> Name | None:
    """A name as it stands in the text; None when it has no word, no letter, or too many words."""
    words, gap, coordinated = content_words(text)
    if not 0 < len(words) <= LONGEST_NAME or not any(map(str.isalpha, text)):
        return None
    short = len(words) == 1 and len(words[0]) <= 6 and words[0].isupper() and words[0].isalnum()
    cased = short or (kind == "abbreviation" and len(words) <= 2)
    return Name(
        families=tuple(map(family, words)),
        lights=tuple(map(light, words)),
        gap=gap,
        coordinated=coordinated,
        cased=cased,
        variant=cost > 0,
        cost=cost,
    )


def _turned(text: str) -> Iterator[str]:
    """The name turned round at each preposition or comma: "Stenosis of the artery" → "artery Stenosis"."""
    for match in re.finditer(r",\s+|\s+(?:of|in|on|to|at|by|for|from|affecting|involving)\s+(?:the\s+|an?\s+)?", text):
        yield f"{text[match.end() :]} {text[: match.start()]}"


def _shortened(text: str) -> Iterator[str]:
    """The name with each phrase that has a usual abbreviation written so: "Recurrent UTI"."""
    if not _ANY_SHORT.search(text):
        return
    for short, pattern in _SHORT:
        form, count = pattern.subn(short, text)
        if count:
            yield form


def _typed(text: str) -> Iterator[tuple[str, int]]:
    """ "Type C brachydactyly" → "brachydactyly type C" and the other way round; a letter needs no "type"."""
    match = (_TYPE_FIRST.match(text) or _TYPE_LAST.match(text)) if "ype " in text else None
    if match:
        kind, rest = match["kind"], match["rest"]
        yield f"{rest} type {kind}", 1
        yield f"type {kind} {rest}", 1
        if not kind.isdigit():
            yield f"{rest} {kind}", 3


def _slashes(text: str) -> Iterator[str]:
    """ "Aplasia/Hypoplasia of the thumb" → both halves; only where each side is one word of letters."""
    match = re.search(r"(?<![\w-])([A-Za-z]{4,})/([A-Za-z]{4,})(?![\w-])", text) if "/" in text else None
    if match:
        for side in match.groups():
            yield text[: match.start()] + side + text[match.end() :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """What the vocabulary itself lets stand for something else, by word family.

    ``pairs``: families exchanged in names of three words or more; ``strong``: those exchanged so often that names of
    two words exchange them too. ``optional``: (family, the next one) of which the first may be left out;
    ``understood``: those where it is left out so often that the second alone is a name ("weakness").
    """

    pairs: Mapping[str, tuple[str, ...]]
    strong: Mapping[str, tuple[str, ...]]
    optional: frozenset[tuple[str, str]]
    understood: frozenset[tuple[str, str]]


Row = tuple[str, str, str]  # curie, text, kind


def mine(terms: Mapping[Row, Name]) -> Exchanges:
    """Learn the exchanges from terms and their own names. All are empty when nothing recurs."""
    names: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for (curie, _, kind), name in terms.items():
        if kind in _ALIKE and 2 <= len(name.families) <= 8:
            names[curie].add(name.families)
    together: Counter[tuple[str, str]] = Counter()
    alone: Counter[str] = Counter()
    dropped: Counter[tuple[str, str]] = Counter()
    beside: Counter[tuple[str, str]] = Counter()
    for forms in names.values():
        if len(forms) > 1:
            together.update(_exchanged(forms))
            dropped.update(_dropped(forms))
        alone.update({word for form in forms for word in form})
        beside.update({pair for form in forms for pair in pairwise(form)})
    common = {
        pair: count
        for pair, count in together.items()
        if count >= _LEAST_PAIRS
        and count >= _LEAST_SHARE * min(alone[pair[0]], alone[pair[1]])
        and not _FIXED.intersection(pair)
        and not (pair[0].isdigit() or pair[1].isdigit())
    }
    strong = {
        pair: count
        for pair, count in common.items()
        if count >= _LEAST_STRONG and count >= _STRONG_SHARE * min(alone[pair[0]], alone[pair[1]])
    }
    optional = frozenset(
        pair
        for pair, count in dropped.items()
        if count >= _LEAST_PAIRS and count >= _DROPPED_SHARE * beside[pair] and pair[0] not in _QUALIFIERS
    )
    understood = frozenset(pair for pair in optional if dropped[pair] >= _LEAST_STRONG)
    return Exchanges(pairs=_both_ways(common), strong=_both_ways(strong), optional=optional, understood=understood)


def _exchanged(forms: Collection[tuple[str, ...]]) -> set[tuple[str, str]]:
    """Pairs of words, sorted, in which two of the forms differ, whatever the order of their words."""
    slots: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for form in {tuple(sorted(form)) for form in forms}:
        for i in range(len(form)):
            slots[form[:i] + form[i + 1 :]].add(form[i])
    return {(a, b) for words in slots.values() if len(words) > 1 for a in words for b in words if a < b}


def _dropped(forms: Collection[tuple[str, ...]]) -> set[tuple[str, str]]:
    """(word, the next one) where another of the forms is the same without the word."""
    return {(form[i], form[i + 1]) for form in forms for i in range(len(form) - 1) if form[:i] + form[i + 1 :] in forms}


def _both_ways(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    others: dict[str, list[str]] = defaultdict(list)
    for a, b in pairs:
        others[a].append(b)
        others[b].append(a)
    return {word: tuple(sorted(found)) for word, found in sorted(others.items())}


def compose(terms: Mapping[Row, Name]) -> Iterator[tuple[Row, Name]]:
    """Names that the vocabulary composes: when a name of C is a word and a name of P ("severe" + "muscular
    hypotonia"), that word with every other exact name of P names C too ("severe hypotonia"). Yields (the term of C,
    name)."""
    named: dict[tuple[str, ...], set[str]] = defaultdict(set)
    names: dict[str, list[Name]] = defaultdict(list)
    rows = []
    for term, name in terms.items():
        curie, _, kind = term
        if kind not in _ALIKE and kind != "abbreviation":
            continue
        if len(name.families) <= 6:
            names[curie].append(name)
            if kind != "abbreviation":
                named[tuple(sorted(name.families))].add(curie)
                rows.append((term, name))
    for term, name in rows:
        if len(name.families) < 2:
            continue
        for i, word in enumerate(name.families):
            rest = tuple(sorted(name.families[:i] + name.families[i + 1 :]))
            for base in sorted(named.get(rest, ())):
                if base == term[0]:
                    continue
                for other in names[base]:
                    if word not in other.families:
                        yield (
                            term,
                            Name(
                                families=(word, *other.families),
                                lights=(word, *other.lights),
                                gap=True,
                                coordinated=other.coordinated,
                                cased=False,
                                variant=True,
                                cost=4,
                            ),
                        )
