"""The forms under which a name is looked up: without function words, with its slashes resolved, with words exchanged
for others that the vocabulary itself uses in their place.

Which words stand for each other is learnt from the vocabulary: when two exact names of one concept differ in one word
("renal cyst", "kidney cyst"), those words form a pair; pairs that recur over several concepts are exchanged in all
names.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ontologies.normalize import COORDINATORS, STOP_WORDS, WORD_TABLES, family, light, split

LONGEST_NAME = 12
_ALIKE = frozenset(["preferred", "exact", "layperson"])
_LEAST_PAIRS = 3
_LEAST_SHARE = 0.04
# Qualifiers whose exchange changes the meaning, though names of one concept do exchange them.
_FIXED = frozenset(WORD_TABLES["fixed"])

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
_HEAD_COST = (3, 5, 6, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
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
    gap = coordinated = False
    for piece in split(text):
        lower = piece.lower()
        if not piece[0].isalnum():
            coordinated |= "/" in piece or "&" in piece
            gap |= "," in piece
        elif lower in COORDINATORS:
            coordinated = True
        elif lower in STOP_WORDS:
            gap = True
        else:
            words.append(piece)
    return words, gap, coordinated


def names_of(text: str, kind: str, pairs: Mapping[str, Collection[str]]) -> Iterator[Name]:
    """Every form of a source's name, the source's own first. Nothing for a name without a word."""
    own = _name(text, kind)
    if own is None:
        return
    yield own
    if own.cased or kind in ("related", "broad"):
        return
    forms: dict[str, int] = {}
    measured = _MEASURED.match(text)
    if measured:
        degree, substance = measured["degree"], measured["substance"]
        for form in (f"{degree} {substance}", f"{degree} serum {substance}", f"{degree} {substance} level"):
            forms.setdefault(form, 4)
    if own.gap:
        for form in _turned(text):
            forms[form] = 1
    for form in _slashes(text):
        forms[form] = 4
    bare = re.sub(r"\s*\([^)]*\)|\s*\[[^\]]*\]", "", text).strip()
    if bare and bare != text and len(bare.split()) > 1:
        forms.setdefault(bare, 1)
    for pattern, cost in zip(_ABNORMALITY, _HEAD_COST, strict=True):
        match = pattern.match(text)
        if match:
            for head in _HEADS:
                if (head in _OF_FORM and "physiology" in text) or (head in _OF_FUNCTION and "morphology" in text):
                    continue
                forms.setdefault(f"{match['x']} {head}", cost)
                if match["x"].endswith(" system"):
                    forms.setdefault(f"{match['x'][:-7]} {head}", cost)
            break
    made = [own]
    for form, cost in forms.items():
        name = _name(form, kind, cost=cost)
        if name is not None:
            made.append(name)
            yield name
    if 3 <= len(own.families) <= 6:
        for i, word in enumerate(own.families):
            for other in pairs.get(word, ()):
                if other not in own.families:
                    families = (*own.families[:i], other, *own.families[i + 1 :])
                    yield Name(
                        families=families,
                        lights=families,
                        gap=own.gap,
                        coordinated=own.coordinated,
                        variant=True,
                        cost=3,
                    )


def _name(text: str, kind: str, cost: int = 0) -> Name | None:
    words, gap, coordinated = content_words(text)
    if not 0 < len(words) <= LONGEST_NAME or not any(c.isalpha() for c in text):
        return None
    short = len(words) == 1 and len(words[0]) <= 6 and words[0].isupper() and words[0].isalnum()
    cased = short or (kind == "abbreviation" and len(words) <= 2)
    return Name(
        families=tuple(family(w) for w in words),
        lights=tuple(light(w) for w in words),
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


def _slashes(text: str) -> Iterator[str]:
    """ "Aplasia/Hypoplasia of the thumb" → both halves; only where each side is one word of letters."""
    match = re.search(r"(?<![\w-])([A-Za-z]{4,})/([A-Za-z]{4,})(?![\w-])", text)
    if match:
        for side in match.groups():
            yield text[: match.start()] + side + text[match.end() :]


def mine_pairs(texts: Iterable[tuple[str, str, str]]) -> dict[str, tuple[str, ...]]:
    """Families that stand for each other, from (curie, text, kind) rows: family → others, sorted. Empty when nothing
    recurs."""
    names: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for curie, text, kind in texts:
        words = content_words(text)[0]
        if kind in _ALIKE and 2 <= len(words) <= 8:
            names[curie].add(tuple(sorted(family(w) for w in words)))
    together: Counter[tuple[str, str]] = Counter()
    alone: Counter[str] = Counter()
    for forms in names.values():
        if len(forms) > 1:
            slots: dict[tuple[str, ...], set[str]] = defaultdict(set)
            for form in forms:
                for i in range(len(form)):
                    slots[form[:i] + form[i + 1 :]].add(form[i])
            together.update(
                {(a, b) for words in slots.values() if len(words) > 1 for a in words for b in words if a < b}
            )
        alone.update({word for form in forms for word in form})
    pairs: dict[str, list[str]] = defaultdict(list)
    for (a, b), count in together.items():
        if (
            (
                count >= _LEAST_PAIRS
                and count >= _LEAST_SHARE * min(alone[a], alone[b])
                and not (a.isdigit() or b.isdigit())
            )
            and a not in _FIXED
            and b not in _FIXED
        ):
            pairs[a].append(b)
            pairs[b].append(a)
    return {word: tuple(sorted(others)) for word, others in sorted(pairs.items())}


def compose(texts: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str, str, Name]]:
    """Names that the vocabulary composes: when a name of C is a word and a name of P ("severe" + "muscular
    hypotonia"), that word with every other exact name of P names C too ("severe hypotonia"). Yields (curie of C, its
    text, kind, name)."""
    named: dict[tuple[str, ...], set[str]] = defaultdict(set)
    names: dict[str, list[Name]] = defaultdict(list)
    rows = []
    for curie, text, kind in texts:
        if kind not in _ALIKE and kind != "abbreviation":
            continue
        name = _name(text, kind)
        if name is not None and len(name.families) <= 6:
            names[curie].append(name)
            if kind != "abbreviation":
                named[tuple(sorted(name.families))].add(curie)
                rows.append((curie, text, kind, name))
    for curie, text, kind, name in rows:
        if len(name.families) < 2:
            continue
        for i, word in enumerate(name.families):
            rest = tuple(sorted(name.families[:i] + name.families[i + 1 :]))
            for base in sorted(named.get(rest, ())):
                if base == curie:
                    continue
                for other in names[base]:
                    if word not in other.families:
                        yield (
                            curie,
                            text,
                            kind,
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
