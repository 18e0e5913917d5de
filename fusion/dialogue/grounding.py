"""Whether a sentence is supported by a report and by what was answered about it.

A sentence is refused when one thing in it is not found there: a word, a number beside a name, a disease, a finding and
whether it is there, a side, a place in the ranking, the direction in which a finding moves a disease, a step, a paper.
What is not understood is not supported: a true sentence may be refused, and that is the lesser harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from Stemmer import Stemmer

from fusion.dialogue.answer import Answer
from fusion.dialogue.topic import Topic
from fusion.why.answer import Comparison
from fusion.why.figures import percent, weight
from ontologies.linking.linker import ConceptMatch

WORDS = Path(__file__).parent / "data" / "plain_words.txt"
_ENDS = re.compile(r"(?<=[.!?])[\"”)]*\s+(?=[\"“(]?[A-Z0-9])|\n+")
_PAPER = re.compile(r"\[?\bPMID\W{0,2}(\d+)\]?", re.I)
_LETTERS = re.compile(r"[^\W\d_]+")
_SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {w: n for n, w in enumerate(_SMALL)} | {w: 10 * n for n, w in enumerate(_TENS, 2)}
_SPELT = re.compile(rf"\b(?:({'|'.join(_TENS)})[\s-])?({'|'.join(_VALUES)})\b(?!\s+(?:of|or)\b)", re.I)
_NUMBER = re.compile(r"([<>+−-]?)\s?(?<![\w.])(\d+(?:[.,]\d+)?)(?:\s?(%|percent\b))?", re.I)
_BELOW = re.compile(r"\b(?:less than|below|under) (?=\d+\s?%)", re.I)
_ABOVE = re.compile(r"\b(?:more than|above|over) (?=\d+\s?%)", re.I)
_AGE = re.compile(r"\b(\d+)[\s-]*(?:-year-old|years?)\b|\bage(?:d| of)? (\d+)\b", re.I)
_WOMAN = re.compile(r"\b(?:she|her|hers|woman|female|lady)\b", re.I)
_MAN = re.compile(r"\b(?:he|his|him|man|male|gentleman)\b", re.I)
_SIDE = re.compile(r"\b(left|right|bilateral|both sides)\b(?! out)", re.I)
_GONE = re.compile(
    r"\b(?:no|not|none|nor|neither|never|without|absent|missing|lack\w*|den(?:y|ies|ied)|(?<!not be )ruled out)\b", re.I
)
_SUPPOSED = re.compile(r"\b(?:if|would|could|typical\w*|usual\w*|ask|test for|examine|look for|expected)\b", re.I)
_PLACES = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"]
_PLACE = re.compile(
    rf"\b(?:({'|'.join(_PLACES)})|rank(?:ed|s)? (\d+)|(leads|leading|leader|most likely|most probable|likeliest))\b",
    re.I,
)
_AMONG = re.compile(r"\btop (\w+)", re.I)
_MORE = re.compile(
    r"\b(?:(?:more|less) (?:likely|probable)\w* than|ahead of|(?:ranked )?(?:above|below|under|over)|behind)\b", re.I
)
_LOWER = re.compile(r"less|below|under|behind", re.I)
_FOR = re.compile(
    r"\b(?:speaks?|argues?|points?|counts?|weighs?) (?:\w+ )?(?:for|to|towards?)\b|\bsupport\w*|\bfavou?r\w*"
    r"|\bmore (?:likely|probable)\b(?! than)|\b(?:adds?|worth)\b|\braises?\b",
    re.I,
)
_AGAINST = re.compile(r"\bagainst\b|\bless (?:likely|probable)\b(?! than)|\blowers?\b", re.I)
_PERSON = re.compile(r"\b(age|sex)\b", re.I)
_DO = re.compile(
    r"\b(?:suggest\w*|recommend\w*|treat\w*|start|give|should|next step|investigations?|left out|indicated)\b", re.I
)
_HELD = re.compile(r"%|\brank|\b(?:candidate|possib|likel|probab|diagnos|list)", re.I)
_AVOID = re.compile(r"\b(?:avoid\w*|do not|must not|no)\b[^;,.]*", re.I)
_LEFT = re.compile(r"\bleft out|\bnot (?:suggested|recommended|given)|\bagainst\b", re.I)


@cache
def _stemmer() -> Stemmer:
    return Stemmer("english")


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stemmer().stemWords(_LETTERS.findall(text.lower())))


@cache
def _plain() -> frozenset[str]:
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return _stems(" ".join(line for line in lines if not line.startswith("#")))


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, without list marks and emphasis; empty of a blank text."""
    plain = re.sub(r"^\s*(?:[-*•#]+\s+|\d+[.)]\s+)", "", text, flags=re.MULTILINE)
    parts = (part.strip() for part in _ENDS.split(re.sub(r"[*`]{1,2}", "", plain)))
    return [part for part in parts if re.search(r"\w", part)]


