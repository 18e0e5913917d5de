"""The language of chest reports: names cut short, and names with their modifiers inside.

A report says "no effusion" and "scarring in the left base" and need not say of what; the table
``data/report_shorthand.tsv`` has such words, the name that each stands for, and where: in any chest report, or only in
a clause that names a part of the lung. Other texts keep the dictionary's reading: "edema" in a note on legs is edema.

A report also puts side, place, degree and size inside a name: "calcified left lower lobe granuloma". The words of a
report are read a second time without those.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from ontologies.chest import layer as chest
from ontologies.concept import Concept
from ontologies.linking.normalize import light
from ontologies.linking.recognition import Candidate, Recognizer
from ontologies.linking.words import BREAK, COMMA, PLAIN, Words

_DATA = Path(__file__).parent / "data"
_SCORE = 0.8
_INTERRUPTED = 0.9
_LEAST_TERMS = 2


def _words(path: Path) -> dict[str, frozenset[str]]:
    """Kind → its words, each as written, capitalised and in capitals."""
    found: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            kind, words = line.split("\t")
            for word in words.split():
                found.setdefault(kind, set()).update((word, word.capitalize(), word.upper()))
    return {kind: frozenset(words) for kind, words in found.items()}


_WORDS = _words(_DATA / "report_words.tsv")
_REPORT = _WORDS["report"]
_NEAR_LUNGS = _REPORT | _WORDS["lung"]
_LUNG = re.compile(
    r"\b(?:lungs?|pulmonary|(?:upper|middle|lower) lobes?|lobar|lingula|lingular|bibasilar|retrocardiac|perihilar|"
    r"(?:supra|infra|juxta)hilar|mid ?lungs?|(?:sub)?segmental|hemithorax|costophrenic|RUL|RML|RLL|LUL|LLL)\b",
    re.IGNORECASE,
)
_LOBE = re.compile(r"\b(?:upper|middle|lower) lobes?\b|\b(?:RUL|RML|RLL|LUL|LLL)\b")
_LUNG_IN_A_REPORT = re.compile(
    r"\b(?:bases?|basilar|basal|apex|apices|apical|biapical|zones?|hilum|hilar|chest|thorax|parenchymal|fissures?|"
    r"airspace|interstitial|hemidiaphragm)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Shorthand:
    name: str
    where: str  # "report", "chest", "place" or "note": of the table's head
    not_after: frozenset[str]

    def holds(self, clause: str, report: bool, note: bool) -> bool:
        """Whether the word has this meaning in a clause of a report, of a note on a chest, or of any other text."""
        if self.where in ("report", "chest"):
            return report or (note and self.where == "chest")
        if self.where == "note" and note:
            return True
        return _LUNG.search(clause) is not None or (report and _LUNG_IN_A_REPORT.search(clause) is not None)


def _read(path: Path) -> dict[tuple[str, ...], _Shorthand]:
    table = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            words, name, where, not_after = line.split("\t")
            key = tuple(light(word) for word in words.split())
            table[key] = _Shorthand(name, where, frozenset(filter(None, not_after.split("|"))))
    return table


_SHORTHAND = _read(_DATA / "report_shorthand.tsv")
_FIRST = frozenset(key[0] for key in _SHORTHAND)
_LONGEST = max(map(len, _SHORTHAND))


def is_report(text: str, pieces: Sequence[str]) -> bool:
    """Whether ``text``, split into ``pieces``, speaks of the chest in two different ways at least, as a report on
    a chest image does."""
    terms = {piece.lower() for piece in _REPORT.intersection(pieces)}
    return len(terms) >= _LEAST_TERMS or (bool(terms) and _LOBE.search(text) is not None)


def shows_on_images(concept: Concept) -> bool:
    """Whether the chest layer has the concept as a finding of images or a disease; not a symptom, sign or exposure."""
    return not image_rows().isdisjoint(concept.codes.get("CHEST", ()))


@cache
def image_rows() -> frozenset[str]:
    """The chest layer's codes of diseases and of findings of images."""
    layer = chest.load()
    rows = [*layer.diseases, *(row for row in layer.findings if row.kind == "imaging")]
    return frozenset(row.slug.partition(":")[2] for row in rows)


