"""Texts as read → what they say together: pairs of a disease and a finding, a treatment or a place, with counts.

A pair is counted once a text. In a sentence: both are stated there. In a text: the disease is what it is about (named
in a paper's title or three times; a case's diagnosis), and the other is stated anywhere but in what was asked or done.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from extraction.cue import Said, hedged, report, said, single
from extraction.reading import Mention, Reading, Sentence, about_animals
from extraction.vocabulary import Vocabulary

Kind = Literal["finding-disease", "treatment", "location"]
KINDS: tuple[Kind, ...] = ("finding-disease", "treatment", "location")
Key = tuple[str, str]  # disease, and finding (CURIEs), treatment or place (names)
_KEPT = 8  # sentences of a pair
_TOPIC = 3  # mentions that make a disease what a paper is about
_DIAGNOSIS = re.compile(
    r"(?:diagnos\w+|consistent with|compatible with|confirm\w+|reveal\w+|proved|case of|suggestive of|tested positive)"
    r"[^.;]{0,80}$",
    re.IGNORECASE,
)
# Names that stand in the names of other things: of genes, of events, of what is done with a needle.
_NAME_GOES_ON = re.compile(
    r"[ -](?:\w+ )?(?:genes?|kinases?|proteins?|receptors?|oncogenes?|antigens?|vaccin\w+|cell lines?|pandemics?|"
    r"outbreaks?|lockdowns?|epidemics?|waves?|crisis|era|registry|restrictions|coronavirus\w*|virus\w*|cytology|biops\w+|punctures?|smears?)\b",
    re.IGNORECASE,
)
_NEEDLE = re.compile(r"\b(?:needle|marrow) $", re.IGNORECASE)
_STATED = ("present", "uncertain")
ASSERTING = ("shows", "before", "treats")  # what says, and does not only name, two things together


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence of a text, with the places of the disease and of the other, and what it says of them. ``single``: of
    one patient, not of patients with the disease."""

    doc_id: str
    sentence: str
    disease: tuple[int, int]
    other: tuple[int, int]
    said: Said
    hedged: bool
    single: bool = False

    @property
    def distance(self) -> int:
        """Characters between the two."""
        first, second = sorted((self.disease, self.other))
        return max(second[0] - first[1], 0)


@dataclass(slots=True)
class Pair:
    """How many texts say a pair: in a sentence (``sentences``) or as a whole (``texts``, of which ``cases`` are cases);
    ``said``: by what their clearest sentence says; ``hedged``: only with a doubt; ``single``: so many of the texts that
    say it, and do not only name it, say it of one patient; ``denied``: in so many
    more texts about the disease the finding was stated to be absent."""

    sentences: int = 0
    texts: int = 0
    cases: int = 0
    hedged: int = 0
    denied: int = 0
    single: int = 0
    said: Counter[str] = field(default_factory=Counter)
    evidence: list[Evidence] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Counts:
    """``texts``: all that were read; in how many texts each disease and each other is stated (``diseases``,
    ``others``), in how many it is the topic (``topics``), in how many cases the diagnosis (``diagnosed``)."""

    texts: int = 0
    papers: int = 0
    cases: int = 0
    diseases: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    diagnosed: Counter[str] = field(default_factory=Counter)
    pairs: dict[Key, Pair] = field(default_factory=dict)


def counted(readings: Iterable[Reading], vocabulary: Vocabulary, kind: Kind) -> Counts:
    """The pairs of one kind in all texts that are not about animals."""
    counts = Counts()
    for reading in readings:
        if not reading.animal:
            counts.texts += 1
            counts.papers += reading.kind == "paper"
            counts.cases += reading.kind == "case"
            _count(reading, vocabulary, kind, counts)
    return counts


def _count(reading: Reading, vocabulary: Vocabulary, kind: Kind, counts: Counts) -> None:
    known = _Roles(reading, vocabulary, kind)
    topics = topics_of(reading, vocabulary, known)
    stated: set[str] = set()
    diseases: set[str] = set()
    absent: set[str] = set()
    clearest: dict[Key, Evidence] = {}
    for sentence in reading.sentences:
        if sentence.aim or (reading.kind == "paper" and about_animals(sentence.text)):
            continue
        own = [(m, name) for m in sentence.mentions for name in known.others(m)]
        stated.update(name for m, name in own if m.presence in _STATED)
        absent.update(name for m, name in own if m.presence == "absent")
        diseases.update(m.concept for m in sentence.mentions if known.disease(m) and m.presence in _STATED)
        for key, evidence in _pairs(reading, sentence, known, vocabulary, own, kind):
            if key not in clearest or _clarity(evidence) < _clarity(clearest[key]):
                clearest[key] = evidence
    counts.diseases.update(diseases)
    counts.others.update(stated)
    counts.topics.update(topics)
    if reading.kind == "case":
        counts.diagnosed.update(topics)
    for key, evidence in clearest.items():
        pair = counts.pairs.setdefault(key, Pair())
        pair.sentences += 1
        pair.said[evidence.said] += 1
        pair.hedged += evidence.hedged
        pair.single += evidence.single and evidence.said in ASSERTING
        pair.evidence = sorted([*pair.evidence, evidence], key=_clarity)[:_KEPT]
    if kind != "location":
        for disease, other in product(topics, stated):
            if (disease, other) in clearest or _apart(vocabulary, disease, other, kind):
                pair = counts.pairs.setdefault((disease, other), Pair())
                pair.texts += 1
                pair.cases += reading.kind == "case"
                pair.documents = [*pair.documents, reading.doc_id][:_KEPT]
        for key in product(topics, absent - stated):
            if key in counts.pairs:
                counts.pairs[key].denied += 1