def _figures(text: str) -> Iterator[tuple[int, str]]:
    """(where, figure) of the numbers of a text: "72 %", "<1 %", "+2.40", "61"."""
    said = _ABOVE.sub(lambda m: ">".rjust(len(m[0])), _BELOW.sub(lambda m: "<".rjust(len(m[0])), text))
    for m in _NUMBER.finditer(said):
        sign = m[1].replace("-", "−")
        if sign == "−" and (m.start() and text[m.start() - 1].isalnum()):
            sign = ""
        yield m.start(), f"{sign}{m[2].replace(',', '.')}{' %' if m[3] else ''}"
    for m in _SPELT.finditer(text):
        yield m.start(), str(_VALUES.get((m[1] or "").lower(), 0) + _VALUES[m[2].lower()])


@dataclass(frozen=True, slots=True)
class _Fact:
    """A piece of a fact: its words, figures and the concepts (canonical CURIEs) that it names."""

    stems: frozenset[str]
    figures: frozenset[str]
    concepts: frozenset[str]


class Grounding:
    """What the report of ``topic`` says, and what was ``answered`` about it, to hold sentences against."""

    def __init__(self, topic: Topic, answered: Iterable[Answer]) -> None:
        self._topic, self._graph = topic, topic.explainer.graph
        self._case = {self._graph.resolve(o.curie): o.presence for o in topic.explainer.case.observed}
        report = topic.report
        self._papers = {
            found[1]: s.text
            for a in answered
            if a.intent == "papers"
            for s in a.sentences
            if (found := _PAPER.search(s.text))
        }
        for hit in report.literature:
            if found := _PAPER.search(hit.document.source_curie):
                self._papers[found[1]] = f"{hit.document.title} {' '.join(hit.document.metadata.values())}"
        said = [s.text for a in answered if a.intent not in ("papers", "cases") for s in a.sentences]
        said += [f"{d.concept.name}: rank {d.rank}, {percent(d.probability)}" for d in report.diagnoses]
        said += [f"{d.concept.name}: {percent(d.with_kinds)} with kinds" for d in report.diagnoses if d.with_kinds]
        said += [
            f"{e.text} ({weight(e.weight)})"
            for d in report.diagnoses
            for e in d.evidence
            if e.kind in ("finding", "person")
        ]
        said += [f"none of these {percent(report.none_of_these)}"]
        said += [f"{f.label} {f.laterality or ''}" for f in report.findings]
        said += [self._graph.concept(c).name for c in self._case]
        if report.set_size is not None:
            said.append(f"{report.set_size} candidates cannot be ruled out at 90 % coverage")
        self._steps = [_stems(f"{s.disease} {to_do(s.text)}") for s in report.next_steps]
        self._avoided = [_stems(f"{s.disease} {' '.join(_AVOID.findall(s.text))}") for s in report.next_steps]
        self._left = [_stems(f"{s.disease} {s.objection}") for s in report.left_out]
        said += [s.text for s in report.next_steps] + [s.objection for s in report.left_out]
        if topic.note:
            said += sentences(topic.note)
        self._rows: dict[str, Sequence[Comparison]] = {}
        self._facts = list(self._pieces(said))
        self._known = frozenset().union(*(f.stems for f in self._facts))
        self._named = frozenset().union(*(f.concepts for f in self._facts))
        self._chances = {c: {percent(p)} for c, (_, p) in topic.explainer.standings.items()}
        for d in report.diagnoses:
            kinds = set() if d.with_kinds is None else {percent(d.with_kinds)}
            self._chances[d.concept.curie] = {percent(d.probability)} | kinds
        self._ranked = {c: r for c, (r, _) in topic.explainer.standings.items() if r is not None}

    def _pieces(self, said: Sequence[str]) -> Iterator[_Fact]:
        """The facts in pieces that end at a comma, a semicolon or "and"; one that names nothing is about what the piece
        before it names."""
        for text in dict.fromkeys(said):
            before: frozenset[str] = frozenset()
            for piece in re.split(r"[;,](?=\s)| and |: |\. ", text):
                if not piece.strip():
                    continue
                own = frozenset(self._graph.resolve(m.concept.curie) for m in self._links(piece))
                before = own or before
                yield _Fact(_stems(piece), frozenset(f for _, f in _figures(piece)), before)
            yield _Fact(
                _stems(text), frozenset(), frozenset(self._graph.resolve(m.concept.curie) for m in self._links(text))
            )

    def _links(self, text: str) -> Sequence[ConceptMatch]:
        """What a text names, without names made of plain words ("fall") and those around another name."""
        found = [m for m in self._topic.names.linked(text) if not _stems(m.mention) <= _plain()]
        return [
            m
            for m in found
            if not any(o is not m and m.start <= o.start and o.end <= m.end and o.start > m.start for o in found)
        ]

    def wrong(self, sentence: str) -> str:
        """What in the sentence is not supported, in words; "" when all of it is."""
        if paper := _PAPER.search(sentence):
            return self._wrong_paper(sentence, paper[1])
        links = [(m.start, self._graph.resolve(m.concept.curie), m) for m in self._links(sentence)]
        diseases = [(at, c) for at, c, _ in links if self._is_disease(c)]
        named = {c for _, c in diseases}
        findings = [(at, c, m) for at, c, m in links if c not in named]
        checks = (
            self._wrong_words(sentence, [m for _, c, m in links if c in self._case]),
            self._wrong_person(sentence),
            self._wrong_names(sentence, diseases, {c for _, c, m in links if m.presence == "absent"}),
            self._wrong_findings(sentence, [(c, m) for _, c, m in findings], bool(diseases)),
            self._wrong_side(sentence, [(c, m) for _, c, m in findings]),
            self._wrong_place(sentence, diseases),
            self._wrong_direction(sentence, [(at, c) for at, c, _ in findings], diseases),
            self._wrong_figure(sentence, [(at, c) for at, c, _ in links]),
            self._wrong_step(sentence),
        )
        return next(filter(None, checks), "")

    def _wrong_paper(self, sentence: str, number: str) -> str:
        """A sentence with papers says what their entries say, and nothing of the patient."""
        cited = _PAPER.findall(sentence)
        if any(n not in self._papers for n in cited):
            return f"no such paper was found: PMID {number}"
        entries, said = " ".join(self._papers[n] for n in cited), _PAPER.sub(" ", sentence)
        if any(cue.search(said) for cue in (_PLACE, _MORE, _FOR, _AGAINST, _DO, _GONE, _SIDE, _WOMAN, _MAN)):
            return "a sentence with a paper says something of the patient"
        known = _plain() | _stems(entries)
        unknown = [w for w in _LETTERS.findall(said) if not _stems(w) <= known]
        unknown += [f for _, f in _figures(said) if f not in {held for _, held in _figures(entries)}]
        return f"the paper's entry does not say “{unknown[0]}”" if unknown else ""

    def _wrong_words(self, sentence: str, findings: Sequence[ConceptMatch]) -> str:
        for match in reversed(findings):  # a finding of the case, in whatever words
            sentence = f"{sentence[: match.start]} {sentence[match.end :]}"
        unknown = [w for w in _LETTERS.findall(sentence) if not _stems(w) <= _plain() | self._known]
        return f"no fact says “{unknown[0]}”" if unknown else ""

    def _wrong_person(self, sentence: str) -> str:
        report = self._topic.report
        for m in _AGE.finditer(
            _SPELT.sub(lambda s: str(_VALUES.get((s[1] or "").lower(), 0) + _VALUES[s[2].lower()]), sentence)
        ):
            if report.age is None or float(m[1] or m[2]) != report.age:
                return f"the age is not {m[1] or m[2]}"
        said = {"F"} if _WOMAN.search(sentence) else set()
        said |= {"M"} if _MAN.search(sentence) else set()
        return "the sex is another" if said and report.sex in ("F", "M") and said != {report.sex} else ""

    def _is_disease(self, curie: str) -> bool:
        """Of what may be a disease or a finding of one: a finding, unless it is a candidate."""
        names = self._topic.names
        if curie in self._case or curie in self._ranked:
            return curie not in self._case
        return names.is_disease(curie) and (names.explainer.annotated(curie) or curie not in names.shown)

    def _wrong_names(self, sentence: str, diseases: Sequence[tuple[int, str]], denied: Set[str]) -> str:
        own = {d.concept.curie for d in self._topic.report.diagnoses}
        for _, curie in diseases:
            name = self._graph.concept(curie).name
            if curie not in self._named | own:
                return f"no fact names {name}"
            if curie in denied and not any(cue.search(sentence) for cue in (_FOR, _AGAINST, _SUPPOSED)):
                return f"nothing rules {name} out"
            looked_at = (_PLACE, _AMONG, _MORE, _FOR, _AGAINST, _SUPPOSED, _DO, _HELD)
            if not any(cue.search(sentence) for cue in looked_at):
                return f"{name} is a candidate at most"
        return ""

    def _wrong_findings(self, sentence: str, findings: Sequence[tuple[str, ConceptMatch]], about: bool) -> str:
        """``about``: the sentence names a disease, and may say what is typical of it or would be asked for."""
        supposed, gone = _SUPPOSED.search(sentence) is not None, _GONE.search(sentence) is not None
        step = _DO.search(sentence) is not None
        denied = False
        for curie, match in findings:
            name = self._graph.concept(curie).name
            if match.context in ("past", "family") and curie not in self._case:
                return f"no fact has {name} in the history"
            states = {p for c, p in self._case.items() if c == curie or curie in self._graph.ancestors(c)}
            above = {p for c, p in self._case.items() if c in self._graph.ancestors(curie)}
            absent = match.presence == "absent"
            denied = denied or absent
            if supposed or step:
                if curie not in self._named and not states:
                    return f"no fact names {name}"
                denied = True
            elif absent and states | above != {"absent"}:
                return f"{name} is not absent"
            elif not absent and not states & {"present", "uncertain"}:
                stated_absent = gone and states == {"absent"}
                if not stated_absent:
                    return f"{name} is not a finding of the case"
                denied = True
        return (
            "what is denied cannot be told"
            if gone
            and not denied
            and (findings or not about)
            and not _LEFT.search(sentence)
            and "not ruled out" not in sentence
            else ""
        )

    def _wrong_side(self, sentence: str, findings: Sequence[tuple[str, ConceptMatch]]) -> str:
        said = {"bilateral" if m[1].lower().startswith("b") else m[1].lower() for m in _SIDE.finditer(sentence)}
        if not said:
            return ""
        held = {
            f.laterality or ""
            for f in self._topic.report.findings
            if f.concept is not None
            for curie, _ in findings
            if (own := self._graph.resolve(f.concept.curie)) == curie or curie in self._graph.ancestors(own)
        } - {""}
        return "" if said <= held else f"no finding of it is {' or '.join(sorted(said))}"

    def _wrong_place(self, sentence: str, diseases: Sequence[tuple[int, str]]) -> str:
        for m in _PLACE.finditer(sentence):
            claimed = _PLACES.index(m[1].lower()) + 1 if m[1] else int(m[2]) if m[2] else 1
            curie = _nearest(m.start(), diseases)
            told = any(curie in f.concepts and str(claimed) in f.figures and "rank" in f.stems for f in self._facts)
            if curie is None or (self._ranked[curie] != claimed if curie in self._ranked else not (m[2] and told)):
                return f"rank {claimed} is another's"
        for m in _AMONG.finditer(sentence):
            most = _VALUES.get(m[1].lower()) or (int(m[1]) if m[1].isdigit() else 1)
            curie = _nearest(m.start(), diseases)
            if curie is None or self._ranked.get(curie, most + 1) > most:
                return f"it is not among the first {most}"
        for m in _MORE.finditer(sentence):
            one = next((c for at, c in reversed(diseases) if at < m.start()), None)
            other = next((c for at, c in diseases if at > m.start()), None)
            if one is None or other is None:
                continue
            higher, lower = (other, one) if _LOWER.search(m[0]) else (one, other)
            if self._ranked.get(higher, 9999) >= self._ranked.get(lower, 9999):
                return "the order is another"
        return ""

    def _weights(self, finding: str, disease: str) -> set[str]:
        """What a finding (a CURIE, "age", "sex") weighs for a disease, as figures."""
        found: set[str] = set()
        for d in self._topic.report.diagnoses:
            if d.concept.curie == disease:
                found |= {weight(e.weight) for e in d.evidence if self._reads(e.reference) == finding}
        first = self._topic.report.diagnoses[0].concept.curie if self._topic.report.diagnoses else disease
        if finding in self._case and self._topic.explainer.annotated(disease):
            name = self._graph.concept(finding).name
            if disease not in self._rows:
                self._rows[disease] = self._topic.explainer.compared(disease, first)
            found |= {weight(r.weight) for r in self._rows[disease] if r.finding == name}
        return found

    def _reads(self, reference: str) -> str:
        return self._graph.resolve(reference) if reference in self._graph else reference

    def _wrong_direction(
        self, sentence: str, findings: Sequence[tuple[int, str]], diseases: Sequence[tuple[int, str]]
    ) -> str:
        stances = {"+"} if _FOR.search(sentence) else set()
        stances |= {"−"} if _AGAINST.search(sentence) else set()
        pieces = [c for _, c in findings if c in self._case] + [m[1].lower() for m in _PERSON.finditer(sentence)]
        if not stances or _SUPPOSED.search(sentence) or (_LEFT.search(sentence) and _DO.search(sentence)):
            return ""
        if len(stances) > 1 or not pieces or not diseases:
            return "what speaks for or against what cannot be told"
        signed = {f for _, f in _figures(sentence) if f[0] in "+−"}
        for piece in pieces:
            for _, disease in diseases:
                held = self._weights(piece, disease)
                if not held or {h[0] for h in held} != stances:
                    name = self._graph.concept(disease).name
                    return f"it does not speak {'for' if '+' in stances else 'against'} {name}"
                if len(pieces) == len(diseases) == 1 and not signed <= held:
                    return "the weight is another"
        return ""

    def _wrong_figure(self, sentence: str, names: Sequence[tuple[int, str]]) -> str:
        age = self._topic.report.age
        ages = {m.start(1) if m[1] else m.start(2) for m in _AGE.finditer(sentence)}
        stems = _stems(sentence)
        alone = not _SUPPOSED.search(sentence) and all(self._is_disease(c) for _, c in names)
        for at, figure in _figures(sentence):
            if at in ages or (age is not None and figure == f"{age:g}"):
                continue
            about = _nearest(at, names)
            holding = [f for f in self._facts if figure in f.figures]
            if alone and about in self._chances and figure.endswith("%"):
                if figure not in self._chances[about]:
                    return f"{self._graph.concept(about).name} is not at {figure}"
                continue
            if about is not None and not any(about in f.concepts for f in holding):
                holding = [f for f in holding if not f.concepts and len(f.stems & stems) > 1]
            if not holding or (about is None and not any(len(f.stems & stems) > 1 for f in holding)):
                return f"no fact has {figure} there"
        return ""

    def _wrong_step(self, sentence: str) -> str:
        if not _DO.search(sentence):
            return ""
        said = _stems(sentence) - _plain()
        other = self._avoided if _AVOID.search(sentence) else self._steps
        pool = self._left if _LEFT.search(sentence) else other
        return "" if any(said <= step | _plain() for step in pool) else "no such step is in the report"


def to_do(step: str) -> str:
    """A step without what it says to avoid: "diuretics; avoid digoxin" speaks for no digoxin."""
    return _AVOID.sub("", step)


def _nearest(at: int, names: Sequence[tuple[int, str]]) -> str | None:
    """The last name before a place in the sentence, else the first after it."""
    before = [c for start, c in names if start < at]
    return before[-1] if before else names[0][1] if names else None