def short_forms() -> dict[str, str]:
    """The short forms of reports, by their words in their lighter form, and the name that each stands for."""
    return {" ".join(words): row.name for words, row in _SHORTHAND.items()}


class ReportReader:
    """Reads chest reports with the names of a dictionary."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer

    def read(
        self, text: str, words: Words, found: list[Candidate], allowed: np.ndarray | None, note: bool = False
    ) -> list[Candidate]:
        """``found``, the candidates of ``text``, with those that only a chest report's reader sees; a short word that
        stands for a longer name replaces what the dictionary has for that word. ``note``: the text is about a chest.
        Other texts: ``found`` as it is."""
        if not len(words.content) or (not note and _NEAR_LUNGS.isdisjoint(words.pieces)):
            return found
        report = is_report(text, words.pieces)
        more = self._interrupted(words, allowed) if report else []
        short = self._shorthand(text, words, report, note, allowed)
        if not (more or short):
            return found
        replaced = {candidate.words for candidate in short}
        return [c for c in found if c.words not in replaced] + more + short

    def _interrupted(self, words: Words, allowed: np.ndarray | None) -> list[Candidate]:
        """Names with modifiers inside: "calcified left lower lobe granuloma"."""
        surfaces = [words.pieces[i] for i in words.content.tolist()]
        kept = np.array([s not in _WORDS["modifier"] and not s.isdigit() for s in surfaces], dtype=bool)
        if kept.all() or not kept.any():
            return []
        gaps = words.gaps.copy()
        both = ~kept[:-1] & ~kept[1:]  # "right and left", "1.2"
        gaps[:-1][both & (gaps[:-1] <= COMMA)] = PLAIN
        at = np.flatnonzero(kept)
        reduced = replace(
            words,
            content=words.content[at],
            kinds=words.kinds[at],
            hashes=words.hashes[at],
            lights=words.lights[at],
            gaps=np.maximum.reduceat(gaps, at),
        )
        result = []
        for candidate in self._recognizer.candidates([reduced], allowed)[0]:
            own = tuple(int(at[i]) for i in candidate.words)
            if candidate.own or own[-1] - own[0] == candidate.words[-1] - candidate.words[0]:
                continue
            candidate.words, candidate.method = own, "interrupted"
            candidate.score *= _INTERRUPTED
            result.append(candidate)
        return result

    def _shorthand(
        self, text: str, words: Words, report: bool, note: bool, allowed: np.ndarray | None
    ) -> list[Candidate]:
        content = words.content.tolist()
        surfaces = [words.pieces[i] for i in content]
        lights = [light(surface) for surface in surfaces]
        result = []
        for first, word in enumerate(lights):
            if word not in _FIRST:
                continue
            for size in range(min(_LONGEST, len(lights) - first), 0, -1):
                row = _SHORTHAND.get(tuple(lights[first : first + size]))
                if row is None or any(words.gaps[i] != PLAIN for i in range(first, first + size - 1)):
                    continue
                if first and words.gaps[first - 1] == PLAIN and surfaces[first - 1].lower() in row.not_after:
                    break
                if not row.holds(text[slice(*_clause(words, first))], report, note):
                    break
                named = self._recognizer.named(row.name)
                if named is not None and (allowed is None or allowed[named.concept]):
                    chosen = tuple(range(first, first + size))
                    result.append(Candidate(chosen, named.concept, named.term, "shorthand", named.score * _SCORE))
                break
        return result


def _clause(words: Words, at: int) -> tuple[int, int]:
    """Start and end, in characters, of the words around content word ``at`` up to the next full stop or bracket."""
    breaks: Sequence[int] = np.flatnonzero(words.gaps >= BREAK).tolist()
    first = max((i + 1 for i in breaks if i < at), default=0)
    last = min((i for i in breaks if i >= at), default=len(words.content) - 1)
    piece = int(words.content[first])
    return int(words.ends[piece]) - len(words.pieces[piece]), int(words.ends[int(words.content[last])])