def _clarity(evidence: Evidence) -> tuple[bool, bool, bool, bool, int, str]:
    """Clear sentences first: those that deny; then those with a cue, of patients and not of one, without a doubt, in
    which the two stand near."""
    said = evidence.said
    vague = said in ("nothing", "apart")
    return (said != "excluded", vague, evidence.single, evidence.hedged, evidence.distance, evidence.doc_id)


class _Roles:
    """What the mentions of a text stand for in one kind of relation."""

    def __init__(self, reading: Reading, vocabulary: Vocabulary, kind: Kind) -> None:
        self._vocabulary, self._kind = vocabulary, kind
        self._paper = reading.kind == "paper"
        self.report = of_one(reading)
        # An abbreviation that a paper does not explain may be anything ("RA transcript").
        text = " ".join(s.text for s in reading.sentences)
        shorts = {
            s.text[m.start : m.end] for s in reading.sentences for m in s.mentions if _short(s.text[m.start : m.end])
        }
        self._unexplained = {short for short in shorts if self._paper and f"({short}" not in text}
        self._doubtful = {
            id(m)
            for s in reading.sentences
            for m in s.mentions
            if s.text[m.start : m.end] in self._unexplained
            or _NAME_GOES_ON.match(s.text, m.end)
            or _NEEDLE.search(s.text, max(0, m.start - 10), m.start)
            or (self._paper and self._says_more(m, s.text))
        }

    def _says_more(self, mention: Mention, sentence: str) -> bool:
        node = None if mention.treated else self._vocabulary.node(mention.concept)
        return node is not None and self._vocabulary.says_more(node, sentence[mention.start : mention.end], sentence)

    def disease(self, mention: Mention) -> bool:
        if mention.treated or id(mention) in self._doubtful:
            return False
        node = self._vocabulary.node(mention.concept)
        return node is not None and self._vocabulary.is_disease(node)

    def others(self, mention: Mention) -> tuple[str, ...]:
        """What a mention is at the other end: its concept, its treatment, or its places."""
        if self._kind == "treatment":
            return (mention.concept,) if mention.treated else ()
        if mention.treated or id(mention) in self._doubtful:
            return ()
        if self._kind == "location":
            return mention.places
        node = self._vocabulary.node(mention.concept)
        if node is None or not self._vocabulary.is_finding(node):
            return ()
        return () if self._paper and self._vocabulary.is_personal(node) else (mention.concept,)


def of_one(reading: Reading) -> bool:
    """Whether a text is about one patient: a case is, and so is a paper that reports one. A title without an abstract
    is taken for a report, too."""
    alone = len(reading.sentences) == 1 and reading.sentences[0].title
    return reading.kind == "case" or alone or report(" ".join(s.text for s in reading.sentences))


def _short(written: str) -> bool:
    return 1 < len(written) <= 5 and written.isupper()


def topics_of(reading: Reading, vocabulary: Vocabulary, roles: _Roles | None = None) -> set[str]:
    """The diseases that a text is about, the narrowest only."""
    known = roles or _Roles(reading, vocabulary, "finding-disease")
    times: Counter[str] = Counter()
    sure: set[str] = set()
    for sentence in reading.sentences:
        for mention in sentence.mentions:
            if mention.presence == "present" and known.disease(mention):
                times[mention.concept] += 1
                if sentence.title or (reading.kind == "case" and _DIAGNOSIS.search(sentence.text, 0, mention.start)):
                    sure.add(mention.concept)
    if reading.kind == "paper" or not sure:
        sure |= {curie for curie, n in times.items() if n >= _TOPIC}
    nodes = {curie: vocabulary.node(curie) for curie in sure}
    wider = {a for node in nodes.values() if node is not None for a in vocabulary.above(node) if a != node}
    return {curie for curie, node in nodes.items() if node not in wider}


def _apart(vocabulary: Vocabulary, disease: str, other: str, kind: Kind) -> bool:
    """Whether the two ends mean different things."""
    if kind != "finding-disease":
        return True
    one, two = vocabulary.node(disease), vocabulary.node(other)
    return one is not None and two is not None and not (vocabulary.related(one, two) or vocabulary.restates(one, two))


def _pairs(
    reading: Reading,
    sentence: Sentence,
    known: _Roles,
    vocabulary: Vocabulary,
    others: list[tuple[Mention, str]],
    kind: Kind,
) -> Iterator[tuple[Key, Evidence]]:
    """Every pair of a sentence with what it says, of each the mentions that stand nearest to each other."""
    for disease in (m for m in sentence.mentions if known.disease(m)):
        for other, name in others:
            if kind == "location":
                if other is disease and disease.presence == "present":
                    own = (disease.start, disease.end)
                    yield (disease.concept, name), _evidence(reading, sentence, known, own, own, "shows")
                continue
            if disease.start < other.end and other.start < disease.end:
                continue
            if not _apart(vocabulary, disease.concept, name, kind):
                continue
            one, two = (disease.start, disease.end), (other.start, other.end)
            what = said(sentence.text, one, two, treated=kind == "treatment")
            if what == "excluded":
                if reading.kind == "paper":
                    yield (disease.concept, name), _evidence(reading, sentence, known, one, two, what)
            elif disease.presence in _STATED and other.presence in _STATED:
                doubt = "uncertain" in (disease.presence, other.presence)
                yield (disease.concept, name), _evidence(reading, sentence, known, one, two, what, doubt)


def _evidence(
    reading: Reading,
    sentence: Sentence,
    known: _Roles,
    one: tuple[int, int],
    two: tuple[int, int],
    what: Said,
    doubt: bool = False,
) -> Evidence:
    return Evidence(
        doc_id=reading.doc_id,
        sentence=sentence.text,
        disease=one,
        other=two,
        said=what,
        hedged=doubt or hedged(sentence.text),
        single=single(sentence.text, known.report),
    )
