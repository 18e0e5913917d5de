"""Text in, concepts out: every mention with its span, its concept, how and how well it matched, and its presence.

>>> linker = Linker.open(home / "linker")
>>> [(m.mention, m.concept.curie, m.presence) for m in linker.link("small left pleural effusion, no pneumothorax")]
[('pleural effusion', 'UMLS:C0032227', 'present'), ('pneumothorax', 'UMLS:C0032326', 'absent')]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import numpy as np

from errors import ArtifactError, InputError
from ontologies.concept import Concept, Presence, Relation, Term
from ontologies.linking import dictionary
from ontologies.linking.abbreviation import Row, expanded
from ontologies.linking.context.assertion import Context, assertions
from ontologies.linking.context.language import language
from ontologies.linking.context.lookalike import looks_alike, unlike_its_expansion
from ontologies.linking.context.modifiers import Change, Extent, Laterality, Modifiers, modifiers
from ontologies.linking.context.timing import times
from ontologies.linking.local_words import LocalWords
from ontologies.linking.radiology import ReportReader, shows_on_images
from ontologies.linking.recognition import Candidate, Recognizer, resolve, span, with_past
from ontologies.linking.words import Words

if TYPE_CHECKING:
    from ontologies.linking.context.noted import Noted

Method = Literal[
    "exact",
    "normalized",
    "order",
    "coordination",
    "abbreviation",
    "interrupted",
    "shorthand",
    "spelling",
    "similar",
    "measurement",
    "duration",
    "wording",
    "reaction",
    "local",
]

_BATCH = 64
_NEWLINE = re.compile(r"\\n(?=[A-Z\d\s*-]|\\n|$)")  # as some exports write it
_OF_ONE_MEANING = [dictionary.KINDS.index(kind) for kind in ("preferred", "exact", "layperson")]
_UNMODIFIED = Modifiers()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptMatch:
    """A mention of a concept: ``text[start:end] == mention``.

    ``score`` in (0, 1] falls with the distance between the mention and ``matched_term``, the source's name that it
    matched. ``method`` says how: the same characters ("exact"), after normalisation, in another word order, across a
    coordination, by an abbreviation that the text defines, with its modifiers inside ("interrupted"), by a short word
    of chest reports, with a misspelt word ("spelling"), by a measured value, a length of time, a
    phrase of notes or a reaction to a drug ("measurement", "duration", "wording", "reaction":
    ``ontologies.linking.context``), by a word of the place ("local"), or by what it means ("similar",
    ``retrieval.similar_names``).
    ``presence`` is "not assessed" when the mention is about the past or the family, and ``context`` says which, or when
    linking was asked not to look; "indication" is why the patient was examined: what an image would show is at most
    uncertain there. ``locations`` are places such as "right upper lobe"; ``size_mm`` holds the diameters as written, in
    mm; ``change`` is since the examination before. ``time`` is
    when or for how long, as a note says it ("for 5 days"); in other texts it is not looked for.
    """

    mention: str
    start: int
    end: int
    concept: Concept
    score: float
    matched_term: str
    method: Method
    presence: Presence
    context: Context | None = None
    laterality: Laterality | None = None
    locations: tuple[str, ...] = ()
    size_mm: tuple[float, ...] = ()
    extent: Extent | None = None
    change: Change | None = None
    time: str | None = None


class Reading(NamedTuple):
    """A text, its words, the runs of them that are names, overlaps resolved, the concepts that were asked for (bool a
    concept; None: all), and whether it is a note on a patient."""

    text: str
    words: Words
    found: list[Candidate]
    allowed: np.ndarray | None
    note: bool


class Linker:
    """A compiled dictionary, ready to read text. Deterministic: the same text gives the same matches."""

    def __init__(self, index: dictionary.LinkerIndex, words: Mapping[str, str] | None = None) -> None:
        self._index = index
        self._recognizer = Recognizer(index)
        self.local = dict(words or {})
        self._local = LocalWords(self.local, self._recognizer)
        self._reports = ReportReader(self._recognizer)
        self._above = lru_cache(maxsize=1 << 14)(index.above)
        self._concept = lru_cache(maxsize=1 << 14)(index.concept)
        self._allowed = lru_cache(maxsize=16)(self._allow)

    @classmethod
    def build(
        cls,
        concepts: Iterable[Concept],
        terms: Iterable[Term],
        path: Path,
        *,
        relations: Iterable[Relation] = (),
        source: str = "",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Linker:
        """Compile the names of ``concepts`` into the folder ``path`` and open it. ArtifactError when there is no
        name."""
        from ontologies.linking import compiler

        compiler.build(concepts, terms, Path(path), relations=relations, source=source, progress=progress)
        return cls.open(path)

    @classmethod
    def open(cls, path: Path, *, words: Mapping[str, str] | None = None) -> Linker:
        """Open a compiled folder. ``words``: of the place (`local_words`). ArtifactError when it is missing, damaged,
        stale or empty."""
        return cls(dictionary.open_index(Path(path)), words)

    def _allow(self, systems: frozenset[str]) -> np.ndarray:
        known = self._index.systems
        wanted = sum(1 << known.index(system) for system in systems if system in known)
        allowed = (self._index.system_bits & np.uint64(wanted)) != 0
        if not allowed.any():
            raise InputError(
                "no concept of the dictionary has a code in",
                value=", ".join(sorted(systems)),
                expected=f"one of {', '.join(known)}",
            )
        return allowed

    def link(
        self, text: str, *, systems: Collection[str] | None = None, nested: bool = False, note: bool = False
    ) -> tuple[ConceptMatch, ...]:
        """The concepts mentioned in ``text``, by start, then longest first, then CURIE; empty when it mentions none.

        ``systems`` keeps the concepts that have a code in one of these systems ("HP"); it is applied before overlaps
        are resolved, so that a finding inside a disease's name is found when only findings are asked for. ``nested``
        also keeps mentions inside longer ones, of the same or a wider concept. ``note`` reads the text as a note on a
        patient's chest: opacities are the lung's, and measured values stand for findings ("CRP 106 mg/L"); in a paper
        they are somebody's or everybody's. A note in another language than English mentions nothing
        (``context.language`` says which). Raises InputError when the text is empty or blank.
        """
        if not text or text.isspace():
            raise InputError("nothing to link: the text is empty", expected="a text")
        return next(self.link_all([text], systems=systems, nested=nested, note=note))

    def link_all(
        self,
        texts: Iterable[str],
        *,
        systems: Collection[str] | None = None,
        nested: bool = False,
        assess: bool = True,
        note: bool = False,
    ) -> Iterator[tuple[ConceptMatch, ...]]:
        """``link`` for many texts, in their order and with the same matches; faster, because texts are looked up
        together. An empty text has no matches. ``assess`` off leaves presence and side out, in half the time."""
        for reading in self.read_all(texts, systems=systems, nested=nested, note=note):
            yield self.matches(reading, assess=assess)

    def read_all(
        self,
        texts: Iterable[str],
        *,
        systems: Collection[str] | None = None,
        nested: bool = False,
        note: bool = False,
    ) -> Iterator[Reading]:
        """What ``link_all`` finds before it looks at what the texts say of it, so that others may add to it."""
        allowed = None if systems is None else self._allowed(frozenset(systems))
        rest = iter(texts)
        while batch := list(islice(rest, _BATCH)):
            batch = [_NEWLINE.sub(" \n", text) for text in batch] if note else batch
            words = [self._recognizer.words(text) for text in batch]
            for text, read, found in zip(batch, words, self._recognizer.candidates(words, allowed), strict=True):
                found = self._local.add(read, self._reports.read(text, read, found, allowed, note), allowed)
                chosen = self._coherent(resolve(found, nested=nested))
                if note:
                    chosen = with_past(text, read, chosen, found)
                yield Reading(text, read, self._wider(chosen) if nested else chosen, allowed, note)

    def _coherent(self, found: list[Candidate]) -> list[Candidate]:
        """Where words fit several concepts about as well, take the one that lies nearer to the text's other concepts.

        Nearness of two concepts is the share of their ancestors that are common to both (Jaccard); a candidate's score
        is raised by the mean over its nearest concepts, at most three. Ties keep the order of the dictionary.
        """
        if not any(c.rivals for c in found):
            return found
        others = {c.concept for c in found if not c.rivals}
        if not others:
            return found
        chosen = []
        for candidate in found:
            if candidate.rivals:
                above = self._above(candidate.concept)
                rivals = [
                    rival
                    for rival in candidate.rivals
                    if rival.concept not in above and candidate.concept not in self._above(rival.concept)
                ]
                candidate = max((candidate, *rivals), key=lambda c: c.score * (1 + self._nearness(c.concept, others)))
            chosen.append(candidate)
        return chosen

    def _wider(self, found: list[Candidate]) -> list[Candidate]:
        """Without the names inside names that are only words of them: "neuroma" in "acoustic neuroma", a schwannoma,
        "collecting" in "collecting system". What stands inside a longer name stays when its concept is the same or
        lies above, "schwannoma" in "vestibular schwannoma", or when the hierarchy does not say."""
        kept: list[Candidate] = []
        for candidate in sorted(found, key=lambda c: -len(c.words)):
            words = set(candidate.words)
            around = next((c for c in reversed(kept) if not c.own and words < set(c.words)), None)
            if around is not None and around.concept != candidate.concept:
                above = self._above(around.concept)
                if candidate.concept not in above and min(len(above), len(self._above(candidate.concept))) > 1:
                    continue
            kept.append(candidate)
        return kept

    def _nearness(self, concept: int, others: set[int]) -> float:
        own = self._above(concept)
        shares = []
        for other in others:
            above = self._above(other)
            if common := len(own & above):
                shares.append(common / (len(own) + len(above) - common))
        nearest = sorted(shares, reverse=True)[:3]
        return sum(nearest) / 3

    def matches(self, reading: Reading, *, assess: bool = True) -> tuple[ConceptMatch, ...]:
        """The matches of what was found in a text, as ``link`` gives them."""
        if reading.note and language(reading.text) is not None:
            return ()  # half-read, "kein Pneumothorax" would be one
        text, words, found = reading.text, reading.words, reading.found
        rows = [(*span(words, c.words), c.concept, c.score, c.term, c.method) for c in found]
        rows = [row for row in expanded(text, rows) if not looks_alike(text, row[0], row[1])]
        unlike = unlike_its_expansion(text, [(row[0], row[1]) for row in rows])
        rows = [row for row in rows if (row[0], row[1]) not in unlike]
        said: Iterable[tuple[Row, tuple[Presence, Context | None], Modifiers]]
        if assess:
            spans = [(row[0], row[1]) for row in rows]
            said = zip(rows, assertions(text, spans), modifiers(text, spans), strict=True)
        else:
            said = ((row, ("not assessed", None), _UNMODIFIED) for row in rows)
        matches = []
        for (start, end, row, score, term, method), (presence, context), modified in said:
            concept = self._concept(row)
            if context == "indication" and presence == "present" and shows_on_images(concept):
                presence = "uncertain"
            mention, name = text[start:end], self._index.term(term)
            if method == "normalized" and mention.lower() == name.lower():
                method = "exact"
            matches.append(
                ConceptMatch(
                    mention=mention,
                    start=start,
                    end=end,
                    concept=concept,
                    score=round(score, 4),
                    matched_term=name,
                    method=cast(Method, method),
                    presence=presence,
                    context=context,
                    laterality=modified.laterality,
                    locations=modified.locations,
                    size_mm=modified.size_mm,
                    extent=modified.extent,
                    change=modified.change,
                )
            )
        if reading.note:
            matches = self._with_noted(reading, matches)
            said_when = times(text, [(m.start, m.end) for m in matches])
            matches = [m if time is None else replace(m, time=time) for m, time in zip(matches, said_when, strict=True)]
        matches.sort(key=lambda m: (m.start, -m.end, m.concept.curie))
        return tuple(matches)

    def _with_noted(self, reading: Reading, named: list[ConceptMatch]) -> list[ConceptMatch]:
        """The matches of names and what the values, lengths of time and wordings of a note say, except of concepts
        that it names in the same place. A wording goes before the names inside it, unless these are denied ("no
        murmur"), and a name before the wordings inside that."""
        from ontologies.linking.context.noted import noted  # its expressions take a while to compile

        found = []
        for one in noted(reading.text):
            known = self._recognizer.named(one.finding)
            if known is None or (reading.allowed is not None and not reading.allowed[known.concept]):
                continue
            if one.method == "wording" and looks_alike(reading.text, one.start, one.end):
                continue
            concept = self._concept(known.concept)
            inside = [m for m in named if one.start <= m.start and m.end <= one.end]
            if one.stated:
                named = [m for m in named if m.concept != concept or m not in inside]
            elif one.method == "measurement":  # "an HIV test was negative", "mean PAP 48 mmHg"
                named = [m for m in named if not _superseded(m, one, concept)]
            over = [m for m in named if m.start < one.end and one.start < m.end]
            around = [m for m in over if m.start <= one.start and one.end <= m.end and one.method == "wording"]
            if one.method == "reaction":
                over = [m for m in over if m.presence == "present" and m.end >= one.end]
            if around or any(m.concept == concept for m in over):
                continue
            if one.whole:
                named = [m for m in named if m.presence != one.presence or m not in inside]
            found.append(
                ConceptMatch(
                    mention=reading.text[one.start : one.end],
                    start=one.start,
                    end=one.end,
                    concept=concept,
                    score=round(known.score, 4),
                    matched_term=self._index.term(known.term),
                    method=one.method,
                    presence=one.presence,
                    context=one.context,
                )
            )
        return named + found

    @property
    def index(self) -> dictionary.LinkerIndex:
        """The compiled dictionary."""
        return self._index

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """Every concept of the dictionary, by CURIE."""
        return tuple(self._index.concept(row) for row in range(len(self._index.concept_offsets) - 1))

    def names(self, systems: Collection[str]) -> list[tuple[int, int, str]]:
        """(concept, term, text) of every name as its source writes it, of the concepts with a code in one of
        ``systems``, abbreviations and near synonyms left out; by the dictionary's rows of concept and term."""
        entries = self._index.entries
        own = (entries["cost"] == 0) & (entries["flags"] & (dictionary.VARIANT | dictionary.CASED) == 0)
        own &= np.isin(entries["kind"], _OF_ONE_MEANING) & self._allowed(frozenset(systems))[entries["concept"]]
        rows = np.unique(np.stack([entries["concept"][own], entries["term"][own]], axis=1), axis=0).tolist()
        return [(concept, term, self._index.term(term)) for concept, term in rows]

    def term(self, row: int) -> str:
        """The name in row ``row`` of the dictionary."""
        return self._index.term(row)

    def concept(self, row: int) -> Concept:
        """The concept in row ``row`` of the dictionary."""
        return self._concept(row)

    def related(self, one: int, other: int) -> bool:
        """Whether one of two concepts, given by their rows, is the other or above it."""
        return one in self._above(other) or other in self._above(one)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with the dictionary and its rules."""
        return dictionary.fingerprint(self._index)


def _superseded(match: ConceptMatch, one: Noted, concept: Concept) -> bool:
    """Whether a measurement says better what a name beside it says: of a test, of a list ("increased troponin and a
    creatinine of 0.9"), or of the quantity itself."""
    if match.concept == concept:
        less = match.presence == "not assessed" or (one.valued and match.method == "coordination")
        return match.start < one.end and one.start < match.end and less and match.presence != one.presence
    inside = one.start <= match.start and match.end <= one.end
    return inside and one.valued and not any(map(str.isdigit, match.mention))


__all__ = ["ArtifactError", "ConceptMatch", "Linker", "span"]
